#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a test may do to the emulated device: let it fail, make it another one, count. Everything is undone by
 * emu_reset(), also what would stay until the end of the process on a GPU. */

/* The n-th kernel launch from now (1: the next; kernels in graphs count one by one) fails on the device: the launch
 * itself reports nothing, the next synchronisation says cudaErrorLaunchFailure, and so does every call after it. */
void emu_fail_launch(int n);

/* The n-th cudaMalloc from now returns cudaErrorMemoryAllocation; those after it work again. */
void emu_fail_malloc(int n);

/* The same for pinned host memory (cudaMallocHost, cudaHostAlloc). */
void emu_fail_host_malloc(int n);

/* Devices, their compute capability, and the driver's version as cudaDriverGetVersion counts (0: no driver). A major
 * below 8 has no kernel image, as the project compiles for 8.0 and up. */
void emu_set_device(int count, int major, int minor, int driver_version);
void emu_set_memory(size_t bytes); /* of the device in all; 2 GiB unless told */

/* Forgets faults and errors, drops queued work and captures, restores the device and sets the counters to 0. Memory,
 * streams, events and graphs stay. */
void emu_reset(void);

/* Work for a stream that is no kernel: a collective's. It begins when is_ready() says so, which is asked whenever the
 * stream is looked at. Both may touch device memory. */
struct CUstream_st;
void emu_enqueue(struct CUstream_st *stream, int (*is_ready)(void *), void (*work)(void *), void *context);

/* Mistakes with events: 1, streams but the oldest do not wait for events; 2, the oldest does not; 0, all do. */
void emu_forget_waits(int whose);

/* Kernels whose name contains `name` compute nothing, as a wrong kernel might; NULL: none. Borrowed. The variable
 * EMU_SKIP_KERNEL does the same from outside. */
void emu_skip_kernel(const char *name);

long emu_launch_count(void);       /* kernels submitted, directly or by a graph */
long emu_graph_launch_count(void); /* cudaGraphLaunch */
long emu_malloc_count(void);       /* calls that allocate device or pinned memory */
size_t emu_live_bytes(void);       /* of device and pinned memory not yet freed: a leak when all is closed */

/* Kernels load lazily, as on a GPU: at the first launch or cudaFunc* call. The first launch of a kernel that is not
 * loaded, into a stream that captures in a strict mode, is cudaErrorStreamCaptureUnsupported. `kernel` is the kernel's
 * host address. emu_unload() forgets all of them, as a new process would. */
bool emu_is_loaded(const void *kernel);
void emu_unload(void);

/* Blocks of the kernel's largest launch so far; 0: it was not launched. emu_reset() keeps it. */
unsigned long long emu_largest_grid(const void *kernel);

#ifdef __cplusplus
}
#endif
#endif
