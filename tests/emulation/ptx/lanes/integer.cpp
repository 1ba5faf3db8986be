/* integer.cpp - integer and bit operations. Sums wrap. A 16-bit result leaves zeros above the low 16 bits of its
 * cell. */
#include "lanes/lanes.h"

#include <type_traits>

namespace ptx
{
namespace PTX_LANES
{
namespace
{

template <class T> struct Twice {
};
template <> struct Twice<int16_t> {
    typedef int32_t type;
};
template <> struct Twice<uint16_t> {
    typedef uint32_t type;
};
template <> struct Twice<int32_t> {
    typedef int64_t type;
};
template <> struct Twice<uint32_t> {
    typedef uint64_t type;
};
template <> struct Twice<int64_t> {
    typedef __int128 type;
};
template <> struct Twice<uint64_t> {
    typedef unsigned __int128 type;
};
template <class T> using Unsigned = typename std::make_unsigned<T>::type;
template <class T> using Kept = typename std::conditional<sizeof(T) < 4, uint16_t, T>::type;

struct Add {
    template <class T> static T f(T a, T b)
    {
        return (T)((Unsigned<T>)a + (Unsigned<T>)b);
    }
};
struct Sub {
    template <class T> static T f(T a, T b)
    {
        return (T)((Unsigned<T>)a - (Unsigned<T>)b);
    }
};
struct Mul {
    template <class T> static T f(T a, T b)
    {
        return (T)((uint64_t)a * (uint64_t)b);
    }
    static int32_t f(int32_t a, int32_t b)
    {
        return (int32_t)((uint32_t)a * (uint32_t)b);
    }
    static uint32_t f(uint32_t a, uint32_t b)
    {
        return a * b;
    }
};
struct MulHi {
    template <class T> static T f(T a, T b)
    {
        typedef typename Twice<T>::type W;
        return (T)((W)a * (W)b >> 8 * sizeof(T));
    }
};
template <class T> static bool is_minus_one(T b)
{
    return std::is_signed<T>::value && b == (T)-1;
}
struct Div { /* division by 0 returns all bits set, as on a device */
    template <class T> static T f(T a, T b)
    {
        return b == 0 ? (T) ~(T)0 : is_minus_one(b) ? Sub::f((T)0, a) : (T)(a / b);
    }
};
struct Rem {
    template <class T> static T f(T a, T b)
    {
        return b == 0 ? a : is_minus_one(b) ? (T)0 : (T)(a % b);
    }
};
struct Min {
    template <class T> static T f(T a, T b)
    {
        return b < a ? b : a;
    }
};
struct Max {
    template <class T> static T f(T a, T b)
    {
        return a < b ? b : a;
    }
};
struct And {
    template <class T> static T f(T a, T b)
    {
        return a & b;
    }
};
struct Or {
    template <class T> static T f(T a, T b)
    {
        return a | b;
    }
};
struct Xor {
    template <class T> static T f(T a, T b)
    {
        return a ^ b;
    }
};
struct Not {
    template <class T> static T f(T a)
    {
        return (T)~a;
    }
};
struct CNot {
    template <class T> static T f(T a)
    {
        return a == 0;
    }
};
struct Neg {
    template <class T> static T f(T a)
    {
        return Sub::f((T)0, a);
    }
};
struct Abs {
    template <class T> static T f(T a)
    {
        return a < 0 ? Sub::f((T)0, a) : a;
    }
};
struct Shl {
    template <class T> static T f(T a, uint32_t b)
    {
        return b >= 8 * sizeof(T) ? (T)0 : (T)((Unsigned<T>)a << b);
    }
};
struct Shr {
    template <class T> static T f(T a, uint32_t b)
    {
        return b >= 8 * sizeof(T) ? (T)(a < (T)0 ? (T)-1 : (T)0) : (T)(a >> b);
    }
};
struct Popc {
    template <class T> static uint32_t f(T a)
    {
        return (uint32_t)__builtin_popcountll((uint64_t)a);
    }
};
struct Clz {
    static uint32_t f(uint32_t a)
    {
        return a ? (uint32_t)__builtin_clz(a) : 32;
    }
    static uint32_t f(uint64_t a)
    {
        return a ? (uint32_t)__builtin_clzll(a) : 64;
    }
};
/* bfind: position of the highest bit that differs from the sign; -1 if no bit differs. */
template <bool IS_SHIFT> struct Find {
    template <class T> static uint32_t f(T a)
    {
        const uint64_t v = (uint64_t)(Unsigned<T>)(a < (T)0 ? (T)~a : a);
        const uint32_t top = 8 * sizeof(T) - 1;
        return v ? (IS_SHIFT ? top - (63 - (uint32_t)__builtin_clzll(v)) : 63 - (uint32_t)__builtin_clzll(v)) : FULL;
    }
};
struct Reverse {
    template <class T> static T f(T a)
    {
        T b = 0;
        for (unsigned i = 0; i < 8 * sizeof(T); i++)
            b |= (a >> i & 1) << (8 * sizeof(T) - 1 - i);
        return b;
    }
};

template <class R, class T, class F> void one(Warp &w, const Op &op, uint32_t lanes)
{
    const auto *a = cells<T>(w, op.a);
    each<R>(cells<R>(w, op.d), lanes, [=](int l) { return (Kept<R>)F::f((T)a[l]); });
}
template <class T, class F> void two(Warp &w, const Op &op, uint32_t lanes)
{
    const auto *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return (Kept<T>)F::f((T)a[l], (T)b[l]); });
}
template <class T, class F> void shift(Warp &w, const Op &op, uint32_t lanes)
{
    const auto *a = cells<T>(w, op.a);
    const uint32_t *b = cells<uint32_t>(w, op.b);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return (Kept<T>)F::f((T)a[l], b[l]); });
}
template <class T> void multiply_wide(Warp &w, const Op &op, uint32_t lanes)
{
    typedef typename Twice<T>::type W;
    const auto *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    each<W>(cells<W>(w, op.d), lanes, [=](int l) { return (W)(T)a[l] * (W)(T)b[l]; });
}
template <class T> void mad_wide(Warp &w, const Op &op, uint32_t lanes)
{
    typedef typename Twice<T>::type W;
    const auto *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    const auto *c = cells<W>(w, op.c);
    each<W>(cells<W>(w, op.d), lanes, [=](int l) { return Add::f((W)((W)(T)a[l] * (W)(T)b[l]), (W)c[l]); });
}
template <class T, class F> void mad(Warp &w, const Op &op, uint32_t lanes)
{
    const auto *a = cells<T>(w, op.a), *b = cells<T>(w, op.b), *c = cells<T>(w, op.c);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return (Kept<T>)Add::f(F::f((T)a[l], (T)b[l]), (T)c[l]); });
}
template <bool IS_SUM> void saturating(Warp &w, const Op &op, uint32_t lanes) /* add.sat.s32, sub.sat.s32 */
{
    const int32_t *a = cells<int32_t>(w, op.a), *b = cells<int32_t>(w, op.b);
    each<int32_t>(cells<int32_t>(w, op.d), lanes, [=](int l) {
        const int64_t v = IS_SUM ? (int64_t)a[l] + b[l] : (int64_t)a[l] - b[l];
        return (int32_t)(v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v);
    });
}
template <class T> void sad(Warp &w, const Op &op, uint32_t lanes) /* returns c + |a - b| */
{
    const T *a = cells<T>(w, op.a), *b = cells<T>(w, op.b), *c = cells<T>(w, op.c);
    each<T>(cells<T>(w, op.d), lanes,
            [=](int l) { return Add::f(c[l], a[l] < b[l] ? Sub::f(b[l], a[l]) : Sub::f(a[l], b[l])); });
}

