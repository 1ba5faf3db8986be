/* global_watch.cpp - keeps one shadow Word for four bytes of memory. The host allocates a page of Words when a kernel
 * first touches the page. */
#include "watch/global_watch.h"

#include "machine/machine.h"

#include <cstdlib>

namespace ptx
{

GlobalWatch::~GlobalWatch()
{
    for (auto &a : areas)
        std::free(a.second.shadow);
}

void GlobalWatch::drew(unsigned block, uint64_t at, bool is_clean)
{
    for (unsigned b : by_ticket[at])
        if (published.count(b))
            acquired[block].insert(b);
    has_fenced.erase(block);
    if (is_clean)
        published.insert(block), by_ticket[at].insert(block);
}

bool GlobalWatch::sees(unsigned block, unsigned writer) const
{
    const auto found = acquired.find(block);
    return found != acquired.end() && found->second.count(writer) && has_fenced.count(block) && published.count(writer);
}

GlobalWatch::Word *GlobalWatch::shadow_of(const Range &area)
{
    if (area.begin != last_begin || area.end != last_end) {
        Area &a = areas[area.begin];
        const size_t words = (area.end - area.begin) / 4 + 2;
        /* If an allocation is freed and another one begins at the same address, the Words keep old stamps. Old
         * stamps are harmless, because each contains the number of its launch. */
        if (a.words < words) {
            std::free(a.shadow);
            a = {words, static_cast<Word *>(std::calloc(words, sizeof(Word)))};
        }
        last_begin = area.begin, last_end = area.end, last = a.shadow;
    }
    return last;
}

const char *GlobalWatch::check(const Word &w, unsigned mask, const Access &a)
{
    const bool is_written = w.written == launch && w.written_bytes & mask,
               is_read = w.read == launch && w.read_bytes & mask;
    if (is_written && w.writer != SEVERAL && w.writer != a.block) {
        if (a.is_write)
            return "two blocks write the same global memory in one launch";
        if (!sees(a.block, w.writer))
            return "a block reads global memory that another block writes in the same launch";
    }
    if (is_written && a.is_constant) {
        reader = a.instruction;
        return "ld.global.nc of global memory that this launch writes";
    }
    if (is_written && w.writer == a.block && w.write_thread != a.issuer && w.write_thread != SEVERAL_THREADS &&
        w.write_tick >= ordered_since(*a.warp, a.lane, w.write_thread))
        return a.is_write ? "race in global memory: two threads of a block write it without a barrier between them"
                          : "race in global memory: a thread reads what another thread of the block writes, without a "
                            "barrier between them";
    if (!a.is_write || !is_read)
        return nullptr;
    if (w.is_constant) {
        reader = w.constant_reader;
        return "global memory is written that this launch reads with ld.global.nc";
    }
    if (w.reader != a.block)
        return "a block writes global memory that another block reads in the same launch";
    if (w.read_thread == a.issuer)
        return nullptr;
    const bool is_ordered = w.read_thread == SEVERAL_THREADS
                                ? w.read_tick < a.warp->m->barrier_tick || !a.warp->m->seen.empty()
                                : w.read_tick < ordered_since(*a.warp, a.lane, w.read_thread);
    return is_ordered ? nullptr
                      : "race in global memory: a thread writes what another thread of the block reads, without a "
                        "barrier between them";
}

void GlobalWatch::note(Word &w, unsigned mask, const Access &a)
{
    if (a.is_write) {
        const bool is_again = w.written == launch,
                   joins = is_again && w.writer != a.block; /* a different block wrote another part of the word */
        w.write_thread =
            (uint16_t)(is_again && w.write_thread != a.thread && w.written_bytes & ~mask ? (unsigned)SEVERAL_THREADS
                                                                                         : a.thread);
        w.writer = joins ? (unsigned)SEVERAL : a.block;
        w.written_bytes = (is_again ? w.written_bytes | mask : mask) & 15;
        w.written = launch, w.write_tick = (uint32_t)a.tick;
        return;
    }
    const bool is_again = w.read == launch, joins = is_again && w.reader != a.block;
    const bool is_same_interval = is_again && w.read_tick >= a.warp->m->barrier_tick;
    w.read_thread = (uint16_t)(is_same_interval && w.read_thread != a.thread ? (unsigned)SEVERAL_THREADS : a.thread);
    w.reader = joins ? (unsigned)SEVERAL : a.block & SEVERAL;
    if (a.is_constant)
        w.constant_reader = a.instruction;
    w.is_constant = (is_again && w.is_constant) || a.is_constant;
    w.read_bytes = (is_again ? w.read_bytes | mask : mask) & 15;
    w.read = launch, w.read_tick = (uint32_t)a.tick;
}

const char *GlobalWatch::touch(const Range &area, uint64_t at, unsigned bytes, const Access &a)
{
    Word *w = shadow_of(area) + (at - area.begin) / 4;
    const unsigned mask = bytes >= 4 ? 15u : ((1u << bytes) - 1) << at % 4;
    for (unsigned i = 0; i < (bytes + 3) / 4; i++, w++) {
        if (const char *what = check(*w, mask, a))
            return what;
        note(*w, mask, a);
    }
    return nullptr;
}

} // namespace ptx
