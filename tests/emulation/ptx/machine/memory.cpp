/* memory.cpp - converts the addresses of 32 lanes to host pointers. Global, constant and parameter addresses already
 * are host pointers. Shared addresses are offsets. The top byte of a generic pointer into shared or local memory is a
 * window, which identifies the memory. */
#include "machine/machine.h"

namespace ptx
{

void addresses(const Warp &w, uint32_t base, int64_t offset, bool is_wide, Addresses &a)
{
    if (base == NOWHERE) {
        for (int l = 0; l < 32; l++)
            a.at[l] = (uint64_t)offset;
    } else if (is_wide) {
        const uint64_t *r = cells<uint64_t>(w, base);
        for (int l = 0; l < 32; l++)
            a.at[l] = r[l] + (uint64_t)offset;
    } else {
        const uint32_t *r = cells<uint32_t>(w, base);
        for (int l = 0; l < 32; l++)
            a.at[l] = (uint32_t)(r[l] + (uint32_t)offset);
    }
}

namespace
{

void resolve_generic(Warp &w, const Request &q, uint64_t *at)
{
    uint32_t in[6] = {};
    for (uint32_t rest = q.lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const uint64_t window = at[l] & WINDOW;
        const unsigned s = window == SHARED_WINDOW ? SHARED : window == LOCAL_WINDOW ? LOCAL : GLOBAL;
        at[l] -= s == GLOBAL ? 0 : window;
        in[s] |= 1u << l;
    }
    for (unsigned s = GLOBAL; s <= LOCAL; s++)
        if (in[s])
            resolve(w, {q.op, in[s], q.bytes, q.is_write}, s, at);
}

void resolve_local(Warp &w, const Op &op, uint64_t *at, uint32_t lanes, unsigned bytes)
{
    const size_t size = w.m->p->function->local_bytes;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (at[l] & (bytes - 1) || at[l] + bytes > size)
            fail(w, op, l,
                 "local access out of bounds or misaligned at " + hex(at[l]) + " of " + std::to_string(size) +
                     " bytes");
        at[l] += (uint64_t)(uintptr_t)w.local + (uint64_t)l * size;
    }
}

void resolve_parameter(Warp &w, const Op &op, uint64_t *at, uint32_t lanes, unsigned bytes)
{
    const Launch &launch = *w.m->l;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (at[l] & (bytes - 1) || at[l] + bytes > launch.parameter_bytes)
            fail(w, op, l,
                 "parameter access out of bounds or misaligned at " + hex(at[l]) + " of " +
                     std::to_string(launch.parameter_bytes) + " bytes");
        at[l] += (uint64_t)(uintptr_t)launch.parameters;
    }
}

void resolve_constant(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes, unsigned bytes)
{
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        bool is_inside = false;
        for (const ModuleVariable &v : w.m->p->module->variables)
            is_inside = is_inside || (v.is_constant && at[l] >= (uint64_t)(uintptr_t)v.memory.get() &&
                                      at[l] + bytes <= (uint64_t)(uintptr_t)v.memory.get() + v.bytes);
        if (!is_inside || at[l] & (bytes - 1))
            fail(w, op, l,
                 "constant access of " + std::to_string(bytes) + " bytes out of bounds or misaligned at " + hex(at[l]));
    }
}

} // namespace

void resolve(Warp &w, const Request &q, unsigned space, uint64_t *at)
{
    Machine &m = *w.m;
    switch (space) {
    case GENERIC:
        return resolve_generic(w, q, at);
    case GLOBAL:
        return check_global(w, q, at);
    case LOCAL:
        return resolve_local(w, q.op, at, q.lanes, q.bytes);
    case CONSTANT:
        return resolve_constant(w, q.op, at, q.lanes, q.bytes);
    case PARAM:
        return resolve_parameter(w, q.op, at, q.lanes, q.bytes);
    case SHARED:
        break;
    }
    check_shared(w, q, at);
    for (int l = 0; l < 32; l++)
        at[l] += q.lanes >> l & 1 ? (uint64_t)(uintptr_t)m.shared : 0;
}

} // namespace ptx
