/* arithmetic.cpp - compares every operation of lanes/{integer,float,compare,move}.cpp with plain C++ in __int128 and
 * __float128. Expected values are computed from exact numbers and rounded here, not by the floating-point unit. */
#include "oracle.h"

using namespace test;

namespace
{

typedef unsigned __int128 U128;
typedef __int128 I128;

/* ---- Integers: T is the type of the operands; results are computed in 128 bits ---- */

template <class T> void integers(const char *t)
{
    const std::string type = t, bits = std::to_string(8 * sizeof(T)), three = type + " " + type + " " + type;
    const auto wrap = [](I128 v) { return (uint64_t)(typename std::make_unsigned<T>::type)v; };
    const auto as = [](uint64_t v) { return (I128)(T)v; };
    expect("add." + type, three, [=](const In &i) { return wrap(as(i.a) + as(i.b)); });
    expect("sub." + type, three, [=](const In &i) { return wrap(as(i.a) - as(i.b)); });
    expect("mul.lo." + type, three, [=](const In &i) { return wrap((I128)((U128)as(i.a) * (U128)as(i.b))); });
    expect("mul.hi." + type, three, [=](const In &i) { return high<T>(i.a, i.b); });
    expect("mad.lo." + type, three + " " + type,
           [=](const In &i) { return wrap((I128)((U128)as(i.a) * (U128)as(i.b) + (U128)as(i.c))); });
    expect("mad.hi." + type, three + " " + type, [=](const In &i) { return wrap((I128)high<T>(i.a, i.b) + as(i.c)); });
    expect("min." + type, three, [=](const In &i) { return wrap(as(i.a) < as(i.b) ? as(i.a) : as(i.b)); });
    expect("max." + type, three, [=](const In &i) { return wrap(as(i.a) > as(i.b) ? as(i.a) : as(i.b)); });
    expect("div." + type, three, [=](const In &i) { return wrap(as(i.b) == 0 ? -1 : as(i.a) / as(i.b)); });
    expect("rem." + type, three, [=](const In &i) { return wrap(as(i.b) == 0 ? as(i.a) : as(i.a) % as(i.b)); });
    expect(
        "shr." + type, type + " " + type + " u32",
        [=](const In &i) {
            const uint32_t n = (uint32_t)i.b < 127 ? (uint32_t)i.b : 127;
            return wrap(as(i.a) >> n);
        },
        SMALL_SECOND);
    const struct {
        const char *name;
        bool (*f)(I128, I128);
    } comparisons[] = {{"eq", [](I128 a, I128 b) { return a == b; }}, {"ne", [](I128 a, I128 b) { return a != b; }},
                       {"lt", [](I128 a, I128 b) { return a < b; }},  {"le", [](I128 a, I128 b) { return a <= b; }},
                       {"gt", [](I128 a, I128 b) { return a > b; }},  {"ge", [](I128 a, I128 b) { return a >= b; }}};
    for (const auto &c : comparisons) {
        const auto f = c.f;
        expect(std::string("setp.") + c.name + "." + type, "pred " + type + " " + type,
               [=](const In &i) { return (uint64_t)f(as(i.a), as(i.b)); });
    }
    if (!std::is_signed<T>::value)
        return;
    expect("neg." + type, type + " " + type, [=](const In &i) { return wrap(-as(i.a)); });
    expect("abs." + type, type + " " + type, [=](const In &i) { return wrap(as(i.a) < 0 ? -as(i.a) : as(i.a)); });
}

template <class T, class W> void widening(const char *t, const char *wide)
{
    const std::string type = t, w = wide;
    const auto product = [](const In &i) { return (W)((W)(T)i.a * (W)(T)i.b); };
    expect("mul.wide." + type, w + " " + type + " " + type,
           [=](const In &i) { return (uint64_t)(typename std::make_unsigned<W>::type)product(i); });
    expect("mad.wide." + type, w + " " + type + " " + type + " " + w,
           [=](const In &i) { return (uint64_t)(typename std::make_unsigned<W>::type)((U128)product(i) + i.c); });
}

template <class T> void bits(const char *t)
{
    const std::string type = t, three = type + " " + type + " " + type;
    const unsigned n = 8 * sizeof(T);
    expect("and." + type, three, [](const In &i) { return (uint64_t)(T)(i.a & i.b); });
    expect("or." + type, three, [](const In &i) { return (uint64_t)(T)(i.a | i.b); });
    expect("xor." + type, three, [](const In &i) { return (uint64_t)(T)(i.a ^ i.b); });
    expect("not." + type, type + " " + type, [](const In &i) { return (uint64_t)(T)~i.a; });
    expect("cnot." + type, type + " " + type, [](const In &i) { return (uint64_t)((T)i.a == 0); });
    expect(
        "shl." + type, type + " " + type + " u32",
        [=](const In &i) { return (uint32_t)i.b >= n ? 0 : (uint64_t)(T)((U128)(T)i.a << (uint32_t)i.b); },
        SMALL_SECOND);
    expect(
        "shr." + type, type + " " + type + " u32",
        [=](const In &i) { return (uint32_t)i.b >= n ? 0 : (uint64_t)((T)i.a >> (uint32_t)i.b); }, SMALL_SECOND);
    expect("selp." + type, three + " pred", [](const In &i) { return (uint64_t)(T)(i.c & 1 ? i.a : i.b); });
    expect("mov." + type, type + " " + type, [](const In &i) { return (uint64_t)(T)i.a; });
}

template <class T> void extract_field(const char *letter) /* fields of 32 and 64 bits */
{
    const std::string type = letter + std::to_string(8 * sizeof(T));
    const unsigned top = 8 * sizeof(T) - 1;
    expect(
        "bfe." + type, type + " " + type + " u32 u32",
        [=](const In &i) { /* computes bit by bit, as in the PTX manual */
                           const unsigned at = i.b & 255, count = i.c & 255;
                           const auto bit = [&](unsigned k) {
                               return (uint64_t)((typename std::make_unsigned<T>::type)i.a >> (k > top ? top : k) & 1);
                           };
                           const bool has_sign = std::is_signed<T>::value && count != 0;
                           const uint64_t sign = has_sign ? bit(at + count - 1 > top ? top : at + count - 1) : 0;
                           uint64_t d = 0;
                           for (unsigned k = 0; k <= top; k++)
                               d |= (k < count && at + k <= top ? bit(at + k) : sign) << k;
                           return d;
        },
        SMALL_BOTH);
}

template <class T> void insert_and_count_bits()
{
    const std::string b = "b" + std::to_string(8 * sizeof(T));
    const unsigned top = 8 * sizeof(T) - 1;
    expect(
        "bfi." + b, b + " " + b + " " + b + " u32 u32",
        [=](const In &i) {
            const unsigned at = i.c & 255, count = i.e & 255;
            uint64_t d = (T)i.b;
            for (unsigned k = 0; k < count && at + k <= top; k++)
                d = (d & ~(1ull << (at + k))) | ((i.a >> k & 1) << (at + k));
            return d;
        },
        SMALL_LAST);
    expect("popc." + b, "u32 " + b, [=](const In &i) {
        unsigned c = 0;
        for (unsigned k = 0; k <= top; k++)
            c += i.a >> k & 1;
        return (uint64_t)c;
    });
    expect("clz." + b, "u32 " + b, [=](const In &i) {
        unsigned c = 0;
        while (c <= top && !(i.a >> (top - c) & 1))
            c++;
        return (uint64_t)c;
    });
    expect("brev." + b, b + " " + b, [=](const In &i) {
        uint64_t d = 0;
        for (unsigned k = 0; k <= top; k++)
            d |= (i.a >> k & 1) << (top - k);
        return d;
    });
}

template <class T> void find_highest_bit(const char *t)
{
    const std::string type = t;
    const unsigned top = 8 * sizeof(T) - 1;
    const auto highest = [=](uint64_t a) {
        const bool sign = std::is_signed<T>::value && (a >> top & 1);
        for (int k = (int)top; k >= 0; k--)
            if ((a >> k & 1) != sign)
                return k;
        return -1;
    };
    expect("bfind." + type, "u32 " + type, [=](const In &i) { return (uint64_t)(uint32_t)highest(i.a); });
    expect("bfind.shiftamt." + type, "u32 " + type,
           [=](const In &i) { return highest(i.a) < 0 ? 0xffffffffull : (uint64_t)(top - (unsigned)highest(i.a)); });
}

void logic_tables()
{
    for (int table = 0; table < 256; table++)
        expect(
            "lop3.b32", "b32 b32 b32 b32 imm",
            [=](const In &i) {
                uint64_t d = 0;
                for (int k = 0; k < 32; k++)
                    d |= (uint64_t)(table >> (4 * (i.a >> k & 1) + 2 * (i.b >> k & 1) + (i.c >> k & 1)) & 1) << k;
                return d;
            },
            PLAIN, std::to_string(table));
}

void funnel_shifts()
{
    for (int mode = 0; mode < 4; mode++) {
        const bool is_right = mode & 1, wraps = mode & 2;
        expect(
            std::string("shf.") + (is_right ? "r." : "l.") + (wraps ? "wrap" : "clamp") + ".b32", "b32 b32 b32 u32",
            [=](const In &i) {
                const unsigned n = wraps ? i.c & 31 : (uint32_t)i.c > 32 ? 32 : (unsigned)i.c;
                uint64_t d = 0;
                for (int k = 0; k < 32; k++) { /* bit k of the shifted 64-bit value (b, a) */
                    const int from = is_right ? k + (int)n : k + 32 - (int)n;
                    d |= (uint64_t)(from < 32 ? (uint32_t)i.a >> from & 1 : (uint32_t)i.b >> (from - 32) & 1) << k;
                }
                return d;
            },
            SMALL_THIRD);
    }
}

uint64_t byte_of(const In &i, unsigned k) /* returns byte k of the eight bytes of (b, a) */
{
    return (uint8_t)(k < 4 ? (uint32_t)i.a >> 8 * k : (uint32_t)i.b >> 8 * (k - 4));
}

void byte_permutations()
{
    expect("prmt.b32", "b32 b32 b32 b32", [](const In &i) {
        uint64_t d = 0;
        for (unsigned k = 0; k < 4; k++) {
            const unsigned s = i.c >> 4 * k & 15;
            const uint64_t v = byte_of(i, s & 7);
            d |= (s & 8 ? (v & 0x80 ? 0xff : 0) : v) << 8 * k;
        }
        return d;
    });
    /* The tables of the PTX manual: for each selector, the sources of the result bytes 3, 2, 1, 0. */
    const struct {
        const char *mode;
        unsigned from[4][4];
    } modes[] = {{"f4e", {{3, 2, 1, 0}, {4, 3, 2, 1}, {5, 4, 3, 2}, {6, 5, 4, 3}}},
                 {"b4e", {{5, 6, 7, 0}, {6, 7, 0, 1}, {7, 0, 1, 2}, {0, 1, 2, 3}}},
                 {"rc8", {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}}},
                 {"ecl", {{3, 2, 1, 0}, {3, 2, 1, 1}, {3, 2, 2, 2}, {3, 3, 3, 3}}},
                 {"ecr", {{0, 0, 0, 0}, {1, 1, 1, 0}, {2, 2, 1, 0}, {3, 2, 1, 0}}},
                 {"rc16", {{1, 0, 1, 0}, {3, 2, 3, 2}, {1, 0, 1, 0}, {3, 2, 3, 2}}}};
    for (const auto &m : modes)
        expect(std::string("prmt.b32.") + m.mode, "b32 b32 b32 b32", [=](const In &i) {
            uint64_t d = 0;
            for (unsigned k = 0; k < 4; k++)
                d |= byte_of(i, m.from[i.c & 3][3 - k]) << 8 * k;
            return d;
        });
}

