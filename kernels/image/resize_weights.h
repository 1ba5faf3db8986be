#ifndef SQ_RESIZE_WEIGHTS_H
#define SQ_RESIZE_WEIGHTS_H

#include <math.h>
#include <stdint.h>

/* The source pixels of each output pixel and their weights, in one definition for the host and the CUDA kernels. A
 * product is never fused with a sum, so the integer weights are the same on every processor. Internal to kernels/image
 * and to the crop() functions of the backends. source: Pillow, src/libImaging/Resample.c: precompute_coeffs */

enum {
    SQ_WEIGHT_BITS = 15, /* fraction bits of a weight: 1 is 32768; a single weight of 1 is stored as 32767 */
    SQ_ROW_BITS = 7      /* fraction bits of a row between the passes */
};

#ifdef __CUDACC__
#define SQ_HOST_AND_DEVICE static __host__ __device__ __forceinline__
#else
#define SQ_HOST_AND_DEVICE static inline
#endif

/* Source positions begin .. begin + length along one axis, of which pixels low .. high - 1 may be read. */
typedef struct {
    double begin, length;
    int low, high, size; /* size: output pixels */
} sq_span;

typedef struct {
    int first, count;
} sq_taps;

#ifdef __CUDA_ARCH__
SQ_HOST_AND_DEVICE double sq_product(double a, double b)
{
    return __dmul_rn(a, b);
}
#else
SQ_HOST_AND_DEVICE double sq_product(double a, double b)
{
    return a * b; /* in ISO C and on x86-64 without FMA, the product is rounded before the addition */
}
#endif

/* Returns a span of whole pixels. Pixels outside the span are not read. */
SQ_HOST_AND_DEVICE sq_span sq_span_cropped(int begin, int length, int size)
{
    const sq_span s = {(double)begin, (double)length, begin, begin + length, size};
    return s;
}

SQ_HOST_AND_DEVICE double sq_taps_support(const sq_span *s)
{
    const double scale = s->length / s->size;
    return scale > 1 ? scale : 1;
}

/* Returns the largest number of pixels with weights. Rounding in sq_taps_at could add one pixel, but the weight of that
 * pixel would be 0. */
SQ_HOST_AND_DEVICE int sq_taps_limit(const sq_span *s)
{
    return (int)ceil(2 * sq_taps_support(s));
}

SQ_HOST_AND_DEVICE double sq_taps_centre(const sq_span *s, int i)
{
    return s->begin + (i + 0.5) * s->length / s->size;
}

/* Returns the source pixels of output i. The conversion to int truncates, which is as good as rounding down here,
 * because negative positions are clamped. */
SQ_HOST_AND_DEVICE sq_taps sq_taps_at(const sq_span *s, int i)
{
    const int limit = sq_taps_limit(s);
    const double support = sq_taps_support(s), centre = sq_taps_centre(s, i);
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    first = first < s->low ? s->low : first > s->high - 1 ? s->high - 1 : first;
    end = end > s->high ? s->high : end <= first ? first + 1 : end;
    const sq_taps taps = {first, end - first < limit ? end - first : limit};
    return taps;
}

/* Returns the value of the triangle filter at a pixel: 1 at the centre, 0 at the distance of the support and beyond.
 * nearer: 1 / support. */
SQ_HOST_AND_DEVICE double sq_taps_exact(int pixel, double centre, double nearer)
{
    const double distance = sq_product(fabs(pixel + 0.5 - centre), nearer);
    return distance < 1 ? 1 - distance : 0;
}

/* Writes the rounded weights of output i to out, which has room for sq_taps_limit values, and returns the source
 * pixels. The rounding error is added to the largest weight, so that the weights sum to 1. */
SQ_HOST_AND_DEVICE sq_taps sq_taps_weigh(const sq_span *s, int i, int16_t *out)
{
    const sq_taps t = sq_taps_at(s, i);
    const double centre = sq_taps_centre(s, i), nearer = 1 / sq_taps_support(s);
    double sum = 0, largest_weight = 0;
    for (int p = 0; p < t.count; p++)
        sum += sq_taps_exact(t.first + p, centre, nearer);
    const double one = sum > 0 ? (1 << SQ_WEIGHT_BITS) / sum : 0;
    int left = 1 << SQ_WEIGHT_BITS, largest = 0;
    for (int p = 0; p < t.count; p++) {
        const double exact = sq_taps_exact(t.first + p, centre, nearer);
        const int rounded = (int)(sq_product(exact, one) + 0.5);
        out[p] = (int16_t)(rounded > INT16_MAX ? INT16_MAX : rounded);
        left -= out[p];
        largest = exact > largest_weight ? p : largest;
        largest_weight = exact > largest_weight ? exact : largest_weight;
    }
    left += out[largest];
    out[largest] = (int16_t)(left > INT16_MAX ? INT16_MAX : left);
    return t;
}

#endif
