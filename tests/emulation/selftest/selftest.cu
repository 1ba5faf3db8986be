/* selftest.cu - see selftest.h. */
#include "selftest.h"

#include "kernels/cuda/launch.cuh"

static __global__ void shuffle(int *out, int op, int arg, int width)
{
    const int lane = (int)threadIdx.x;
    int v = -1;
    switch (op) {
    case SELF_IDX: v = __shfl_sync(0xffffffffu, lane, arg, width); break;
    case SELF_UP: v = __shfl_up_sync(0xffffffffu, lane, (unsigned)arg, width); break;
    case SELF_DOWN: v = __shfl_down_sync(0xffffffffu, lane, (unsigned)arg, width); break;
    case SELF_XOR: v = __shfl_xor_sync(0xffffffffu, lane, arg, width); break;
    }
    out[lane] = v;
}

static __global__ void votes(unsigned *out)
{
    const unsigned odd = __ballot_sync(0xffffffffu, threadIdx.x & 1);
    const int any = __any_sync(0xffffffffu, threadIdx.x == 31), all = __all_sync(0xffffffffu, threadIdx.x < 31);
    if (threadIdx.x == 0)
        out[0] = odd, out[1] = (unsigned)any, out[2] = (unsigned)all;
}

/* The low half of the warp computes a sum, and the high half a maximum. The halves use different source lines and
 * different numbers of shuffles. */
static __global__ void half_warps(int *out)
{
    int v = (int)threadIdx.x;
    if (threadIdx.x < 16)
        for (int o = 8; o > 0; o /= 2)
            v += __shfl_xor_sync(0x0000ffffu, v, o);
    else
        for (int o = 1; o < 16; o *= 2) {
            const int other = __shfl_xor_sync(0xffff0000u, v, o);
            v = other > v ? other : v;
            __syncwarp(0xffff0000u);
        }
    out[threadIdx.x] = v;
}

static __global__ void scan(int *out)
{
    SHARED(int, warp_total, [32]);
    const unsigned t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned lane = t % 32, warp = t / 32;
    int v = 1;
    for (unsigned o = 1; o < 32; o *= 2) {
        const int below = __shfl_up_sync(0xffffffffu, v, o);
        v += lane >= o ? below : 0;
    }
    if (lane == 31)
        warp_total[warp] = v;
    __syncthreads();
    for (unsigned w = 0; w < warp; w++)
        v += warp_total[w];
    out[t] = v;
}

static __global__ void histogram(int *out, int buckets)
{
    atomicAdd(out + (blockIdx.x * blockDim.x + threadIdx.x) % (unsigned)buckets, 1);
}

/* Every block writes its part, and the last block reads all parts. To avoid a race, a fence is required after the write
 * and before the reads. */
static __global__ void last_block(int *out, int *parts, unsigned *arrived)
{
    parts[blockIdx.x * blockDim.x + threadIdx.x] = (int)blockIdx.x;
    __threadfence();
    __syncthreads();
    SHARED(bool, is_last, [1]);
    if (threadIdx.x == 0)
        is_last[0] = atomicAdd(arrived, 1) == gridDim.x - 1;
    __syncthreads();
    if (!is_last[0])
        return;
    __threadfence();
    if (threadIdx.x == 0) {
        int sum = 0;
        for (unsigned i = 0; i < gridDim.x * blockDim.x; i++)
            sum += parts[i];
        out[0] = sum;
    }
}

static __global__ void block_votes(int *out)
{
    const int count = __syncthreads_count(threadIdx.x % 3 == 0);
    const int any = __syncthreads_or(threadIdx.x == 5), all = __syncthreads_and(threadIdx.x != 5);
    if (threadIdx.x == 40)
        out[0] = count, out[1] = any, out[2] = all;
}

/* Accesses 16 bytes at a time, up to the last byte of dynamic shared memory. */
static __global__ void reverse_vectors(uint4 *values, int count)
{
    DYNAMIC_SHARED(uint4, tile);
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
        tile[i] = values[i];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < count; i += (int)blockDim.x)
        values[i] = tile[count - 1 - i];
}

static __global__ void add_one(float *x, int count)
{
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count)
        x[i] += 1.0f;
}

void self_shuffle(int *out, int op, int arg, int width)
{
    LAUNCH(shuffle, 1, 32, 0, (cudaStream_t)0, out, op, arg, width);
}
void self_votes(unsigned *out) { LAUNCH(votes, 1, 32, 0, (cudaStream_t)0, out); }
void self_half_warps(int *out) { LAUNCH(half_warps, 1, 32, 0, (cudaStream_t)0, out); }
void self_scan(int *out, int depth) { LAUNCH(scan, 1, dim3(16, 8, (unsigned)depth), 0, (cudaStream_t)0, out); }
void self_histogram(int *out, int buckets, int blocks)
{
    LAUNCH(histogram, (unsigned)blocks, 128, 0, (cudaStream_t)0, out, buckets);
}
void self_last_block(int *out, int *parts, unsigned *arrived)
{
    LAUNCH(last_block, 5, 32, 0, (cudaStream_t)0, out, parts, arrived);
}
void self_block_votes(int *out) { LAUNCH(block_votes, 1, 64, 0, (cudaStream_t)0, out); }
cudaError_t self_allow_shared(int bytes)
{
    return cudaFuncSetAttribute((const void *)reverse_vectors, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}
cudaError_t self_reverse(void *values, int count)
{
    LAUNCH(reverse_vectors, 1, 64, (size_t)count * sizeof(uint4), (cudaStream_t)0, (uint4 *)values, count);
    return cudaGetLastError();
}
cudaError_t self_add_one(float *x, int count, int threads, cudaStream_t stream)
{
    LAUNCH(add_one, (unsigned)(count + 127) / 128, (unsigned)threads, 0, stream, x, count);
    return cudaGetLastError();
}