int64_t extended(uint64_t bits, unsigned size, bool is_signed) /* returns the low 1 or 2 bytes as a number */
{
    if (size == 1)
        return is_signed ? (int64_t)(int8_t)bits : (int64_t)(uint8_t)bits;
    return is_signed ? (int64_t)(int16_t)bits : (int64_t)(uint16_t)bits;
}

void dot_products()
{
    for (int which = 0; which < 12; which++) {
        const bool is_four = which < 4, is_high = which >= 8, a_signed = which & 1, b_signed = which & 2;
        const std::string name = is_four ? "dp4a." : is_high ? "dp2a.hi." : "dp2a.lo.";
        expect(name + (a_signed ? "s32." : "u32.") + (b_signed ? "s32" : "u32"), "b32 b32 b32 b32", [=](const In &i) {
            int64_t sum = (int64_t)(uint32_t)i.c;
            const unsigned size = is_four ? 1 : 2;
            for (unsigned k = 0; k < 4 / size; k++)
                sum += extended(i.a >> 8 * size * k, size, a_signed) *
                       extended(i.b >> 8 * (k + (is_high ? 2 : 0)), 1, b_signed);
            return (uint64_t)(uint32_t)sum;
        });
    }
}

void saturating_sums()
{
    const auto clamp = [](I128 v) {
        return (uint64_t)(uint32_t)(v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v);
    };
    expect("add.sat.s32", "s32 s32 s32", [=](const In &i) { return clamp((I128)(int32_t)i.a + (int32_t)i.b); });
    expect("sub.sat.s32", "s32 s32 s32", [=](const In &i) { return clamp((I128)(int32_t)i.a - (int32_t)i.b); });
    expect("sad.s32", "s32 s32 s32 s32", [](const In &i) {
        const I128 v = (I128)(int32_t)i.a - (int32_t)i.b;
        return (uint64_t)(uint32_t)((v < 0 ? -v : v) + (uint32_t)i.c);
    });
}

