#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Controls of the emulated device for tests: failures, properties of the device, counters. emu_reset() undoes
 * all settings. It also undoes failures that would last until the end of the process on a GPU. */

/* Makes the n-th kernel launch from now fail on the device. n = 1 is the next launch; each kernel in a graph counts.
 * The launch itself reports no error. The next synchronisation and every later call return cudaErrorLaunchFailure. */
void emu_fail_launch(int n);

/* Makes the n-th cudaMalloc from now return cudaErrorMemoryAllocation. Later calls succeed. */
void emu_fail_malloc(int n);

/* Makes the n-th allocation of pinned host memory (cudaMallocHost, cudaHostAlloc) from now fail in the same way. */
void emu_fail_host_malloc(int n);

/* Sets the number of devices, their compute capability, and the driver's version in the format of cudaDriverGetVersion
 * (0: no driver). Major versions below 8 have no kernel image, because the project compiles for 8.0 and later. */
void emu_set_device(int count, int major, int minor, int driver_version);
void emu_set_memory(size_t bytes); /* sets the total device memory; the default is 2 GiB */

/* Clears faults and errors, drops queued work and captures, restores the device, and sets the counters to 0. Keeps
 * memory, streams, events and graphs. */
void emu_reset(void);

/* Enqueues work other than a kernel, for example a collective. The stream calls is_ready() whenever the stream is
 * polled. When is_ready() returns true, the stream calls work(). Both functions may access device memory. */
struct CUstream_st;
void emu_enqueue(struct CUstream_st *stream, int (*is_ready)(void *), void (*work)(void *), void *context);

/* Makes streams ignore waits for events. whose = 1: all streams except the oldest ignore them; 2: only the oldest
 * stream ignores them; 0: no stream ignores them. */
void emu_forget_waits(int whose);

/* Simulates a wrong kernel: kernels whose name contains `name` compute nothing. NULL: no kernel is skipped. `name` is
 * borrowed. The environment variable EMU_SKIP_KERNEL has the same effect. */
void emu_skip_kernel(const char *name);

long emu_launch_count(void);       /* kernels that were launched, directly or by a graph */
long emu_graph_launch_count(void); /* calls of cudaGraphLaunch */
long emu_malloc_count(void);       /* calls that allocate device or pinned memory */
size_t emu_live_bytes(void);       /* bytes of device and pinned memory that are not yet freed */

/* Returns whether a kernel is loaded. `kernel` is the kernel's host address. As on a GPU, a kernel is loaded by its
 * first launch or cudaFunc* call. If this launch goes into a stream that captures in a strict mode, it fails with
 * cudaErrorStreamCaptureUnsupported. emu_unload() unloads all kernels, as in a new process. */
bool emu_is_loaded(const void *kernel);
void emu_unload(void);

/* Returns the number of blocks of the kernel's largest launch so far, or 0 if it was never launched. emu_reset() does
 * not reset this number. */
unsigned long long emu_largest_grid(const void *kernel);

#ifdef __cplusplus
}
#endif
#endif
