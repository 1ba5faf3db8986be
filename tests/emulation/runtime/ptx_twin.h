/* ptx_twin.h - compares the results of a launch compiled by g++ with those of the same launch compiled by nvcc, word by
 * word. */
#ifndef EMU_PTX_TWIN_H
#define EMU_PTX_TWIN_H

#include "dirty_pages.h"

#include <cstdint>
#include <string>

namespace emu {

/* An allowed difference and its reason. Kernels without a rule must give equal bits. */
struct TwinRule {
    const char *kernel;         /* prefix of the kernel's name */
    double fp32_bound;          /* largest allowed difference of one word; see compare_twin() */
    double bf16_bound;          /* as fp32_bound; negative: the kernel stores no BF16 */
    const char *reason;
};
const TwinRule *twin_rule_of(const std::string &kernel); /* returns NULL if the kernel has no rule */

struct TwinResult {
    uint64_t launches = 0, words = 0, different = 0; /* words: number of words in pages that either run wrote */
    struct Worst {
        double distance = 0;
        uint32_t by_fibres = 0, by_ptx = 0;
    } fp32, bf16;
    void add(const TwinResult &other);
    bool keeps_to(const TwinRule *rule) const; /* rule: NULL if no word may differ */
};

/* Compares the results of the fibres with those of the PTX, which are in memory. fibres: every page that either run
 * wrote, with the result of the fibres. A difference is relative to the larger of both values and the root mean square
 * of the values in the same 256 bytes. Memory has no types, so types are guessed: 256 bytes are BF16 if nearly all of
 * their 16-bit halves are numbers of a usual size. Otherwise, they are FP32 or FP64, whichever differs less. Denormals
 * are treated as integers, which must be equal. */
TwinResult compare_twin(const Pages &fibres, const TwinRule *rule);

} // namespace emu

#endif
