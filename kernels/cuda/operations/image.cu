/* image.cu - converts uint8 images to normalized BF16: flip, color jitter (torchvision's, in the drawn order),
 * scaling. A block processes one image. The contrast step needs the mean gray of the image after the steps before it,
 * so that is computed first. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { THREADS = 512, BRIGHTNESS = 0, CONTRAST = 1, SATURATION = 2 };

struct Color { float rgb[3]; };

struct Jitter { int steps[3], count; float factors[3], mean; };

static __device__ __forceinline__ float clamp_pixel(float x)
{
    return x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x;
}

static __device__ __forceinline__ float gray_of(const Color &c)
{
    return 0.299f * c.rgb[0] + 0.587f * c.rgb[1] + 0.114f * c.rgb[2];
}

/* The pixel after the first `count` steps. Each step blends it with black, the mean gray, or its own gray. */
static __device__ __forceinline__ Color adjust(Color c, const Jitter &jitter, int count)
{
    for (int s = 0; s < count; s++) {
        const int what = jitter.steps[s];
        const float factor = jitter.factors[what];
        const float other = what == BRIGHTNESS ? 0.0f : what == CONTRAST ? jitter.mean : gray_of(c);
        for (int i = 0; i < 3; i++)
            c.rgb[i] = clamp_pixel(factor * c.rgb[i] + (1.0f - factor) * other);
    }
    return c;
}

static __device__ __forceinline__ Color pixel_of(const uint8_t *image, int p, int w, bool is_flipped)
{
    const uint8_t *from = image + 3 * (is_flipped ? p / w * w + w - 1 - p % w : p);
    return {{(float)from[0], (float)from[1], (float)from[2]}};
}

/* The steps of the jitter in their drawn order; without the mean gray. */
static __device__ __forceinline__ Jitter jitter_of(const float *augment)
{
    Jitter jitter = {};
    const int order = (int)augment[SQ_AUGMENT_ORDER] % 6, first = order / 2;
    const int low = (first + 1) % 3, high = (first + 2) % 3;
    const bool is_swapped = (low < high) != (order % 2 == 0); /* even orders have the lower of the other two first */
    jitter.count = 3;
    jitter.steps[0] = first;
    jitter.steps[1] = is_swapped ? high : low;
    jitter.steps[2] = is_swapped ? low : high;
    for (int i = 0; i < 3; i++)
        jitter.factors[i] = augment[SQ_AUGMENT_BRIGHTNESS + i];
    return jitter;
}

struct Image { const uint8_t *pixels; int count, w; bool is_flipped; };

/* The mean gray of the image after the steps before the contrast step. All threads of the block call it. */
static __device__ __forceinline__ float mean_gray(const Image &image, const Jitter &jitter, double *shared)
{
    int before = 0;
    while (jitter.steps[before] != CONTRAST)
        before++;
    double sum = 0;
    for (int p = (int)threadIdx.x; p < image.count; p += THREADS)
        sum += (double)gray_of(adjust(pixel_of(image.pixels, p, image.w, image.is_flipped), jitter, before));
    shared[threadIdx.x] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half)
            shared[threadIdx.x] += shared[threadIdx.x + half];
    }
    __syncthreads();
    return (float)(shared[0] / image.count);
}

static __global__ void __launch_bounds__(THREADS) image_kernel(sq_cuda_image a)
{
    SHARED(double, shared, [THREADS]);
    const int n = (int)blockIdx.x, pixels = a.h * a.w;
    const float *augment = a.augment ? a.augment + (size_t)n * SQ_AUGMENT_COUNT : NULL;
    const Image image = {a.images + (size_t)n * (size_t)pixels * 3, pixels, a.w, augment && augment[SQ_AUGMENT_FLIP] > 0.5f};
    Jitter jitter = {};
    if (augment && augment[SQ_AUGMENT_ORDER] >= 0.0f) {
        jitter = jitter_of(augment);
        jitter.mean = mean_gray(image, jitter, shared);
    }
    for (int p = (int)threadIdx.x; p < pixels; p += THREADS) {
        const Color c = adjust(pixel_of(image.pixels, p, a.w, image.is_flipped), jitter, jitter.count);
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