/* lop3.b32: a result bit is bit 4 x + 2 y + z of op.mode. x, y and z are the bits of a, b and c at its position. */
void logic3(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a), *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    uint32_t term[8];
    for (int i = 0; i < 8; i++)
        term[i] = op.mode >> i & 1 ? FULL : 0;
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        const uint32_t x = a[l], y = b[l], z = c[l];
        const uint32_t high = (y & ((z & term[7]) | (~z & term[6]))) | (~y & ((z & term[5]) | (~z & term[4])));
        const uint32_t low = (y & ((z & term[3]) | (~z & term[2]))) | (~y & ((z & term[1]) | (~z & term[0])));
        return (x & high) | (~x & low);
    });
}
template <bool IS_RIGHT, bool WRAPS> void funnel(Warp &w, const Op &op, uint32_t lanes) /* shf */
{
    const uint32_t *a = cells<uint32_t>(w, op.a), *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        const uint32_t n = WRAPS ? c[l] & 31 : c[l] < 32 ? c[l] : 32;
        const uint64_t both = (uint64_t)b[l] << 32 | a[l];
        return (uint32_t)(IS_RIGHT ? both >> n : both << n >> 32);
    });
}
/* bfi d, a, b, at, n: replaces n bits of b, from bit `at`, with the low bits of a. */
template <class T> void insert(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    const uint32_t *c = cells<uint32_t>(w, op.c), *e = cells<uint32_t>(w, op.e);
    const uint32_t bits = 8 * sizeof(T);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) {
        const uint32_t at = c[l] & 255, n = e[l] & 255;
        if (at >= bits || n == 0)
            return b[l];
        const T mask = (T)((n >= bits ? (T) ~(T)0 : (T)(((T)1 << n) - 1)) << at);
        return (T)((b[l] & (T)~mask) | ((T)(a[l] << at) & mask));
    });
}
template <class T>
void extract(Warp &w, const Op &op, uint32_t lanes) /* bfe d, a, at, n: bits above the field repeat the sign */
{
    const auto *a = cells<T>(w, op.a);
    const uint32_t *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    const uint32_t top = 8 * sizeof(T) - 1;
    each<T>(cells<T>(w, op.d), lanes, [=](int l) {
        const uint32_t at = b[l] & 255, n = c[l] & 255;
        if (n == 0)
            return (T)0;
        const uint32_t last = at + n - 1 < top ? at + n - 1 : top; /* position of the sign bit */
        const bool is_minus = std::is_signed<T>::value && (Unsigned<T>)a[l] >> last & 1;
        const Unsigned<T> have = at > top ? 0 : (Unsigned<T>)((Unsigned<T>)a[l] >> at);
        const uint32_t width = at > top ? 0 : last - at + 1;
        const Unsigned<T> mask =
            width > top ? (Unsigned<T>)~(Unsigned<T>)0 : (Unsigned<T>)(((Unsigned<T>)1 << width) - 1);
        return (T)((have & mask) | (is_minus ? (Unsigned<T>)~mask : (Unsigned<T>)0));
    });
}
/* dp2a multiplies two 16-bit values of a with two bytes of b. dp4a multiplies four bytes of a with four bytes of b.
 * Both add the products to c. */
