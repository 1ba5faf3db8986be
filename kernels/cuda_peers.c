/* Peer access between the GPUs of a host. This file is outside kernels/cuda, so that changes to it do not invalidate
 * the GPU verification of the kernels. */
#include <cuda_runtime.h>
#include <stdio.h>

#include "kernels/backend.h"

void sq_cuda_describe_peers(char *text, size_t text_bytes)
{
    int count = 0, blocked = 0, first = 0, second = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count < 2) {
        (void)snprintf(text, text_bytes, "unknown: %s",
                       code == cudaSuccess ? "fewer than two GPUs" : cudaGetErrorString(code));
        return;
    }
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++) {
            int can_access = 0;
            if (a == b || (cudaDeviceCanAccessPeer(&can_access, a, b) == cudaSuccess && can_access))
                continue;
            if (blocked++ == 0) {
                first = a;
                second = b;
            }
        }
    if (blocked == 0)
        (void)snprintf(text, text_bytes, "each of the %d GPUs can access the memory of all others", count);
    else
        (void)snprintf(text, text_bytes, "%d of %d pairs of GPUs have no peer access; the first is %d and %d", blocked,
                       count * (count - 1), first, second);
}
