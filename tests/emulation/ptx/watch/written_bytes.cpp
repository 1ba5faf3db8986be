/* written_bytes.cpp - stores the bits in pages. The first write to a page allocates it. */
#include "watch/written_bytes.h"

#include <algorithm>
#include <cstring>

namespace ptx
{
namespace
{

/* Returns a mask of the bits [from, from + count) of a word. from + count must be at most 64. */
uint64_t mask_of(size_t from, size_t count)
{
    return (count == 64 ? ~0ull : (1ull << count) - 1) << from;
}

} // namespace

WrittenBytes::Page *WrittenBytes::find(uintptr_t at) const
{
    const uintptr_t number = at / PAGE;
    if (number != last_number) {
        const auto found = pages.find(number);
        if (found == pages.end())
            return nullptr;
        last_number = number, last = found->second.get();
    }
    return last;
}

WrittenBytes::Page &WrittenBytes::need(uintptr_t at)
{
    if (Page *p = find(at))
        return *p;
    std::unique_ptr<Page> &p = pages[at / PAGE];
    p.reset(new Page());
    last_number = at / PAGE, last = p.get();
    return *p;
}

void WrittenBytes::set(uintptr_t at, size_t bytes)
{
    while (bytes) {
        const size_t in_page = at % PAGE, bit = in_page % 64, n = std::min<size_t>(bytes, 64 - bit);
        if (bit == 0 && bytes >= 64) { /* sets whole words at once */
            const size_t words = std::min(bytes, PAGE - in_page) / 64;
            std::memset(need(at).bits + in_page / 64, 0xff, 8 * words);
            at += 64 * words, bytes -= 64 * words;
            continue;
        }
        need(at).bits[in_page / 64] |= mask_of(bit, n);
        at += n, bytes -= n;
    }
}

void WrittenBytes::clear(uintptr_t at, size_t bytes)
{
    while (bytes) {
        const size_t in_page = at % PAGE, n = std::min(bytes, PAGE - in_page);
        if (n == PAGE) {
            pages.erase(at / PAGE);
            last_number = ~(uintptr_t)0;
        } else if (Page *p = find(at)) {
            for (size_t k = in_page; k < in_page + n;) {
                const size_t bit = k % 64, here = std::min(in_page + n - k, 64 - bit);
                p->bits[k / 64] &= ~mask_of(bit, here);
                k += here;
            }
        }
        at += n, bytes -= n;
    }
}

void WrittenBytes::copy(uintptr_t to, uintptr_t from, size_t bytes)
{
    clear(to, bytes);
    for (size_t k = 0; k < bytes;) {
        const size_t missing = first_unwritten(from + k, bytes - k);
        set(to + k, missing);
        k += missing;
        while (k < bytes && first_unwritten(from + k, 1) == 0)
            k++;
    }
}

size_t WrittenBytes::first_unwritten(uintptr_t at, size_t bytes) const
{
    size_t done = 0;
    while (done < bytes) {
        const size_t in_page = (at + done) % PAGE, bit = in_page % 64, n = std::min<size_t>(bytes - done, 64 - bit);
        const Page *p = find(at + done);
        if (!p)
            return done;
        const uint64_t missing = ~(p->bits[in_page / 64]) & mask_of(bit, n);
        if (missing)
            return done + (size_t)__builtin_ctzll(missing) - bit;
        done += n;
    }
    return bytes;
}

} // namespace ptx
