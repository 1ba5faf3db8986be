#ifndef SQ_RESIZE_WEIGHTS_H
#define SQ_RESIZE_WEIGHTS_H

#include <math.h>
#include <stdint.h>

/* Which pixels an output pixel of a resizing is made of, and how much of each. One definition for hosts and for CUDA
 * kernels; products are never fused with sums, so that the integers that come out are the same everywhere. Internal to
 * resize.c and to the backends' crop(). source: Pillow, src/libImaging/Resample.c: precompute_coeffs */

enum {
    SQ_WEIGHT_BITS = 15, /* of a weight: 1 is 32768, stored as 32767 where it stands alone */
    SQ_ROW_BITS = 7      /* behind the point of a row between the passes */
};

#ifdef __CUDACC__
#define SQ_HOST_AND_DEVICE static __host__ __device__ __forceinline__
#else
#define SQ_HOST_AND_DEVICE static inline
#endif

/* A stretch of source pixels along one axis, and the pixels low .. high - 1 that may be looked at. */
typedef struct {
    double begin, length;
    int low, high, size; /* size: pixels that come out */
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
    return a * b; /* ISO C and x86-64 without FMA: rounded before anything is added */
}
#endif

/* Whole pixels, of which nothing around is seen. */
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

/* At most so many pixels have weights: one more, by rounding, would weigh nothing. */
SQ_HOST_AND_DEVICE int sq_taps_limit(const sq_span *s)
{
    return (int)ceil(2 * sq_taps_support(s));
}

SQ_HOST_AND_DEVICE double sq_taps_centre(const sq_span *s, int i)
{
    return s->begin + (i + 0.5) * s->length / s->size;
}

/* Source pixels of output i. Positions are at least -support, and what is below 0 is cut: truncating is as good as
 * rounding down. */
SQ_HOST_AND_DEVICE sq_taps sq_taps_at(const sq_span *s, int i)
{
    const int most = sq_taps_limit(s);
    const double support = sq_taps_support(s), centre = sq_taps_centre(s, i);
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    first = first < s->low ? s->low : first > s->high - 1 ? s->high - 1 : first;
    end = end > s->high ? s->high : end <= first ? first + 1 : end;
    const sq_taps taps = {first, end - first < most ? end - first : most};
    return taps;
}

/* The triangle: 1 in the centre, 0 at a distance of its support. */
SQ_HOST_AND_DEVICE double sq_taps_exact(int pixel, double centre, double nearer)
{
    const double distance = sq_product(fabs(pixel + 0.5 - centre), nearer);
    return distance < 1 ? 1 - distance : 0;
}

/* Weights of output i, rounded; what rounding lost goes to the largest, so that they sum to 1. out: sq_taps_limit. */
SQ_HOST_AND_DEVICE sq_taps sq_taps_weigh(const sq_span *s, int i, int16_t *out)
{
    const sq_taps t = sq_taps_at(s, i);
    const double centre = sq_taps_centre(s, i), nearer = 1 / sq_taps_support(s);
    double sum = 0, most = 0;
    for (int p = 0; p < t.count; p++)
        sum += sq_taps_exact(t.first + p, centre, nearer);
    const double one = sum > 0 ? (1 << SQ_WEIGHT_BITS) / sum : 0;
    int left = 1 << SQ_WEIGHT_BITS, largest = 0;
    for (int p = 0; p < t.count; p++) {
        const double exact = sq_taps_exact(t.first + p, centre, nearer);
        const int rounded = (int)(sq_product(exact, one) + 0.5);
        out[p] = (int16_t)(rounded > INT16_MAX ? INT16_MAX : rounded);
        left -= out[p];
        largest = exact > most ? p : largest;
        most = exact > most ? exact : most;
    }
    left += out[largest];
    out[largest] = (int16_t)(left > INT16_MAX ? INT16_MAX : left);
    return t;
}

#endif