template <int COUNT, bool IS_HIGH, bool A_SIGNED, bool B_SIGNED> void dot(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a), *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        uint32_t sum = c[l];
        for (int i = 0; i < COUNT; i++) {
            const uint32_t x = COUNT == 4 ? a[l] >> 8 * i & 0xff : a[l] >> 16 * i & 0xffff;
            const uint32_t y = b[l] >> 8 * (i + (IS_HIGH ? 2 : 0)) & 0xff;
            const int32_t xs = !A_SIGNED ? (int32_t)x : COUNT == 4 ? (int32_t)(int8_t)x : (int32_t)(int16_t)x;
            sum += (uint32_t)(xs * (B_SIGNED ? (int32_t)(int8_t)y : (int32_t)y));
        }
        return sum;
    });
}
template <int WHICH> void predicates(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t a = predicate(w, op.a), b = WHICH < 3 ? predicate(w, op.b) : 0;
    set_predicate(w, op.d, lanes, WHICH == 0 ? a & b : WHICH == 1 ? a | b : WHICH == 2 ? a ^ b : ~a);
}

// clang-format off: a table
#define TWO(name, T, t, F, what) {name "." t, two<T, F>, what, t " " t " " t},
#define MAD(name, T, t, F)       {name "." t, mad<T, F>, C_INT, t " " t " " t " " t},
#define ONE(name, T, t, F)       {name "." t, one<T, T, F>, C_INT, t " " t},
#define TO_COUNT(name, T, t, F)  {name "." t, one<uint32_t, T, F>, C_INT, "u32 " t},
#define SHIFT(name, T, t, F)     {name "." t, shift<T, F>, C_INT, t " " t " u32"},
#define FOR_INTEGERS(M, ...)                                                                                           \
    M(__VA_ARGS__, int16_t, "s16")                                                                                     \
    M(__VA_ARGS__, uint16_t, "u16")                                                                                    \
    M(__VA_ARGS__, int32_t, "s32")                                                                                     \
    M(__VA_ARGS__, uint32_t, "u32") M(__VA_ARGS__, int64_t, "s64") M(__VA_ARGS__, uint64_t, "u64")
