/* ptx_twin.cpp - measures by how much the results of two builds of a kernel differ. */
#include "ptx_twin.h"

#include <cmath>
#include <cstring>

namespace emu {

/* Kernels without a row compute the same arithmetic in both builds, so their results must have equal bits. The reason
 * of a row is one of these:
 * contraction     nvcc rounds a * b + c once where the source has two operations; g++ is set to round twice.
 * approximation   __expf and divisions by its result are ex2.approx and rcp.approx in PTX; the fibres call libm.
 * tensor cores    mma adds its 16 products in FP32 for the fibres and in FP64 in the machine; a GPU uses a third order.
 * FP32 bounds are 2^-20 for a few operations, 2^-16 for sums over channels, and 2^-12 for sums of thousands of terms,
 * which may cancel. A BF16 result may change by one step, 2^-7, if the FP32 value before rounding is close to the
 * middle between two BF16 values. */
/* A BF16 bound of `none` means that the kernel stores no BF16. */
static const double few = 0x1p-20, some = 0x1p-16, many = 0x1p-12, step = 0x1p-7, none = -1;
static const TwinRule rules[] = {
    {"depthwise_kernel", few, 0, "contraction in the moments"},
    {"column_moments_kernel", few, none, "contraction in the moments"},
    {"merge_moments_kernel", few, none, "contraction in the merge of moments"},
    {"gate_kernel", some, none, "approximation and contraction"},
    {"gate_backward_kernel", some, none, "approximation and contraction"},
    {"image_kernel", few, step, "contraction in the colour jitter"},
    {"loss_kernel", few, none, "contraction in the label smoothing"},
    {"pointwise_kernel", 0x1p-9, step, "tensor cores; moments and sums use the rounded results"},
    {"fused_backward_kernel", 0x1p-9, step, "tensor cores; sums use the rounded results"},
    {"weight_gradient_kernel", many, none, "tensor cores"},
};

const TwinRule *twin_rule_of(const std::string &kernel)
{
    for (const TwinRule &r : rules)
        if (kernel.compare(0, std::strlen(r.kernel), r.kernel) == 0)
            return &r;
    return nullptr;
}

static void keep_worse(TwinResult::Worst &of, const TwinResult::Worst &other)
{
    if (other.distance > of.distance)
        of = other;
}

void TwinResult::add(const TwinResult &other)
{
    launches += other.launches, words += other.words, different += other.different;
    keep_worse(fp32, other.fp32), keep_worse(bf16, other.bf16);
}

bool TwinResult::keeps_to(const TwinRule *rule) const
{
    return rule ? fp32.distance <= rule->fp32_bound && bf16.distance <= std::fmax(rule->bf16_bound, 0) : different == 0;
}

static float as_float(uint32_t bits)
{
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
}

static bool is_integer(float f) { return f != 0 && std::fpclassify(f) == FP_SUBNORMAL; }

/* Returns |a - b|, divided by the largest of |a|, |b| and scale. Returns infinity if only one of a and b is a number,
 * or if either looks like an integer. */
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

/* The guessed type of the values in 256 bytes. The guess uses that the low half of an FP32 value, read as BF16, has an
 * arbitrary magnitude. */
enum Type { FP32, BF16, EITHER /* too few values to decide, or a mixture */ };
struct Chunk {
    Type type;
    double fp32_scale, bf16_scale; /* root mean squares of the values */
};

static bool is_plausible(uint32_t bits)
{
    const double size = std::fabs((double)as_float(bits));
    return size > 1e-9 && size < 1e5;
}

static double rms(double squares, size_t count) { return count ? std::sqrt(squares / (double)count) : 0; }

static Chunk chunk_of(const uint32_t *words, size_t count, bool has_no_bf16)
{
    double fp32 = 0, bf16 = 0;
    size_t fp32_count = 0, bf16_count = 0, pairs = 0, plausible = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t low = words[i] << 16, high = words[i] & 0xffff0000u;
        const double v = as_float(words[i]), x = as_float(low), y = as_float(high);
        if (low && high)
            pairs++, plausible += is_plausible(low) && is_plausible(high);
        if (std::isfinite(v))
            fp32 += v * v, fp32_count += v != 0;
        if (is_plausible(low))
            bf16 += x * x, bf16_count++;
        if (is_plausible(high))
            bf16 += y * y, bf16_count++;
    }
    const Type type = has_no_bf16 ? FP32 : pairs >= 8 && plausible * 20 >= pairs * 19 ? BF16 : EITHER;
    return {type, rms(fp32, fp32_count), rms(bf16, bf16_count)};
}

struct Words { /* one page of each version */
    const uint32_t *a, *b;
};

static double double_distance(const Words &words, size_t i)
{
    double x, y;
    std::memcpy(&x, words.a + i / 2 * 2, 8), std::memcpy(&y, words.b + i / 2 * 2, 8);
    if (!std::isfinite(x) || !std::isfinite(y) || std::fabs(x) < 1e-30 || std::fabs(y) < 1e-30)
        return HUGE_VAL;
    return std::fabs(x - y) / std::fmax(std::fabs(x), std::fabs(y));
}

static void judge_word(TwinResult &r, const Words &words, size_t i, const Chunk &chunk, double fp32_bound)
{
    const uint32_t a = words.a[i], b = words.b[i];
    const double single = std::fmin(distance(as_float(a), as_float(b), chunk.fp32_scale), double_distance(words, i));
    const double half = std::fmax(distance(as_float(a << 16), as_float(b << 16), chunk.bf16_scale),
                                  distance(as_float(a & 0xffff0000u), as_float(b & 0xffff0000u), chunk.bf16_scale));
    const bool is_bf16 = chunk.type == BF16 || (chunk.type == EITHER && single > fp32_bound && half < single);
    r.different++;
    keep_worse(is_bf16 ? r.bf16 : r.fp32, {is_bf16 ? half : single, a, b});
}

TwinResult compare_twin(const Pages &fibres, const TwinRule *rule)
{
    enum : size_t { CHUNK = 64 }; /* words in 256 bytes; slots start at multiples of 256 bytes */
    TwinResult r;
    r.launches = 1;
    for (auto &p : fibres) {
        const uint32_t *a = reinterpret_cast<const uint32_t *>(p.second->bytes), *b = reinterpret_cast<const uint32_t *>(p.first);
        r.words += PAGE_BYTES / 4;
        if (std::memcmp(a, b, PAGE_BYTES) == 0)
            continue;
        for (size_t first = 0; first < PAGE_BYTES / 4; first += CHUNK) {
            const Chunk chunk = chunk_of(a + first, CHUNK, rule && rule->bf16_bound < 0);
            for (size_t i = first; i < first + CHUNK; i++)
                if (a[i] != b[i])
                    judge_word(r, {a, b}, i, chunk, rule ? rule->fp32_bound : 0);
        }
    }
    return r;
}

} // namespace emu
