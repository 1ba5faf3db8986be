/* atomic.cpp - atom, red, fence, membar. The lanes of an atomic instruction act one after the other, beginning with
 * lane 0. On a device, the order of the lanes is undefined. */
#include "decode/decode.h"

#include <algorithm>

namespace ptx
{
namespace
{

enum Atomic { A_ADD, A_MIN, A_MAX, A_EXCH, A_AND, A_OR, A_XOR, A_INC, A_DEC, A_CAS, ATOMICS };
const char *const names[ATOMICS] = {"add", "min", "max", "exch", "and", "or", "xor", "inc", "dec", "cas"};

template <class T> T combine(int how, T old, T v, T c)
{
    switch (how) {
    case A_ADD:
        return (T)(old + v);
    case A_MIN:
        return v < old ? v : old;
    case A_MAX:
        return old < v ? v : old;
    case A_INC:
        return old >= v ? (T)0 : (T)(old + 1);
    case A_DEC:
        return old == (T)0 || old > v ? v : (T)(old - 1);
    case A_CAS:
        return old == v ? c : old;
    default:
        return v;
    }
}
template <class T> T combine_integers(int how, T old, T v, T c)
{
    return how == A_AND   ? (T)(old & v)
           : how == A_OR  ? (T)(old | v)
           : how == A_XOR ? (T)(old ^ v)
                          : combine<T>(how, old, v, c);
}
/* Signed sums are computed in the unsigned type U, so that they wrap. */
template <class T, class U> T combine_signed(int how, T old, T v, T c)
{
    return how == A_ADD ? (T)((U)old + (U)v) : combine<T>(how, old, v, c);
}
template <class T, T (*F)(int, T, T, T)> void atomic(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    addresses(w, op.a, op.offset, op.mode != 0, a);
    resolve(w, {op, lanes, sizeof(T), true}, op.space, a.at);
    const T *b = cells<T>(w, op.b), *c = op.c ? cells<T>(w, op.c) : b;
    for (uint32_t m = lanes; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        T old;
        std::memcpy(&old, (const void *)(uintptr_t)a.at[l], sizeof old);
        const T now = F(op.count, old, b[l], c[l]);
        std::memcpy((void *)(uintptr_t)a.at[l], &now, sizeof now);
        if (op.d != NOWHERE)
            cells<T>(w, op.d)[l] = old;
    }
    w.m->progress++;
}

struct Typed {
    const char *type;
    Execute run;
    unsigned operations;
}; /* operations: bit k is set if the type allows the operation names[k] */
constexpr unsigned bit(int k)
{
    return 1u << k;
}
const unsigned bitwise = bit(A_AND) | bit(A_OR) | bit(A_XOR) | bit(A_EXCH) | bit(A_CAS),
               ordered = bit(A_ADD) | bit(A_MIN) | bit(A_MAX);
const Typed types[] = {
    {"u32", atomic<uint32_t, combine_integers<uint32_t>>, ordered | bit(A_INC) | bit(A_DEC)},
    {"s32", atomic<int32_t, combine_signed<int32_t, uint32_t>>, ordered},
    {"u64", atomic<uint64_t, combine_integers<uint64_t>>, ordered},
    {"s64", atomic<int64_t, combine_signed<int64_t, uint64_t>>, ordered},
    {"b32", atomic<uint32_t, combine_integers<uint32_t>>, bitwise},
    {"b64", atomic<uint64_t, combine_integers<uint64_t>>, bitwise},
    {"f32", atomic<float, combine<float>>, bit(A_ADD)},
    {"f64", atomic<double, combine<double>>, bit(A_ADD)},
};

void fence_gpu(Warp &w, const Op &, uint32_t lanes)
{
    fence_global(w, lanes);
}
void fence_nothing(Warp &, const Op &, uint32_t)
{
}
void fence_proxy(Warp &w, const Op &, uint32_t lanes) /* makes the writes of these threads visible to bulk copies */
{
    Machine &m = *w.m;
    if (m.proxy_fence.empty())
        return;
    ++m.tick;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        m.proxy_fence[w.first_thread + (unsigned)__builtin_ctz(rest)] = m.tick;
}

} // namespace

bool decode_atomic(Decoder &d, const Instruction &i, Op &op)
{
    const bool returns = i.parts[0] == "atom", has_policy = i.opcode.find("cache_hint") != std::string::npos;
    const std::string type = type_of(i);
    int how = -1;
    for (int k = 0; k < ATOMICS; k++)
        how = d.has(i, names[k]) ? k : how;
    for (const Typed &t : types)
        if (how >= 0 && type == t.type && t.operations >> how & 1)
            op.run = t.run;
    if (!op.run || d.has(i, "async") || d.has(i, "shared::cluster"))
        return false;
    const size_t at = returns ? 1 : 0, operands = at + 2 + (how == A_CAS) + has_policy;
    d.operand_count(i, operands, operands);
    op.space = (uint8_t)space_of(i), op.what = op.space == SHARED ? C_STORE_SHARED : C_STORE_GLOBAL;
    op.is_atomic = true, op.count = (uint8_t)how, op.bytes = (uint8_t)(bits_of_type(type) / 8);
    op.is_acquire = d.has(i, "acquire") || d.has(i, "acq_rel"),
    op.is_release = d.has(i, "release") || d.has(i, "acq_rel");
    op.d = returns && i.operands[0].text != "_" ? d.target(i.operands[0], type) : NOWHERE;
    op.b = d.source(i.operands[at + 1], type), op.c = how == A_CAS ? d.source(i.operands[at + 2], type) : 0;
    bool is_wide_address;
    d.address(i.operands[at], op.a, op.offset, is_wide_address);
    op.mode = is_wide_address;
    return true;
}

bool decode_fence(Decoder &d, const Instruction &i, Op &op)
{
    op.what = C_BARRIER;
    if (d.has(i, "proxy")) {
        op.run = d.has(i, "async") ? fence_proxy : fence_nothing;
        return d.has(i, "async") || d.has(i, "alias");
    }
    if (d.has(i, "mbarrier_init"))
        return op.run = fence_nothing, true;
    const bool is_block = d.has(i, "cta");
    op.run = is_block ? fence_nothing : fence_gpu;
    return is_block || d.has(i, "gpu") || d.has(i, "gl") || d.has(i, "sys") || d.has(i, "cluster");
}

} // namespace ptx
