/* See bugs.h. Each comment describes a mistake and names the tools that must report it. "NaN" means that the result of
 * bug_run() is NaN. "The emulator" means that the emulator stops with an error message. */
#include "bugs.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "kernels/cuda/convolution/tensor_core.cuh"

enum { N = 128 };

/* The kernel has no __syncthreads between filling the tile and reading a neighbour's element. Reported by: TSan,
 * NaN. */
static __global__ void missing_barrier(float *out)
{
    SHARED(float, tile, [N]);
    tile[threadIdx.x] = (float)threadIdx.x;
    out[threadIdx.x] = tile[N - 1 - threadIdx.x];
}

/* The guard lets one thread too many through, because it uses `>` instead of `>=`. Reported by: ASan. */
static __global__ void loose_guard(float *out, int n)
{
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i > n)
        return;
    out[i] = 1.0f;
}

/* The launch gives the size of dynamic shared memory in elements instead of bytes. Reported by: ASan. */
static __global__ void small_shared(float *out)
{
    DYNAMIC_SHARED(float, s);
    s[threadIdx.x] = 1.0f;
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x ^ 1u];
}

/* The kernel loads 16 bytes from an address that is only 4-byte aligned. Reported by: UBSan. */
static __global__ void misaligned(float *out)
{
    const float4 v = *reinterpret_cast<const float4 *>(out + 1 + 4 * threadIdx.x);
    out[0] = v.x;
}

/* Half of the block skips the barrier. Reported by: the emulator. */
static __global__ void divergent_barrier(float *out)
{
    if (threadIdx.x < N / 2)
        __syncthreads();
    out[threadIdx.x] = 1.0f;
}

/* Lanes exit before a full-mask shuffle, and the kernel uses the value of an absent lane. Reported by: NaN. */
static __global__ void early_exit_shuffle(float *out)
{
    if (threadIdx.x % 32 >= 20)
        return;
    float v = 1.0f;
    for (int offset = 16; offset > 0; offset /= 2)
        v += __shfl_down_sync(0xffffffffu, v, offset);
    if (threadIdx.x == 0)
        out[0] = v;
}

/* Two branches of one warp run different shuffles under the same full mask. Reported by: the emulator. */
static __global__ void split_shuffle(float *out)
{
    float v = (float)threadIdx.x;
    if (threadIdx.x & 1)
        v = __shfl_xor_sync(0xffffffffu, v, 1);
    else
        v = __shfl_xor_sync(0xffffffffu, v, 2);
    out[threadIdx.x] = v;
}

/* 32-bit index arithmetic overflows for a large tensor. Reported by: UBSan. */
static __global__ void index_overflow(float *out, int rows, int c)
{
    const int at = (rows - 1) * c;
    out[threadIdx.x] = (float)(at >> 20);
}

/* The sum includes an element of shared memory that was never written. Reported by: NaN. */
static __global__ void uninitialised_shared(float *out)
{
    SHARED(float, tile, [N + 1]);
    tile[threadIdx.x] = 1.0f;
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0.0f;
        for (int i = 0; i <= N; i++)
            sum += tile[i];
        out[0] = sum;
    }
}

/* Several blocks add to one element without an atomic. Reported by: TSan. */
static __global__ void block_race(float *out)
{
    if (threadIdx.x == 0)
        out[0] += 1.0f;
}

/* Lanes of a warp exchange values in shared memory without __syncwarp. Reported by: TSan, NaN. */
static __global__ void missing_syncwarp(float *out)
{
    SHARED(volatile float, s, [32]);
    s[threadIdx.x] = (float)threadIdx.x;
    out[threadIdx.x] = s[threadIdx.x ^ 16u];
}

/* Only half of a warp reaches a matrix instruction. Reported by: the emulator. */
static __global__ void divergent_mma(float *out)
{
    const unsigned a[4] = {}, b[2] = {};
    float sum[4] = {};
    if (threadIdx.x < 16)
        mma_bf16_16x8x16(sum, a, b, sum);
    out[threadIdx.x] = sum[0];
}

/* Both branches run a matrix instruction, each with half of the warp. Reported by: the emulator. */
static __global__ void split_mma(float *out)
{
    const unsigned a[4] = {}, b[2] = {};
    float sum[4] = {};
    if (threadIdx.x < 16)
        mma_bf16_16x8x16(sum, a, b, sum);
    else
        mma_bf16_16x8x16(sum, b, a, sum);
    out[threadIdx.x] = sum[0];
}

/* With 48 threads, the second warp has only 16 lanes, which the emulator reports. Without a barrier, threads race on
 * the tile, which TSan reports. */