#define INTEGER_TWO(name, F, what, T, t) TWO(name, T, t, F, what)
#define INTEGER_MAD(name, F, T, t)       MAD(name, T, t, F)
#define INTEGER_SHIFT(name, F, T, t)     SHIFT(name, T, t, F)
#define SIGNED(name, F) ONE(name, int16_t, "s16", F) ONE(name, int32_t, "s32", F) ONE(name, int64_t, "s64", F)
#define BITS_ONE(name, F) ONE(name, uint16_t, "b16", F) ONE(name, uint32_t, "b32", F) ONE(name, uint64_t, "b64", F)
#define BITS_TWO(name, F)                                                                                              \
    TWO(name, uint16_t, "b16", F, C_INT) TWO(name, uint32_t, "b32", F, C_INT) TWO(name, uint64_t, "b64", F, C_INT)
#define BITS_SHIFT(name, F)                                                                                            \
    SHIFT(name, uint16_t, "b16", F) SHIFT(name, uint32_t, "b32", F) SHIFT(name, uint64_t, "b64", F)
#define WIDENING(T, t, u)                                                                                              \
    {"mul.wide." t, multiply_wide<T>, C_INT, u " " t " " t}, {"mad.wide." t, mad_wide<T>, C_INT, u " " t " " t " " u},
#define DOT(x, xs, y, ys)                                                                                              \
    {"dp4a." x "." y, dot<4, false, xs, ys>, C_INT, "b32 b32 b32 b32"},                                                \
        {"dp2a.lo." x "." y, dot<2, false, xs, ys>, C_INT, "b32 b32 b32 b32"},                                         \
        {"dp2a.hi." x "." y, dot<2, true, xs, ys>, C_INT, "b32 b32 b32 b32"},

