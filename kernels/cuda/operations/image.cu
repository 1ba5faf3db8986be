/* image.cu - uint8 images to normalised BF16: flip, colour jitter (torchvision's, in the drawn order), scaling. A block
 * takes one image; jitter of contrast needs the image's mean grey as the steps before it leave it, so that is summed
 * first. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { THREADS = 512, BRIGHTNESS = 0, CONTRAST = 1, SATURATION = 2 };

struct Colour { float rgb[3]; };

struct Jitter { int steps[3], count; float factors[3], mean; };

static __device__ __forceinline__ float clamp_pixel(float x)
{
    return x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x;
}

static __device__ __forceinline__ float grey_of(const Colour &c)
{
    return 0.299f * c.rgb[0] + 0.587f * c.rgb[1] + 0.114f * c.rgb[2];
}

/* The pixel after the first `count` adjustments: each a blend with black, the mean grey, or its own grey. */
static __device__ __forceinline__ Colour adjust(Colour c, const Jitter &jitter, int count)
{
    for (int s = 0; s < count; s++) {
        const int what = jitter.steps[s];
        const float factor = jitter.factors[what];
        const float other = what == BRIGHTNESS ? 0.0f : what == CONTRAST ? jitter.mean : grey_of(c);
        for (int i = 0; i < 3; i++)
            c.rgb[i] = clamp_pixel(factor * c.rgb[i] + (1.0f - factor) * other);
    }
    return c;
}

static __device__ __forceinline__ Colour pixel_of(const uint8_t *image, int p, int w, bool is_flipped)
{
    const uint8_t *from = image + 3 * (is_flipped ? p / w * w + w - 1 - p % w : p);
    return {{(float)from[0], (float)from[1], (float)from[2]}};
}

static __global__ void __launch_bounds__(THREADS) image_kernel(sq_cuda_image a)
{
    SHARED(double, part, [THREADS]);
    const int n = (int)blockIdx.x, pixels = a.h * a.w;
    const uint8_t *image = a.images + (size_t)n * (size_t)pixels * 3;
    const float *augment = a.augment ? a.augment + (size_t)n * SQ_AUGMENT_COUNT : NULL;
    const bool is_flipped = augment && augment[SQ_AUGMENT_FLIP] > 0.5f;
    Jitter jitter = {};
    if (augment && augment[SQ_AUGMENT_ORDER] >= 0.0f) {
        const int order = (int)augment[SQ_AUGMENT_ORDER] % 6, first = order / 2;
        const int low = (first + 1) % 3, high = (first + 2) % 3; /* the orders are sorted: the lower of the two comes first */
        const bool is_swapped = (low < high) != (order % 2 == 0);
        jitter.count = 3;
        jitter.steps[0] = first;
        jitter.steps[1] = is_swapped ? high : low;
        jitter.steps[2] = is_swapped ? low : high;
        for (int i = 0; i < 3; i++)
            jitter.factors[i] = augment[SQ_AUGMENT_BRIGHTNESS + i];
        int before = 0;
        while (jitter.steps[before] != CONTRAST)
            before++;
        double sum = 0;
        for (int p = (int)threadIdx.x; p < pixels; p += THREADS)
            sum += (double)grey_of(adjust(pixel_of(image, p, a.w, is_flipped), jitter, before));
        part[threadIdx.x] = sum;
        for (int half = THREADS / 2; half > 0; half /= 2) {
            __syncthreads();
            if ((int)threadIdx.x < half)
                part[threadIdx.x] += part[threadIdx.x + half];
        }
        __syncthreads();
        jitter.mean = (float)(part[0] / pixels);
    }
    for (int p = (int)threadIdx.x; p < pixels; p += THREADS) {
        const Colour c = adjust(pixel_of(image, p, a.w, is_flipped), jitter, jitter.count);
        float v[3];
        for (int i = 0; i < 3; i++) {
            const float value = a.is_raw ? c.rgb[i] : (c.rgb[i] / 255.0f - a.mean[i]) / a.deviation[i];
            v[a.is_bgr ? 2 - i : i] = value;
        }
        *reinterpret_cast<uint2 *>(a.out + ((size_t)n * (size_t)pixels + (size_t)p) * 4) =
            make_uint2(pack(v[0], v[1]), pack(v[2], 0.0f));
    }
}

extern "C" cudaError_t sq_cuda_image_run(const sq_cuda_image *args, cudaStream_t stream)
{
    const sq_cuda_image a = *args;
    if (a.out_pitch != 4)
        return cudaErrorInvalidValue;
    LAUNCH(image_kernel, (unsigned)a.n, THREADS, 0, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_image_instances[] = {SQ_CUDA_INSTANCE(THREADS, 0, 0, image_kernel),
                                                              SQ_CUDA_INSTANCES_END};
