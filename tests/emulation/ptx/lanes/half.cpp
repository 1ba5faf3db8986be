/* half.cpp - FP16 and BF16, single and packed. The result of an operation in double is either exact or rounded to odd.
 * The conversion to 16 bits then rounds it to the final result. */
#include "lanes/half.h"

namespace ptx
{
namespace PTX_LANES
{
namespace
{

struct Sub {
    static double f(double a, double b, double)
    {
        return add_to_odd(a, -b);
    }
};
struct Sum {
    static double f(double a, double b, double)
    {
        return add_to_odd(a, b);
    }
};
struct Mul {
    static double f(double a, double b, double)
    {
        return a * b;
    }
};
struct Fma {
    static double f(double a, double b, double c)
    {
        return add_to_odd(a * b, c);
    }
};
struct FmaRelu {
    static double f(double a, double b, double c)
    {
        const double v = Fma::f(a, b, c);
        return v > 0 || v != v ? v : 0;
    }
};
struct Min {
    static double f(double a, double b, double)
    {
        return a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? a : b) : b < a ? b : a;
    }
};
struct Max {
    static double f(double a, double b, double)
    {
        return a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? b : a) : a < b ? b : a;
    }
};
template <class F> struct Strict {
    static double f(double a, double b, double c)
    {
        return a != a || b != b ? (double)NAN : F::f(a, b, c);
    }
};

template <class H, class F, int COUNT> void three(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a), *b = cells<uint32_t>(w, op.b),
                   *c = op.c ? cells<uint32_t>(w, op.c) : a;
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        uint32_t r = 0;
        for (int h = 0; h < 16 * COUNT; h += 16)
            r |= encode<H>(
                     F::f(H::value(a[l] >> h & 0xffff), H::value(b[l] >> h & 0xffff), H::value(c[l] >> h & 0xffff)), 0)
                 << h;
        return r;
    });
}
template <uint32_t KEEP, uint32_t FLIP> void sign(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) { return (a[l] & KEEP) ^ FLIP; });
}

// clang-format off: a table
#define BOTH(name, F)                                                                                                  \
    {name ".f16", three<F16, F, 1>, C_FP32, "b16 b16 b16"}, {name ".bf16", three<Bf16, F, 1>, C_FP32, "b16 b16 b16"},  \
        {name ".f16x2", three<F16, F, 2>, C_FP32, "b32 b32 b32"},                                                      \
        {name ".bf16x2", three<Bf16, F, 2>, C_FP32, "b32 b32 b32"},
#define FUSED(name, F)                                                                                                 \
    {name ".f16", three<F16, F, 1>, C_FP32, "b16 b16 b16 b16"},                                                        \
        {name ".bf16", three<Bf16, F, 1>, C_FP32, "b16 b16 b16 b16"},                                                  \
        {name ".f16x2", three<F16, F, 2>, C_FP32, "b32 b32 b32 b32"},                                                  \
        {name ".bf16x2", three<Bf16, F, 2>, C_FP32, "b32 b32 b32 b32"},
#define SIGNS(t)                                                                                                       \
    {"neg." t, sign<0xffff, 0x8000>, C_FP32, "b16 b16"},                                                               \
        {"neg." t "x2", sign<0xffffffff, 0x80008000>, C_FP32, "b32 b32"},                                              \
        {"abs." t, sign<0x7fff, 0>, C_FP32, "b16 b16"}, {"abs." t "x2", sign<0x7fff7fff, 0>, C_FP32, "b32 b32"},

const Row rows[] = {BOTH("add", Sum) BOTH("sub", Sub) BOTH("mul", Mul) FUSED("fma", Fma) FUSED("fma.relu", FmaRelu)
                        BOTH("min", Min) BOTH("max", Max) BOTH("min.NaN", Strict<Min>) BOTH("max.NaN", Strict<Max>)
                            SIGNS("f16") SIGNS("bf16")};
// clang-format on

} // namespace

Rows half_rows()
{
    return {rows, rows + sizeof rows / sizeof *rows};
}

} // namespace PTX_LANES
} // namespace ptx
