/* global.cpp - accesses to global memory: alignment, bounds, races, reads of unwritten bytes, sectors. A request costs
 * as many sectors of 32 bytes as its lanes touch. The ideal cost is the number of bytes that the lanes request, divided
 * by 32 and rounded up. */
#include "machine/machine.h"
#include "watch/global_watch.h"
#include "watch/written_bytes.h"

#include <algorithm>

namespace ptx
{
namespace
{

const Range *find(const std::vector<Range> &memory, uint64_t at)
{
    auto next =
        std::upper_bound(memory.begin(), memory.end(), at, [](uint64_t v, const Range &r) { return v < r.begin; });
    return next == memory.begin() || (--next)->end <= at ? nullptr : &*next;
}
const Range *area_of(const Machine &m, uint64_t at)
{
    const Range *r = find(*m.l->memory, at);
    return r ? r : find(m.p->module_memory, at);
}

void check_bounds(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes, unsigned bytes)
{
    Machine &m = *w.m;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const Range *r = area_of(m, at[l]);
        if (!r || at[l] + bytes > r->end) {
            const Range *below = r ? r : area_of(m, at[l] - 1);
            fail(w, op, l,
                 "global access of " + std::to_string(bytes) + " bytes out of bounds at " + hex(at[l]) +
                     (below ? ", at the end of the allocation " + hex(below->begin) + " + " +
                                  std::to_string(below->end - below->begin)
                            : std::string()));
        }
        m.near = *r;
    }
}

void check_alignment(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes, unsigned bytes)
{
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (at[l] & (bytes - 1))
            fail(w, op, l, "misaligned global access of " + std::to_string(bytes) + " bytes at " + hex(at[l]));
    }
}

void count_sectors(Stat &s, const uint64_t *at, uint32_t lanes, unsigned bytes)
{
    uint64_t sector[32], n = 0;
    bool is_sorted = true;
    for (uint32_t m = lanes; m; m &= m - 1) {
        const uint64_t v = at[__builtin_ctz(m)] / 32;
        if (n && sector[n - 1] == v)
            continue;
        is_sorted = is_sorted && (!n || sector[n - 1] < v);
        sector[n++] = v;
    }
    if (!is_sorted) {
        std::sort(sector, sector + n);
        n = (uint64_t)(std::unique(sector, sector + n) - sector);
    }
    s.requests++, s.pieces += n, s.ideal += ((uint64_t)__builtin_popcount(lanes) * bytes + 31) / 32;
}

void watch(Warp &w, const Request &q, const uint64_t *at)
{
    Machine &m = *w.m;
    const Op &op = q.op;
    GlobalWatch::Access a = {m.block_number, 0, 0, m.tick, &w, 0, op.index, q.is_write, op.is_constant};
    for (uint32_t rest = q.lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (!(at[l] >= m.near.begin && at[l] < m.near.end))
            m.near = *area_of(m, at[l]);
        a.lane = l, a.issuer = w.first_thread + (unsigned)l,
        a.thread = m.is_bulk_load ? (unsigned)ASYNC_THREAD : a.issuer;
        const char *what = m.l->global->touch(m.near, at[l], q.bytes, a);
        if (!what)
            continue;
        const std::string other = std::strstr(what, "reads with ld.global.nc")
                                      ? "\n  read at " + place_of(*m.p, m.l->global->reader)
                                      : std::string();
        if (m.l->warnings && std::strstr(what, ".nc"))
            ++(*m.l->warnings)[std::string(what) + "\n  kernel " + m.p->function->name + "\n  " +
                               place_of(*m.p, op.index) + other];
        else
            fail(w, op, l, std::string(what) + ", at " + hex(at[l]) + other);
    }
}

/* At an atomic, a block publishes its writes if all of them are fenced, and acquires the published writes of the
 * blocks that have already used the same address. */
void meet_at_atomic(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes)
{
    Machine &m = *w.m;
    if (op.is_release)
        fence_global(w, lanes);
    if (op.is_strong && !op.is_release && !op.is_acquire)
        return;
    bool is_clean = !m.has_unfenced;
    for (const Warp &other : *m.warps)
        is_clean = is_clean && !other.unfenced;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        m.l->global->drew(m.block_number, at[__builtin_ctz(rest)], is_clean);
    if (op.is_acquire)
        fence_global(w, lanes);
}

void check_written(Warp &w, const Request &q, const uint64_t *at)
{
    WrittenBytes &written = *w.m->l->written;
    const unsigned bytes = q.bytes;
    for (uint32_t rest = q.lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (q.is_write && !q.op.is_atomic) {
            written.set((uintptr_t)at[l], bytes);
            continue;
        }
        const size_t first = w.m->l->blocks ? bytes : written.first_unwritten((uintptr_t)at[l], bytes);
        if (first < bytes && !find(w.m->p->module_memory, at[l]))
            fail(w, q.op, l, "global memory read before it was written, at " + hex(at[l] + first));
        if (q.is_write)
            written.set((uintptr_t)at[l], bytes);
    }
}

} // namespace

void fence_global(Warp &w, uint32_t lanes)
{
    w.unfenced &= ~lanes;
    w.m->has_unfenced = false;
    if (w.m->l->global)
        w.m->l->global->fenced(w.m->block_number);
}

void check_global(Warp &w, const Request &q, const uint64_t *at)
{
    Machine &m = *w.m;
    const Launch &launch = *m.l;
    const Op &op = q.op;
    const uint32_t lanes = q.lanes;
    const unsigned bytes = q.bytes;
    uint64_t low = ~0ull, high = 0, low_bits = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
        const uint64_t v = at[__builtin_ctz(rest)];
        low = std::min(low, v), high = std::max(high, v), low_bits |= v;
    }
    if (low_bits & (bytes - 1))
        check_alignment(w, op, at, lanes, bytes);
    if (launch.memory && !(low >= m.near.begin && high + bytes <= m.near.end))
        check_bounds(w, op, at, lanes, bytes);
    if (launch.stats)
        count_sectors((*launch.stats)[(size_t)op.index], at, lanes, bytes);
    if (launch.written)
        check_written(w, q, at);
    if (!launch.global || !launch.memory)
        return;
    if (op.is_atomic || op.is_strong)
        return meet_at_atomic(w, op, at, lanes);
    if (q.is_write)
        w.unfenced |= lanes, launch.global->wrote(m.block_number);
    watch(w, q, at);
}

} // namespace ptx