void predicates()
{
    const struct {
        const char *name;
        bool (*f)(bool, bool);
    } all[] = {{"and", [](bool a, bool b) { return a && b; }},
               {"or", [](bool a, bool b) { return a || b; }},
               {"xor", [](bool a, bool b) { return a != b; }}};
    for (const auto &o : all) {
        const auto f = o.f;
        expect(std::string(o.name) + ".pred", "pred pred pred",
               [=](const In &i) { return (uint64_t)f(i.a & 1, i.b & 1); });
        for (const char *negation : {"", "!"})
            expect(std::string("setp.lt.") + o.name + ".s32", std::string("pred s32 s32 ") + negation + "pred",
                   [=](const In &i) {
                       return (uint64_t)f((int32_t)i.a < (int32_t)i.b, (i.c & 1) != (uint64_t)(*negation == '!'));
                   });
    }
    expect("not.pred", "pred pred", [](const In &i) { return (uint64_t) !(i.a & 1); });
}

/* ---- Floating point ---- */

template <class T> Q exact(uint64_t bits)
{
    return (Q)from_bits<T>(bits);
}

template <class T> void float_sums_and_products(const char *t)
{
    const std::string type = t, two = type + " " + type, three = two + " " + type;
    const auto v = exact<T>;
    for (const char *mode : {"rn", "rz", "rm", "rp"}) {
        const int m = mode_of(mode);
        const std::string dot = std::string(".") + mode + ".";
        const auto to = [=](Q x) { return to_bits<T>(round_quad<T>(x, m)); };
        expect(
            "add" + dot + type, three, [=](const In &i) { return to(add_odd(v(i.a), v(i.b))); }, FLOAT);
        expect(
            "sub" + dot + type, three, [=](const In &i) { return to(add_odd(v(i.a), -v(i.b))); }, FLOAT);
        expect(
            "mul" + dot + type, three, [=](const In &i) { return to(v(i.a) * v(i.b)); }, FLOAT);
        expect(
            "fma" + dot + type, three + " " + type, [=](const In &i) { return to(add_odd(v(i.a) * v(i.b), v(i.c))); },
            FLOAT);
        expect(
            "div" + dot + type, three, [=](const In &i) { return to(v(i.a) / v(i.b)); }, FLOAT);
        expect(
            "rcp" + dot + type, two, [=](const In &i) { return to((Q)1 / v(i.a)); }, FLOAT);
        expect(
            "sqrt" + dot + type, two, [=](const In &i) { return to(root(v(i.a))); }, FLOAT);
    }
}