template <bool BARRIER> static __global__ void load_and_multiply(float *out)
{
    SHARED(uint4, tile, [32]);
    tile[threadIdx.x % 32] = make_uint4(threadIdx.x, 0, 0, 0);
    if (BARRIER)
        __syncthreads();
    unsigned words[4];
    float sum[4] = {};
    load_matrix_x4(words, &tile[31 - threadIdx.x % 32]);
    mma_bf16_16x8x16(sum, words, words, sum);
    out[threadIdx.x] = sum[0];
}

/* The row length of 18 bytes does not keep the 16-byte alignment that ldmatrix requires. Reported by: UBSan. */
static __global__ void misaligned_rows(float *out)
{
    SHARED(uint16_t, tile, [32][9]);
    for (int i = 0; i < 9; i++)
        tile[threadIdx.x][i] = 0;
    __syncthreads();
    unsigned words[4];
    load_matrix_x4(words, tile[threadIdx.x]);
    out[threadIdx.x] = (float)words[0];
}

/* Rows of a tile without padding are 128 bytes apart, so all rows start in the same bank. Reported by: EMU_BANKS=1. */
static __global__ void same_bank(float *out)
{
    SHARED(uint4, tile, [32][8]);
    for (int i = 0; i < 8; i++)
        tile[threadIdx.x][i] = make_uint4(0, 0, 0, 0);
    __syncthreads();
    unsigned words[4];
    load_matrix_x4(words, tile[threadIdx.x]);
    out[threadIdx.x] = (float)words[0];
}

/* The mask of a shuffle does not contain the calling lane. Reported by: the emulator. */
static __global__ void wrong_mask(float *out)
{
    out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, (float)threadIdx.x, 1);
}

/* The kernel stores 16 bytes at once to an array of 16-bit values, which only has an alignment of 2 bytes. Reported by:
 * UBSan. */
static __global__ void narrow_tile(float *out)
{
    SHARED(uint16_t, tile, [8 * 32]);
    reinterpret_cast<uint4 *>(tile)[threadIdx.x] = make_uint4(0, 0, 0, 0);
    __syncthreads();
    out[threadIdx.x] = (float)tile[threadIdx.x];
}

/* The last 16 threads read one row more than the static tile has. Reported by: ASan. */
static __global__ void static_overrun(float *out)
{
    SHARED(float, tile, [8][16]);
    float *flat = tile[0];
    flat[threadIdx.x] = 1.0f;
    __syncthreads();
    out[threadIdx.x] = flat[threadIdx.x + 16];
}

/* The kernel uses 40 KiB of static and 40 KiB of dynamic shared memory without opting in. Reported by: the emulator. */
static __global__ void greedy(float *out)
{
    SHARED(float, tile, [10240]);
    DYNAMIC_SHARED(float, s);
    tile[threadIdx.x] = s[threadIdx.x] = 0.0f;
    out[threadIdx.x] = tile[threadIdx.x];
}

/* The last block reads the results of other blocks, but no fence orders these reads. Reported by: TSan. */
static __global__ void missing_fence(float *out, unsigned *arrived)
{
    if (threadIdx.x == 0) {
        out[1 + blockIdx.x] = 1.0f;
        if (atomicAdd(arrived, 1) == gridDim.x - 1)
            for (unsigned i = 0; i < gridDim.x; i++)
                out[0] += out[1 + i];
    }
}

static __global__ void fill(float *out, float value) { out[threadIdx.x] = value; }

/* ---- One run for each mistake, on a zeroed buffer of N floats ---- */

struct Run {
    float *out; /* N floats of device memory, initially zero */
    float *pinned; /* N floats of pinned host memory, initially zero */
    cudaStream_t stream, other;
};

