/* Which GPUs of a host reach each other. Beside kernels/cuda, not in it: no kernel depends on this file. */
#include <cuda_runtime.h>
#include <stdio.h>

#include "kernels/backend.h"

void sq_cuda_describe_peers(char *text, size_t text_bytes)
{
    int count = 0, apart = 0, first = 0, second = 0;
    const cudaError_t code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count < 2) {
        (void)snprintf(text, text_bytes, "not known: %s",
                       code == cudaSuccess ? "there is one GPU or none" : cudaGetErrorString(code));
        return;
    }
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++) {
            int reaches = 0;
            if (a == b || (cudaDeviceCanAccessPeer(&reaches, a, b) == cudaSuccess && reaches))
                continue;
            if (apart++ == 0) {
                first = a;
                second = b;
            }
        }
    if (apart == 0)
        (void)snprintf(text, text_bytes, "each of %d GPUs reaches each other one", count);
    else
        (void)snprintf(text, text_bytes, "%d of %d pairs of GPUs do not reach each other, the first is %d and %d",
                       apart, count * (count - 1), first, second);
}