void float_modifiers() /* .sat and .ftz exist only for f32 */
{
    const auto v = exact<float>;
    for (const char *mode : {"rn", "rz", "rm", "rp"}) {
        const int m = mode_of(mode);
        const std::string dot = std::string(".") + mode + ".";
        const auto to = [=](Q x) { return to_bits<float>(round_quad<float>(x, m)); };
        expect(
            "add" + dot + "sat.f32", "f32 f32 f32", [=](const In &i) { return clamp_one(to(add_odd(v(i.a), v(i.b)))); },
            FLOAT);
        expect(
            "fma" + dot + "ftz.f32", "f32 f32 f32 f32",
            [=](const In &i) { return flush(to(add_odd(v(flush(i.a)) * v(flush(i.b)), v(flush(i.c))))); }, FLUSHED);
        expect(
            "mul" + dot + "ftz.f32", "f32 f32 f32",
            [=](const In &i) { return flush(to(v(flush(i.a)) * v(flush(i.b)))); }, FLUSHED);
    }
}

template <class T> void float_extremes(const char *t)
{
    const std::string type = t, three = type + " " + type + " " + type;
    const bool is_float = sizeof(T) == 4;
    const auto lesser = [](T a, T b, bool is_max) {
        return a == b ? (std::signbit(a) != is_max ? a : b) : (a < b) != is_max ? a : b;
    };
    for (const bool is_max : {false, true}) {
        const std::string name = is_max ? "max." : "min.";
        const auto pick = [=](uint64_t a, uint64_t b) {
            const T x = from_bits<T>(a), y = from_bits<T>(b);
            return x != x && y != y ? (uint64_t)(is_float ? 0x7fffffff : 0x7fffffffffffffff)
                   : x != x         ? b
                   : y != y         ? a
                                    : to_bits<T>(lesser(x, y, is_max));
        };
        expect(
            name + type, three, [=](const In &i) { return pick(i.a, i.b); }, FLOAT_EXACT);
        if (is_float)
            expect(
                name + "NaN." + type, three,
                [=](const In &i) {
                    const T x = from_bits<T>(i.a), y = from_bits<T>(i.b);
                    return x != x || y != y ? 0x7fffffffull : pick(i.a, i.b);
                },
                FLOAT_EXACT);
    }
}

