/* shared.cpp - accesses to shared memory: alignment, bounds, races, reads of unwritten bytes, wavefronts. A request is
 * served in phases of 128 bytes: 32 lanes of 4 bytes, 16 lanes of 8 bytes, or 8 lanes of 16 bytes. The wavefronts of a
 * phase are the number of distinct words in the bank with the most distinct words. The ideal is one wavefront for each
 * phase with an active lane. */
#include "machine/machine.h"

#include <algorithm>

namespace ptx
{
namespace
{

/* Returns the largest number of distinct words in one bank. Words that differ from the first word of their bank are
 * collected, and the distinct ones are counted. */
unsigned fullest_bank(const uint64_t *at, uint32_t lanes, unsigned words)
{
    uint32_t first[32], used = 0, repeated[256];
    unsigned repeats = 0;
    for (uint32_t m = lanes; m; m &= m - 1) {
        const uint32_t word = (uint32_t)(at[__builtin_ctz(m)] / 4);
        for (unsigned i = 0; i < words; i++) {
            const uint32_t v = word + i, bank = v % 32;
            if (!(used >> bank & 1))
                used |= 1u << bank, first[bank] = v;
            else if (first[bank] != v)
                repeated[repeats++] = v;
        }
    }
    if (!repeats)
        return 1;
    std::sort(repeated, repeated + repeats);
    repeats = (unsigned)(std::unique(repeated, repeated + repeats) - repeated);
    uint8_t count[32] = {};
    unsigned most = 0;
    for (unsigned k = 0; k < repeats; k++)
        most = std::max<unsigned>(most, ++count[repeated[k] % 32]);
    return most + 1;
}

bool is_now(const Machine &m, const Touch &t, unsigned flag)
{
    return t.flags & flag && t.tick >= m.start_tick;
}

/* An access of one lane to one granule. */
struct LaneAccess {
    Warp &w;
    const Op &op;
    int lane;
    uint64_t at;
    size_t granule;
    bool is_write;
};

[[noreturn]] void race(const LaneAccess &a, const char *what, const Touch &other)
{
    const std::string by = other.flags & T_SEVERAL        ? "several threads"
                           : other.thread == ASYNC_THREAD ? "a bulk copy"
                                                          : "thread " + std::to_string(other.thread);
    fail(a.w, a.op, a.lane,
         std::string("race in shared memory: ") + what + " by " + by + " since the last barrier, at " + hex(a.at) +
             shared_name(*a.w.m, a.at));
}

[[noreturn]] void fail_at(const LaneAccess &a, const char *what)
{
    fail(a.w, a.op, a.lane, std::string(what) + hex(a.at) + shared_name(*a.w.m, a.at));
}

void check_flags(const LaneAccess &a, const Shadow &s)
{
    const Machine &m = *a.w.m;
    if (s.write.flags & T_GUARD)
        fail_at(a, "shared memory out of bounds at ");
    if (is_now(m, s.write, T_MBARRIER))
        fail_at(a, "an mbarrier is accessed as plain memory, at ");
    if (is_now(m, s.write, T_PENDING))
        fail_at(a, "race in shared memory: an asynchronous copy into it has not been waited for, at ");
    if (a.is_write && is_now(m, s.read, T_PENDING))
        fail_at(a, "race in shared memory: an asynchronous copy still reads it, at ");
}

/* Faults if a write is not ordered after the last reads of its granule. */
void check_readers(const LaneAccess &a, const Shadow &s)
{
    const Warp &w = a.w;
    const Machine &m = *w.m;
    const unsigned thread = w.first_thread + (unsigned)a.lane, own = w.first_thread / 32;
    const bool is_mine = !(s.read.flags & T_SEVERAL) && s.read.thread == thread;
    if (m.seen.empty() || s.read.thread / 32 == own) {
        const uint64_t ordered = s.read.flags & T_SEVERAL
                                     ? (s.read.thread / 32 == own && !m.seen.empty() ? ~0ull : m.barrier_tick)
                                     : ordered_since(w, a.lane, s.read.thread);
        if (s.read.tick >= ordered && !is_mine)
            race(a, "a write meets a read", s.read);
    }
    const unsigned warps = m.seen.empty() ? 0 : (unsigned)m.warps->size();
    for (unsigned v = 0; v < warps; v++) {
        const uint32_t tick = m.reads[a.granule * warps + v];
        if (v != own && tick >= m.barrier_tick && tick >= ordered_since_warp(w, a.lane, v))
            race(a, "a write meets a read", Touch{tick, 32 * v, T_SEVERAL});
    }
}

void watch_granule(const LaneAccess &a)
{
    const Warp &w = a.w;
    const Op &op = a.op;
    const bool is_write = a.is_write;
    Machine &m = *w.m;
    Shadow &s = m.shadow[a.granule];
    const unsigned thread = w.first_thread + (unsigned)a.lane;
    if (s.write.flags | s.read.flags)
        check_flags(a, s);
    const bool is_strong = op.is_atomic || op.is_strong;
    if (s.write.thread != thread && !(is_strong && s.write.flags & T_ATOMIC) &&
        s.write.tick >= ordered_since(w, a.lane, s.write.thread))
        race(a,
             is_strong  ? "an atomic meets a write"
             : is_write ? "a write meets a write"
                        : "a read meets a write",
             s.write);
    if ((!is_write || op.is_atomic) && s.write.tick < m.start_tick)
        fail_at(a, "shared memory read before it was written, at ");
    if (is_write) {
        check_readers(a, s);
        /* If a thread writes a granule with a plain write and then with an atomic, the record of the plain write stays,
         * so that the accesses of other threads are still checked against it. */
        if (is_strong && s.write.thread == thread && !(s.write.flags & T_ATOMIC) && s.write.tick >= m.barrier_tick)
            return;
        s.write = Touch{m.tick, thread, is_strong ? T_ATOMIC : 0u};
        return;
    }
    if (is_strong)
        return;
    const unsigned pending = is_now(m, s.read, T_PENDING) ? (unsigned)T_PENDING : 0u;
    const bool joins = s.read.tick >= m.barrier_tick && (s.read.thread != thread || s.read.flags & T_SEVERAL);
    s.read = Touch{m.tick, thread, pending | (joins ? (unsigned)T_SEVERAL : 0u)};
    if (!m.reads.empty())
        m.reads[a.granule * m.warps->size() + w.first_thread / 32] = (uint32_t)m.tick;
}

} // namespace

unsigned wavefronts(const uint64_t *at, uint32_t lanes, unsigned bytes, unsigned *ideal)
{
    const unsigned phase = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8, words = bytes <= 4 ? 1 : bytes / 4;
    unsigned sum = 0;
    for (unsigned first = 0; first < 32; first += phase) {
        const uint32_t here = lanes & (phase == 32 ? FULL : ((1u << phase) - 1) << first);
        if (here)
            ++*ideal, sum += fullest_bank(at, here, words);
    }
    return sum;
}

std::string shared_name(const Machine &m, uint64_t at)
{
    for (const Variable &v : m.p->shared) {
        const size_t bytes = v.bytes ? v.bytes : m.l->dynamic_bytes;
        if (at + 64 > v.offset && at < v.offset + bytes + 64)
            return ", near " + v.name + " [" + std::to_string((long long)at - (long long)v.offset) + " of " +
                   std::to_string(bytes) + " bytes]";
    }
    return "";
}

void watch_shared(Warp &w, const Request &q, const uint64_t *at)
{
    const unsigned shift = w.m->granule_shift, n = std::max(1u, q.bytes >> shift);
    for (uint32_t rest = q.lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        for (unsigned k = 0; k < n; k++)
            watch_granule({w, q.op, l, at[l], (at[l] >> shift) + k, q.is_write});
    }
}

void check_shared_range(Warp &w, const Op &op, int lane, const SharedRange &range)
{
    Machine &m = *w.m;
    const uint64_t at = range.at, bytes = range.bytes;
    if (at % range.align)
        fail(w, op, lane, "misaligned shared access of " + std::to_string(bytes) + " bytes at " + hex(at));
    if (at > m.shared_bytes || bytes > m.shared_bytes - at)
        fail(w, op, lane,
             "shared memory out of bounds at " + hex(at) + " of " + std::to_string(m.shared_bytes) +
                 shared_name(m, at));
}

void check_shared(Warp &w, const Request &q, const uint64_t *at)
{
    Machine &m = *w.m;
    const unsigned bytes = q.bytes;
    for (uint32_t rest = q.lanes; rest; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (at[l] & (bytes - 1) || at[l] + bytes > m.shared_bytes)
            check_shared_range(w, q.op, l, {at[l], bytes, bytes});
    }
    if (m.l->watches_shared)
        watch_shared(w, q, at);
    if (m.l->stats) {
        Stat &s = (*m.l->stats)[(size_t)q.op.index];
        unsigned ideal = 0;
        s.requests++, s.pieces += wavefronts(at, q.lanes, bytes, &ideal);
        s.ideal += ideal;
    }
}

void mark_pending(Machine &m, uint64_t at, uint64_t bytes, bool is_write)
{
    if (m.shadow.empty())
        return;
    for (uint64_t k = at >> m.granule_shift; k <= (at + bytes - 1) >> m.granule_shift; k++) {
        Touch &t = is_write ? m.shadow[k].write : m.shadow[k].read;
        t.flags = T_PENDING, t.tick = m.tick;
    }
}

void mark_landed(Machine &m, uint64_t at, uint64_t bytes, bool is_write, unsigned thread)
{
    if (m.shadow.empty())
        return;
    for (uint64_t k = at >> m.granule_shift; k <= (at + bytes - 1) >> m.granule_shift; k++) {
        Touch &t = is_write ? m.shadow[k].write : m.shadow[k].read;
        t = Touch{m.tick, thread, 0};
        if (!is_write && !m.reads.empty() && thread < ASYNC_THREAD)
            m.reads[k * m.warps->size() + thread / 32] = (uint32_t)m.tick;
    }
}

} // namespace ptx
