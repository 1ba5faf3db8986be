/* oracle.h - compares one instruction with a function on many inputs. Numbers are exact in __float128. To round a
 * number, the functions here compare it with its two neighbours. */
#ifndef PTX_TEST_ORACLE_H
#define PTX_TEST_ORACLE_H

#include "support.h"

#include <cmath>
#include <functional>
#include <sstream>
#include <type_traits>

namespace test
{

typedef __float128 Q;
struct In {
    uint64_t a, b, c, e;
};
enum Inputs {
    PLAIN,
    SMALL_SECOND,
    SMALL_THIRD,
    SMALL_BOTH,
    SMALL_LAST,
    FLOAT /* a NaN equals any NaN, and 0 equals -0 */,
    FLUSHED,
    FLOAT_EXACT,
    ONE_ULP
};
enum : unsigned { FLOAT_EDGES = 24 };
enum Mode { NEAREST, TO_ZERO, DOWN, UP };
inline int mode_of(const std::string &s)
{
    return s == "rn" ? NEAREST : s == "rz" ? TO_ZERO : s == "rm" ? DOWN : UP;
}

template <class T> T from_bits(uint64_t u)
{
    T f;
    return std::memcpy(&f, &u, sizeof f), f;
}
template <class T> uint64_t to_bits(T f)
{
    uint64_t u = 0;
    return std::memcpy(&u, &f, sizeof f), u;
}

template <class T> uint64_t high(uint64_t a, uint64_t b) /* returns the upper half of a product */
{
    const unsigned n = 8 * sizeof(T);
    if (n < 64)
        return (uint64_t)(typename std::make_unsigned<T>::type)((__int128)(T)a * (__int128)(T)b >> n);
    /* The factors are read as unsigned, so a negative factor is 2^64 too large. The next lines correct this. */
    uint64_t h = (uint64_t)((unsigned __int128)a * b >> 64);
    if (std::is_signed<T>::value)
        h -= ((int64_t)a < 0 ? b : 0) + ((int64_t)b < 0 ? a : 0);
    return h;
}

inline bool is_odd(Q x)
{
    unsigned __int128 u;
    std::memcpy(&u, &x, 16);
    return u & 1;
}
inline bool is_finite(Q x)
{
    return x - x == 0;
}
inline Q add_odd(Q a, Q b) /* returns a + b rounded to odd, so that rounding it again gives the rounded exact sum */
{
    const Q s = a + b;
    if (!is_finite(s))
        return s;
    const Q t = s - a, error = (a - (s - t)) + (b - t);
    if (error == 0 || is_odd(s))
        return s;
    unsigned __int128 u;
    std::memcpy(&u, &s, 16);
    u += (error > 0) == (s > 0) ? 1 : -1;
    Q r;
    return std::memcpy(&r, &u, 16), r;
}
inline Q root(Q x)
{
    if (!(x > 0) || !is_finite(x))
        return x < 0 ? x - x + (Q)NAN : x;
    Q r = (Q)sqrtl((long double)x);
    for (int k = 0; k < 2; k++)
        r = r - (r * r - x) / (2 * r);
    return r;
}

template <class T> T round_quad(Q x, int mode)
{
    const T near = (T)x;
    if (x != x || x == 0 || !is_finite(x))
        return near;
    const T infinity = (T)INFINITY;
    T low = near, high = near;
    while ((Q)low > x)
        low = std::nextafter(low, -infinity);
    while (std::nextafter(low, infinity) <= x)
        low = std::nextafter(low, infinity);
    high = (Q)low == x ? low : std::nextafter(low, infinity);
    if (mode == DOWN || (mode == TO_ZERO && x > 0))
        return low;
    if (mode == UP || mode == TO_ZERO)
        return high;
    const Q beyond = 2 * (Q)std::ldexp((T)1, std::numeric_limits<T>::max_exponent - 1); /* replaces infinity */
    const Q below = x - (std::isinf(low) ? -beyond : (Q)low), above = (std::isinf(high) ? beyond : (Q)high) - x;
    return below < above ? low : below > above ? high : to_bits(low) & 1 ? high : low;
}

inline uint64_t flush(uint64_t u)
{
    return (u & 0x7f800000) ? u : u & 0x80000000;
}
inline uint64_t clamp_one(uint64_t u)
{
    const float f = from_bits<float>(u);
    return f > 0 ? (f < 1 ? u : 0x3f800000) : 0;
}

/* ---- The kernel computes d = op(a, b, c, e); `types` are the operand types, beginning with the result ---- */

inline std::vector<std::string> words_of(const std::string &s)
{
    std::istringstream in(s);
    std::vector<std::string> words;
    for (std::string w; in >> w;)
        words.push_back(w);
    return words;
}
inline unsigned size_of(const std::string &t)
{
    return (unsigned)std::atoi(t.c_str() + t.find_first_of("0123456789")) / 8;
}
inline std::string declared(const std::string &t) /* values of 8 bits are in 16-bit registers */
{
    return size_of(t) == 1 ? "b16" : t;
}

inline std::string instruction_kernel(const std::string &opcode, const std::vector<std::string> &types,
                                      const std::string &literal)
{
    std::string declarations, body = "mul.wide.u32 %rd3, %r1, 40;\nadd.s64 %rd3, %rd1, %rd3;\n", call = opcode + " ";
    for (size_t k = 0; k < types.size(); k++) {
        const bool is_negated = types[k][0] == '!';
        const std::string t = is_negated ? types[k].substr(1) : types[k], name = "%x" + std::to_string(k),
                          at = "[%rd3+" + std::to_string(8 * k) + "]";
        call += k ? ", " : "";
        if (t == "imm") {
            call += literal;
            continue;
        }
        call += (is_negated ? "!" : "") + name;
        declarations += ".reg ." + (t == "pred" ? t : declared(t)) + " " + name + ";\n";
        if (k > 0)
            body += t == "pred"
                        ? "ld.global.u32 %r5, " + at + ";\nand.b32 %r5, %r5, 1;\nsetp.eq.u32 " + name + ", %r5, 1;\n"
                        : "ld.global.b" + std::to_string(8 * size_of(t)) + " " + name + ", " + at + ";\n";
    }
    body += call + ";\n";
    body += types[0] == "pred" ? "selp.u32 %r5, 1, 0, %x0;\nst.global.u32 [%rd3], %r5;\n"
                               : "st.global.b" + std::to_string(8 * size_of(declared(types[0]))) + " [%rd3], %x0;\n";
    return kernel(body, declarations);
}

/* ---- Inputs ---- */

/* Returns sample n. The edge cases come first, then random numbers. */
inline uint64_t sample_float(Random &r, bool is_double, unsigned n, unsigned edge)
{
    static const double edges[] = {
        0,       -0.0,  1,     -1,     0.5,     1.5,     -2.5,  2147483648.0, 4294967296.0, 1e30, 0x1p-126,  0x1p-149,
        0x1p127, 255.5, 127.5, 9.3e18, -9.3e18, 65519.9, 65520, INFINITY,     -INFINITY,    NAN,  0x1p-1022, 0x1p-1074};
    static_assert(sizeof edges / sizeof *edges == FLOAT_EDGES, "expect() combines them");
    if (edge < FLOAT_EDGES)
        return is_double ? to_bits(edges[edge]) : to_bits((float)edges[edge]);
    const uint64_t u = r.next();
    if (n % 3 == 0) /* a number with random bits */
        return is_double ? u : (uint32_t)u;
    const double v = ((double)(int64_t)u) * (n % 3 == 1 ? 0x1p-62 : 0x1p-40);
    return is_double ? to_bits(v) : to_bits((float)v);
}

inline uint64_t sample_integer(Random &r, unsigned n, unsigned edge)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     31,
                                     32,
                                     33,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xffffffffffffffff,
                                     3,
                                     0xfffffffffffffffe};
    const uint64_t u = r.next();
    return edge < sizeof edges / sizeof *edges ? edges[edge] : n % 2 ? u : u >> (u & 63);
}

