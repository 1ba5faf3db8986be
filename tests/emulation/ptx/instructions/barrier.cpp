/* barrier.cpp - bar and barrier, the 16 barriers of a block. A warp arrives with all its remaining lanes at once. A
 * barrier without a thread count is for the whole block, and no thread of the block may have ended earlier. */
#include "decode/decode.h"

#include <algorithm>

namespace ptx
{
namespace
{

enum Reduction { NONE, POPC, AND, OR };

unsigned block_threads(const Machine &m)
{
    return m.l->block.x * m.l->block.y * m.l->block.z;
}
unsigned round_up(unsigned threads)
{
    return (threads + 31) / 32 * 32;
}

std::string where_warps_are(const Machine &m)
{
    std::string where;
    for (const Warp &w : *m.warps) {
        where += "\n  warp " + std::to_string(w.first_thread / 32);
        if (!w.alive)
            where += " has ended";
        else if (w.is_at_barrier)
            where += " waits at " + place_of(*m.p, w.barrier_pc);
        else
            for (const Group &g : w.groups)
                where += " retries at " + place_of(*m.p, std::min(g.pc, (int)m.p->code.size() - 1));
    }
    return where;
}

std::string how_many_wait(const Machine &m)
{
    unsigned waiting = 0;
    for (const Warp &w : *m.warps)
        waiting += w.is_at_barrier;
    return std::to_string(waiting) + " of " + std::to_string(m.warps->size()) + " warps wait";
}

void check_whole_block(Machine &m, const Op &op, const Barrier &b)
{
    for (unsigned number : b.waiting) {
        Warp &w = (*m.warps)[number];
        if (w.barrier_pc != b.place && !m.l->allows_barriers_in_two_places)
            fail(w, op, 0, "threads of one block diverged at a barrier: " + how_many_wait(m) + where_warps_are(m));
        const unsigned here = std::min(32u, block_threads(m) - w.first_thread);
        const uint32_t all = here == 32 ? FULL : (1u << here) - 1;
        if (w.alive != all)
            fail(w, op, __builtin_ctz(all & ~w.alive), "a thread has ended before a barrier that the others wait at");
    }
}

void vote(Barrier &b, const Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t p = predicate(w, op.a) & lanes;
    b.votes += __builtin_popcount(p);
    b.votes_or = b.votes_or || p, b.votes_and = b.votes_and && p == lanes;
}

void complete(Machine &m, Barrier &b, bool is_whole)
{
    for (unsigned number : b.waiting) {
        Warp &w = (*m.warps)[number];
        const Op &op = m.p->code[(size_t)w.barrier_pc];
        w.is_at_barrier = false;
        if (op.mode == POPC)
            each<uint32_t>(cells<uint32_t>(w, op.d), w.alive, [&](int) { return (uint32_t)b.votes; });
        else if (op.mode)
            predicate(w, op.d) = (op.mode == AND ? b.votes_and : b.votes_or) ? FULL : 0;
        if (!is_whole) {
            w.warp_tick = ++m.tick;
            acquire(w, w.alive, b.clock);
        }
    }
    if (is_whole) {
        m.barrier_tick = ++m.tick;
        for (Warp &w : *m.warps) /* a fence after the barrier also covers writes before the barrier */
            m.has_unfenced = m.has_unfenced || w.unfenced, w.unfenced = 0;
    }
    m.progress++;
    b = Barrier();
}

unsigned uniform(Warp &w, const Op &op, uint32_t at, uint32_t lanes, const char *what)
{
    const uint32_t *v = cells<uint32_t>(w, at), first = v[__builtin_ctz(lanes)];
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        if (v[__builtin_ctz(rest)] != first)
            fail(w, op, __builtin_ctz(rest), std::string(what) + " of a barrier differs between lanes");
    return first;
}

} // namespace

void report_deadlock(Machine &m)
{
    for (Warp &w : *m.warps)
        if (w.is_at_barrier)
            fail(w, m.p->code[(size_t)w.barrier_pc], w.alive ? __builtin_ctz(w.alive) : 0,
                 "threads of one block diverged at a barrier: " + how_many_wait(m) + where_warps_are(m));
    for (Warp &w : *m.warps)
        if (w.alive)
            fail(w, m.p->code[(size_t)std::min(w.groups.front().pc, (int)m.p->code.size() - 1)], __builtin_ctz(w.alive),
                 "every thread waits for another: a wait that never ends" + where_warps_are(m));
    throw Fault("no thread can run");
}

bool arrive_at_barrier(Warp &w, const Op &op, uint32_t lanes, int pc)
{
    Machine &m = *w.m;
    const unsigned id = uniform(w, op, op.b, lanes, "the number");
    const unsigned whole = round_up(block_threads(m)),
                   count = op.c ? uniform(w, op, op.c, lanes, "the thread count") : whole;
    if (id > 15)
        fail(w, op, __builtin_ctz(lanes), "barrier " + std::to_string(id) + ": expected 0 to 15");
    if (count == 0 || count % 32 || count > whole)
        fail(w, op, __builtin_ctz(lanes),
             "barrier of " + std::to_string(count) + " threads: expected a multiple of 32 up to " +
                 std::to_string(whole));
    Barrier &b = m.barriers[id];
    if (b.expected && b.expected != count)
        fail(w, op, __builtin_ctz(lanes),
             "barrier " + std::to_string(id) + " of " + std::to_string(count) + " threads: others wait there for " +
                 std::to_string(b.expected));
    b.expected = count, b.arrived += 32;
    b.place = b.place < 0 ? pc : b.place;
    m.progress++;
    const bool is_whole = !op.c, waits = !op.is_release;
    if (op.mode)
        vote(b, w, op, lanes);
    if (!is_whole)
        release(w, lanes, b.clock);
    if (waits)
        w.is_at_barrier = true, w.barrier_pc = pc, b.waiting.push_back(w.first_thread / 32);
    if (b.arrived == b.expected) {
        if (is_whole)
            check_whole_block(m, op, b);
        complete(m, b, is_whole);
    }
    return waits && w.is_at_barrier;
}

bool decode_barrier(Decoder &d, const Instruction &i, Op &op)
{
    if (i.parts.size() > 1 && i.parts[1] == "warp")
        return decode_warp(d, i, op);
    const bool is_sync = d.has(i, "sync"), is_arrive = d.has(i, "arrive"), is_reduction = d.has(i, "red");
    if (is_sync + is_arrive + is_reduction != 1)
        return false;
    op.kind = BARRIER, op.what = C_BARRIER, op.is_release = is_arrive;
    op.mode = !is_reduction ? NONE : d.has(i, "popc") ? POPC : d.has(i, "and") ? AND : OR;
    const size_t first = is_reduction ? 1 : 0, last = i.operands.size() - (is_reduction ? 1 : 0);
    d.operand_count(i, first + 1 + (is_reduction ? 1 : 0), first + 2 + (is_reduction ? 1 : 0));
    if (is_reduction) {
        op.d = d.target(i.operands[0], op.mode == POPC ? "u32" : "pred");
        op.a = d.source(i.operands[last], "pred");
    }
    op.b = d.source(i.operands[first], "u32");
    op.c = last > first + 1 ? d.source(i.operands[first + 1], "u32") : 0;
    if (is_arrive && !op.c)
        throw Fault("bar.arrive without a thread count");
    d.program.needs_clocks = d.program.needs_clocks || op.c || i.operands[first].text != "0";
    return true;
}

} // namespace ptx
