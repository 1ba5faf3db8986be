/* classifier.cu - the linear layer in FP32, and the loss. They take a few per mille of a step, so the code is simple
 * and exact rather than fast. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { TILE = 64, DEPTH = 16, THREADS = 256, OWN = 4 };

static __device__ __forceinline__ void store_gradient(float *to, float value, const sq_step *step)
{
    *to = step && step->accumulate ? *to + value : value;
}

/* A block computes 64 x 64 outputs, a thread 4 x 4 of them. */
static __global__ void __launch_bounds__(THREADS) gemm_kernel(sq_cuda_gemm u, int tiles_n)
{
    SHARED(float, a, [DEPTH][TILE + 1]);
    SHARED(float, b, [DEPTH][TILE + 1]);
    const int m0 = (int)blockIdx.x / tiles_n * TILE, n0 = (int)blockIdx.x % tiles_n * TILE;
    const int row = (int)threadIdx.x / (TILE / OWN) * OWN, column = (int)threadIdx.x % (TILE / OWN);
    float sum[OWN][OWN] = {};
    for (int k0 = 0; k0 < u.k; k0 += DEPTH) {
        for (int i = (int)threadIdx.x; i < TILE * DEPTH; i += THREADS) { /* neighboring threads read along the contiguous index */
            const int ka = u.a_column == 1 ? i % DEPTH : i / TILE, m = u.a_column == 1 ? i / DEPTH : i % TILE;
            const int kb = u.b_row == 1 ? i % DEPTH : i / TILE, n = u.b_row == 1 ? i / DEPTH : i % TILE;
            a[ka][m] = m0 + m < u.m && k0 + ka < u.k
                           ? u.a[(size_t)(m0 + m) * (size_t)u.a_row + (size_t)(k0 + ka) * (size_t)u.a_column] : 0.0f;
            b[kb][n] = n0 + n < u.n && k0 + kb < u.k
                           ? u.b[(size_t)(k0 + kb) * (size_t)u.b_row + (size_t)(n0 + n) * (size_t)u.b_column] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            float x[OWN], y[OWN];
#pragma unroll
            for (int i = 0; i < OWN; i++)
                x[i] = a[k][row + i], y[i] = b[k][column + i * (TILE / OWN)];
#pragma unroll
            for (int i = 0; i < OWN; i++)
#pragma unroll
                for (int j = 0; j < OWN; j++)
                    sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < OWN; i++)
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            const int m = m0 + row + i, n = n0 + column + j * (TILE / OWN);
            if (m < u.m && n < u.n)
                store_gradient(u.out + (size_t)m * (size_t)u.out_pitch + n, sum[i][j] + (u.bias ? u.bias[n] : 0.0f), u.step);
        }
}