static void run_missing_barrier(Run *r) { LAUNCH(missing_barrier, 1, N, 0, r->stream, r->out); }
static void run_loose_guard(Run *r) { LAUNCH(loose_guard, 2, N, 0, r->stream, r->out, (int)N); }
static void run_small_dynamic_shared(Run *r) { LAUNCH(small_shared, 1, N, N, r->stream, r->out); }
static void run_static_overrun(Run *r) { LAUNCH(static_overrun, 1, N, 0, r->stream, r->out); }
static void run_misaligned_vector(Run *r) { LAUNCH(misaligned, 1, 8, 0, r->stream, r->out); }
static void run_narrow_tile(Run *r) { LAUNCH(narrow_tile, 1, 32, 0, r->stream, r->out); }
static void run_misaligned_rows(Run *r) { LAUNCH(misaligned_rows, 1, 32, 0, r->stream, r->out); }
static void run_divergent_barrier(Run *r) { LAUNCH(divergent_barrier, 1, N, 0, r->stream, r->out); }
static void run_early_exit_shuffle(Run *r) { LAUNCH(early_exit_shuffle, 1, 32, 0, r->stream, r->out); }
static void run_split_shuffle(Run *r) { LAUNCH(split_shuffle, 1, 32, 0, r->stream, r->out); }
static void run_wrong_mask(Run *r) { LAUNCH(wrong_mask, 1, 32, 0, r->stream, r->out); }
static void run_index_overflow(Run *r) { LAUNCH(index_overflow, 1, 32, 0, r->stream, r->out, 1 << 20, 1 << 12); }
static void run_uninitialised_shared(Run *r) { LAUNCH(uninitialised_shared, 1, N, 0, r->stream, r->out); }
static void run_block_race(Run *r) { LAUNCH(block_race, 8, 32, 0, r->stream, r->out); }
static void run_missing_syncwarp(Run *r) { LAUNCH(missing_syncwarp, 1, 32, 0, r->stream, r->out); }
static void run_missing_fence(Run *r) { LAUNCH(missing_fence, 8, 32, 0, r->stream, r->out, (unsigned *)(r->out + N - 1)); }
static void run_divergent_mma(Run *r) { LAUNCH(divergent_mma, 1, 32, 0, r->stream, r->out); }
static void run_split_mma(Run *r) { LAUNCH(split_mma, 1, 32, 0, r->stream, r->out); }
static void run_short_warp_mma(Run *r) { LAUNCH((load_and_multiply<true>), 1, 48, 0, r->stream, r->out); }
static void run_missing_barrier_mma(Run *r) { LAUNCH((load_and_multiply<false>), 1, 32, 0, r->stream, r->out); }
static void run_same_bank(Run *r) { LAUNCH(same_bank, 1, 32, 0, r->stream, r->out); }
static void run_static_and_dynamic_shared(Run *r) { LAUNCH(greedy, 1, 32, 40 * 1024, r->stream, r->out); }

/* The launch requests more than 48 KiB of dynamic shared memory without cudaFuncSetAttribute. The launch is refused, so
 * the result stays NaN. */
static void run_refused_shared(Run *r)
{
    cudaMemsetAsync(r->out, 0xff, N * sizeof(float), r->stream);
    LAUNCH(small_shared, 1, N, 64 * 1024, r->stream, r->out);
}

/* The host dereferences a device pointer. Reported by: ASan. */
static void run_host_reads_device(Run *r) { r->pinned[0] = *(volatile float *)r->out; }

/* The host calls memcpy instead of cudaMemcpy. Reported by: ASan, even if the calling code is not compiled with
 * ASan. */
static void run_host_copies_device(Run *r) { std::memcpy(r->pinned, r->out, N * sizeof(float)); }

/* A kernel uses freed memory. Reported by: ASan. */
static void run_use_after_free(Run *r)
{
    float *gone;
    cudaMalloc((void **)&gone, N * sizeof(float));
    cudaFree(gone);
    LAUNCH(fill, 1, N, 0, r->stream, gone, 1.0f);
}

/* A graph is launched after the buffer that its kernel uses was freed. Reported by: ASan. */
static void run_graph_outlives_buffer(Run *r)
{
    float *gone;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaMalloc((void **)&gone, N * sizeof(float));
    LAUNCH(fill, 1, N, 0, r->stream, gone, 1.0f); /* the first launch loads the kernel, which a capture refuses */
    cudaStreamBeginCapture(r->stream, cudaStreamCaptureModeThreadLocal);
    LAUNCH(fill, 1, N, 0, r->stream, gone, 1.0f);
    cudaStreamEndCapture(r->stream, &graph);
    cudaGraphInstantiateWithFlags(&exec, graph, 0);
    cudaFree(gone);
    cudaGraphLaunch(exec, r->stream);
}

/* The host reads the result before it waits for the stream. Reported by: TSan, NaN. */
static void run_result_too_early(Run *r)
{
    r->pinned[0] = NAN;
    LAUNCH(fill, 1, N, 0, r->stream, r->out, 1.0f);
    cudaMemcpyAsync(r->pinned, r->out, N * sizeof(float), cudaMemcpyDeviceToHost, r->stream);
    const float result = r->pinned[0]; /* cudaStreamSynchronize belongs before this line */
    cudaStreamSynchronize(r->stream);
    r->pinned[1] = result;
    cudaMemcpyAsync(r->out, r->pinned, N * sizeof(float), cudaMemcpyHostToDevice, r->stream);
}

