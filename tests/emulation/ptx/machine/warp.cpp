/* warp.cpp - one warp and its divergence. A group contains the lanes with the same pc. The group with the lowest pc
 * runs until it meets another group. Compilers place code in forward order, so lanes reconverge at the end of a branch
 * or loop as early as possible. An instruction that requires several lanes blocks its group until these lanes arrive.
 * If no group can run, the missing lanes never arrive, and the machine faults. */
#include "machine/machine.h"

#include <algorithm>
#include <cstdio>

namespace ptx
{

std::string place_of(const Program &p, int index)
{
    const Instruction &i = p.function->code[(size_t)index];
    const auto name = [&](int file, int line) {
        const auto found = p.module->files.find(file);
        return (found == p.module->files.end() ? std::string("?") : found->second) + ":" + std::to_string(line);
    };
    std::string s;
    if (i.where.line)
        s = name(i.where.file, i.where.line);
    if (i.where.caller_line)
        s += ", inlined at " + name(i.where.caller_file, i.where.caller_line);
    return (s.empty() ? std::string() : s + "\n  ") + p.module->path + ":" + std::to_string(i.line) + ": " + i.text;
}

void fail(const Warp &w, const Op &op, int lane, const std::string &what)
{
    const Dim &b = w.m->block;
    char at[160];
    std::snprintf(at, sizeof at, "block (%u,%u,%u), thread (%u,%u,%u), lane %d of warp %u", b.x, b.y, b.z,
                  w.tid[0][lane], w.tid[1][lane], w.tid[2][lane], lane, w.first_thread / 32);
    throw Fault(what + "\n  kernel " + w.m->p->function->name + ", " + at + "\n  " + place_of(*w.m->p, op.index));
}

std::string hex(uint64_t v)
{
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", (unsigned long long)v);
    return text;
}

namespace
{

uint32_t needed_lanes(const Warp &w, const Op &op, uint32_t lanes)
{
    if (op.is_all_needed)
        return FULL;
    if (op.kind == BARRIER)
        return w.alive;
    return cells<uint32_t>(w, op.data[0])[__builtin_ctz(lanes)] & w.alive;
}

enum Pick { FOUND, ALL_BLOCKED, ALL_YIELD };

void merge_equal(std::vector<Group> &groups, size_t k)
{
    for (size_t j = k + 1; j < groups.size();)
        if (groups[j].pc == groups[k].pc) {
            groups[k].lanes |= groups[j].lanes, groups[k].is_blocked = false;
            groups[k].is_yielding = groups[k].is_yielding && groups[j].is_yielding;
            groups.erase(groups.begin() + (long)j);
        } else {
            j++;
        }
}

/* Merges the groups of equal pc. Then moves the runnable group with the lowest pc from the list to g. */
Pick next_group(Warp &w, Group &g)
{
    for (int pass = 0; pass < 2; pass++) {
        int best = -1;
        bool any_yields = false;
        for (size_t k = 0; k < w.groups.size(); k++) {
            merge_equal(w.groups, k);
            Group &c = w.groups[k];
            if (pass == 1 && c.is_blocked)
                c.is_blocked = (needed_lanes(w, w.m->p->code[(size_t)c.pc], c.lanes) & ~c.lanes) != 0;
            any_yields = any_yields || c.is_yielding;
            if (!c.is_blocked && !c.is_yielding && (best < 0 || c.pc < w.groups[(size_t)best].pc))
                best = (int)k;
        }
        if (best >= 0) {
            g = w.groups[(size_t)best];
            w.groups.erase(w.groups.begin() + best);
            return FOUND;
        }
        if (any_yields && pass == 1) {
            for (Group &c : w.groups)
                c.is_yielding = false;
            return ALL_YIELD;
        }
    }
    return ALL_BLOCKED;
}

[[noreturn]] void report_stuck(Warp &w)
{
    std::string others;
    for (const Group &g : w.groups)
        others += "\n  lanes " + hex(g.lanes) + " wait at " + place_of(*w.m->p, g.pc);
    const Group &first = w.groups.front();
    const Op &op = w.m->p->code[(size_t)first.pc];
    fail(w, op, __builtin_ctz(first.lanes),
         (op.kind == BARRIER ? "threads of a warp diverged at a barrier"
                             : "lanes that an instruction needs never come") +
             others);
}

/* Returns the pc before which g must stop, because another group may wait at this pc. */
int meeting_point(const Warp &w, const Group &g, int end)
{
    int limit = end;
    for (const Group &o : w.groups)
        if (o.pc > g.pc)
            limit = std::min(limit, o.pc);
        else if (o.pc == g.pc || (!o.is_blocked && !o.is_yielding))
            limit = g.pc;
    return limit;
}

void count(Warp &w, Stat &s, uint32_t lanes, uint32_t active)
{
    s.warps++, s.lanes += (uint64_t)__builtin_popcount(active), s.divergent += lanes != w.alive;
}

/* Executes a branch of the group. Returns true if run_warp must select a group again. */
bool branch(Warp &w, const Op &op, Group &g, int &pc, uint32_t active)
{
    if (active && op.target <= pc && ++w.branches > w.m->l->branch_limit)
        fail(w, op, __builtin_ctz(active),
             "a warp took " + std::to_string(w.branches) +
                 " backward branches: an endless loop, or a wait for another block");
    if (!active) {
        pc++;
    } else if (active == g.lanes) {
        const bool is_backward = op.target <= pc;
        pc = op.target;
        if (is_backward) /* other groups may have a pc between the target and the branch */
            return g.pc = pc, true;
    } else {
        w.groups.push_back({pc + 1, g.lanes & ~active, false});
        w.groups.push_back({op.target, active, false});
        g.lanes = 0;
        return true;
    }
    return false;
}

/* Executes an instruction that requires several lanes or warps. Returns true if the group stops. */
bool synchronise(Warp &w, const Op &op, Group &g, int &pc, uint32_t active)
{
    if (!active)
        return pc++, false;
    if (active != g.lanes)
        fail(w, op, __builtin_ctz(active), "a guard that differs between lanes, at an instruction for all of them");
    if (needed_lanes(w, op, active) & ~active) {
        w.groups.push_back({pc, g.lanes, true});
        g.lanes = 0;
        return true;
    }
    if (w.m->l->stats)
        count(w, (*w.m->l->stats)[(size_t)pc], g.lanes, active);
    if (op.kind == WARP_SYNC)
        return op.run(w, op, active), pc++, false;
    if (!arrive_at_barrier(w, op, active, pc))
        return pc++, false;
    w.groups.push_back({pc + 1, g.lanes, false});
    g.lanes = 0;
    return true;
}

/* If the last instruction lets the other groups run first, moves g to the waiting groups and returns true. */
bool yields(Warp &w, Group &g, int pc)
{
    if (!w.has_yielded)
        return false;
    w.has_yielded = false;
    w.groups.push_back({pc, g.lanes, false, true});
    g.lanes = 0;
    return true;
}

/* Runs g until its meeting point, its end or a wait. Afterwards, g contains only the lanes that are in no waiting
 * group. */
void run_group(Warp &w, Group &g)
{
    const Op *code = w.m->p->code.data();
    Stat *stats = w.m->l->stats ? w.m->l->stats->data() : nullptr;
    const int limit = meeting_point(w, g, (int)w.m->p->code.size());
    int pc = g.pc;
    while (pc < limit) {
        const Op &op = code[pc];
        uint32_t active = g.lanes;
        if (op.guard != NOWHERE)
            active &= predicate(w, op.guard) ^ (op.is_negated ? FULL : 0);
        if (stats && ((op.kind != WARP_SYNC && op.kind != BARRIER) || !active))
            count(w, stats[pc], g.lanes, active);
        switch (op.kind) {
        case PLAIN:
        case YIELD:
            if (active)
                op.run(w, op, active);
            pc++;
            if (op.kind == YIELD && yields(w, g, pc))
                return;
            break;
        case BRANCH:
            if (branch(w, op, g, pc, active))
                return;
            break;
        case RETURN:
            w.alive &= ~active;
            g.lanes &= ~active, g.pc = pc + 1;
            return;
        case WARP_SYNC:
        case BARRIER:
            if (synchronise(w, op, g, pc, active))
                return;
            break;
        }
    }
    g.pc = pc;
}

} // namespace

void run_warp(Warp &w)
{
    const int end = (int)w.m->p->code.size();
    Group g;
    while (!w.is_at_barrier && w.alive) {
        const Pick pick = next_group(w, g);
        if (pick == ALL_YIELD)
            return;
        if (pick == ALL_BLOCKED)
            report_stuck(w);
        do {
            run_group(w, g);
            if (g.pc >= end)
                w.alive &= ~g.lanes, g.lanes = 0;
        } while (g.lanes && w.groups.empty());
        if (g.lanes)
            w.groups.push_back({g.pc, g.lanes, false});
    }
    if (!w.alive)
        w.m->progress++;
}

} // namespace ptx
