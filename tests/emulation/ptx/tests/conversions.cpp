/* conversions.cpp - checks cvt with every rounding and saturation, registers wider than the types, and arithmetic of
 * 16-bit floats. Expected results are exact numbers and a table of all 16-bit floats. */
#include "oracle.h"

#include <algorithm>

using namespace test;

namespace
{

Q integral(Q x, int mode)
{
    if (!is_finite(x) || x > 0x1p120 || x < -0x1p120)
        return x;
    const __int128 t = (__int128)x; /* rounded towards 0 */
    const Q rest = x - (Q)t, size = rest < 0 ? -rest : rest;
    const int away = mode == DOWN                           ? -(rest < 0)
                     : mode == UP                           ? rest > 0
                     : mode == TO_ZERO                      ? 0
                     : size > 0.5 || (size == 0.5 && t & 1) ? (rest < 0 ? -1 : 1)
                                                            : 0;
    return (Q)(t + away);
}
template <class T> uint64_t clamped(Q x) /* NaN becomes 0 */
{
    const Q low = (Q)std::numeric_limits<T>::min(), high = (Q)std::numeric_limits<T>::max();
    const __int128 v = x != x     ? 0
                       : x < low  ? (__int128)std::numeric_limits<T>::min()
                       : x > high ? (__int128)std::numeric_limits<T>::max()
                                  : (__int128)x;
    return (uint64_t)v & (sizeof(T) < 8 ? (1ull << 8 * sizeof(T)) - 1 : ~0ull);
}
/* Returns the low bits of a register that holds a value of type T. A value of 8 bits is extended to 16 bits. */
template <class T> uint64_t in_register(uint64_t v)
{
    return sizeof(T) == 1 ? (uint16_t)(T)v : v & (sizeof(T) < 8 ? (1ull << 8 * sizeof(T)) - 1 : ~0ull);
}

template <class D> void from_floats(const char *name)
{
    const std::string d = name;
    for (const char *r : {"rni", "rzi", "rmi", "rpi"}) {
        const int mode = mode_of(std::string(r).substr(0, 2));
        expect("cvt." + std::string(r) + "." + d + ".f32", d + " f32",
               [=](const In &i) { return in_register<D>(clamped<D>(integral(from_bits<float>(i.a), mode))); });
        expect("cvt." + std::string(r) + ".sat." + d + ".f32", d + " f32",
               [=](const In &i) { return in_register<D>(clamped<D>(integral(from_bits<float>(i.a), mode))); });
        expect("cvt." + std::string(r) + ".ftz." + d + ".f32", d + " f32",
               [=](const In &i) { return in_register<D>(clamped<D>(integral(from_bits<float>(flush(i.a)), mode))); });
        expect("cvt." + std::string(r) + "." + d + ".f64", d + " f64",
               [=](const In &i) { return in_register<D>(clamped<D>(integral(from_bits<double>(i.a), mode))); });
    }
}

template <class D, class S> void between(const char *d, const char *s)
{
    const std::string to = d, from = s;
    expect("cvt." + to + "." + from, to + " " + from, [](const In &i) { return in_register<D>((uint64_t)(D)(S)i.a); });
    expect("cvt.sat." + to + "." + from, to + " " + from,
           [](const In &i) { return in_register<D>(clamped<D>((Q)(S)i.a)); });
}
template <class S> void from_integer(const char *s)
{
    between<int8_t, S>("s8", s), between<uint8_t, S>("u8", s), between<int16_t, S>("s16", s),
        between<uint16_t, S>("u16", s);
    between<int32_t, S>("s32", s), between<uint32_t, S>("u32", s), between<int64_t, S>("s64", s),
        between<uint64_t, S>("u64", s);
    const std::string from = s;
    for (const char *r : {"rn", "rz", "rm", "rp"}) {
        const int mode = mode_of(r);
        expect("cvt." + std::string(r) + ".f32." + from, "f32 " + from,
               [=](const In &i) { return to_bits(round_quad<float>((Q)(S)i.a, mode)); });
        expect("cvt." + std::string(r) + ".f64." + from, "f64 " + from,
               [=](const In &i) { return to_bits(round_quad<double>((Q)(S)i.a, mode)); });
    }
    expect("cvt.rn.sat.f32." + from, "f32 " + from, [=](const In &i) { return clamp_one(to_bits((float)(S)i.a)); });
}

/* Checks registers that are wider than the type. Results are extended with zeros or the sign, and sources use the lower
 * bits. */
void wide_registers()
{
    const struct {
        const char *opcode, *operands;
        uint64_t (*f)(uint64_t);
    } all[] = {
        {"cvt.s64.s32", "s64 s64", [](uint64_t a) { return (uint64_t)(int64_t)(int32_t)a; }},
        {"cvt.u64.u32", "u64 u64", [](uint64_t a) { return (uint64_t)(uint32_t)a; }},
        {"cvt.u32.u64", "u64 u64", [](uint64_t a) { return (uint64_t)(uint32_t)a; }},
        {"cvt.s32.s64", "s64 s64", [](uint64_t a) { return (uint64_t)(int64_t)(int32_t)a; }},
        {"cvt.s8.s32", "s32 s32", [](uint64_t a) { return (uint64_t)(uint32_t)(int8_t)a; }},
        {"cvt.u8.u32", "u32 u32", [](uint64_t a) { return (uint64_t)(uint8_t)a; }},
        {"cvt.s16.s32", "s32 s32", [](uint64_t a) { return (uint64_t)(uint32_t)(int16_t)a; }},
        {"cvt.u16.u32", "u32 u32", [](uint64_t a) { return (uint64_t)(uint16_t)a; }},
        {"cvt.s16.s8", "s64 s64", [](uint64_t a) { return (uint64_t)(int64_t)(int8_t)a; }},
        {"cvt.s32.s16", "s32 s32", [](uint64_t a) { return (uint64_t)(uint32_t)(int16_t)a; }},
        {"cvt.u32.u8", "u32 u64", [](uint64_t a) { return (uint64_t)(uint8_t)a; }},
        {"cvt.sat.s8.s32", "s32 s32",
         [](uint64_t a) {
             const int32_t v = (int32_t)a;
             return (uint64_t)(uint32_t)(v > 127 ? 127 : v < -128 ? -128 : v);
         }},
    };
    for (const auto &c : all) {
        const auto f = c.f;
        expect(c.opcode, c.operands, [=](const In &i) { return f(i.a); });
    }
}

void floats()
{
    for (const char *r : {"rn", "rz", "rm", "rp"}) {
        const int mode = mode_of(r);
        const std::string dot = "cvt." + std::string(r);
        expect(
            dot + ".f32.f64", "f32 f64",
            [=](const In &i) { return to_bits(round_quad<float>((Q)from_bits<double>(i.a), mode)); }, FLOAT);
        expect(
            dot + ".sat.f32.f64", "f32 f64",
            [=](const In &i) { return clamp_one(to_bits(round_quad<float>((Q)from_bits<double>(i.a), mode))); }, FLOAT);
        expect(
            dot + "i.f32.f32", "f32 f32",
            [=](const In &i) { return to_bits((float)integral(from_bits<float>(i.a), mode)); }, FLOAT);
        expect(
            dot + "i.sat.f32.f32", "f32 f32",
            [=](const In &i) { return clamp_one(to_bits((float)integral(from_bits<float>(i.a), mode))); }, FLOAT);
        expect(
            dot + "i.f64.f64", "f64 f64",
            [=](const In &i) { return to_bits((double)integral(from_bits<double>(i.a), mode)); }, FLOAT);
    }
    expect(
        "cvt.f64.f32", "f64 f32", [](const In &i) { return to_bits((double)from_bits<float>(i.a)); }, FLOAT);
    expect(
        "cvt.ftz.f64.f32", "f64 f32", [](const In &i) { return to_bits((double)from_bits<float>(flush(i.a))); }, FLOAT);
    expect(
        "cvt.sat.f32.f32", "f32 f32", [](const In &i) { return clamp_one(i.a); }, FLOAT);
    expect(
        "cvt.ftz.f32.f32", "f32 f32", [](const In &i) { return flush(i.a); }, FLOAT);
    expect("cvt.rna.tf32.f32", "b32 f32", [](const In &i) {
        const float f = from_bits<float>(i.a),
                    unit = f == 0 || std::isinf(f) ? 1 : std::ldexp(1.0f, std::max(std::ilogb(f), -126) - 10);
        if (f != f)
            return (uint64_t)0x7fffffff;
        if (std::isinf(f))
            return i.a;
        const Q scaled = (Q)std::fabs(f) / unit, up = integral(scaled + 0.5, DOWN); /* rounds ties away from 0 */
        return to_bits(std::copysign((float)(up * (Q)unit), f));
    });
}

/* ---- 16-bit floats ---- */

struct Half {
    std::string type;
    int fraction, min_exponent;
    /* Finite values in ascending order from 0, then 2^(max + 1) for infinity. */
    std::vector<std::pair<Q, uint32_t>> values;
    Half(const char *t, int f, int e) : type(t), fraction(f), min_exponent(e)
    {
        const uint32_t infinity = f == 10 ? 0x7c00 : 0x7f80;
        for (uint32_t h = 0; h <= infinity; h++)
            values.push_back({number(h), h});
    }
    Q number(uint32_t h) const /* infinity counts as the number after the largest finite one */
    {
        const int e = (int)(h >> fraction & ((1 << (15 - fraction)) - 1));
        const Q m = (Q)(h & ((1 << fraction) - 1)) + (e ? (Q)(1 << fraction) : 0);
        return m * (Q)std::ldexp(1.0, (e ? e - 1 : 0) + min_exponent - fraction);
    }
    Q value(uint32_t h) const
    {
        const uint32_t a = h & 0x7fff, infinity = values.back().second;
        const Q v = a > infinity ? (Q)NAN : a == infinity ? (Q)INFINITY : number(a);
        return h & 0x8000 ? -v : v;
    }
    uint64_t round(Q x, int mode) const
    {
        if (x != x)
            return 0x7fff;
        const bool is_minus = x < 0 || (x == 0 && std::signbit((double)x));
        const Q a = is_minus ? -x : x;
        const uint32_t infinity = values.back().second;
        if (!is_finite(a))
            return infinity | (is_minus ? 0x8000u : 0u);
        size_t k = (size_t)(std::upper_bound(values.begin(), values.end(), std::make_pair(a, ~0u)) - values.begin()) -
                   1; /* index of the largest value that is not greater than a */
        const bool is_exact = values[k].first == a;
        if (!is_exact && k + 1 < values.size()) {
            const Q below = a - values[k].first, above = values[k + 1].first - a;
            const bool away = mode == NEAREST ? above < below || (above == below && values[k].second & 1)
                              : mode == DOWN  ? is_minus
                              : mode == UP    ? !is_minus
                                              : false;
            k += away;
        }
        const bool is_over = values[k].second == infinity,
                   stays = is_over && (mode == TO_ZERO || (mode == DOWN && !is_minus) || (mode == UP && is_minus));
        return (stays ? infinity - 1 : values[k].second) | (is_minus ? 0x8000u : 0u);
    }
};

void half_conversions(const Half &h)
{
    const std::string t = h.type;
    const auto relu = [](uint64_t v) { return v & 0x8000 && (v & 0x7fff) != 0x7fff ? 0 : v; };
    for (const char *r : {"rn", "rz", "rm", "rp"}) {
        const int mode = mode_of(r);
        const auto to = [&h, mode](uint64_t u) { return h.round((Q)from_bits<float>(u), mode); };
        expect("cvt." + std::string(r) + "." + t + ".f32", "b16 f32", [=](const In &i) { return to(i.a); });
        if (mode != NEAREST && mode != TO_ZERO)
            continue;
        expect("cvt." + std::string(r) + "." + t + "x2.f32", "b32 f32 f32",
               [=](const In &i) { return to(i.a) << 16 | to(i.b); });
        expect("cvt." + std::string(r) + ".relu." + t + "x2.f32", "b32 f32 f32",
               [=](const In &i) { return relu(to(i.a)) << 16 | relu(to(i.b)); });
        expect("cvt." + std::string(r) + ".relu." + t + ".f32", "b16 f32", [=](const In &i) { return relu(to(i.a)); });
    }
    expect(
        "cvt.f32." + t, "f32 b16", [&](const In &i) { return to_bits((float)h.value((uint32_t)i.a)); }, FLOAT);
}

/* Returns the lesser number. -0 is less than 0. */
Q lesser(Q a, Q b)
{
    return a == b ? (std::signbit((double)a) ? a : b) : a < b ? a : b;
}
Q greater(Q a, Q b)
{
    return a == b ? (std::signbit((double)a) ? b : a) : a > b ? a : b;
}
Q with_relu(Q v)
{
    return v > 0 || v != v ? v : (Q)0;
}

typedef Q (*HalfOperation)(Q, Q, Q);
const struct {
    const char *name;
    int operands;
    HalfOperation f;
} half_operations[] = {
    {"add.rn", 2, [](Q a, Q b, Q) { return add_odd(a, b); }},
    {"sub.rn", 2, [](Q a, Q b, Q) { return add_odd(a, -b); }},
    {"mul.rn", 2, [](Q a, Q b, Q) { return a * b; }},
    {"fma.rn", 3, [](Q a, Q b, Q c) { return add_odd(a * b, c); }},
    {"fma.rn.relu", 3, [](Q a, Q b, Q c) { return with_relu(add_odd(a * b, c)); }},
    {"min", 2, [](Q a, Q b, Q) { return a != a   ? b
                                        : b != b ? a
                                                 : lesser(a, b); }},
    {"max", 2, [](Q a, Q b, Q) { return a != a   ? b
                                        : b != b ? a
                                                 : greater(a, b); }},
    {"min.NaN", 2, [](Q a, Q b, Q) { return a != a   ? a
                                            : b != b ? b
                                                     : lesser(a, b); }},
    {"max.NaN", 2, [](Q a, Q b, Q) { return a != a   ? a
                                            : b != b ? b
                                                     : greater(a, b); }},
};

void half_arithmetic(const Half &h)
{
    for (const auto &o : half_operations)
        for (const int count : {1, 2}) {
            const HalfOperation f = o.f;
            const std::string operand = count == 1 ? " b16" : " b32";
            std::string operands = operand.substr(1);
            for (int k = 0; k < o.operands; k++)
                operands += operand;
            expect(
                std::string(o.name) + "." + h.type + (count == 2 ? "x2" : ""), operands, [&h, f, count](const In &i) {
                    uint64_t d = 0;
                    for (int s = 0; s < 16 * count; s += 16)
                        d |= h.round(f(h.value((uint32_t)(i.a >> s & 0xffff)), h.value((uint32_t)(i.b >> s & 0xffff)),
                                       h.value((uint32_t)(i.c >> s & 0xffff))),
                                     NEAREST)
                             << s;
                    return d;
                });
        }
    expect("neg." + h.type + "x2", "b32 b32", [](const In &i) { return (i.a ^ 0x80008000u) & 0xffffffff; });
    expect("abs." + h.type, "b16 b16", [](const In &i) { return i.a & 0x7fff; });
}

void half_comparisons(const Half &h)
{
    const struct {
        const char *name;
        bool (*f)(Q, Q);
    } comparisons[] = {{"eq", [](Q a, Q b) { return a == b; }},    {"ne", [](Q a, Q b) { return a < b || a > b; }},
                       {"lt", [](Q a, Q b) { return a < b; }},     {"le", [](Q a, Q b) { return a <= b; }},
                       {"gt", [](Q a, Q b) { return a > b; }},     {"ge", [](Q a, Q b) { return a >= b; }},
                       {"ltu", [](Q a, Q b) { return !(a >= b); }}};
    for (const auto &c : comparisons) {
        const auto f = c.f;
        expect(std::string("setp.") + c.name + "." + h.type, "pred b16 b16", [&h, f](const In &i) {
            return (uint64_t)f(h.value((uint32_t)i.a & 0xffff), h.value((uint32_t)i.b & 0xffff));
        });
    }
}

} // namespace

int main()
{
    from_floats<int8_t>("s8"), from_floats<uint8_t>("u8"), from_floats<int16_t>("s16"), from_floats<uint16_t>("u16");
    from_floats<int32_t>("s32"), from_floats<uint32_t>("u32"), from_floats<int64_t>("s64"),
        from_floats<uint64_t>("u64");
    from_integer<int8_t>("s8"), from_integer<uint8_t>("u8"), from_integer<int16_t>("s16"),
        from_integer<uint16_t>("u16");
    from_integer<int32_t>("s32"), from_integer<uint32_t>("u32"), from_integer<int64_t>("s64"),
        from_integer<uint64_t>("u64");
    wide_registers(), floats();
    const Half f16("f16", 10, -14), bf16("bf16", 7, -126);
    for (const Half *h : {&f16, &bf16})
        half_conversions(*h), half_arithmetic(*h), half_comparisons(*h);
    return finish("conversions");
}