const Row rows[] = {
    FOR_INTEGERS(INTEGER_TWO, "add", Add, C_INT) FOR_INTEGERS(INTEGER_TWO, "sub", Sub,
                                                              C_INT) FOR_INTEGERS(INTEGER_TWO, "mul.lo", Mul, C_INT)
        FOR_INTEGERS(INTEGER_TWO, "mul.hi", MulHi, C_INT) FOR_INTEGERS(INTEGER_TWO, "div", Div, C_DIVIDE)
            FOR_INTEGERS(INTEGER_TWO, "rem", Rem, C_DIVIDE) FOR_INTEGERS(INTEGER_TWO, "min", Min, C_INT)
                FOR_INTEGERS(INTEGER_TWO, "max", Max, C_INT) FOR_INTEGERS(INTEGER_MAD, "mad.lo", Mul) FOR_INTEGERS(
                    INTEGER_MAD, "mad.hi", MulHi) FOR_INTEGERS(INTEGER_SHIFT, "shr", Shr) BITS_SHIFT("shr", Shr)
                    BITS_SHIFT("shl", Shl) SIGNED("neg", Neg) SIGNED("abs", Abs) BITS_TWO("and", And) BITS_TWO("or", Or)
                        BITS_TWO("xor", Xor) BITS_ONE("not", Not) BITS_ONE("cnot", CNot) WIDENING(int16_t, "s16", "s32")
                            WIDENING(uint16_t, "u16", "u32") WIDENING(int32_t, "s32", "s64")
                                WIDENING(uint32_t, "u32", "u64"){"add.sat.s32", saturating<true>, C_INT, "s32 s32 s32"},
    {"sub.sat.s32", saturating<false>, C_INT, "s32 s32 s32"},
    {"sad.s32", sad<int32_t>, C_INT, "s32 s32 s32 s32"},
    {"sad.u32", sad<uint32_t>, C_INT, "u32 u32 u32 u32"},
    TO_COUNT("popc", uint32_t, "b32", Popc) TO_COUNT("popc", uint64_t, "b64", Popc)
        TO_COUNT("clz", uint32_t, "b32", Clz) TO_COUNT("clz", uint64_t, "b64", Clz)
            TO_COUNT("bfind", uint32_t, "u32", Find<false>) TO_COUNT("bfind", int32_t, "s32", Find<false>)
                TO_COUNT("bfind", uint64_t, "u64", Find<false>) TO_COUNT("bfind", int64_t, "s64", Find<false>)
                    TO_COUNT("bfind.shiftamt", uint32_t, "u32", Find<true>)
                        TO_COUNT("bfind.shiftamt", int32_t, "s32", Find<true>) TO_COUNT("bfind.shiftamt", uint64_t,
                                                                                        "u64", Find<true>)
                            TO_COUNT("bfind.shiftamt", int64_t, "s64", Find<true>) ONE("brev", uint32_t, "b32", Reverse)
                                ONE("brev", uint64_t, "b64", Reverse){"lop3.b32", logic3, C_INT, "b32 b32 b32 b32 imm"},
    {"shf.l.wrap.b32", funnel<false, true>, C_INT, "b32 b32 b32 u32"},
    {"shf.l.clamp.b32", funnel<false, false>, C_INT, "b32 b32 b32 u32"},
    {"shf.r.wrap.b32", funnel<true, true>, C_INT, "b32 b32 b32 u32"},
    {"shf.r.clamp.b32", funnel<true, false>, C_INT, "b32 b32 b32 u32"},
    {"bfi.b32", insert<uint32_t>, C_INT, "b32 b32 b32 u32 u32"},
    {"bfi.b64", insert<uint64_t>, C_INT, "b64 b64 b64 u32 u32"},
    {"bfe.u32", extract<uint32_t>, C_INT, "u32 u32 u32 u32"},
    {"bfe.s32", extract<int32_t>, C_INT, "s32 s32 u32 u32"},
    {"bfe.u64", extract<uint64_t>, C_INT, "u64 u64 u32 u32"},
    {"bfe.s64", extract<int64_t>, C_INT, "s64 s64 u32 u32"},
    DOT("u32", false, "u32", false) DOT("s32", true, "u32", false) DOT("u32", false, "s32", true)
        DOT("s32", true, "s32", true){"and.pred", predicates<0>, C_INT, "pred pred pred"},
    {"or.pred", predicates<1>, C_INT, "pred pred pred"},
    {"xor.pred", predicates<2>, C_INT, "pred pred pred"},
    {"not.pred", predicates<3>, C_INT, "pred pred"},
};
// clang-format on

} // namespace

Rows integer_rows()
{
    return {rows, rows + sizeof rows / sizeof *rows};
}

} // namespace PTX_LANES
} // namespace ptx
