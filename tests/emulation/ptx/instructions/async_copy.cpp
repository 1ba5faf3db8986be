/* async_copy.cpp - cp.async. The machine performs a copy when a thread waits for the copy, which is the latest time at
 * which a device may perform it. Until then, the target of the copy is marked, and every access to the target
 * faults. */
#include "decode/decode.h"

#include <algorithm>

namespace ptx
{
namespace
{

void copy(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses to, from;
    addresses(w, op.a, op.offset, op.mode & 1, to);
    addresses(w, op.b, op.target, op.mode & 2, from);
    Pending p;
    p.op = &op, p.lanes = lanes;
    uint32_t reading = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if ((to.at[l] & WINDOW) == SHARED_WINDOW)
            to.at[l] -= SHARED_WINDOW;
        check_shared_range(w, op, l, {to.at[l], op.bytes, op.bytes});
        const uint32_t n = op.c ? cells<uint32_t>(w, op.c)[l] : op.bytes;
        if (n > op.bytes)
            fail(w, op, l, "cp.async reads " + std::to_string(n) + " bytes for a copy of " + std::to_string(op.bytes));
        p.sizes[l] = (uint8_t)n, p.group[l] = w.copy_group[l], p.to[l] = to.at[l], p.from[l] = from.at[l];
        reading |= n ? 1u << l : 0;
    }
    if (reading)
        check_global(w, {op, reading, op.bytes, false}, from.at);
    if (w.m->l->watches_shared) {
        watch_shared(w, {op, lanes, op.bytes, true}, to.at);
        for (uint32_t rest = lanes; rest; rest &= rest - 1)
            mark_pending(*w.m, to.at[__builtin_ctz(rest)], op.bytes, true);
    }
    w.copies.push_back(p);
}

void commit(Warp &w, const Op &, uint32_t lanes)
{
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        w.copy_group[__builtin_ctz(rest)]++;
}

void land(Warp &w, Pending &p, uint32_t lanes)
{
    Machine &m = *w.m;
    lanes &= p.lanes;
    p.lanes &= ~lanes;
    if (!lanes)
        return;
    if (!p.op->bytes) { /* the entry is a cp.async.mbarrier.arrive */
        for (uint32_t rest = lanes; rest; rest &= rest - 1) {
            const int l = __builtin_ctz(rest);
            arrive_on_mbarrier(w, *p.op, l, mbarrier_at(w, *p.op, l, p.to[l]), 1);
        }
        return;
    }
    if (m.l->stats) {
        unsigned ideal = 0;
        (*m.l->stats)[(size_t)p.op->index].landing += wavefronts(p.to, lanes, p.op->bytes, &ideal);
    }
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        mark_landed(m, p.to[l], p.op->bytes, true, w.first_thread + (unsigned)l);
        std::memset(m.shared + p.to[l], 0, p.op->bytes);
        std::memcpy(m.shared + p.to[l], (const void *)(uintptr_t)p.from[l], p.sizes[l]);
    }
}

void forget_landed(Warp &w)
{
    w.copies.erase(std::remove_if(w.copies.begin(), w.copies.end(), [](const Pending &p) { return !p.lanes; }),
                   w.copies.end());
}

void wait_group(Warp &w, const Op &op, uint32_t lanes) /* waits for all groups except the last op.mode groups */
{
    for (Pending &p : w.copies) {
        uint32_t due = 0;
        for (uint32_t rest = p.op->bytes ? lanes & p.lanes : 0; rest; rest &= rest - 1) {
            const int l = __builtin_ctz(rest);
            due |= (uint64_t)p.group[l] + (uint64_t)op.mode < w.copy_group[l] ? 1u << l : 0;
        }
        land(w, p, due);
    }
    forget_landed(w);
}
void wait_all(Warp &w, const Op &op, uint32_t lanes)
{
    commit(w, op, lanes);
    wait_group(w, op, lanes);
}