inline uint64_t sample(Random &r, const std::string &type, unsigned n, unsigned period)
{
    const bool is_float = type[0] == 'f' && size_of(type) >= 4;
    return is_float ? sample_float(r, size_of(type) == 8, n, n / period) : sample_integer(r, n, n / period);
}

inline bool is_close(uint64_t got, uint64_t wanted, const std::string &type, int inputs)
{
    if (inputs < FLOAT || inputs == FLOAT_EXACT || type[0] != 'f' || type == "pred")
        return got == wanted;
    const double g = size_of(type) == 4 ? (double)from_bits<float>(got) : from_bits<double>(got);
    const double w = size_of(type) == 4 ? (double)from_bits<float>(wanted) : from_bits<double>(wanted);
    if (w != w || w == 0)
        return w != w ? g != g : inputs == ONE_ULP ? std::fabs(g) < 1e-7 : g == 0;
    if (inputs == ONE_ULP)
        return g == w || std::fabs(g - w) <= std::ldexp(std::fabs(w), -22) + 0x1p-149;
    if (inputs == FLUSHED && std::fabs(g) <= 0x1p-126 &&
        std::fabs(w) <= 0x1p-126) /* a device may detect tininess before or after rounding */
        return true;
    return got == wanted;
}

inline void expect(const std::string &opcode, const std::string &operands, const std::function<uint64_t(const In &)> &f,
                   int inputs = PLAIN, const std::string &literal = "")
{
    const unsigned blocks = 5, threads = 128, n = blocks * threads;
    const std::vector<std::string> types = words_of(operands);
    Machine m(instruction_kernel(opcode, types, literal), 40 * n);
    Random r(std::hash<std::string>()(opcode + literal));
    std::vector<In> in(n);
    for (unsigned k = 0; k < n; k++) {
        uint64_t v[4] = {};
        const unsigned periods[4] = {1, FLOAT_EDGES, 5, 7}; /* combines edge cases of the first two operands */
        for (size_t o = 1; o < types.size(); o++)
            if (types[o] != "imm") {
                const std::string t = types[o].find("pred") != std::string::npos ? "u32" : types[o];
                v[o - 1] = o == 1 ? sample(r, t, k % (2 * FLOAT_EDGES), periods[0]) : sample(r, t, k, periods[o - 1]);
                v[o - 1] = size_of(t) < 8 ? v[o - 1] & ((1ull << 8 * size_of(t)) - 1) : v[o - 1];
            }
        if (inputs == SMALL_SECOND)
            v[1] = k % 4 ? v[1] % 70 : v[1];
        if (inputs == SMALL_THIRD)
            v[2] = k % 4 ? v[2] % 40 : v[2];
        if (inputs == SMALL_BOTH)
            v[1] %= 80, v[2] %= 80;
        if (inputs == SMALL_LAST)
            v[2] %= 80, v[3] %= 80;
        in[k] = {v[0], v[1], v[2], v[3]};
        std::memcpy(m.as<uint64_t>() + 5 * k + 1, v, sizeof v);
    }
    m.run_well(blocks, threads);
    const unsigned bytes = types[0] == "pred" ? 4 : size_of(declared(types[0]));
    for (unsigned k = 0; k < n; k++) {
        uint64_t got = 0;
        std::memcpy(&got, m.as<uint64_t>() + 5 * k, bytes);
        const uint64_t wanted = f(in[k]);
        check(is_close(got, wanted, types[0], inputs), "%s %s(%llx, %llx, %llx, %llx): got %llx, expected %llx",
              opcode.c_str(), literal.c_str(), (unsigned long long)in[k].a, (unsigned long long)in[k].b,
              (unsigned long long)in[k].c, (unsigned long long)in[k].e, (unsigned long long)got,
              (unsigned long long)wanted);
    }
}

} // namespace test
#endif