/* The host overwrites a batch with NaN before the stream has copied the batch. Reported by: TSan, NaN. */
static void run_batch_overwritten(Run *r)
{
    cudaMemcpyAsync(r->out, r->pinned, N * sizeof(float), cudaMemcpyHostToDevice, r->stream);
    r->pinned[0] = NAN;
}

/* A kernel uses the target of another stream's copy without cudaStreamWaitEvent. Reported by: TSan, NaN. */
static void run_missing_event(Run *r)
{
    cudaMemsetAsync(r->out, 0xff, N * sizeof(float), r->stream);
    cudaStreamSynchronize(r->stream);
    cudaMemcpyAsync(r->out, r->pinned, N * sizeof(float), cudaMemcpyHostToDevice, r->other);
    LAUNCH(block_race, 1, 32, 0, r->stream, r->out); /* out[0] += 1 */
    cudaMemcpyAsync(r->pinned, r->out, N * sizeof(float), cudaMemcpyDeviceToHost, r->stream);
    cudaStreamSynchronize(r->stream);
    cudaStreamSynchronize(r->other);
    cudaMemcpyAsync(r->out, r->pinned, N * sizeof(float), cudaMemcpyHostToDevice, r->stream);
}

/* A copy reads device memory that was never written. Reported by: NaN. */
static void run_uninitialised_global(Run *r)
{
    float *fresh;
    cudaMalloc((void **)&fresh, N * sizeof(float));
    cudaMemcpyAsync(r->out, fresh, N * sizeof(float), cudaMemcpyDeviceToDevice, r->stream);
    cudaStreamSynchronize(r->stream);
    cudaFree(fresh);
}

/* The kernel updates memory in place, but loads this memory as read-only. Reported by: EMU_READ_ONLY=1. */
static __global__ void stale_read_only(float *x)
{
    x[threadIdx.x] = __ldg(x + threadIdx.x) + 1.0f;
}
static void run_stale_read_only(Run *r)
{
    LAUNCH(stale_read_only, 1, 32, 0, r->stream, r->out);
}

static const struct {
    const char *name;
    void (*run)(Run *r);
} bugs[] = {
    {"missing-barrier", run_missing_barrier},
    {"loose-guard", run_loose_guard},
    {"small-dynamic-shared", run_small_dynamic_shared},
    {"static-overrun", run_static_overrun},
    {"misaligned-vector", run_misaligned_vector},
    {"narrow-tile", run_narrow_tile},
    {"misaligned-rows", run_misaligned_rows},
    {"divergent-barrier", run_divergent_barrier},
    {"early-exit-shuffle", run_early_exit_shuffle},
    {"split-shuffle", run_split_shuffle},
    {"wrong-mask", run_wrong_mask},
    {"index-overflow", run_index_overflow},
    {"uninitialised-shared", run_uninitialised_shared},
    {"block-race", run_block_race},
    {"missing-syncwarp", run_missing_syncwarp},
    {"missing-fence", run_missing_fence},
    {"divergent-mma", run_divergent_mma},
    {"split-mma", run_split_mma},
    {"short-warp-mma", run_short_warp_mma},
    {"missing-barrier-mma", run_missing_barrier_mma},
    {"same-bank", run_same_bank},
    {"static-and-dynamic-shared", run_static_and_dynamic_shared},
    {"refused-shared", run_refused_shared},
    {"host-reads-device", run_host_reads_device},
    {"host-copies-device", run_host_copies_device},
    {"use-after-free", run_use_after_free},
    {"graph-outlives-buffer", run_graph_outlives_buffer},
    {"result-too-early", run_result_too_early},
    {"batch-overwritten", run_batch_overwritten},
    {"missing-event", run_missing_event},
    {"uninitialised-global", run_uninitialised_global},
    {"stale-read-only", run_stale_read_only},
};

int bug_run(const char *name, float *result)
{
    for (const auto &bug : bugs) {
        if (std::strcmp(bug.name, name) != 0)
            continue;
        Run r;
        float host[N], sum = 0.0f;
        cudaMalloc((void **)&r.out, N * sizeof(float));
        cudaMallocHost((void **)&r.pinned, N * sizeof(float));
        cudaMemset(r.out, 0, N * sizeof(float));
        std::memset(r.pinned, 0, N * sizeof(float));
        for (cudaStream_t *s : {&r.stream, &r.other})
            cudaStreamCreateWithFlags(s, cudaStreamNonBlocking);
        cudaDeviceSynchronize();
        bug.run(&r);
        cudaDeviceSynchronize();
        cudaMemcpy(host, r.out, sizeof host, cudaMemcpyDeviceToHost);
        for (int i = 0; i < N; i++)
            sum += host[i] * (float)(i + 1);
        return *result = sum, 1;
    }
    return 0;
}
