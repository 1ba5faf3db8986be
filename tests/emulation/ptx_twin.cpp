/* ptx_twin.cpp - how far two versions of the same words are apart. */
#include "ptx_twin.h"

#include <cmath>
#include <cstring>

namespace emu {

/* nvcc contracts a * b + c into one rounding where the source has two; g++ is told not to. Everything below follows from
 * that, from approximations (ex2.approx, rcp) and from the order inside of one mma: the tensor core twin of the fibres sums
 * in FP32, the machine in FP64. */
static const TwinRule rules[] = {
    {"", 1, "to be measured"},
};

const TwinRule *twin_rule_of(const std::string &kernel)
{
    for (const TwinRule &r : rules)
        if (kernel.compare(0, std::strlen(r.kernel), r.kernel) == 0)
            return &r;
    return nullptr;
}

void TwinResult::add(const TwinResult &other)
{
    launches += other.launches, words += other.words, different += other.different;
    if (other.worst > worst)
        worst = other.worst, by_fibres = other.by_fibres, by_ptx = other.by_ptx;
}

static float as_float(uint32_t bits)
{
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
}

static bool is_integer(float f) { return f != 0 && std::fpclassify(f) == FP_SUBNORMAL; }

/* Relative to the larger of both and of `scale`; infinite where only one is a number, or either looks like an integer. */
static double distance(float a, float b, double scale)
{
    if (std::memcmp(&a, &b, 4) == 0 || (std::isnan(a) && std::isnan(b)))
        return 0;
    if (is_integer(a) || is_integer(b))
        return HUGE_VAL;
    const double size = std::fmax(std::fmax(std::fabs((double)a), std::fabs((double)b)), scale);
    const double d = std::fabs((double)a - (double)b);
    return std::isfinite(d) ? (size > 0 ? d / size : 0) : HUGE_VAL;
}

struct Scales { double single, half; }; /* root mean squares of a page, as FP32 and as BF16 */

static Scales scales_of(const uint32_t *words, size_t count)
{
    double single = 0, half = 0;
    size_t singles = 0, halves = 0;
    for (size_t i = 0; i < count; i++) {
        const double v = as_float(words[i]), low = as_float(words[i] << 16), high = as_float(words[i] & 0xffff0000u);
        if (std::isfinite(v) && std::fabs(v) < 1e30)
            single += v * v, singles += v != 0;
        if (std::isfinite(low) && std::isfinite(high) && std::fabs(low) < 1e30 && std::fabs(high) < 1e30)
            half += low * low + high * high, halves += (low != 0) + (high != 0);
    }
    return {singles ? std::sqrt(single / (double)singles) : 0, halves ? std::sqrt(half / (double)halves) : 0};
}

static double double_distance(const uint32_t *a, const uint32_t *b, size_t i)
{
    double x, y;
    std::memcpy(&x, a + i / 2 * 2, 8), std::memcpy(&y, b + i / 2 * 2, 8);
    if (!std::isfinite(x) || !std::isfinite(y) || std::fabs(x) < 1e-30 || std::fabs(y) < 1e-30)
        return HUGE_VAL;
    return std::fabs(x - y) / std::fmax(std::fabs(x), std::fabs(y));
}

static double word_distance(const uint32_t *a, const uint32_t *b, size_t i, const Scales &scale)
{
    const double single = distance(as_float(a[i]), as_float(b[i]), scale.single);
    const double half = std::fmax(distance(as_float(a[i] << 16), as_float(b[i] << 16), scale.half),
                                  distance(as_float(a[i] & 0xffff0000u), as_float(b[i] & 0xffff0000u), scale.half));
    return std::fmin(std::fmin(single, half), double_distance(a, b, i));
}

TwinResult compare_twin(const Pages &fibres)
{
    TwinResult r;
    r.launches = 1;
    for (auto &p : fibres) {
        const uint32_t *a = reinterpret_cast<const uint32_t *>(p.second->bytes), *b = reinterpret_cast<const uint32_t *>(p.first);
        const size_t count = PAGE_BYTES / 4;
        r.words += count;
        if (std::memcmp(a, b, PAGE_BYTES) == 0)
            continue;
        const Scales scale = scales_of(a, count);
        for (size_t i = 0; i < count; i++) {
            if (a[i] == b[i])
                continue;
            const double far = word_distance(a, b, i, scale);
            r.different++;
            if (far > r.worst)
                r.worst = far, r.by_fibres = a[i], r.by_ptx = b[i];
        }
    }
    return r;
}

} // namespace emu
