/* dirty_pages.h - finds the pages of device memory that a function writes, and saves their old contents. It uses write
 * protection and a SIGSEGV handler. Device memory must be allocated in whole pages. */
#ifndef EMU_DIRTY_PAGES_H
#define EMU_DIRTY_PAGES_H

#include <cstddef>
#include <map>
#include <memory>

namespace emu {

enum : size_t { PAGE_BYTES = 4096 };

static inline size_t whole_pages(size_t bytes) /* rounds up to whole pages */
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

struct Page {
    unsigned char bytes[PAGE_BYTES];
};
typedef std::map<char *, std::unique_ptr<Page>> Pages; /* key: address of the page */

/* Runs work() and returns the old contents of every page of device memory that work() wrote. Only one thread may call
 * this at a time. */
template <class Work> Pages pages_written_by(Work work);

Pages copy_of(const Pages &pages);    /* returns the current contents at the same addresses */
void restore(const Pages &pages);     /* writes the saved contents to memory */

void dirty_pages_begin(void);
Pages dirty_pages_end(void);

template <class Work> Pages pages_written_by(Work work)
{
    dirty_pages_begin();
    work();
    return dirty_pages_end();
}

} // namespace emu

#endif