extern "C" cudaError_t sq_cuda_gemm_run(const sq_cuda_gemm *args, cudaStream_t stream)
{
    const sq_cuda_gemm u = *args;
    const int tiles_m = (u.m - 1) / TILE + 1, tiles_n = (u.n - 1) / TILE + 1;
    LAUNCH(gemm_kernel, (unsigned)(tiles_m * tiles_n), THREADS, 0, stream, u, tiles_n);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(THREADS) column_sums_kernel(sq_cuda_column_sums u)
{
    SHARED(float, part, [THREADS / 32][32]);
    const int lane = (int)threadIdx.x % 32, stripe = (int)threadIdx.x / 32, c = (int)blockIdx.x * 32 + lane;
    float sum = 0.0f;
    for (int row = stripe; c < u.c && row < u.rows; row += THREADS / 32)
        sum += u.a[(size_t)row * (size_t)u.pitch + c];
    part[stripe][lane] = sum;
    __syncthreads();
    if (stripe == 0 && c < u.c) {
        for (int s = 1; s < THREADS / 32; s++)
            sum += part[s][lane];
        store_gradient(u.out + c, sum, u.step);
    }
}

extern "C" cudaError_t sq_cuda_column_sums_run(const sq_cuda_column_sums *args, cudaStream_t stream)
{
    const sq_cuda_column_sums u = *args;
    LAUNCH(column_sums_kernel, (unsigned)((u.c - 1) / 32 + 1), THREADS, 0, stream, u);
    return cudaGetLastError();
}

/* ---- Loss ---- */

enum { LOSS_THREADS = 128, LOSS_WARPS = LOSS_THREADS / 32 };

/* Over the logits of an image: the largest, a sum, and the number that precede the label's. */
struct LogitStatistics { float largest; double sum; int rank; };

/* Merges the statistics of the block's threads, in a fixed order. Every thread gets the result. */
static __device__ LogitStatistics merge_statistics(LogitStatistics own, LogitStatistics *shared)
{
    __syncthreads(); /* the readers of the previous call have finished */
    shared[threadIdx.x] = own;
    __syncthreads();
    LogitStatistics total = shared[0];
    for (int t = 1; t < LOSS_THREADS; t++) {
        const LogitStatistics other = shared[t];
        total.largest = other.largest > total.largest ? other.largest : total.largest;
        total.sum += other.sum, total.rank += other.rank;
    }
    return total;
}

/* A block processes one image. */
static __global__ void __launch_bounds__(LOSS_THREADS) loss_kernel(sq_cuda_loss u)
{
    SHARED(LogitStatistics, shared, [LOSS_THREADS]);
    const int n = (int)blockIdx.x, first = (int)threadIdx.x;
    const float *logits = u.logits + (size_t)n * (size_t)u.pitch;
    float *gradient = u.gradient ? u.gradient + (size_t)n * (size_t)u.pitch : NULL;
    if (n >= u.step->valid_count) { /* a filler image: the whole block returns */
        for (int i = first; gradient && i < u.classes; i += LOSS_THREADS)
            gradient[i] = 0.0f;
        return;
    }
    const int label = u.labels[n];
    const float own_logit = logits[label];
    LogitStatistics own = {-INFINITY, 0.0, 0};
    for (int i = first; i < u.classes; i += LOSS_THREADS) {
        own.largest = logits[i] > own.largest ? logits[i] : own.largest;
        own.sum += (double)logits[i];
        own.rank += logits[i] > own_logit || (logits[i] == own_logit && i < label);
    }
    const LogitStatistics whole = merge_statistics(own, shared);
    own = {-INFINITY, 0.0, 0};
    for (int i = first; i < u.classes; i += LOSS_THREADS)
        own.sum += (double)expf(logits[i] - whole.largest);
    const double log_sum = (double)whole.largest + log(merge_statistics(own, shared).sum), epsilon = (double)u.label_smoothing;
    const float scale = u.step->gradient_scale / (float)u.step->valid_count;
    for (int i = first; gradient && i < u.classes; i += LOSS_THREADS) {
        const float target = (i == label ? 1.0f - u.label_smoothing : 0.0f) + u.label_smoothing / (float)u.classes;
        gradient[i] = (expf((float)((double)logits[i] - log_sum)) - target) * scale;
    }
    if (first == 0) {
        u.losses[n] = log_sum - (1.0 - epsilon) * (double)own_logit - epsilon * whole.sum / u.classes;
        u.ranks[n] = whole.rank;
    }
}

/* A single block adds the batch to the result. */
static __global__ void __launch_bounds__(LOSS_THREADS) result_kernel(sq_cuda_loss u)
{
    SHARED(sq_result, shared, [LOSS_THREADS]);
    sq_result own = {};
    for (int n = (int)threadIdx.x; n < min(u.n, u.step->valid_count); n += LOSS_THREADS) {
        const bool is_finite = isfinite(u.losses[n]);
        own.loss += u.losses[n];
        own.top1 += is_finite && u.ranks[n] < 1;
        own.top5 += is_finite && u.ranks[n] < 5;
        own.images++;
        own.nonfinite += !is_finite;
    }
    shared[threadIdx.x] = own;
    __syncthreads();
    if (threadIdx.x != 0)
        return;
    for (int t = 0; t < LOSS_THREADS; t++) {
        u.result->loss += shared[t].loss;
        u.result->top1 += shared[t].top1;
        u.result->top5 += shared[t].top5;
        u.result->images += shared[t].images;
        u.result->nonfinite += shared[t].nonfinite;
    }
}

extern "C" cudaError_t sq_cuda_loss_run(const sq_cuda_loss *args, cudaStream_t stream)
{
    const sq_cuda_loss u = *args;
    LAUNCH(loss_kernel, (unsigned)u.n, LOSS_THREADS, 0, stream, u);
    LAUNCH(result_kernel, 1, LOSS_THREADS, 0, stream, u);
    return cudaGetLastError();
}

/* ---- Instances ---- */

extern "C" const sq_cuda_instance sq_cuda_classifier_instances[] = {
    SQ_CUDA_INSTANCE(THREADS, 0, 0, gemm_kernel), SQ_CUDA_INSTANCE(THREADS, 0, 0, column_sums_kernel),
    SQ_CUDA_INSTANCE(LOSS_THREADS, 0, 0, loss_kernel), SQ_CUDA_INSTANCE(LOSS_THREADS, 0, 0, result_kernel),
    SQ_CUDA_INSTANCES_END};
