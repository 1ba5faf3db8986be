/* crop.cu - crops of uint8 images, resized: the integers of kernels/image/resize.c. A block makes a band of one image's output: first
 * the weights of its rows and of all columns, in shared memory, then a pixel a thread at a time. A pixel's rows are summed anew
 * for each output row that looks at them: for the two or three pixels a side of usual crops that is cheaper than keeping them. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/launch.cuh"
#include "kernels/image/resize_weights.h"

enum { THREADS = 256, BAND = 16, MOST_SHARED = 48 << 10 };

/* Weights of `count` outputs from `first` on, each in a place of `most`. */
static __device__ __forceinline__ void weigh(const sq_span &s, int first, int count, int most, sq_taps *taps, int16_t *weights)
{
    for (int i = (int)threadIdx.x; i < count; i += THREADS)
        taps[i] = sq_taps_weigh(&s, first + i, weights + i * most);
}

static __global__ void __launch_bounds__(THREADS) crop_kernel(sq_cuda_crop a)
{
    DYNAMIC_SHARED(sq_taps, taps); /* of the columns, of the rows; then the weights of both */
    const int first = (int)blockIdx.x * BAND, rows = a.side - first < BAND ? a.side - first : BAND;
    sq_taps *row_taps = taps + a.side;
    int16_t *columns = reinterpret_cast<int16_t *>(row_taps + BAND), *row_weights = columns + a.side * a.most_across;
    const sq_stored_crop &crop = a.crops[blockIdx.y];
    const uint8_t *image = a.images + crop.at;
    weigh(sq_span_cropped(crop.x, crop.w, a.side), 0, a.side, a.most_across, taps, columns);
    weigh(sq_span_cropped(crop.y, crop.h, a.side), first, rows, a.most_down, row_taps, row_weights);
    __syncthreads();
    const int row_shift = SQ_WEIGHT_BITS - SQ_ROW_BITS, shift = SQ_WEIGHT_BITS + SQ_ROW_BITS;
    uint8_t *out = a.out + ((size_t)blockIdx.y * (size_t)a.side + (size_t)first) * (size_t)a.side * 3;
    for (int p = (int)threadIdx.x; p < rows * a.side; p += THREADS) {
        const int y = p / a.side, x = p % a.side;
        const sq_taps down = row_taps[y], across = taps[x];
        int sums[3] = {1 << (shift - 1), 1 << (shift - 1), 1 << (shift - 1)};
        for (int t = 0; t < down.count; t++) {
            const uint8_t *from = image + ((size_t)(down.first + t) * (size_t)crop.width + (size_t)across.first) * 3;
            int row[3] = {1 << (row_shift - 1), 1 << (row_shift - 1), 1 << (row_shift - 1)};
            for (int i = 0; i < across.count; i++)
                for (int c = 0; c < 3; c++)
                    row[c] += columns[x * a.most_across + i] * from[3 * i + c];
            for (int c = 0; c < 3; c++)
                sums[c] += row_weights[y * a.most_down + t] * (row[c] >> row_shift);
        }
        for (int c = 0; c < 3; c++)
            out[3 * p + c] = (uint8_t)(sums[c] >> shift > 255 ? 255 : sums[c] >> shift);
    }
}

static int larger(int most, int begin, int length, int side)
{
    const sq_span s = sq_span_cropped(begin, length, side);
    return sq_taps_limit(&s) > most ? sq_taps_limit(&s) : most;
}

extern "C" cudaError_t sq_cuda_crop_run(const sq_cuda_crop *args, cudaStream_t stream)
{
    sq_cuda_crop a = *args;
    a.most_across = a.most_down = 0;
    for (int i = 0; i < a.count; i++) {
        a.most_across = larger(a.most_across, a.crops[i].x, a.crops[i].w, a.side);
        a.most_down = larger(a.most_down, a.crops[i].y, a.crops[i].h, a.side);
    }
    const size_t shared = ((size_t)a.side + BAND) * sizeof(sq_taps) +
                          ((size_t)a.side * (size_t)a.most_across + BAND * (size_t)a.most_down) * sizeof(int16_t);
    if (shared > MOST_SHARED)
        return cudaErrorInvalidValue;
    LAUNCH(crop_kernel, dim3((unsigned)((a.side + BAND - 1) / BAND), (unsigned)a.count), THREADS, shared, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_crop_instances[] = {SQ_CUDA_INSTANCE(THREADS, MOST_SHARED, 0, crop_kernel),
                                                             SQ_CUDA_INSTANCES_END};
