/* bulk_copy.cpp - cp.async.bulk between global memory and the shared memory of the block. The machine performs a load
 * when a thread waits for the mbarrier of the load. A store reads shared memory at wait_group.read or wait_group, and
 * writes global memory at wait_group or at the end of the block. */
#include "decode/decode.h"
#include "watch/global_watch.h"
#include "watch/written_bytes.h"

#include <algorithm>

namespace ptx
{
namespace
{

/* Checks bounds, races and written bytes of the range of global memory that a bulk copy accesses. The checks treat the
 * range as requests of 16 bytes by one lane. The counts treat it as one request. */
void check_global_range(Warp &w, const Bulk &c, bool is_write)
{
    const Op &op = *c.op;
    const uint64_t at = c.global;
    const uint32_t bytes = c.bytes;
    const Stat before = w.m->l->stats ? (*w.m->l->stats)[(size_t)op.index] : Stat();
    uint64_t lanes[32] = {};
    w.m->is_bulk_load = !is_write;
    for (uint64_t k = at; k < at + bytes; k += 16) {
        lanes[c.lane] = k;
        check_global(w, {op, 1u << c.lane, 16, is_write}, lanes);
    }
    w.m->is_bulk_load = false;
    if (!w.m->l->stats)
        return;
    Stat &s = (*w.m->l->stats)[(size_t)op.index];
    s = before;
    s.requests++, s.pieces += (at + bytes - 1) / 32 - at / 32 + 1, s.ideal += (bytes + 31) / 32;
}

void check_proxy_fence(Warp &w, const Op &op, int lane, uint64_t at, uint32_t bytes)
{
    Machine &m = *w.m;
    for (uint64_t k = at >> m.granule_shift; k <= (at + bytes - 1) >> m.granule_shift; k++) {
        const Touch &t = m.shadow[k].write;
        if (t.tick >= m.start_tick && t.thread < ASYNC_THREAD && m.proxy_fence[t.thread] <= t.tick &&
            m.proxy_fence[w.first_thread + (unsigned)lane] <= t.tick)
            fail(w, op, lane,
                 "bulk copy of shared memory that thread " + std::to_string(t.thread) +
                     " wrote: fence.proxy.async is missing, at " + hex(k << m.granule_shift) +
                     shared_name(m, k << m.granule_shift));
    }
}

/* op.is_signed: the copy is a load. c: register with the bytes. data[0]: the base register of the mbarrier's
 * address; data[1..2]: the offset from this base. */
void start(Warp &w, const Op &op, uint32_t lanes)
{
    Machine &m = *w.m;
    Addresses to, from, barrier;
    addresses(w, op.a, op.offset, op.mode & 1, to);
    addresses(w, op.b, op.target, op.mode & 2, from);
    if (op.is_signed)
        addresses(w, op.data[0], (int32_t)op.data[1], op.mode & 4, barrier);
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        Bulk c = {};
        c.op = &op, c.warp = w.first_thread / 32, c.lane = l, c.is_load = op.is_signed;
        c.shared = op.is_signed ? to.at[l] : from.at[l], c.global = op.is_signed ? from.at[l] : to.at[l];
        c.shared -= (c.shared & WINDOW) == SHARED_WINDOW ? SHARED_WINDOW : 0;
        c.bytes = cells<uint32_t>(w, op.c)[l], c.group = w.bulk_group[l];
        if (c.bytes == 0 || c.bytes % 16)
            fail(w, op, l, "bulk copy of " + std::to_string(c.bytes) + " bytes: expected a multiple of 16");
        check_shared_range(w, op, l, {c.shared, c.bytes, 16});
        if (c.is_load) {
            mbarrier_at(w, op, l, barrier.at[l]);
            c.mbarrier = (uint32_t)(barrier.at[l] & ~WINDOW);
            check_global_range(w, c, false);
        }
        if (!m.shadow.empty()) {
            if (!c.is_load)
                check_proxy_fence(w, op, l, c.shared, c.bytes);
            uint64_t at[32] = {};
            for (at[l] = c.shared; at[l] < c.shared + c.bytes; at[l] += 16)
                watch_shared(w, {op, 1u << l, 16, c.is_load}, at);
            mark_pending(m, c.shared, c.bytes, c.is_load);
        }
        m.bulk.push_back(c);
    }
}

void commit(Warp &w, const Op &, uint32_t lanes)
{
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        w.bulk_group[__builtin_ctz(rest)]++;
}

void read_shared(Machine &m, Bulk &c)
{
    if (c.is_read)
        return;
    c.data.assign(m.shared + c.shared, m.shared + c.shared + c.bytes);
    c.is_read = true;
    mark_landed(m, c.shared, c.bytes, false, 32 * c.warp + (unsigned)c.lane);
}
void write_global(Machine &m, const Bulk &c)
{
    check_global_range((*m.warps)[c.warp], c, true);
    std::memcpy((void *)(uintptr_t)c.global, c.data.data(), c.bytes);
}

/* Waits for all groups except the last op.mode groups. op.is_signed (.read): only waits until shared memory has been
 * read. */
void wait_group(Warp &w, const Op &op, uint32_t lanes)
{
    Machine &m = *w.m;
    ++m.tick;
    for (size_t k = 0; k < m.bulk.size();) {
        Bulk &c = m.bulk[k];
        const bool is_due = !c.is_load && c.warp == w.first_thread / 32 && lanes >> c.lane & 1 &&
                            (uint64_t)c.group + (uint64_t)op.mode < w.bulk_group[c.lane];
        if (is_due)
            read_shared(m, c);
        if (is_due && !op.is_signed) {
            write_global(m, c);
            m.bulk.erase(m.bulk.begin() + (long)k);
        } else {
            k++;
        }
    }
}

void nothing(Warp &, const Op &, uint32_t)
{
}

} // namespace

