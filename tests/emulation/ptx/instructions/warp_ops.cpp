/* warp_ops.cpp - shfl, vote, match, redux, elect, activemask, bar.warp.sync. The machine delays a group of lanes until
 * all living lanes of the instruction's mask have arrived. Therefore, each operation handles all lanes of its mask at
 * once. */
#include "decode/decode.h"

namespace ptx
{
namespace
{

void check_mask(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *masks = cells<uint32_t>(w, op.data[0]), mask = masks[__builtin_ctz(lanes)];
    if (lanes & ~mask)
        fail(w, op, __builtin_ctz(lanes & ~mask), "the mask leaves out the calling lane");
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        if (masks[__builtin_ctz(rest)] != mask)
            fail(w, op, __builtin_ctz(rest), "the lanes of a mask give different masks");
}

enum Shuffle { IDX, UP, DOWN, BFLY };
/* a: value; b: lane or distance; c: clamp and segment mask; e: predicate, or NOWHERE. */
void shuffle(Warp &w, const Op &op, uint32_t lanes)
{
    uint32_t value[32], result[32], found = 0;
    std::memcpy(value, cells<uint32_t>(w, op.a), sizeof value);
    const uint32_t *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    check_mask(w, op, lanes);
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const int segment = (int)(c[l] >> 8 & 31), clamp = (int)(c[l] & 31), n = (int)(b[l] & 31);
        const int most = (l & segment) | (clamp & ~segment), least = l & segment;
        int from = op.mode == IDX ? least | (n & ~segment) : op.mode == UP ? l - n : op.mode == DOWN ? l + n : l ^ n;
        const bool is_inside = op.mode == UP ? from >= most : from <= most;
        from = is_inside ? from : l;
        found |= (uint32_t)is_inside << l;
        if (!(lanes >> from & 1))
            fail(w, op, l, "shuffle from lane " + std::to_string(from) + ", which is not in its mask");
        result[l] = value[from];
    }
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [&](int l) { return result[l]; });
    if (op.e != NOWHERE)
        set_predicate(w, op.e, lanes, found);
}

enum Vote { BALLOT, ANY, ALL, UNIFORM };
void vote(Warp &w, const Op &op, uint32_t lanes) /* op.is_signed: the predicate is negated */
{
    check_mask(w, op, lanes);
    const uint32_t p = (predicate(w, op.a) ^ (op.is_signed ? FULL : 0)) & lanes;
    if (op.mode == BALLOT)
        return each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int) { return p; });
    const bool yes = op.mode == ANY ? p != 0 : op.mode == ALL ? p == lanes : p == 0 || p == lanes;
    set_predicate(w, op.d, lanes, yes ? FULL : 0);
}

template <class T, bool IS_ALL> void match(Warp &w, const Op &op, uint32_t lanes)
{
    check_mask(w, op, lanes);
    const T *a = cells<T>(w, op.a);
    uint32_t same[32] = {};
    for (uint32_t i = lanes; i; i &= i - 1)
        for (uint32_t k = lanes; k; k &= k - 1)
            same[__builtin_ctz(i)] |= a[__builtin_ctz(i)] == a[__builtin_ctz(k)] ? k & -k : 0;
    const bool all_equal = same[__builtin_ctz(lanes)] == lanes;
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [&](int l) { return !IS_ALL ? same[l] : all_equal ? lanes : 0; });
    if (IS_ALL && op.e != NOWHERE)
        set_predicate(w, op.e, lanes, all_equal ? FULL : 0);
}

struct Sum {
    template <class T> static T f(T a, T b)
    {
        return a + b;
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
template <class T, class F> void reduce(Warp &w, const Op &op, uint32_t lanes)
{
    check_mask(w, op, lanes);
    const T *a = cells<T>(w, op.a);
    T sum = a[__builtin_ctz(lanes)];
    for (uint32_t rest = lanes & (lanes - 1); rest; rest &= rest - 1)
        sum = F::f(sum, a[__builtin_ctz(rest)]);
    each<T>(cells<T>(w, op.d), lanes, [=](int) { return sum; });
}
struct Reduction {
    const char *operation, *type;
    Execute run;
};
const Reduction reductions[] = {
    {"add", "u32", reduce<uint32_t, Sum>}, {"add", "s32", reduce<uint32_t, Sum>}, {"min", "u32", reduce<uint32_t, Min>},
    {"min", "s32", reduce<int32_t, Min>},  {"max", "u32", reduce<uint32_t, Max>}, {"max", "s32", reduce<int32_t, Max>},
    {"and", "b32", reduce<uint32_t, And>}, {"or", "b32", reduce<uint32_t, Or>},   {"xor", "b32", reduce<uint32_t, Xor>},
};

void elect(Warp &w, const Op &op, uint32_t lanes) /* elects the lowest lane */
{
    check_mask(w, op, lanes);
    const int leader = __builtin_ctz(lanes);
    if (op.d != NOWHERE)
        each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int) { return (uint32_t)leader; });
    set_predicate(w, op.e, lanes, 1u << leader);
}

