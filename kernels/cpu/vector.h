#ifndef SQ_CPU_VECTOR_H
#define SQ_CPU_VECTOR_H

#include <stdint.h>
#include <string.h>

#include "kernels/activation.h"

/* Vectors as wide as the widest registers of the instruction set (GCC vector extensions). Comparisons are written so
 * that NaN passes through every activation. */

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vfloat __attribute__((vector_size(LANES * 4)));
typedef int32_t vint __attribute__((vector_size(LANES * 4)));

#define INLINE static inline __attribute__((always_inline))

INLINE vfloat load(const float *p)
{
    vfloat v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, vfloat v)
{
    memcpy(p, &v, sizeof v);
}

/* load_part and store_part access only the first `count` lanes. load_part sets the other lanes to 0. */
INLINE vfloat load_part(const float *p, int count)
{
    vfloat v = {0};
    memcpy(&v, p, (size_t)count * sizeof *p);
    return v;
}

INLINE void store_part(float *p, vfloat v, int count)
{
    memcpy(p, &v, (size_t)count * sizeof *p);
}

INLINE vfloat spread(float x)
{
    return x - (vfloat){0};
}

INLINE vfloat choose(vint mask, vfloat yes, vfloat no)
{
    return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
}

INLINE vfloat clamp6(vfloat x)
{
    const vfloat low = choose(x < 0, spread(0), x);
    return choose(low > 6, spread(6), low);
}

INLINE vfloat activate(sq_activation activation, vfloat x)
{
    switch (activation) {
    case SQ_RELU:
        return choose(x < 0, spread(0), x);
    case SQ_RELU6:
        return clamp6(x);
    case SQ_HSWISH:
        return x * clamp6(x + 3) * (1.0f / 6);
    case SQ_HSIGMOID:
        return clamp6(x + 3) * (1.0f / 6);
    case SQ_SIGMOID: {
        vfloat y = x;
        for (int i = 0; i < LANES; i++)
            y[i] = sq_activate(SQ_SIGMOID, x[i]);
        return y;
    }
    case SQ_LINEAR:
    case SQ_ACTIVATIONS: /* refused by sq_graph_check */
        break;
    }
    return x;
}

/* Returns g * activation'(x). */
INLINE vfloat through(sq_activation activation, vfloat x, vfloat g)
{
    const vfloat zero = {0};
    switch (activation) {
    case SQ_RELU:
        return choose(x > 0, g, zero);
    case SQ_RELU6:
        return choose((x > 0) & (x < 6), g, zero);
    case SQ_HSWISH:
        return choose(x <= -3, zero, choose(x >= 3, g, g * (2 * x + 3) * (1.0f / 6)));
    case SQ_HSIGMOID:
        return choose((x > -3) & (x < 3), g * (1.0f / 6), zero);
    case SQ_SIGMOID: {
        const vfloat y = activate(SQ_SIGMOID, x);
        return g * y * (1 - y);
    }
    case SQ_LINEAR:
    case SQ_ACTIVATIONS: /* refused by sq_graph_check */
        break;
    }
    return g;
}

/* A loop over channels in steps of LANES. `count` is LANES, or fewer in the last step. */
#define FOR_CHANNELS(i, count, c) for (int i = 0, count; count = (c)-i < LANES ? (c)-i : LANES, i < (c); i += LANES)

#define LOAD(p, count)     ((count) == LANES ? load(p) : load_part(p, count))
#define STORE(p, v, count) ((count) == LANES ? store(p, v) : store_part(p, v, count))

#endif
