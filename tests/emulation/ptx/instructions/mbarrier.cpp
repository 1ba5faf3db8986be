/* mbarrier.cpp - mbarrier objects in shared memory. The state of an object is in Machine::mbarriers. The object's eight
 * bytes in shared memory are only marked, so that plain accesses to them fault. A wait first completes all copies in
 * flight that the phase requires. */
#include "decode/decode.h"

namespace ptx
{
namespace
{

enum Wait { BY_STATE, BY_PARITY };

uint32_t object_address(Warp &w, const Op &op, int lane, uint64_t at)
{
    if ((at & WINDOW) == SHARED_WINDOW)
        at -= SHARED_WINDOW;
    check_shared_range(w, op, lane, {at, 8, 8});
    return (uint32_t)at;
}

void object_addresses(Warp &w, const Op &op, Addresses &a)
{
    addresses(w, op.a, op.offset, op.mode != 0, a);
}

template <class F> void for_each(uint32_t lanes, F f)
{
    for (; lanes; lanes &= lanes - 1)
        f(__builtin_ctz(lanes));
}

void mark(Machine &m, uint32_t at, unsigned thread, unsigned flags)
{
    if (m.shadow.empty())
        return;
    const unsigned bytes = 8;
    for (uint32_t k = at >> m.granule_shift; k <= (at + bytes - 1) >> m.granule_shift; k++)
        m.shadow[k].write = Touch{flags ? m.tick : 0, thread, flags}, m.shadow[k].read.flags = 0;
}

void init(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    object_addresses(w, op, a);
    for_each(lanes, [&](int l) {
        const uint32_t at = object_address(w, op, l, a.at[l]), count = cells<uint32_t>(w, op.b)[l];
        if (w.m->mbarriers.count(at))
            fail(w, op, l, "mbarrier is initialised twice without mbarrier.inval, at " + hex(at));
        if (count == 0 || count >= 1u << 20)
            fail(w, op, l, "mbarrier of " + std::to_string(count) + " arrivals: expected 1 to 1048575");
        const uint64_t place = at;
        Op plain = op;
        plain.is_atomic = false;
        uint64_t all[32];
        for (uint64_t &v : all)
            v = place;
        if (!w.m->shadow.empty())
            watch_shared(w, {plain, 1u << l, 8, true}, all);
        mark(*w.m, at, w.first_thread + (unsigned)l, T_MBARRIER);
        MBarrier &b = w.m->mbarriers[at];
        b.expected = count, b.pending = count;
    });
}
void invalidate(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    object_addresses(w, op, a);
    for_each(lanes, [&](int l) {
        mbarrier_at(w, op, l, a.at[l]);
        const uint32_t at = object_address(w, op, l, a.at[l]);
        w.m->mbarriers.erase(at);
        mark(*w.m, at, 0, 0);
    });
}

void next_phase(Machine &m, MBarrier &b)
{
    b.completed.swap(b.arriving);
    b.arriving.clear();
    b.phase++, b.pending = b.expected, b.bytes = 0;
    m.progress++;
}

/* b: register with the number of arrivals, or NOWHERE; c: register with the bytes to expect, or NOWHERE. */
void arrive(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    object_addresses(w, op, a);
    for_each(lanes, [&](int l) {
        MBarrier &b = mbarrier_at(w, op, l, a.at[l]);
        const uint64_t phase = b.phase;
        if (op.c != NOWHERE)
            b.bytes += cells<uint32_t>(w, op.c)[l];
        const uint32_t arrivals = op.b == NOWHERE ? 1 : cells<uint32_t>(w, op.b)[l];
        if (op.is_signed && b.pending <= (int64_t)arrivals)
            fail(w, op, l, "mbarrier.arrive.noComplete completes the phase");
        if (op.is_negated) /* the instruction is arrive_drop */
            b.expected -= arrivals;
        arrive_on_mbarrier(w, op, l, b, arrivals);
        if (op.d != NOWHERE)
            cells<uint64_t>(w, op.d)[l] = phase;
    });
}
void expect_bytes(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    object_addresses(w, op, a);
    for_each(lanes, [&](int l) { mbarrier_at(w, op, l, a.at[l]).bytes += cells<uint32_t>(w, op.b)[l]; });
}

/* op.target: a value of enum Wait. If the phase is not complete, the other threads run first. */
void wait(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    object_addresses(w, op, a);
    uint32_t done = 0;
    for_each(lanes, [&](int l) {
        const auto is_complete = [&](const MBarrier &b) {
            return op.target == BY_STATE ? b.phase > cells<uint64_t>(w, op.b)[l]
                                         : (b.phase & 1) != (cells<uint32_t>(w, op.b)[l] & 1);
        };
        mbarrier_at(w, op, l, a.at[l]);
        const uint32_t at = object_address(w, op, l, a.at[l]);
        if (!is_complete(w.m->mbarriers[at]))
            land_for_mbarrier(*w.m, at);
        const MBarrier &b = w.m->mbarriers[at];
        if (!is_complete(b))
            return;
        done |= 1u << l;
        acquire(w, 1u << l, b.completed);
    });
    set_predicate(w, op.d, lanes, done);
    w.has_yielded = done != lanes;
}

} // namespace

MBarrier &mbarrier_at(Warp &w, const Op &op, int lane, uint64_t address)
{
    Machine &m = *w.m;
    const uint32_t at = object_address(w, op, lane, address);
    const auto found = m.mbarriers.find(at);
    if (found == m.mbarriers.end())
        fail(w, op, lane, "mbarrier is not initialised, at " + hex(at) + shared_name(m, at));
    if (!m.shadow.empty()) {
        const Touch &t = m.shadow[at >> m.granule_shift].write;
        if (t.thread != w.first_thread + (unsigned)lane && t.tick >= ordered_since(w, lane, t.thread))
            fail(w, op, lane,
                 "mbarrier is used without a barrier after its initialisation by thread " + std::to_string(t.thread) +
                     ", at " + hex(at));
    }
    return found->second;
}

void arrive_on_mbarrier(Warp &w, const Op &op, int lane, MBarrier &b, int64_t arrivals)
{
    if (arrivals < 1 || arrivals > b.pending)
        fail(w, op, lane,
             "mbarrier: " + std::to_string(arrivals) + " arrivals, the phase expects " + std::to_string(b.pending) +
                 " more");
    release(w, 1u << lane, b.arriving);
    b.pending -= arrivals;
    w.m->progress++;
    if (b.pending == 0 && b.bytes == 0)
        next_phase(*w.m, b);
}

void complete_bytes(Machine &m, MBarrier &b, int64_t bytes)
{
    if (!m.seen.empty()) {
        b.arriving.resize(THREADS, 0);
        b.arriving[ASYNC_THREAD] = (uint32_t)++m.tick;
    }
    b.bytes -= bytes;
    m.progress++;
    if (b.pending == 0 && b.bytes == 0)
        next_phase(m, b);
}

static void decode_arrive(Decoder &d, const Instruction &i, Op &op, bool drops)
{
    const bool expects = d.has(i, "expect_tx");
    d.operand_count(i, 2 + expects, 3);
    op.run = arrive, op.is_signed = d.has(i, "noComplete"), op.is_negated = drops;
    op.d = i.operands[0].text == "_" ? NOWHERE : d.target(i.operands[0], "b64");
    if (i.operands.size() > 2)
        (expects ? op.c : op.b) = d.source(i.operands[2], "u32");
}

static void decode_wait(Decoder &d, const Instruction &i, Op &op, bool has_time_limit)
{
    d.operand_count(i, 3, has_time_limit ? 4 : 3);
    op.kind = YIELD, op.run = wait, op.target = d.has(i, "parity") ? BY_PARITY : BY_STATE;
    op.d = d.target(i.operands[0], "pred"), op.b = d.source(i.operands[2], op.target == BY_PARITY ? "u32" : "b64");
    if (i.operands.size() > 3)
        d.source(i.operands[3], "u32"); /* the time limit is ignored */
}

bool decode_mbarrier(Decoder &d, const Instruction &i, Op &op)
{
    const std::string &what = i.parts.size() > 1 ? i.parts[1] : i.parts[0];
    size_t address = 0; /* index of the operand with the address */
    op.what = C_MBARRIER, op.space = SHARED;
    op.d = op.b = op.c = NOWHERE;
    d.program.needs_clocks = true;
    if (type_of(i) != "b64" || d.has(i, "shared::cluster") || d.has(i, "cluster"))
        return false;
    if (what == "init") {
        d.operand_count(i, 2, 2);
        op.run = init, op.b = d.source(i.operands[1], "u32");
    } else if (what == "inval") {
        op.run = invalidate;
    } else if (what == "expect_tx") {
        d.operand_count(i, 2, 2);
        op.run = expect_bytes, op.b = d.source(i.operands[1], "u32");
    } else if (what == "arrive" || what == "arrive_drop") {
        address = 1;
        decode_arrive(d, i, op, what == "arrive_drop");
    } else if (what == "test_wait" || what == "try_wait") {
        address = 1;
        decode_wait(d, i, op, what == "try_wait");
    } else {
        return false;
    }
    bool is_wide_address;
    d.address(i.operands[address], op.a, op.offset, is_wide_address);
    op.mode = is_wide_address;
    return true;
}

} // namespace ptx
