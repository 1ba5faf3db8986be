/* ptx_twin.h - one launch as g++ compiled it against the same launch as nvcc did, word by word. */
#ifndef EMU_PTX_TWIN_H
#define EMU_PTX_TWIN_H

#include "dirty_pages.h"

#include <cstdint>
#include <string>

namespace emu {

/* What may differ, and why. A kernel without a row must leave equal bits. */
struct TwinRule {
    const char *kernel; /* beginning of its name */
    double bound;       /* largest difference of one word, see compare() */
    const char *reason;
};
const TwinRule *twin_rule_of(const std::string &kernel); /* NULL: none */

struct TwinResult {
    uint64_t launches = 0, words = 0, different = 0; /* words: in pages that either one wrote */
    double worst = 0;
    uint32_t by_fibres = 0, by_ptx = 0; /* the worst pair */
    void add(const TwinResult &other);
};

/* `before`: pages that one or the other wrote, as they were; `fibres`: what the fibres left there. Memory holds what PTX left.
 * A difference counts relative to the larger of both values and the root mean square of their page, as FP32 or as a pair
 * of BF16 or as FP64, whichever is nearest: memory has no types. Denormals of FP32 are integers here, which must be equal. */
TwinResult compare_twin(const Pages &fibres);

} // namespace emu

#endif