void check_block_end(Machine &m)
{
    for (const Bulk &c : m.bulk) {
        Warp &w = (*m.warps)[c.warp];
        if (c.is_load)
            fail(w, *c.op, c.lane, "the block ends while a bulk copy into its shared memory is in flight");
        if (!c.is_read)
            fail(w, *c.op, c.lane,
                 "the block ends before a bulk copy has read its shared memory: cp.async.bulk.wait_group is missing");
        write_global(m, c);
    }
    m.bulk.clear();
}

bool decode_bulk_copy(Decoder &d, const Instruction &i, Op &op)
{
    op.what = C_BARRIER;
    if (d.has(i, "commit_group"))
        return op.run = commit, true;
    if (d.has(i, "wait_group")) {
        d.operand_count(i, 1, 1);
        return op.run = wait_group, op.mode = d.immediate(i.operands[0]), op.is_signed = d.has(i, "read"), true;
    }
    if (d.has(i, "prefetch"))
        return op.run = nothing, true;
    const bool has_policy = i.opcode.find("cache_hint") != std::string::npos;
    if (i.parts.size() < 5 || d.has(i, "multicast::cluster") || d.has(i, "cp_mask"))
        return false;
    const bool is_to_shared = i.parts[3] == "shared::cluster" || i.parts[3] == "shared::cta";
    const bool is_load = is_to_shared && i.parts[4] == "global" && d.has(i, "mbarrier::complete_tx::bytes");
    const bool is_store = i.parts[3] == "global" && i.parts[4] == "shared::cta" && d.has(i, "bulk_group");
    if (!is_load && !is_store)
        return false;
    const size_t operands = 3u + is_load + has_policy;
    d.operand_count(i, operands, operands);
    d.program.needs_clocks = true;
    op.what = is_load ? C_LOAD_GLOBAL : C_STORE_GLOBAL, op.space = SHARED, op.run = start, op.is_signed = is_load;
    op.bytes = 16, op.count = 1;
    bool is_wide[3] = {};
    int64_t from = 0, barrier = 0;
    d.address(i.operands[0], op.a, op.offset, is_wide[0]);
    d.address(i.operands[1], op.b, from, is_wide[1]);
    op.c = d.source(i.operands[2], "u32");
    if (is_load)
        d.address(i.operands[3], op.data[0], barrier, is_wide[2]);
    if (from != (int32_t)from || barrier != (int32_t)barrier)
        throw Fault("an offset of more than 31 bits");
    op.target = (int)from, op.data[1] = (uint32_t)(int32_t)barrier;
    op.mode = is_wide[0] | is_wide[1] << 1 | is_wide[2] << 2;
    return true;
}

} // namespace ptx
