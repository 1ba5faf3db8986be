/* convert.cpp - cvt. Conversions from integers to floats and from FP64 to FP32 use the rounding mode of MXCSR.
 * Conversions to 16-bit floats use the rounding mode in Op::target (a RoundMode). Conversions from floats to integers
 * have one row for each rounding mode. */
#include "lanes/half.h"

#include <limits>
#include <type_traits>

namespace ptx
{
namespace PTX_LANES
{
namespace
{

enum Rounding { NEAREST, ZERO, DOWN, UP };
template <int R, class T> T round_to(T x)
{
    return R == NEAREST ? std::nearbyint(x) : R == ZERO ? std::trunc(x) : R == DOWN ? std::floor(x) : std::ceil(x);
}
template <class D, class S> D clamp_float(S x) /* x is a whole number or NaN; NaN becomes 0 */
{
    const S low = (S)std::numeric_limits<D>::min(), high = (S)std::numeric_limits<D>::max();
    return x != x ? (D)0 : x <= low ? std::numeric_limits<D>::min() : x >= high ? std::numeric_limits<D>::max() : (D)x;
}
template <class T> using Kept = typename std::conditional<sizeof(T) < 4, uint16_t, T>::type;

template <class D, class S> void plain(Warp &w, const Op &op, uint32_t lanes)
{
    const auto *a = cells<S>(w, op.a);
    each<D>(cells<D>(w, op.d), lanes, [=](int l) { return (Kept<D>)(D)(S)a[l]; });
}
template <class D, class S> void clamp(Warp &w, const Op &op, uint32_t lanes) /* cvt.sat between integers */
{
    const auto *a = cells<S>(w, op.a);
    each<D>(cells<D>(w, op.d), lanes, [=](int l) {
        const __int128 v = (S)a[l], low = std::numeric_limits<D>::min(), high = std::numeric_limits<D>::max();
        return (Kept<D>)(D)(v < low ? low : v > high ? high : v);
    });
}
template <class D, class S, int R> void to_integer(Warp &w, const Op &op, uint32_t lanes)
{
    const S *a = cells<S>(w, op.a);
    each<D>(cells<D>(w, op.d), lanes, [=](int l) { return (Kept<D>)clamp_float<D, S>(round_to<R, S>(a[l])); });
}
template <class S, int R> void to_integral(Warp &w, const Op &op, uint32_t lanes)
{
    const S *a = cells<S>(w, op.a);
    each<S>(cells<S>(w, op.d), lanes, [=](int l) { return round_to<R, S>(a[l]); });
}

uint32_t bits_of(float f)
{
    uint32_t u;
    return std::memcpy(&u, &f, 4), u;
}
uint32_t nearest_bf16(float x)
{
    const uint32_t u = bits_of(x);
    return (u & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (u + 0x7fffu + (u >> 16 & 1)) >> 16;
}
template <class H> uint32_t half_of(float x, int mode)
{
    return encode<H>((double)x, mode);
}
template <> uint32_t half_of<Bf16>(float x, int mode)
{
    return mode == ROUND_NEAREST ? nearest_bf16(x) : encode<Bf16>((double)x, mode);
}
template <bool IS_RELU> uint32_t clamped(uint32_t h)
{
    return IS_RELU && h & 0x8000 ? 0 : h;
} /* 0x7fff is NaN, which stays unchanged */

template <class H, bool IS_RELU> void to_half(Warp &w, const Op &op, uint32_t lanes)
{
    const float *a = cells<float>(w, op.a);
    const int mode = op.target & ROUND_MASK;
    if (std::is_same<H, Bf16>::value && mode == ROUND_NEAREST)
        return each<uint32_t>(cells<uint32_t>(w, op.d), lanes,
                              [=](int l) { return clamped<IS_RELU>(nearest_bf16(a[l])); });
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) { return clamped<IS_RELU>(half_of<H>(a[l], mode)); });
}
/* Operand a becomes the upper half of the result. */
template <class H, bool IS_RELU> void to_halves(Warp &w, const Op &op, uint32_t lanes)
{
    const float *a = cells<float>(w, op.a), *b = cells<float>(w, op.b);
    const int mode = op.target & ROUND_MASK;
    if (std::is_same<H, Bf16>::value && mode == ROUND_NEAREST)
        return each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
            return clamped<IS_RELU>(nearest_bf16(a[l])) << 16 | clamped<IS_RELU>(nearest_bf16(b[l]));
        });
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        return clamped<IS_RELU>(half_of<H>(a[l], mode)) << 16 | clamped<IS_RELU>(half_of<H>(b[l], mode));
    });
}
template <class H> void from_half(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a);
    each<float>(cells<float>(w, op.d), lanes, [=](int l) { return (float)H::value(a[l] & 0xffff); });
}
template <class H, class S> void half_from_integer(Warp &w, const Op &op, uint32_t lanes)
{
    const auto *a = cells<S>(w, op.a);
    const int mode = op.target & ROUND_MASK;
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) { return encode<H>((double)(S)a[l], mode); });
}
template <class H, class D, int R> void integer_from_half(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a);
    each<D>(cells<D>(w, op.d), lanes,
            [=](int l) { return (Kept<D>)clamp_float<D, double>(round_to<R, double>(H::value(a[l] & 0xffff))); });
}
template <bool IS_AWAY> void to_tf32(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        const uint32_t u = a[l];
        if ((u & 0x7fffffffu) > 0x7f800000u)
            return 0x7fffffffu;
        return (u + (IS_AWAY ? 0x1000u : 0xfffu + (u >> 13 & 1))) & ~0x1fffu;
    });
}

