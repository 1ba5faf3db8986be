/* order.cpp - the happens-before relation of the race checks. A barrier of the whole block is one tick for all threads
 * (Machine::barrier_tick). Named barriers and mbarriers have vector clocks, with a tick for each thread: a thread that
 * arrives releases its clock into the object, and a thread that has waited acquires the object's clock. If lanes of a
 * warp acquire separately, they share one clock until the next sync of the warp. */
#include "machine/machine.h"

#include <algorithm>

namespace ptx
{

uint64_t ordered_since(const Warp &w, int lane, unsigned thread)
{
    const Machine &m = *w.m;
    const bool is_own = thread / 32 == w.first_thread / 32;
    uint64_t tick = is_own ? std::max(m.barrier_tick, w.warp_tick) : m.barrier_tick;
    if (m.seen.empty())
        return tick;
    const unsigned number = w.first_thread / 32;
    tick = std::max<uint64_t>(tick, m.seen[number][thread]);
    return w.fresh_lanes >> lane & 1 ? std::max<uint64_t>(tick, m.fresh[number][thread]) : tick;
}

uint64_t ordered_since_warp(const Warp &w, int lane, unsigned warp)
{
    uint64_t most = 0;
    for (unsigned t = 32 * warp; t < 32 * warp + 32; t++)
        most = std::max(most, ordered_since(w, lane, t));
    return most;
}

void release(Warp &w, uint32_t lanes, Clock &into)
{
    Machine &m = *w.m;
    if (m.seen.empty())
        return;
    const unsigned number = w.first_thread / 32;
    into.resize(THREADS, 0);
    const uint32_t tick = (uint32_t)++m.tick, base = (uint32_t)m.barrier_tick;
    for (unsigned t = 0; t < THREADS; t++)
        into[t] = std::max({into[t], m.seen[number][t], base});
    if (w.fresh_lanes & lanes)
        for (unsigned t = 0; t < THREADS; t++)
            into[t] = std::max(into[t], m.fresh[number][t]);
    for (unsigned l = 0; l < 32; l++) {
        uint32_t &own = into[w.first_thread + l];
        own = lanes >> l & 1 ? tick : std::max(own, (uint32_t)w.warp_tick);
    }
}

void acquire(Warp &w, uint32_t lanes, const Clock &from)
{
    Machine &m = *w.m;
    if (m.seen.empty() || from.empty())
        return;
    Clock &into = m.fresh[w.first_thread / 32];
    for (unsigned t = 0; t < THREADS; t++)
        into[t] = std::max(into[t], from[t]);
    w.fresh_lanes |= lanes;
    if ((w.fresh_lanes & w.alive) == w.alive)
        join_clocks(w);
}

void join_clocks(Warp &w)
{
    Machine &m = *w.m;
    if (m.seen.empty() || !w.fresh_lanes)
        return;
    const unsigned number = w.first_thread / 32;
    for (unsigned t = 0; t < THREADS; t++)
        m.seen[number][t] = std::max(m.seen[number][t], m.fresh[number][t]);
    w.fresh_lanes = 0;
}

} // namespace ptx
