/* decode_table.cpp - decodes instructions that only compute. Looks up the opcode in the rows of lanes/, and adds the
 * wrappers that round, flush, saturate and extend. If the processor has AVX2 and FMA, the rows of the AVX2 build are
 * used. */
#include "decode/decode.h"
#include "lanes/lanes.h"

#include <immintrin.h>
#include <unordered_map>

namespace ptx
{
namespace
{

typedef std::unordered_map<std::string, const Row *> Table;

bool has_avx2()
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const Table &table()
{
    static const Table all = [] {
        Table t;
        const bool fast = has_avx2();
        for (const Rows &rows : {fast ? lanes_avx2::integer_rows() : lanes_plain::integer_rows(),
                                 fast ? lanes_avx2::float_rows() : lanes_plain::float_rows(),
                                 fast ? lanes_avx2::half_rows() : lanes_plain::half_rows(),
                                 fast ? lanes_avx2::compare_rows() : lanes_plain::compare_rows(),
                                 fast ? lanes_avx2::convert_rows() : lanes_plain::convert_rows(),
                                 fast ? lanes_avx2::move_rows() : lanes_plain::move_rows()})
            for (const Row *r = rows.begin; r < rows.end; r++)
                t[r->opcode] = r;
        return t;
    }();
    return all;
}

bool is_one_of(const std::string &s, std::initializer_list<const char *> words)
{
    for (const char *w : words)
        if (s == w)
            return true;
    return false;
}
bool is_fp(const std::string &t)
{
    return !t.empty() && (t[0] == 'f' || t.compare(0, 2, "bf") == 0);
}
bool is_half(const std::string &t)
{
    return is_fp(t) && t.find("16") != std::string::npos;
}

int rounding_of(const Instruction &i)
{
    for (const std::string &p : i.parts)
        if (p == "rm" || p == "rp" || p == "rz")
            return p == "rm" ? ROUND_DOWN : p == "rp" ? ROUND_UP : ROUND_ZERO;
    return ROUND_NEAREST;
}

/* ---- Wrappers ---- */

void round_and_flush(Warp &w, const Op &op, uint32_t lanes) /* op.target: bits for MXCSR */
{
    const unsigned before = _mm_getcsr();
    _mm_setcsr((before & ~(unsigned)ROUND_MASK) | (unsigned)op.target);
    op.inner(w, op, lanes);
    _mm_setcsr(before);
}
/* Flushes a subnormal result to zero. Moves, signs and minima ignore MXCSR, so their results
 * need this step. */
void flush_result(Warp &w, const Op &op, uint32_t lanes)
{
    round_and_flush(w, op, lanes);
    uint32_t *d = cells<uint32_t>(w, op.d);
    each<uint32_t>(d, lanes, [=](int l) { return d[l] & 0x7f800000 ? d[l] : d[l] & 0x80000000; });
}
template <class T> void clamp_to_one(T *d, uint32_t lanes)
{
    for (int l = 0; l < 32; l++)
        if (lanes >> l & 1)
            d[l] = d[l] > 0 ? (d[l] < 1 ? d[l] : (T)1) : (T)0;
}
void saturate(Warp &w, const Op &op, uint32_t lanes) /* .sat: clamps to [0, 1]; NaN becomes +0 */
{
    round_and_flush(w, op, lanes);
    op.bytes == 8 ? clamp_to_one(cells<double>(w, op.d), lanes) : clamp_to_one(cells<float>(w, op.d), lanes);
}
void wrap(Op &op, int mxcsr, bool saturates, const std::string &result) /* result: the type of the result */
{
    if (!mxcsr && !saturates)
        return;
    op.inner = op.run, op.target = mxcsr, op.bytes = result == "f64" ? 8 : 4;
    op.run = saturates ? saturate : (mxcsr & FLUSH) == FLUSH && result == "f32" ? flush_result : round_and_flush;
}

/* Executes a cvt whose registers are wider than its types. If bit 0 of op.mode is set, the source has 64 bits, and
 * register b receives its low half. If bit 1 is set, the result is computed in register c, and then extended from
 * op.bytes bytes to op.width bits: with its sign if op.is_signed, otherwise with zeros. */
void convert_wide(Warp &w, const Op &op, uint32_t lanes)
{
    Op inner = op;
    inner.run = op.inner;
    if (op.mode & 1) {
        const uint64_t *a = cells<uint64_t>(w, op.a);
        each<uint32_t>(cells<uint32_t>(w, op.b), lanes, [=](int l) { return (uint32_t)a[l]; });
        inner.a = op.b;
    }
    if (op.mode & 2)
        inner.d = op.c;
    op.inner(w, inner, lanes);
    if (!(op.mode & 2))
        return;
    const uint32_t *c = cells<uint32_t>(w, op.c);
    const int up = 64 - 8 * op.bytes;
    const bool is_signed = op.is_signed;
    const auto extended = [=](int l) {
        return is_signed ? (uint64_t)((int64_t)((uint64_t)c[l] << up) >> up) : (uint64_t)c[l] << up >> up;
    };
    if (op.width == 64)
        each<uint64_t>(cells<uint64_t>(w, op.d), lanes, extended);
    else
        each<uint32_t>(cells<uint32_t>(w, op.d), lanes, extended);
}

/* ---- Operands ---- */

struct Slot {
    std::string type;
    Width width;
};
std::vector<Slot> slots_of(const char *operands)
{
    std::vector<Slot> slots;
    std::string type;
    for (const char *p = operands;; p++) {
        if (*p && *p != ' ') {
            type += *p;
            continue;
        }
        const bool may_be_wider = type[0] == '(';
        slots.push_back({may_be_wider ? type.substr(1, type.size() - 2) : type, may_be_wider ? OR_WIDER : EXACT});
        type.clear();
        if (!*p)
            return slots;
    }
}

bool decode_row(Decoder &d, const Instruction &i, Op &op, const std::string &key)
{
    const auto found = table().find(key);
    if (found == table().end())
        return false;
    const Row &row = *found->second;
    const std::vector<Slot> slots = slots_of(row.operands);
    const bool combines = op.mode != 0; /* the result of the comparison is combined with a predicate */
    d.operand_count(i, slots.size() + combines, slots.size() + combines);
    op.run = row.run, op.what = row.what;
    uint32_t *const into[] = {&op.d, &op.a, &op.b, &op.c, &op.e};
    for (size_t k = 0; k < slots.size(); k++) {
        const Operand &o = i.operands[k];
        if (slots[k].type == "imm")
            op.mode = d.immediate(o);
        else if (k > 0)
            *into[k] = d.source(o, slots[k].type, slots[k].width);
        else if (o.kind == PAIR)
            op.d = d.target(o.parts[0], slots[0].type), op.e = d.target(o.parts[1], slots[0].type);
        else
            op.d = d.target(o, slots[0].type, slots[0].width);
    }
    return true;
}

void combine_negated(Warp &w, const Op &op, uint32_t lanes) /* for setp whose third source is a negated predicate, !c */
{
    Op inner = op;
    inner.c = (uint32_t)op.offset;
    predicate(w, inner.c) = ~predicate(w, op.c);
    op.inner(w, inner, lanes);
}

bool decode_comparison(Decoder &d, const Instruction &i, Op &op)
{
    std::string key = i.parts[0];
    for (size_t k = 1; k < i.parts.size(); k++) {
        const std::string &p = i.parts[k];
        if (k == 2 && is_one_of(p, {"and", "or", "xor"}))
            op.mode = p == "and" ? 1 : p == "or" ? 2 : 3;
        else if (p != "ftz")
            key += "." + p;
    }
    op.e = NOWHERE;
    if (!decode_row(d, i, op, key))
        return false;
    if (op.mode) {
        Operand last = i.operands.back();
        const bool is_negated = last.is_negated;
        last.is_negated = false;
        op.c = d.source(last, "pred");
        if (is_negated)
            op.inner = op.run, op.run = combine_negated, op.offset = d.scratch(128);
    }
    if (!d.has(i, "ftz"))
        return true;
    if (op.inner)
        throw Fault("setp.ftz with a negated predicate is not supported");
    wrap(op, FLUSH, false, "pred");
    return true;
}

} // namespace

bool decode_table(Decoder &d, const Instruction &i, Op &op)
{
    if (i.parts[0] == "setp" || i.parts[0] == "set")
        return decode_comparison(d, i, op);
    const std::string t = type_of(i);
    const bool is_float = is_fp(t);
    std::string key = i.parts[0];
    for (size_t k = 1; k < i.parts.size(); k++) {
        const std::string &p = i.parts[k];
        const bool is_dropped =
            is_float && (is_one_of(p, {"rn", "rz", "rm", "rp", "ftz", "sat", "full"}) || (p == "approx" && t != "f64"));
        if (!is_dropped)
            key += "." + p;
    }
    if (!decode_row(d, i, op, key))
        return false;
    if (!is_float)
        return true;
    const int mxcsr = rounding_of(i) | (d.has(i, "ftz") && t != "f64" ? (int)FLUSH : 0);
    if (is_half(t) || t == "f32x2")
        return !d.has(i, "sat") && !(is_half(t) && mxcsr) && (wrap(op, mxcsr, false, t), true);
    wrap(op, mxcsr, d.has(i, "sat"), t);
    return true;
}

bool decode_convert(Decoder &d, const Instruction &i, Op &op)
{
    const std::string to = type_of(i, 1), from = type_of(i);
    const bool to_float = is_fp(to) && !is_half(to) && to != "tf32", from_float = is_fp(from) || is_half(from);
    std::string key = "cvt";
    for (size_t k = 1; k + 2 < i.parts.size(); k++) {
        const std::string &p = i.parts[k];
        const bool is_mode = is_one_of(p, {"rn", "rz", "rm", "rp"}) && to != "tf32";
        if (!is_mode && p != "ftz" && !(p == "sat" && (to_float || from_float)))
            key += "." + p;
    }
    if (!decode_row(d, i, op, key + "." + to + "." + from))
        return false;
    const bool saturates = d.has(i, "sat") && to_float;
    if (is_half(to)) {
        op.target = rounding_of(i);
        return !d.has(i, "sat") && !d.has(i, "ftz");
    }
    wrap(op, (to_float ? rounding_of(i) : 0) | (d.has(i, "ftz") ? (int)FLUSH : 0), saturates, to);
    const unsigned bits = bits_of_type(to), width = d.register_of(i.operands[0]).bits;
    const bool is_wide_source =
        i.operands[1].reg >= 0 && d.register_of(i.operands[1]).bits == 64 && bits_of_type(from) < 64;
    const bool is_extended = !to_float && width > bits && (width == 64 || (width == 32 && to[0] == 's'));
    if (is_wide_source || is_extended) {
        if (op.inner || to_float)
            throw Fault("a rounded conversion of registers wider than its types is not supported");
        op.inner = op.run, op.run = convert_wide;
        op.mode = is_wide_source | is_extended << 1;
        op.width = (uint8_t)width, op.bytes = (uint8_t)(bits / 8), op.is_signed = to[0] == 's';
        op.b = d.scratch(128), op.c = d.scratch(128);
    }
    return true;
}

} // namespace ptx