template <class T> void float_signs(const char *t)
{
    const std::string type = t, two = type + " " + type, three = two + " " + type;
    const bool is_float = sizeof(T) == 4;
    const uint64_t sign = is_float ? 0x80000000ull : 1ull << 63, all = is_float ? 0xffffffffull : ~0ull;
    expect(
        "neg." + type, two, [=](const In &i) { return (i.a ^ sign) & all; }, FLOAT_EXACT);
    expect(
        "abs." + type, two, [=](const In &i) { return i.a & ~sign & all; }, FLOAT_EXACT);
    expect(
        "copysign." + type, three, [=](const In &i) { return ((i.b & ~sign) | (i.a & sign)) & all; }, FLOAT_EXACT);
    if (is_float)
        for (const char *name : {"neg", "abs"})
            expect(
                std::string(name) + ".ftz.f32", "f32 f32",
                [=](const In &i) { return *name == 'n' ? flush(i.a) ^ sign : flush(i.a) & ~sign; }, FLOAT);
}

template <class T> void float_comparisons(const char *t)
{
    const std::string type = t, two = type + " " + type;
    const struct {
        const char *name;
        int when;
    } comparisons[] = {/* bits of a result: 1 less, 2 equal, 4 greater, 8 unordered */
                       {"eq", 2},   {"ne", 5},  {"lt", 1},   {"le", 3},   {"gt", 4},   {"ge", 6},  {"equ", 10},
                       {"neu", 13}, {"ltu", 9}, {"leu", 11}, {"gtu", 12}, {"geu", 14}, {"num", 7}, {"nan", 8}};
    for (const auto &c : comparisons) {
        const int when = c.when;
        const auto is_true = [=](const In &i) {
            const T a = from_bits<T>(i.a), b = from_bits<T>(i.b);
            return (when >> (a != a || b != b ? 3 : a < b ? 0 : a == b ? 1 : 2) & 1) != 0;
        };
        expect(
            std::string("setp.") + c.name + "." + type, "pred " + two,
            [=](const In &i) { return (uint64_t)is_true(i); }, FLOAT_EXACT);
        if (sizeof(T) == 4) {
            expect(
                std::string("set.") + c.name + ".f32.f32", "f32 f32 f32",
                [=](const In &i) { return is_true(i) ? 0x3f800000ull : 0; }, FLOAT_EXACT);
            expect(
                std::string("set.") + c.name + ".u32.f32", "u32 f32 f32",
                [=](const In &i) { return is_true(i) ? 0xffffffffull : 0; }, FLOAT_EXACT);
        }
    }
}

