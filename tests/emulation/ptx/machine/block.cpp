/* block.cpp - runs a launch: checks its limits, runs its blocks, and orders the warps of a block. Blocks run one after
 * the other. In a block, every warp runs until it waits for other warps. If no warp of the block makes progress, the
 * block is in a deadlock. */
#include "machine/machine.h"
#include "watch/global_watch.h"

#include <algorithm>
#include <cstdlib>

namespace ptx
{
namespace
{

uint64_t next_random(uint64_t &s)
{
    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    return s;
}
void order(std::vector<uint32_t> &items, unsigned schedule, uint64_t &random)
{
    std::sort(items.begin(), items.end());
    if (schedule == 1)
        std::reverse(items.begin(), items.end());
    for (size_t i = schedule > 1 ? items.size() : 0; i > 1; i--)
        std::swap(items[i - 1], items[next_random(random) % i]);
}
std::vector<uint32_t> numbers(uint64_t count)
{
    std::vector<uint32_t> all((size_t)count);
    for (size_t k = 0; k < all.size(); k++)
        all[k] = (uint32_t)k;
    return all;
}

struct Buffer { /* memory with an alignment of 1 KiB */
    explicit Buffer(size_t bytes) : p(static_cast<char *>(std::aligned_alloc(1024, bytes / 1024 * 1024 + 1024)))
    {
    }
    Buffer(const Buffer &) = delete;
    ~Buffer()
    {
        std::free(p);
    }
    char *p;
};

/* Most bytes of shared memory of a block; CUDA C++ Programming Guide, table of compute capabilities. */
size_t shared_limit(int target)
{
    static const std::pair<int, size_t> limits[] = {{75, 64},   {80, 163},  {86, 99},   {87, 163}, {89, 99}, {90, 227},
                                                    {100, 227}, {103, 227}, {110, 227}, {120, 99}, {121, 99}};
    for (const auto &l : limits)
        if (l.first == target)
            return l.second * 1024;
    return 227 * 1024;
}

uint64_t volume(const Dim &d)
{
    return (uint64_t)d.x * d.y * d.z;
}

void check_launch(const Program &p, const Launch &l)
{
    const std::string kernel = "kernel " + p.function->name + ": ";
    const uint64_t threads = volume(l.block), blocks = volume(l.grid);
    if (!threads || threads > 1024 || !blocks || blocks > UINT32_MAX)
        throw Fault(kernel + "bad grid or block: " + std::to_string(blocks) + " blocks of " + std::to_string(threads) +
                    " threads, expected 1 to 1024 threads");
    if (p.function->max_threads && threads > (uint64_t)p.function->max_threads)
        throw Fault(kernel + "more threads than .maxntid: found " + std::to_string(threads) + ", expected up to " +
                    std::to_string(p.function->max_threads));
    if (l.parameter_bytes != p.function->parameter_bytes)
        throw Fault(kernel + "wrong size of the parameters: found " + std::to_string(l.parameter_bytes) +
                    " bytes, expected " + std::to_string(p.function->parameter_bytes));
    const size_t limit = shared_limit(p.module->target), total = p.real_shared_bytes + l.dynamic_bytes;
    if (total > limit)
        throw Fault(kernel + "too much shared memory: found " + std::to_string(total) + " bytes, expected up to " +
                    std::to_string(limit));
    if (l.dynamic_limit && l.dynamic_bytes > l.dynamic_limit)
        throw Fault(kernel + "too much dynamic shared memory: found " + std::to_string(l.dynamic_bytes) +
                    " bytes, expected up to " + std::to_string(l.dynamic_limit));
    if (l.stats && l.stats->size() < p.code.size())
        throw Fault(kernel + "Launch::stats needs one element for each instruction");
}

void mark_gaps(Machine &m) /* marks the granules that belong to no array */
{
    std::vector<char> is_used(m.shadow.size(), 0);
    for (const Variable &v : m.p->shared) {
        const size_t bytes = v.bytes ? v.bytes : m.l->dynamic_bytes;
        for (size_t at = v.offset; at < v.offset + bytes; at += m.p->granule)
            is_used[at >> m.granule_shift] = 1;
    }
    for (size_t k = 0; k < is_used.size(); k++)
        if (!is_used[k])
            m.shadow[k].write.flags = T_GUARD;
}

void prepare_checks(Machine &m, size_t warp_count)
{
    if (m.l->watches_shared) {
        m.granule_shift = (unsigned)__builtin_ctz(m.p->granule);
        m.shadow.assign((m.shared_bytes >> m.granule_shift) + 2, Shadow());
        mark_gaps(m);
    }
    if (m.p->needs_clocks && m.l->watches_shared) {
        m.seen.assign(warp_count, Clock(THREADS, 0)), m.fresh = m.seen;
        m.reads.assign(m.shadow.size() * warp_count, 0);
        m.proxy_fence.assign(THREADS, 0);
    }
}

struct WarpMemory { /* memory of all warps of a block, one warp after the other */
    char *registers, *local;
    size_t register_bytes; /* bytes of the registers of one warp */
};

void prepare_warp(Machine &m, Warp &w, unsigned number, const WarpMemory &memory)
{
    const Launch &l = *m.l;
    w.m = &m, w.r = memory.registers + memory.register_bytes * number;
    w.local = memory.local + m.p->function->local_bytes * 32 * number;
    w.first_thread = 32 * number;
    std::memset(w.r, 0xff, memory.register_bytes); /* registers begin as NaN */
    for (const Constant &c : m.p->constants)
        for (int lane = 0; lane < 32; lane++)
            if (c.is_wide)
                cells<uint64_t>(w, c.at)[lane] = c.value;
            else
                cells<uint32_t>(w, c.at)[lane] = (uint32_t)c.value;
    for (unsigned lane = 0; lane < 32; lane++) {
        const unsigned t = 32 * number + lane;
        w.tid[0][lane] = t % l.block.x, w.tid[1][lane] = t / l.block.x % l.block.y,
        w.tid[2][lane] = t / l.block.x / l.block.y;
    }
}

void begin_block(Machine &m, uint32_t number)
{
    const Dim &grid = m.l->grid;
    m.block.x = number % grid.x, m.block.y = number / grid.x % grid.y, m.block.z = number / grid.x / grid.y;
    m.block_number = number;
    std::memset(m.shared, 0xff, m.shared_bytes); /* shared memory begins as NaN */
    m.start_tick = m.barrier_tick = ++m.tick;
    m.has_unfenced = false;
    for (Barrier &b : m.barriers)
        b = Barrier();
    m.mbarriers.clear(), m.bulk.clear();
    const uint64_t threads = volume(m.l->block);
    for (Warp &w : *m.warps) {
        const unsigned here = (unsigned)std::min<uint64_t>(32, threads - w.first_thread);
        w.alive = here == 32 ? FULL : (1u << here) - 1;
        w.groups.assign(1, {0, w.alive, false});
        w.warp_tick = m.tick, w.branches = 0;
        w.is_at_barrier = w.has_yielded = false;
        w.copies.clear();
        std::memset(w.copy_group, 0, sizeof w.copy_group);
        std::memset(w.bulk_group, 0, sizeof w.bulk_group);
        w.unfenced = w.fresh_lanes = 0;
    }
}

void run_block(Machine &m, std::vector<uint32_t> &warp_order, uint64_t &random)
{
    std::vector<Warp> &warps = *m.warps;
    for (unsigned idle_rounds = 0;;) {
        const uint64_t before = m.progress;
        order(warp_order, m.l->schedule, random);
        for (uint32_t k : warp_order)
            if (warps[k].alive && !warps[k].is_at_barrier)
                run_warp(warps[k]);
        bool any_alive = false;
        for (const Warp &w : warps)
            any_alive = any_alive || w.alive;
        if (!any_alive)
            break;
        bool any_runs = false;
        for (const Warp &w : warps)
            any_runs = any_runs || (w.alive && !w.is_at_barrier);
        idle_rounds = m.progress != before ? 0 : idle_rounds + 1;
        /* A thread that retries may wait for memory rather than for a barrier, so 64 rounds without progress
         * are allowed. */
        if (!any_runs || idle_rounds > 64)
            report_deadlock(m);
    }
    check_block_end(m);
}

} // namespace

void run(const Program &p, const Launch &l)
{
    check_launch(p, l);
    Machine m;
    m.p = &p, m.l = &l;
    m.shared_bytes = p.shared_bytes + (p.has_dynamic ? l.dynamic_bytes : 0);
    const unsigned count = (unsigned)((volume(l.block) + 31) / 32);
    /* A distance of a multiple of 4 KiB would map the registers of all warps to the same sets of the cache. */
    const size_t file = (p.file_bytes + 127) / 128 * 128 + 128;
    const Buffer shared(m.shared_bytes + 1024), files(file * count), local(p.function->local_bytes * 32 * count);
    m.shared = shared.p;
    prepare_checks(m, count);
    std::vector<Warp> warps(count);
    m.warps = &warps;
    for (unsigned k = 0; k < count; k++)
        prepare_warp(m, warps[k], k, {files.p, local.p, file});
    if (l.global)
        l.global->begin();
    uint64_t random = 0x9e3779b97f4a7c15ull * (l.schedule + 1);
    std::vector<uint32_t> blocks = l.blocks ? *l.blocks : numbers(volume(l.grid)), warp_order = numbers(count);
    order(blocks, l.schedule, random);
    for (uint32_t b : blocks) {
        if (b >= volume(l.grid))
            throw Fault("kernel " + p.function->name + ": Launch::blocks names block " + std::to_string(b) +
                        ", the grid has " + std::to_string(volume(l.grid)));
        begin_block(m, b);
        run_block(m, warp_order, random);
    }
}

} // namespace ptx
