/* half.h - conversion of FP16 and BF16 bits from and to double. The conversion to double is exact. Only the files of
 * lanes/ include this header, so its functions have no external linkage. */
#ifndef PTX_HALF_H
#define PTX_HALF_H

#include "lanes/lanes.h"

#include <cmath>

namespace ptx
{
namespace
{

inline uint64_t double_bits(double f)
{
    uint64_t u;
    return std::memcpy(&u, &f, 8), u;
}
inline double double_of(uint64_t u)
{
    double f;
    return std::memcpy(&f, &u, 8), f;
}

struct Bf16 {
    enum { FRACTION = 7, MIN_EXPONENT = -126, INFINITE = 0x7f80 };
    static double value(uint32_t h)
    {
        const uint32_t u = h << 16;
        float f;
        return std::memcpy(&f, &u, 4), (double)f;
    }
};
struct F16 {
    enum { FRACTION = 10, MIN_EXPONENT = -14, INFINITE = 0x7c00 };
    static double value(uint32_t h)
    {
        const int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
        const double v = e == 31 ? (m ? (double)NAN : (double)INFINITY)
                         : e     ? (1024 + m) * double_of((uint64_t)(1023 + e - 25) << 52)
                                 : m * 0x1p-24;
        return h & 0x8000 ? -v : v;
    }
};

/* Rounds x once to the 16-bit format H. Encodes NaN as 0x7fff, as a device does. mode: a RoundMode. */
template <class H> uint32_t encode(double x, int mode)
{
    if (x != x)
        return 0x7fff;
    const bool is_minus = std::signbit(x);
    const uint32_t sign = is_minus ? 0x8000u : 0;
    const double a = std::fabs(x);
    if (a == 0 || a > 1e300)
        return sign | (a == 0 ? 0u : (uint32_t)H::INFINITE);
    int e = (int)(double_bits(a) >> 52) - 1023;
    e = e < H::MIN_EXPONENT ? (int)H::MIN_EXPONENT : e;
    const double scaled = a * double_of((uint64_t)(1023 + H::FRACTION - e) << 52); /* the product is exact */
    uint32_t m = (uint32_t)scaled;
    const double rest = scaled - m;
    const bool away = mode == ROUND_NEAREST ? rest > 0.5 || (rest == 0.5 && m & 1)
                      : mode == ROUND_DOWN  ? is_minus && rest > 0
                      : mode == ROUND_UP    ? !is_minus && rest > 0
                                            : false;
    const uint32_t bits = ((uint32_t)(e - H::MIN_EXPONENT) << H::FRACTION) + m + away;
    if (bits < H::INFINITE)
        return sign | bits;
    const bool stays = mode == ROUND_ZERO || (mode == ROUND_DOWN && !is_minus) || (mode == ROUND_UP && is_minus);
    return sign | (stays ? (uint32_t)H::INFINITE - 1 : (uint32_t)H::INFINITE);
}

/* Returns a + b rounded to odd. Rounding this result to 24 bits or fewer gives the same value as rounding the exact
 * sum. */
inline double add_to_odd(double a, double b)
{
    const double s = a + b, t = s - a, error = (a - (s - t)) + (b - t);
    if (!(error != 0) || std::isinf(s) || double_bits(s) & 1)
        return s;
    return double_of(double_bits(s) + ((error > 0) == (s > 0) ? 1 : -1));
}

} // namespace
} // namespace ptx
#endif