template <class T> void floats(const char *type)
{
    float_sums_and_products<T>(type), float_extremes<T>(type), float_signs<T>(type), float_comparisons<T>(type);
}

void approximations()
{
    const struct {
        const char *name;
        double (*f)(double);
    } all[] = {{"ex2.approx.f32", [](double x) { return std::exp2(x); }},
               {"lg2.approx.f32", [](double x) { return std::log2(x); }},
               {"rcp.approx.f32", [](double x) { return 1 / x; }},
               {"sqrt.approx.f32", [](double x) { return std::sqrt(x); }},
               {"rsqrt.approx.f32", [](double x) { return 1 / std::sqrt(x); }},
               {"sin.approx.f32", [](double x) { return std::sin(x); }},
               {"cos.approx.f32", [](double x) { return std::cos(x); }},
               {"tanh.approx.f32", [](double x) { return std::tanh(x); }}};
    for (const auto &a : all) {
        const auto f = a.f;
        expect(
            a.name, "f32 f32", [=](const In &i) { return to_bits<float>((float)f((double)from_bits<float>(i.a))); },
            ONE_ULP);
    }
    expect(
        "div.approx.f32", "f32 f32 f32",
        [](const In &i) {
            return to_bits<float>(round_quad<float>((Q)from_bits<float>(i.a) / (Q)from_bits<float>(i.b), NEAREST));
        },
        ONE_ULP);
}

} // namespace

int main()
{
    integers<int16_t>("s16"), integers<uint16_t>("u16"), integers<int32_t>("s32"), integers<uint32_t>("u32"),
        integers<int64_t>("s64"), integers<uint64_t>("u64");
    widening<int16_t, int32_t>("s16", "s32"), widening<uint16_t, uint32_t>("u16", "u32"),
        widening<int32_t, int64_t>("s32", "s64"), widening<uint32_t, uint64_t>("u32", "u64");
    bits<uint16_t>("b16"), bits<uint32_t>("b32"), bits<uint64_t>("b64");
    extract_field<uint32_t>("u"), extract_field<int32_t>("s"), extract_field<uint64_t>("u"),
        extract_field<int64_t>("s");
    insert_and_count_bits<uint32_t>(), insert_and_count_bits<uint64_t>();
    find_highest_bit<uint32_t>("u32"), find_highest_bit<int32_t>("s32"), find_highest_bit<uint64_t>("u64"),
        find_highest_bit<int64_t>("s64");
    logic_tables(), funnel_shifts(), byte_permutations(), dot_products(), saturating_sums(), predicates();
    floats<float>("f32"), floats<double>("f64"), float_modifiers(), approximations();
    return finish("arithmetic");
}
