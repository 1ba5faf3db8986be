#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Controls of the emulated device for tests: failures, properties of the device, counters. emu_reset() undoes all of
 * them, even those that would last until the end of the process on a GPU. */

/* The n-th kernel launch from now fails on the device (1: the next launch; each kernel in a graph counts). The launch
 * itself reports no error. The next synchronisation and every later call return cudaErrorLaunchFailure. */
void emu_fail_launch(int n);

/* The n-th cudaMalloc from now returns cudaErrorMemoryAllocation; later calls succeed. */
void emu_fail_malloc(int n);

/* The same for pinned host memory (cudaMallocHost, cudaHostAlloc). */
void emu_fail_host_malloc(int n);

/* Number of devices, their compute capability, and the driver's version in the format of cudaDriverGetVersion (0: no
 * driver). There is no kernel image for a major version below 8, since the project compiles for 8.0 and up. */
void emu_set_device(int count, int major, int minor, int driver_version);
void emu_set_memory(size_t bytes); /* total device memory; the default is 2 GiB */

/* Clears faults and errors, drops queued work and captures, restores the device and sets the counters to 0. Keeps
 * memory, streams, events and graphs. */
void emu_reset(void);

/* Enqueues work other than a kernel: a collective. The work starts when is_ready() returns true. The stream calls
 * is_ready() whenever it is polled. Both may access device memory. */
struct CUstream_st;
void emu_enqueue(struct CUstream_st *stream, int (*is_ready)(void *), void (*work)(void *), void *context);

/* Plants missing waits for events. 1: only the oldest stream waits; 2: all streams but the oldest wait; 0: all streams
 * wait. */
void emu_forget_waits(int whose);

/* Kernels whose name contains `name` compute nothing, to simulate a wrong kernel; NULL: none. Borrowed. The environment
 * variable EMU_SKIP_KERNEL has the same effect. */
void emu_skip_kernel(const char *name);

long emu_launch_count(void);       /* kernels submitted, directly or by a graph */
long emu_graph_launch_count(void); /* cudaGraphLaunch */
long emu_malloc_count(void);       /* calls that allocate device or pinned memory */
size_t emu_live_bytes(void);       /* device and pinned memory that is not yet freed */

/* Kernels load lazily, as on a GPU: at the first launch or cudaFunc* call. The first launch of a kernel that is not
 * loaded, into a stream that captures in a strict mode, is cudaErrorStreamCaptureUnsupported. `kernel` is the kernel's
 * host address. emu_unload() unloads all kernels, as in a new process. */
bool emu_is_loaded(const void *kernel);
void emu_unload(void);

/* Blocks of the kernel's largest launch so far; 0: never launched. emu_reset() does not reset it. */
unsigned long long emu_largest_grid(const void *kernel);

#ifdef __cplusplus
}
#endif
#endif