// clang-format off: a table
#define FROM(d, D, s, S)                                                                                               \
    {"cvt." d "." s, plain<D, S>, C_CONVERT, "(" d ") (" s ")"},                                                       \
        {"cvt.sat." d "." s, clamp<D, S>, C_CONVERT, "(" d ") (" s ")"},
#define FROM_ALL(M, d, D)                                                                                              \
    M(d, D, "u8", uint8_t)                                                                                             \
    M(d, D, "s8", int8_t) M(d, D, "u16", uint16_t) M(d, D, "s16", int16_t) M(d, D, "u32", uint32_t)                    \
        M(d, D, "s32", int32_t) M(d, D, "u64", uint64_t) M(d, D, "s64", int64_t)
#define TO_FLOAT(d, D, s, S) {"cvt." d "." s, plain<D, S>, C_CONVERT, d " (" s ")"},
#define ROUNDED(r, R, d, D)                                                                                            \
    {"cvt." r "." d ".f32", to_integer<D, float, R>, C_CONVERT, "(" d ") f32"},                                        \
        {"cvt." r "." d ".f64", to_integer<D, double, R>, C_CONVERT, "(" d ") f64"},                                   \
        {"cvt." r "." d ".f16", integer_from_half<F16, D, R>, C_CONVERT, "(" d ") b16"},
#define INTEGRAL(r, R)                                                                                                 \
    {"cvt." r ".f32.f32", to_integral<float, R>, C_CONVERT, "f32 f32"},                                                \
        {"cvt." r ".f64.f64", to_integral<double, R>, C_CONVERT, "f64 f64"},                                           \
        ROUNDED(r, R, "s8", int8_t) ROUNDED(r, R, "u8", uint8_t) ROUNDED(r, R, "s16", int16_t)                         \
            ROUNDED(r, R, "u16", uint16_t) ROUNDED(r, R, "s32", int32_t) ROUNDED(r, R, "u32", uint32_t)                \
                ROUNDED(r, R, "s64", int64_t) ROUNDED(r, R, "u64", uint64_t)
#define HALVES(t, H)                                                                                                   \
    {"cvt." t ".f32", to_half<H, false>, C_CONVERT, "b16 f32"},                                                        \
        {"cvt.relu." t ".f32", to_half<H, true>, C_CONVERT, "b16 f32"},                                                \
        {"cvt." t "x2.f32", to_halves<H, false>, C_CONVERT, "b32 f32 f32"},                                            \
        {"cvt.relu." t "x2.f32", to_halves<H, true>, C_CONVERT, "b32 f32 f32"},                                        \
        {"cvt.f32." t, from_half<H>, C_CONVERT, "f32 b16"},                                                            \
        {"cvt." t ".s32", half_from_integer<H, int32_t>, C_CONVERT, "b16 s32"},                                        \
        {"cvt." t ".u32", half_from_integer<H, uint32_t>, C_CONVERT, "b16 u32"},                                       \
        {"cvt." t ".s16", half_from_integer<H, int16_t>, C_CONVERT, "b16 s16"},                                        \
        {"cvt." t ".u16", half_from_integer<H, uint16_t>, C_CONVERT, "b16 u16"},

const Row rows[] = {
    FROM_ALL(FROM, "u8", uint8_t) FROM_ALL(FROM, "s8", int8_t) FROM_ALL(FROM, "u16", uint16_t)
        FROM_ALL(FROM, "s16", int16_t) FROM_ALL(FROM, "u32", uint32_t) FROM_ALL(FROM, "s32", int32_t)
            FROM_ALL(FROM, "u64", uint64_t) FROM_ALL(FROM, "s64", int64_t) FROM_ALL(TO_FLOAT, "f32", float)
                FROM_ALL(TO_FLOAT, "f64", double) INTEGRAL("rni", NEAREST) INTEGRAL("rzi", ZERO) INTEGRAL("rmi", DOWN)
                    INTEGRAL("rpi", UP) HALVES("bf16", Bf16)
                        HALVES("f16", F16){"cvt.f32.f32", plain<float, float>, C_CONVERT, "f32 f32"},
    {"cvt.f64.f64", plain<double, double>, C_CONVERT, "f64 f64"},
    {"cvt.f64.f32", plain<double, float>, C_CONVERT, "f64 f32"},
    {"cvt.f32.f64", plain<float, double>, C_CONVERT, "f32 f64"},
    {"cvt.rna.tf32.f32", to_tf32<true>, C_CONVERT, "b32 f32"},
    {"cvt.rn.tf32.f32", to_tf32<false>, C_CONVERT, "b32 f32"},
};
// clang-format on

} // namespace

Rows convert_rows()
{
    return {rows, rows + sizeof rows / sizeof *rows};
}

} // namespace PTX_LANES
} // namespace ptx
