/* ptx_only_bugs.cu - mistakes that a build by g++ cannot show. Some are mistakes of the compiler, which `#ifdef
 * __CUDACC__` plants, so that every version of nvcc has them. Only the `ptx` build reports these mistakes. "The twin"
 * means that the comparison with the fibres reports the mistake. "The machine" means that the PTX machine reports it.
 * bugs.cmake lists the messages. */
#include "bugs.h"

#include <cstring>

#include "kernels/cuda/launch.cuh"

enum { N = 128, KIB = 1024 };

/* nvcc drops the loop that stores. Reported by: the twin. */
static __global__ void dropped_loop(float *out)
{
#ifndef __CUDACC__
    for (int i = 0; i < 4; i++)
        out[4 * threadIdx.x + i] = 1.0f;
#else
    if (threadIdx.x == N)
        out[0] = 1.0f;
#endif
}

/* The launch bound allows blocks of at most 64 threads, but the launch has 128. Reported by: the machine. */
static __global__ void __launch_bounds__(64) wrong_launch_bound(float *out) { out[threadIdx.x] = 1.0f; }

/* The kernel's static array takes 40 KiB on every path, and the launch requests 40 KiB more without opting in. Fibres
 * do not report this mistake, because they allocate the array only when a thread reaches it, and no thread does.
 * Reported by: the machine. */
static __global__ void missing_opt_in(float *out, int never)
{
    DYNAMIC_SHARED(float, s);
    s[threadIdx.x] = 1.0f;
    if (never) {
        SHARED(float, tile, [10 * KIB]);
        tile[threadIdx.x] = out[threadIdx.x];
        __syncthreads();
        s[threadIdx.x] = tile[threadIdx.x ^ 1u];
    }
    out[threadIdx.x] = s[threadIdx.x];
}

/* The kernel and the host code that launches it were compiled with different structs. Reported by: the machine. */
struct Arguments {
    float *out;
    int count;
#ifdef __CUDACC__
    int added_later[2];
#endif
};
static __global__ void other_struct(Arguments a)
{
    if ((int)threadIdx.x < a.count)
        a.out[threadIdx.x] = 1.0f;
}

/* `in` and `out` are the same memory, but __restrict__ lets nvcc turn the load into ld.global.nc. Reported by: the
 * machine. */
static __global__ void aliased_restrict(float *out, const float *__restrict__ in)
{
    out[threadIdx.x] = in[threadIdx.x] + 1.0f;
}

static void launch(const char *name, float *out)
{
    if (std::strcmp(name, "dropped-loop") == 0)
        LAUNCH(dropped_loop, 1, N / 4, 0, nullptr, out);
    else if (std::strcmp(name, "wrong-launch-bound") == 0)
        LAUNCH(wrong_launch_bound, 1, N, 0, nullptr, out);
    else if (std::strcmp(name, "missing-opt-in") == 0)
        LAUNCH(missing_opt_in, 1, N, 40 * KIB, nullptr, out, 0);
    else if (std::strcmp(name, "other-struct") == 0)
        LAUNCH(other_struct, 1, N, 0, nullptr, Arguments{out, (int)N});
    else
        LAUNCH(aliased_restrict, 1, N, 0, nullptr, out, (const float *)out);
}

int ptx_only_bug_run(const char *name, float *result)
{
    static const char *const names[] = {"dropped-loop", "wrong-launch-bound", "missing-opt-in", "other-struct",
                                        "aliased-restrict"};
    for (const char *known : names) {
        if (std::strcmp(known, name) != 0)
            continue;
        float host[N] = {}, *out;
        cudaMalloc((void **)&out, sizeof host);
        cudaMemset(out, 0, sizeof host);
        launch(name, out);
        cudaDeviceSynchronize();
        cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost);
        *result = host[N - 1];
        return 1;
    }
    return 0;
}