void active_mask(Warp &w, const Op &op, uint32_t lanes)
{
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int) { return lanes; });
}
void warp_barrier(Warp &w, const Op &op, uint32_t lanes)
{
    check_mask(w, op, lanes);
    w.warp_tick = ++w.m->tick;
    join_clocks(w);
}

void decode_shuffle(Decoder &d, const Instruction &i, Op &op)
{
    const Operand &to = i.operands[0];
    d.operand_count(i, 5, 5);
    op.mode = i.parts[2] == "idx" ? IDX : i.parts[2] == "up" ? UP : i.parts[2] == "down" ? DOWN : BFLY;
    op.d = d.target(to.kind == PAIR ? to.parts[0] : to, "b32"),
    op.e = to.kind == PAIR ? d.target(to.parts[1], "pred") : NOWHERE;
    op.a = d.source(i.operands[1], "b32"), op.b = d.source(i.operands[2], "b32"), op.c = d.source(i.operands[3], "b32");
    op.data[0] = d.source(i.operands[4], "b32");
    op.run = shuffle;
}
void decode_vote(Decoder &d, const Instruction &i, Op &op)
{
    d.operand_count(i, 3, 3);
    op.mode = d.has(i, "ballot") ? BALLOT : d.has(i, "any") ? ANY : d.has(i, "all") ? ALL : UNIFORM;
    Operand p = i.operands[1];
    op.is_signed = p.is_negated, p.is_negated = false;
    op.d = d.target(i.operands[0], op.mode == BALLOT ? "b32" : "pred"), op.a = d.source(p, "pred");
    op.data[0] = d.source(i.operands[2], "b32");
    op.run = vote;
}
bool decode_match(Decoder &d, const Instruction &i, Op &op)
{
    const Operand &to = i.operands[0];
    const std::string type = type_of(i);
    const bool is_all = d.has(i, "all"), is_64 = type == "b64";
    d.operand_count(i, 3, 3);
    op.d = d.target(to.kind == PAIR ? to.parts[0] : to, "b32"),
    op.e = to.kind == PAIR ? d.target(to.parts[1], "pred") : NOWHERE;
    op.a = d.source(i.operands[1], type), op.data[0] = d.source(i.operands[2], "b32");
    op.run = is_all  ? (is_64 ? match<uint64_t, true> : match<uint32_t, true>)
             : is_64 ? match<uint64_t, false>
                     : match<uint32_t, false>;
    return type == "b32" || is_64;
}
bool decode_reduction(Decoder &d, const Instruction &i, Op &op)
{
    d.operand_count(i, 3, 3);
    for (const Reduction &r : reductions)
        if (i.opcode == std::string("redux.sync.") + r.operation + "." + r.type)
            op.run = r.run;
    if (!op.run)
        return false;
    op.d = d.target(i.operands[0], type_of(i)), op.a = d.source(i.operands[1], type_of(i)),
    op.data[0] = d.source(i.operands[2], "b32");
    return true;
}

} // namespace

bool decode_warp(Decoder &d, const Instruction &i, Op &op)
{
    const std::string &name = i.parts[0];
    op.what = C_WARP;
    if (name == "activemask")
        return op.run = active_mask, op.d = d.target(i.operands.at(0), "b32"), true;
    const bool is_collective = i.parts.size() > 1 && (i.parts[1] == "sync" || i.parts[1] == "warp" || name == "match");
    if (!is_collective || i.operands.empty())
        return false;
    op.kind = WARP_SYNC;
    if (name == "shfl" && i.parts.size() == 4 && i.parts[3] == "b32")
        return decode_shuffle(d, i, op), true;
    if (name == "vote")
        return decode_vote(d, i, op), true;
    if (name == "match")
        return decode_match(d, i, op);
    if (name == "redux")
        return decode_reduction(d, i, op);
    if (name == "elect" && i.operands[0].kind == PAIR) {
        const Operand &leader = i.operands[0].parts[0];
        op.d = leader.text == "_" ? NOWHERE : d.target(leader, "b32"), op.e = d.target(i.operands[0].parts[1], "pred");
        return op.data[0] = d.source(i.operands.at(1), "b32"), op.run = elect, true;
    }
    if (name == "bar" && i.parts[1] == "warp")
        return op.data[0] = d.source(i.operands[0], "b32"), op.run = warp_barrier, true;
    return false;
}

} // namespace ptx
