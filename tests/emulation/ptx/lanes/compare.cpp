/* compare.cpp - setp and set. Op::mode selects how the result is combined with the predicate c: 1 and, 2 or, 3 xor. */
#include "lanes/half.h"

namespace ptx
{
namespace PTX_LANES
{
namespace
{

enum Compare { EQ, NE, LT, LE, GT, GE, EQU, NEU, LTU, LEU, GTU, GEU, NUM, UNORDERED };
template <int C, class T> bool compare(T a, T b)
{
    const bool unordered = a != a || b != b;
    switch (C) {
    case EQ:
        return a == b;
    case NE:
        return !unordered && a != b;
    case LT:
        return a < b;
    case LE:
        return a <= b;
    case GT:
        return a > b;
    case GE:
        return a >= b;
    case EQU:
        return unordered || a == b;
    case NEU:
        return a != b;
    case LTU:
        return !(a >= b);
    case LEU:
        return !(a > b);
    case GTU:
        return !(a <= b);
    case GEU:
        return !(a < b);
    case NUM:
        return !unordered;
    default:
        return unordered;
    }
}
struct Same {
    template <class T, class C> static T f(C v)
    {
        return (T)v;
    }
};
template <class H> struct Half {
    template <class T, class C> static T f(C v)
    {
        return (T)H::value((uint32_t)v & 0xffff);
    }
};

template <class T, class V, class S, int C>
void set_if(Warp &w, const Op &op, uint32_t lanes) /* T: type of the cells of a and b; V: type that is compared */
{
    const auto *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    uint32_t bits[32], r = 0;
#pragma GCC ivdep
    for (int l = 0; l < 32; l++)
        bits[l] = (uint32_t)compare<C, V>(S::template f<V>(a[l]), S::template f<V>(b[l])) << l;
    for (int l = 0; l < 32; l++)
        r |= bits[l];
    uint32_t other = ~r;
    if (op.mode) {
        const uint32_t c = predicate(w, op.c);
        other = op.mode == 1 ? other & c : op.mode == 2 ? other | c : other ^ c;
        r = op.mode == 1 ? r & c : op.mode == 2 ? r | c : r ^ c;
    }
    set_predicate(w, op.d, lanes, r);
    if (op.e != NOWHERE)
        set_predicate(w, op.e, lanes, other);
}
template <uint32_t TRUE_VALUE, class T, int C> void set_value(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) { return compare<C, T>(a[l], b[l]) ? TRUE_VALUE : 0u; });
}

// clang-format off: a table
#define PLAIN_ROW(name, C, T, t) {"setp." name "." t, set_if<T, T, Same, C>, C_INT, "pred " t " " t},
#define FLOAT_ROW(name, C)                                                                                             \
    {"setp." name ".f32", set_if<float, float, Same, C>, C_FP32, "pred f32 f32"},                                      \
        {"setp." name ".f64", set_if<double, double, Same, C>, C_FP64, "pred f64 f64"},                                \
        {"setp." name ".f16", set_if<uint16_t, float, Half<F16>, C>, C_FP32, "pred b16 b16"},                          \
        {"setp." name ".bf16", set_if<uint16_t, float, Half<Bf16>, C>, C_FP32, "pred b16 b16"},                        \
        {"set." name ".f32.f32", set_value<0x3f800000, float, C>, C_FP32, "f32 f32 f32"},                              \
        {"set." name ".u32.f32", set_value<FULL, float, C>, C_FP32, "u32 f32 f32"},                                    \
        {"set." name ".s32.f32", set_value<FULL, float, C>, C_FP32, "s32 f32 f32"},
#define SIGNED_ROWS(name, C)                                                                                           \
    PLAIN_ROW(name, C, int16_t, "s16")                                                                                 \
    PLAIN_ROW(name, C, int32_t, "s32")                                                                                 \
        PLAIN_ROW(name, C, int64_t, "s64"){"set." name ".u32.s32", set_value<FULL, int32_t, C>, C_INT, "u32 s32 s32"}, \
        {"set." name ".s32.s32", set_value<FULL, int32_t, C>, C_INT, "s32 s32 s32"},
#define UNSIGNED_ROWS(name, C)                                                                                         \
    PLAIN_ROW(name, C, uint16_t, "u16")                                                                                \
    PLAIN_ROW(name, C, uint32_t, "u32") PLAIN_ROW(name, C, uint64_t, "u64"){                                           \
        "set." name ".u32.u32", set_value<FULL, uint32_t, C>, C_INT, "u32 u32 u32"},
#define BITS_ROWS(name, C)                                                                                             \
    PLAIN_ROW(name, C, uint16_t, "b16") PLAIN_ROW(name, C, uint32_t, "b32") PLAIN_ROW(name, C, uint64_t, "b64")
#define ORDERED(name, C) FLOAT_ROW(name, C) SIGNED_ROWS(name, C) UNSIGNED_ROWS(name, C)

const Row rows[] = {ORDERED("eq", EQ) ORDERED("ne", NE) ORDERED("lt", LT) ORDERED("le", LE) ORDERED("gt", GT)
                        ORDERED("ge", GE) BITS_ROWS("eq", EQ) BITS_ROWS("ne", NE) UNSIGNED_ROWS("lo", LT)
                            UNSIGNED_ROWS("ls", LE) UNSIGNED_ROWS("hi", GT) UNSIGNED_ROWS("hs", GE)
                                FLOAT_ROW("equ", EQU) FLOAT_ROW("neu", NEU) FLOAT_ROW("ltu", LTU) FLOAT_ROW("leu", LEU)
                                    FLOAT_ROW("gtu", GTU) FLOAT_ROW("geu", GEU) FLOAT_ROW("num", NUM)
                                        FLOAT_ROW("nan", UNORDERED)};
// clang-format on

} // namespace

Rows compare_rows()
{
    return {rows, rows + sizeof rows / sizeof *rows};
}

} // namespace PTX_LANES
} // namespace ptx
