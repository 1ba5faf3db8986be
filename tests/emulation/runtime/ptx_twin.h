/* ptx_twin.h - compares a launch compiled by g++ with the same launch compiled by nvcc, word by word. */
#ifndef EMU_PTX_TWIN_H
#define EMU_PTX_TWIN_H

#include "dirty_pages.h"

#include <cstdint>
#include <string>

namespace emu {

/* Allowed differences with their reasons. Kernels without a row must give equal bits. */
struct TwinRule {
    const char *kernel;         /* prefix of its name */
    double fp32_bound;          /* largest difference of one word, see compare_twin() */
    double bf16_bound;          /* negative: the kernel stores no BF16 */
    const char *reason;
};
const TwinRule *twin_rule_of(const std::string &kernel); /* NULL: none */

struct TwinResult {
    uint64_t launches = 0, words = 0, different = 0; /* number of words in pages that either run wrote */
    struct Worst {
        double distance = 0;
        uint32_t by_fibres = 0, by_ptx = 0;
    } fp32, bf16;
    void add(const TwinResult &other);
    bool keeps_to(const TwinRule *rule) const; /* NULL: no word may differ */
};

/* fibres: every page that either run wrote, with the result of the fibres. Memory holds the result of the PTX. A
 * difference is relative to the larger of both values and the root mean square of their neighbours. Memory has no
 * types. 256 bytes count as BF16 if nearly all of their 16-bit halves are numbers of a usual size. Otherwise they count
 * as FP32 or FP64, whichever differs less. Denormals count as integers, which must be equal. */
TwinResult compare_twin(const Pages &fibres, const TwinRule *rule);

} // namespace emu

#endif
