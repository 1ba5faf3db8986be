/* special.cpp - mov of vectors, special registers and addresses; cvta; isspacep. A generic pointer into shared or local
 * memory is the sum of an offset and a window (machine/memory.cpp). Other generic pointers are host pointers. */
#include "decode/decode.h"

namespace ptx
{
namespace
{

void gather(Warp &w, const Op &op, uint32_t lanes) /* mov.b64 d, {low, high}; op.bytes: size of an element */
{
    const unsigned bits = 8u * op.bytes;
    for (uint32_t m = lanes; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        uint64_t v = 0;
        for (int i = 0; i < op.count; i++) {
            const uint64_t part = cells<uint32_t>(w, op.data[i])[l];
            v |= (part & ((1ull << bits) - 1)) << (bits * (unsigned)i);
        }
        if (bits * op.count > 32)
            cells<uint64_t>(w, op.d)[l] = v;
        else
            cells<uint32_t>(w, op.d)[l] = (uint32_t)v;
    }
}
void scatter(Warp &w, const Op &op, uint32_t lanes) /* mov.b64 {low, high}, a; NOWHERE elements are not stored */
{
    const unsigned bits = 8u * op.bytes;
    for (uint32_t m = lanes; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        const uint64_t v = bits * op.count > 32 ? cells<uint64_t>(w, op.a)[l] : cells<uint32_t>(w, op.a)[l];
        for (int i = 0; i < op.count; i++)
            if (op.data[i] != NOWHERE)
                cells<uint32_t>(w, op.data[i])[l] = (uint32_t)(v >> (bits * (unsigned)i) & ((1ull << bits) - 1));
    }
}
bool decode_vector(Decoder &d, const Instruction &i, Op &op)
{
    const Operand &to = i.operands[0], &from = i.operands[1], &vector = to.kind == VECTOR ? to : from;
    const unsigned bits = bits_of_type(type_of(i)), each_bits = bits / (unsigned)vector.parts.size();
    if (type_of(i)[0] != 'b' || (each_bits != 16 && each_bits != 32 && each_bits != 8))
        return false;
    const std::string type = "b" + std::to_string(each_bits);
    op.count = (uint8_t)vector.parts.size(), op.bytes = (uint8_t)(each_bits / 8);
    for (size_t k = 0; k < vector.parts.size(); k++) {
        const Operand &o = vector.parts[k];
        op.data[k] = o.text == "_" ? NOWHERE : to.kind == VECTOR ? d.target(o, type) : d.source(o, type);
    }
    if (to.kind == VECTOR)
        op.run = scatter, op.a = d.source(from, type_of(i));
    else
        op.run = gather, op.d = d.target(to, type_of(i));
    return true;
}

enum SpecialKind {
    TID,
    NTID,
    CTAID,
    NCTAID,
    LANE,
    WARP,
    WARPS,
    ONE,
    ZERO,
    MASK_LT,
    MASK_LE,
    MASK_GT,
    MASK_GE,
    MASK_EQ,
    DYNAMIC,
    TOTAL,
    CLOCK
};
struct Special {
    const char *name;
    int kind;
    bool is_wide;
};
const Special specials[] = {
    {"%tid", TID, false},
    {"%ntid", NTID, false},
    {"%ctaid", CTAID, false},
    {"%nctaid", NCTAID, false},
    {"%laneid", LANE, false},
    {"%warpid", WARP, false},
    {"%nwarpid", WARPS, false},
    {"%lanemask_lt", MASK_LT, false},
    {"%lanemask_le", MASK_LE, false},
    {"%lanemask_gt", MASK_GT, false},
    {"%lanemask_ge", MASK_GE, false},
    {"%lanemask_eq", MASK_EQ, false},
    {"%smid", ZERO, false},
    {"%nsmid", ONE, false},
    {"%gridid", ZERO, true},
    {"%dynamic_smem_size", DYNAMIC, false},
    {"%total_smem_size", TOTAL, false},
    {"%clock", CLOCK, false},
    {"%clock64", CLOCK, true},
    {"%globaltimer", CLOCK, true},
    {"%cluster_ctarank", ZERO, false},
    {"%cluster_nctarank", ONE, false},
    {"%cluster_ctaid", ZERO, false},
    {"%cluster_nctaid", ONE, false},
    {"%clusterid", CTAID, false},
    {"%nclusterid", NCTAID, false},
};
uint32_t component(const Dim &d, int which)
{
    return which == 0 ? d.x : which == 1 ? d.y : d.z;
}
uint64_t value_of(Warp &w, const Op &op, int l)
{
    const Machine &m = *w.m;
    switch (op.mode) {
    case TID:
        return w.tid[op.count][l];
    case NTID:
        return component(m.l->block, op.count);
    case CTAID:
        return component(m.block, op.count);
    case NCTAID:
        return component(m.l->grid, op.count);
    case LANE:
        return (uint64_t)l;
    case WARP:
        return w.first_thread / 32;
    case WARPS:
        return m.warps->size();
    case ONE:
        return 1;
    case MASK_LT:
        return (1u << l) - 1;
    case MASK_LE:
        return (2ull << l) - 1;
    case MASK_GT:
        return ~((2ull << l) - 1);
    case MASK_GE:
        return ~((1u << l) - 1);
    case MASK_EQ:
        return 1u << l;
    case DYNAMIC:
        return m.l->dynamic_bytes;
    case TOTAL:
        return m.p->real_shared_bytes + m.l->dynamic_bytes;
    default:
        return 0;
    }
}
void special(Warp &w, const Op &op, uint32_t lanes)
{
    if (op.mode == CLOCK)
        ++w.m->tick;
    const uint64_t now = w.m->tick;
    const auto value = [&](int l) { return op.mode == CLOCK ? now : value_of(w, op, l); };
    if (op.width == 64)
        each<uint64_t>(cells<uint64_t>(w, op.d), lanes, value);
    else
        each<uint32_t>(cells<uint32_t>(w, op.d), lanes, value);
}
bool decode_special_register(Decoder &d, const Instruction &i, Op &op)
{
    const std::string &s = i.operands[1].text;
    const size_t dot = s.find('.');
    for (const Special &k : specials)
        if (s.substr(0, dot) == k.name) {
            op.mode = k.kind, op.count = dot == std::string::npos ? 0 : (uint8_t)(s[dot + 1] - 'x');
            op.width = k.is_wide ? 64 : 32, op.run = special;
            op.d = d.target(i.operands[0], type_of(i));
            if (op.count > 2 || d.register_of(i.operands[0]).bits != op.width)
                throw Fault("special register " + s + " in a register of " +
                            std::to_string(d.register_of(i.operands[0]).bits) + " bits");
            return true;
        }
    return false;
}

void add_window(Warp &w, const Op &op, uint32_t lanes) /* cvta.shared, cvta.local and cvta.to; op.offset: the window */
{
    const uint64_t *a = cells<uint64_t>(w, op.a), window = (uint64_t)op.offset;
    each<uint64_t>(cells<uint64_t>(w, op.d), lanes, [=](int l) { return a[l] + window; });
}
void is_in_space(Warp &w, const Op &op, uint32_t lanes)
{
    const uint64_t *a = cells<uint64_t>(w, op.a);
    uint32_t bits = 0;
    for (int l = 0; l < 32; l++) {
        const uint64_t window = a[l] & WINDOW;
        const int space = window == SHARED_WINDOW ? SHARED : window == LOCAL_WINDOW ? LOCAL : GLOBAL;
        bits |= (uint32_t)(space == op.mode) << l;
    }
    set_predicate(w, op.d, lanes, bits);
}

} // namespace

bool decode_special(Decoder &d, const Instruction &i, Op &op)
{
    const std::string &name = i.parts[0], type = type_of(i);
    d.operand_count(i, 2, 2);
    if (name == "isspacep") {
        op.what = C_INT, op.run = is_in_space;
        op.mode = type == "global"                            ? GLOBAL
                  : type == "shared" || type == "shared::cta" ? SHARED
                  : type == "local"                           ? LOCAL
                                                              : -1;
        op.d = d.target(i.operands[0], "pred"), op.a = d.source(i.operands[1], "u64");
        return op.mode >= 0;
    }
    if (name == "cvta") {
        const bool is_shared = d.has(i, "shared") || d.has(i, "shared::cta"), is_local = d.has(i, "local");
        if (type != "u64" || d.has(i, "shared::cluster"))
            return false;
        const uint64_t window = is_shared ? SHARED_WINDOW : is_local ? LOCAL_WINDOW : 0;
        op.what = C_INT, op.run = add_window, op.offset = (int64_t)(d.has(i, "to") ? 0 - window : window);
        op.d = d.target(i.operands[0], type), op.a = d.source(i.operands[1], type);
        return true;
    }
    op.what = C_MOVE;
    if (i.operands[0].kind == VECTOR || i.operands[1].kind == VECTOR)
        return decode_vector(d, i, op);
    if (i.operands[1].kind == SYMBOL && i.operands[1].text[0] == '%')
        return decode_special_register(d, i, op);
    return decode_table(d, i, op);
}

} // namespace ptx
