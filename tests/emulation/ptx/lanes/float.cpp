/* float.cpp - FP32, FP64 and packed FP32. Rounding and flushing follow MXCSR, which the wrapper in decode_table.cpp
 * sets. Operations are not contracted into FMA. The results of .approx instructions are correctly rounded or glibc's;
 * results of a GPU have an error of 1 to 2 ulp. */
#include "lanes/lanes.h"

#include <cmath>

namespace ptx
{
namespace PTX_LANES
{
namespace
{

float as_float(uint32_t u)
{
    float f;
    return std::memcpy(&f, &u, 4), f;
}
double as_double(uint64_t u)
{
    double f;
    return std::memcpy(&f, &u, 8), f;
}
uint64_t bits_of(double f)
{
    uint64_t u;
    return std::memcpy(&u, &f, 8), u;
}
float quiet_nan(float)
{
    return as_float(0x7fffffff);
}
double quiet_nan(double)
{
    return as_double(0x7fffffffffffffffull);
}

struct Add {
    template <class T> static T f(T a, T b)
    {
        return a + b;
    }
};
struct Sub {
    template <class T> static T f(T a, T b)
    {
        return a - b;
    }
};
struct Mul {
    template <class T> static T f(T a, T b)
    {
        return a * b;
    }
};
struct Div {
    template <class T> static T f(T a, T b)
    {
        return a / b;
    }
};
struct Min { /* if one operand is NaN, returns the other operand; -0 is less than +0 */
    template <class T> static T f(T a, T b)
    {
        return a != a ? (b != b ? quiet_nan(a) : b) : b != b ? a : a == b ? (std::signbit(a) ? a : b) : b < a ? b : a;
    }
};
struct Max {
    template <class T> static T f(T a, T b)
    {
        return a != a ? (b != b ? quiet_nan(a) : b) : b != b ? a : a == b ? (std::signbit(a) ? b : a) : a < b ? b : a;
    }
};
template <class F> struct Strict { /* .NaN: if an operand is NaN, the result is NaN */
    template <class T> static T f(T a, T b)
    {
        return a != a || b != b ? quiet_nan(a) : F::f(a, b);
    }
};
struct CopySign {
    template <class T> static T f(T a, T b)
    {
        return std::copysign(b, a);
    }
}; /* the result has the sign of a and the magnitude of b */
struct Neg {
    template <class T> static T f(T a)
    {
        return -a;
    }
};
struct Abs {
    template <class T> static T f(T a)
    {
        return std::fabs(a);
    }
};
struct Reciprocal {
    template <class T> static T f(T a)
    {
        return (T)1 / a;
    }
};
struct Root {
    template <class T> static T f(T a)
    {
        return std::sqrt(a);
    }
};
struct ReciprocalRoot {
    template <class T> static T f(T a)
    {
        return (T)(1.0 / std::sqrt((double)a));
    }
};
struct Exp2 {
    static float f(float a)
    {
        return std::exp2(a);
    }
};
struct Log2 {
    static float f(float a)
    {
        return std::log2(a);
    }
};
struct Sine {
    static float f(float a)
    {
        return std::sin(a);
    }
};
struct Cosine {
    static float f(float a)
    {
        return std::cos(a);
    }
};
struct Tanh {
    static float f(float a)
    {
        return std::tanh(a);
    }
};
struct ReciprocalHigh { /* rcp.approx.ftz.f64 computes only the upper half of the result */
    static double f(double a)
    {
        return as_double(bits_of(1.0 / a) & 0xffffffff00000000ull);
    }
};
struct RootHigh {
    static double f(double a)
    {
        return as_double(bits_of(1.0 / std::sqrt(a)) & 0xffffffff00000000ull);
    }
};

template <class T, class F> void one(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return F::f(a[l]); });
}
template <class T, class F> void two(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return F::f(a[l], b[l]); });
}
template <class T> void fma(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a), *b = cells<T>(w, op.b), *c = cells<T>(w, op.c);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return std::fma(a[l], b[l], c[l]); });
}
/* Operations on .f32x2: a 64-bit register contains two floats. */
template <class F> void pair(Warp &w, const Op &op, uint32_t lanes)
{
    const float *a = cells<float>(w, op.a), *b = cells<float>(w, op.b);
    float *d = cells<float>(w, op.d);
    for (int l = 0; l < 32; l++)
        if (lanes >> l & 1)
            for (int i = 2 * l; i < 2 * l + 2; i++)
                d[i] = F::f(a[i], b[i]);
}
void fma_pair(Warp &w, const Op &op, uint32_t lanes)
{
    const float *a = cells<float>(w, op.a), *b = cells<float>(w, op.b), *c = cells<float>(w, op.c);
    float *d = cells<float>(w, op.d);
    for (int l = 0; l < 32; l++)
        if (lanes >> l & 1)
            for (int i = 2 * l; i < 2 * l + 2; i++)
                d[i] = std::fma(a[i], b[i], c[i]);
}
template <int MASK, bool IS_NOT>
void classify(Warp &w, const Op &op, uint32_t lanes) /* testp; MASK has bit FP_* of each accepted class */
{
    const float *a = cells<float>(w, op.a);
    uint32_t bits = 0;
    for (int l = 0; l < 32; l++)
        bits |= (uint32_t)((MASK >> std::fpclassify(a[l]) & 1) != IS_NOT) << l;
    set_predicate(w, op.d, lanes, bits);
}

