/* shared_memory.cpp - the shared memory of the running block. Each array is one heap allocation, so that ASan finds
 * accesses out of bounds. Like the scheduler, this file is compiled without sanitizer flags. */
#include "scheduler.h"

#include <cstdlib>
#include <map>

namespace {

struct Array {
    char *base, *data; /* the allocation, and the array inside it */
    size_t bytes;
};
std::map<const void *, Array> arrays; /* key: the argument of emu_shared(); NULL: the dynamic array */
size_t shared_limit;

void *allocate(const void *key, size_t bytes, size_t alignment)
{
    size_t total = bytes, fixed = key ? bytes : 0;
    for (auto &a : arrays)
        total += a.second.bytes, fixed += a.first ? a.second.bytes : 0;
    if (fixed > EMU_STATIC_SHARED)
        emu_fail("more than 48 KiB of static shared memory: nvcc refuses it", {});
    if (total > shared_limit)
        emu_fail("a block uses more shared memory than its launch may", {});
    const size_t offset = alignment < 16 ? alignment : 0; /* the array gets no larger alignment than its type needs */
    void *p = nullptr;
    if (__tsan_ignore_thread_begin)
        __tsan_ignore_thread_begin(); /* otherwise TSan would count malloc as a write by the calling thread */
    if (posix_memalign(&p, 128, bytes + offset ? bytes + offset : 1))
        emu_fail("no memory for shared memory", {});
    if (__tsan_ignore_thread_end)
        __tsan_ignore_thread_end();
    emu_poison(p, bytes + offset);
    arrays[key] = {(char *)p, (char *)p + offset, bytes};
    return (char *)p + offset;
}

} // namespace

void emu_begin_shared(size_t dynamic_bytes, size_t limit)
{
    shared_limit = limit;
    allocate(nullptr, dynamic_bytes, 128);
}

void emu_end_shared(void)
{
    if (__tsan_ignore_thread_begin)
        __tsan_ignore_thread_begin();
    for (auto &a : arrays)
        std::free(a.second.base);
    arrays.clear();
    if (__tsan_ignore_thread_end)
        __tsan_ignore_thread_end();
}

void *emu_shared(const void *key, size_t bytes, size_t alignment)
{
    auto found = arrays.find(key);
    return found != arrays.end() ? found->second.data : allocate(key, bytes, alignment);
}

bool emu_is_shared(const void *p, size_t bytes)
{
    const char *at = (const char *)p;
    for (auto &a : arrays) {
        const char *begin = a.second.data;
        if (at >= begin && at + bytes <= begin + a.second.bytes)
            return true;
    }
    return false;
}