/* If op.is_signed (.noinc), the phase of the mbarrier already counts this arrival. */
void arrive_when_copied(Warp &w, const Op &op, uint32_t lanes)
{
    Pending p;
    p.op = &op, p.lanes = lanes;
    Addresses a;
    addresses(w, op.a, op.offset, op.mode & 1, a);
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        MBarrier &b = mbarrier_at(w, op, l, a.at[l]);
        b.pending += !op.is_signed;
        p.to[l] = a.at[l] & ~WINDOW;
    }
    w.copies.push_back(p);
}

} // namespace

void land_copies(Warp &w, uint32_t lanes, size_t end)
{
    for (size_t k = 0; k < end; k++)
        if (w.copies[k].op->bytes)
            land(w, w.copies[k], lanes);
}

void land_for_mbarrier(Machine &m, uint32_t at)
{
    for (Warp &w : *m.warps) {
        for (size_t k = 0; k < w.copies.size(); k++) {
            if (w.copies[k].op->bytes)
                continue;
            uint32_t here = 0;
            for (uint32_t rest = w.copies[k].lanes; rest; rest &= rest - 1)
                here |= w.copies[k].to[__builtin_ctz(rest)] == at ? 1u << __builtin_ctz(rest) : 0;
            land_copies(w, here, k);
            land(w, w.copies[k], here);
        }
        forget_landed(w);
    }
    for (size_t k = 0; k < m.bulk.size();) {
        const Bulk copy = m.bulk[k];
        if (!copy.is_load || copy.mbarrier != at) {
            k++;
            continue;
        }
        m.bulk.erase(m.bulk.begin() + (long)k);
        std::memcpy(m.shared + copy.shared, (const void *)(uintptr_t)copy.global, copy.bytes);
        mark_landed(m, copy.shared, copy.bytes, true, ASYNC_THREAD);
        complete_bytes(m, m.mbarriers[at], copy.bytes);
    }
}

bool decode_copy(Decoder &d, const Instruction &i, Op &op)
{
    if (d.has(i, "bulk"))
        return decode_bulk_copy(d, i, op);
    if (i.parts.size() < 3 || i.parts[1] != "async")
        return false;
    const std::string &what = i.parts[2];
    op.what = C_BARRIER;
    if (what == "commit_group")
        return op.run = commit, true;
    if (what == "wait_all")
        return op.run = wait_all, true;
    if (what == "wait_group")
        return op.run = wait_group, op.mode = d.immediate(i.operands.at(0)), true;
    bool is_wide_target, is_wide_source;
    if (what == "mbarrier") {
        d.operand_count(i, 1, 1);
        d.program.needs_clocks = true;
        op.what = C_MBARRIER, op.run = arrive_when_copied, op.is_signed = d.has(i, "noinc"), op.space = SHARED;
        d.address(i.operands[0], op.a, op.offset, is_wide_target);
        return op.mode = is_wide_target, true;
    }
    const bool has_policy = i.opcode.find("cache_hint") != std::string::npos;
    d.operand_count(i, 3 + has_policy, 4 + has_policy);
    const bool has_size = i.operands.size() == 4u + has_policy;
    op.what = C_LOAD_GLOBAL, op.space = SHARED, op.run = copy, op.count = 1;
    op.bytes = (uint8_t)d.immediate(i.operands[2]);
    op.c = has_size ? d.source(i.operands[3], "u32") : 0; /* a predicate (the ignore-src form) is refused here */
    int64_t from = 0;
    d.address(i.operands[0], op.a, op.offset, is_wide_target);
    d.address(i.operands[1], op.b, from, is_wide_source);
    if (from != (int32_t)from)
        throw Fault("an offset of more than 31 bits");
    op.target = (int)from, op.mode = is_wide_target | is_wide_source << 1;
    return (what == "ca" || what == "cg") && (op.bytes == 4 || op.bytes == 8 || op.bytes == 16);
}

} // namespace ptx