// clang-format off: a table
#define ONE(name, F) {name ".f32", one<float, F>, C_FP32, "f32 f32"}, {name ".f64", one<double, F>, C_FP64, "f64 f64"},
#define TWO(name, F)                                                                                                   \
    {name ".f32", two<float, F>, C_FP32, "f32 f32 f32"}, {name ".f64", two<double, F>, C_FP64, "f64 f64 f64"},
#define SPECIAL(name, F) {name ".f32", one<float, F>, C_SPECIAL, "f32 f32"},

const Row rows[] = {
    TWO("add", Add) TWO("sub", Sub) TWO("mul", Mul) TWO("min", Min) TWO("max", Max)
        TWO("copysign", CopySign){"min.NaN.f32", two<float, Strict<Min>>, C_FP32, "f32 f32 f32"},
    {"max.NaN.f32", two<float, Strict<Max>>, C_FP32, "f32 f32 f32"},
    {"div.f32", two<float, Div>, C_DIVIDE, "f32 f32 f32"},
    {"div.f64", two<double, Div>, C_DIVIDE, "f64 f64 f64"},
    {"fma.f32", fma<float>, C_FP32, "f32 f32 f32 f32"},
    {"fma.f64", fma<double>, C_FP64, "f64 f64 f64 f64"},
    {"mad.f32", fma<float>, C_FP32, "f32 f32 f32 f32"},
    {"mad.f64", fma<double>, C_FP64, "f64 f64 f64 f64"},
    ONE("neg", Neg) ONE("abs", Abs) SPECIAL("rcp", Reciprocal) SPECIAL("sqrt", Root) SPECIAL("rsqrt", ReciprocalRoot)
        SPECIAL("ex2", Exp2) SPECIAL("lg2", Log2) SPECIAL("sin", Sine) SPECIAL("cos", Cosine)
            SPECIAL("tanh", Tanh){"rcp.f64", one<double, Reciprocal>, C_SPECIAL, "f64 f64"},
    {"sqrt.f64", one<double, Root>, C_SPECIAL, "f64 f64"},
    {"rcp.approx.f64", one<double, ReciprocalHigh>, C_SPECIAL, "f64 f64"},
    {"rsqrt.approx.f64", one<double, RootHigh>, C_SPECIAL, "f64 f64"},
    {"add.f32x2", pair<Add>, C_FP32, "b64 b64 b64"},
    {"sub.f32x2", pair<Sub>, C_FP32, "b64 b64 b64"},
    {"mul.f32x2", pair<Mul>, C_FP32, "b64 b64 b64"},
    {"fma.f32x2", fma_pair, C_FP32, "b64 b64 b64 b64"},
    {"testp.finite.f32", classify<1 << FP_NAN | 1 << FP_INFINITE, true>, C_FP32, "pred f32"},
    {"testp.infinite.f32", classify<1 << FP_INFINITE, false>, C_FP32, "pred f32"},
    {"testp.number.f32", classify<1 << FP_NAN, true>, C_FP32, "pred f32"},
    {"testp.notanumber.f32", classify<1 << FP_NAN, false>, C_FP32, "pred f32"},
    {"testp.normal.f32", classify<1 << FP_NORMAL, false>, C_FP32, "pred f32"},
    {"testp.subnormal.f32", classify<1 << FP_SUBNORMAL, false>, C_FP32, "pred f32"},
};
// clang-format on

} // namespace

Rows float_rows()
{
    return {rows, rows + sizeof rows / sizeof *rows};
}

} // namespace PTX_LANES
} // namespace ptx
