/* crop.cu - crops and resizes uint8 images, with the integer arithmetic of kernels/image/resize.c. A block computes a
 * band of one output image: first the weights of its rows and of all columns, in shared memory, then the pixels. The
 * horizontal sums of an input row are computed again for each output row that uses it. For usual crops, with two or
 * three input pixels per output pixel, this is cheaper than storing them. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/launch.cuh"
#include "kernels/image/resize_weights.h"

enum { THREADS = 256, BAND = 16 /* output rows */, MAX_SHARED_BYTES = 48 << 10 };

/* The filter of one axis, in shared memory: the taps of each output, and its weights, at most `stride`. */
struct Filter { sq_taps *taps; int16_t *weights; int stride; };

/* Computes the filter of outputs first .. first + count - 1. */
static __device__ __forceinline__ void compute_filter(const Filter &filter, const sq_span &s, int first, int count)
{
    for (int i = (int)threadIdx.x; i < count; i += THREADS)
        filter.taps[i] = sq_taps_weigh(&s, first + i, filter.weights + i * filter.stride);
}

static __global__ void __launch_bounds__(THREADS) crop_kernel(sq_cuda_crop a)
{
    DYNAMIC_SHARED(sq_taps, taps); /* of the columns, then of the rows; the weights of both follow */
    const int first = (int)blockIdx.x * BAND, rows = a.side - first < BAND ? a.side - first : BAND;
    int16_t *weights = reinterpret_cast<int16_t *>(taps + a.side + BAND);
    const Filter columns = {taps, weights, a.max_across};
    const Filter lines = {taps + a.side, weights + a.side * a.max_across, a.max_down};
    const sq_stored_crop &crop = a.crops[blockIdx.y];
    const uint8_t *image = a.images + crop.at;
    compute_filter(columns, sq_span_cropped(crop.x, crop.w, a.side), 0, a.side);
    compute_filter(lines, sq_span_cropped(crop.y, crop.h, a.side), first, rows);
    __syncthreads();
    const int row_shift = SQ_WEIGHT_BITS - SQ_ROW_BITS, shift = SQ_WEIGHT_BITS + SQ_ROW_BITS;
    uint8_t *out = a.out + ((size_t)blockIdx.y * (size_t)a.side + (size_t)first) * (size_t)a.side * 3;
    for (int p = (int)threadIdx.x; p < rows * a.side; p += THREADS) {
        const int y = p / a.side, x = p % a.side;
        const sq_taps down = lines.taps[y], across = columns.taps[x];
        int sums[3] = {1 << (shift - 1), 1 << (shift - 1), 1 << (shift - 1)};
        for (int t = 0; t < down.count; t++) {
            const uint8_t *from = image + ((size_t)(down.first + t) * (size_t)crop.width + (size_t)across.first) * 3;
            int row[3] = {1 << (row_shift - 1), 1 << (row_shift - 1), 1 << (row_shift - 1)};
            for (int i = 0; i < across.count; i++)
                for (int c = 0; c < 3; c++)
                    row[c] += columns.weights[x * columns.stride + i] * from[3 * i + c];
            for (int c = 0; c < 3; c++)
                sums[c] += lines.weights[y * lines.stride + t] * (row[c] >> row_shift);
        }
        for (int c = 0; c < 3; c++)
            out[3 * p + c] = (uint8_t)(sums[c] >> shift > 255 ? 255 : sums[c] >> shift);
    }
}

static int max_taps(int known, int begin, int length, int side)
{
    const sq_span s = sq_span_cropped(begin, length, side);
    return sq_taps_limit(&s) > known ? sq_taps_limit(&s) : known;
}

extern "C" cudaError_t sq_cuda_crop_run(const sq_cuda_crop *args, cudaStream_t stream)
{
    sq_cuda_crop a = *args;
    a.max_across = a.max_down = 0;
    for (int i = 0; i < a.count; i++) {
        a.max_across = max_taps(a.max_across, a.crops[i].x, a.crops[i].w, a.side);
        a.max_down = max_taps(a.max_down, a.crops[i].y, a.crops[i].h, a.side);
    }
    const size_t shared = ((size_t)a.side + BAND) * sizeof(sq_taps) +
                          ((size_t)a.side * (size_t)a.max_across + BAND * (size_t)a.max_down) * sizeof(int16_t);
    if (shared > MAX_SHARED_BYTES)
        return cudaErrorInvalidValue;
    LAUNCH(crop_kernel, dim3((unsigned)((a.side + BAND - 1) / BAND), (unsigned)a.count), THREADS, shared, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_crop_instances[] = {SQ_CUDA_INSTANCE(THREADS, MAX_SHARED_BYTES, 0, crop_kernel),
                                                             SQ_CUDA_INSTANCES_END};
