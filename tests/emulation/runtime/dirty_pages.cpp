/* dirty_pages.cpp - copies each page before the first write to it. The SIGSEGV handler runs on the writing thread, at
 * the faulting instruction. This instruction is a plain store of a kernel, so the handler may allocate memory. */
#include "dirty_pages.h"

#include "runtime.h"

#include <csignal>
#include <sys/mman.h>

namespace emu {

static Pages pages;
static struct sigaction before;

static bool is_device_memory(const char *at)
{
    auto next = device_memory.upper_bound(const_cast<char *>(at));
    return next != device_memory.begin() && at < (--next)->first + whole_pages(next->second);
}

static void keep_page(int number, siginfo_t *info, void *context)
{
    char *at = static_cast<char *>(info->si_addr);
    if (!is_device_memory(at)) { /* the fault is not caused by the write protection */
        (void)sigaction(SIGSEGV, &before, nullptr);
        if (before.sa_flags & SA_SIGINFO && before.sa_sigaction)
            before.sa_sigaction(number, info, context);
        return;
    }
    char *page = at - (uintptr_t)at % PAGE_BYTES;
    std::unique_ptr<Page> kept(new Page);
    std::memcpy(kept->bytes, page, PAGE_BYTES);
    pages[page] = std::move(kept);
    (void)mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);
}

static void protect(int protection)
{
    for (auto &a : device_memory)
        if (a.second && mprotect(a.first, whole_pages(a.second), protection))
            emu_fail("device memory is not a multiple of the page size", {});
}

void dirty_pages_begin(void)
{
    struct sigaction action = {};
    action.sa_sigaction = keep_page;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    pages.clear();
    (void)sigaction(SIGSEGV, &action, &before);
    protect(PROT_READ);
}

Pages dirty_pages_end(void)
{
    protect(PROT_READ | PROT_WRITE);
    (void)sigaction(SIGSEGV, &before, nullptr);
    return std::move(pages);
}

Pages copy_of(const Pages &of)
{
    Pages copy;
    for (auto &p : of) {
        std::unique_ptr<Page> now(new Page);
        std::memcpy(now->bytes, p.first, PAGE_BYTES);
        copy[p.first] = std::move(now);
    }
    return copy;
}

void restore(const Pages &to)
{
    for (auto &p : to)
        std::memcpy(p.first, p.second->bytes, PAGE_BYTES);
}

} // namespace emu
