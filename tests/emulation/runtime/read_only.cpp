/* read_only.cpp - EMU_READ_ONLY=1: memory that a launch reads with __ldg (ld.global.nc) must not change during the
 * launch. On a GPU such a load may return stale data (PTX ISA, "ld.global.nc"). A store of equal bits is not detected.
 *
 * Like the scheduler, this file is compiled without sanitizer flags. */
#include "scheduler.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

namespace {

enum { MOST_BYTES = 16 };

struct Read {
    size_t bytes;
    std::array<unsigned char, MOST_BYTES> value;
};

const bool is_on = std::getenv("EMU_READ_ONLY") && std::atoi(std::getenv("EMU_READ_ONLY"));
std::unordered_map<const void *, Read> reads; /* reads of the running launch; key: address */

} // namespace

void emu_read_only(const void *p, size_t bytes)
{
    if (!is_on)
        return;
    Read read = {std::min<size_t>(bytes, MOST_BYTES), {}};
    std::memcpy(read.value.data(), p, read.bytes);
    reads.emplace(p, read); /* keeps the first read of an address */
}

void emu_check_read_only(const char *kernel)
{
    for (const auto &read : reads)
        if (std::memcmp(read.first, read.second.value.data(), read.second.bytes) != 0) {
            std::fprintf(stderr, "cuda_emu: memory that the launch loads with __ldg changed while it ran\n  kernel %s\n", kernel);
            std::_Exit(70);
        }
    reads.clear();
}
