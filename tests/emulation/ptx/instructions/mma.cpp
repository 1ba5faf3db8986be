/* mma.cpp - mma.sync and movmatrix. A new shape or type is a row of `shapes`; lanes/mma.cpp computes the product. */
#include "decode/decode.h"
#include "lanes/lanes.h"

namespace ptx
{
namespace
{

struct Shape {
    const char *shape, *types; /* types of d, a, b, c */
    int k, mode;
    void (*plain)(Warp &, const Op &, uint32_t);
    void (*avx2)(Warp &, const Op &, uint32_t);
    int d, a, b; /* numbers of registers; c has as many registers as d */
};
#define F32(shape, t, k, mode, a, b)                                                                                   \
    {                                                                                                                  \
        shape, "f32." t "." t ".f32", k, mode, lanes_plain::mma_f32, lanes_avx2::mma_f32, 4, a, b                      \
    }
#define F16_SUMS(shape, k, a, b)                                                                                       \
    {                                                                                                                  \
        shape, "f16.f16.f16.f16", k, MMA_F16, lanes_plain::mma_f16, lanes_avx2::mma_f16, 2, a, b                       \
    }
#define S32(shape, ta, tb, k, mode, a, b)                                                                              \
    {                                                                                                                  \
        shape, "s32." ta "." tb ".s32", k, mode, lanes_plain::mma_s32, lanes_avx2::mma_s32, 4, a, b                    \
    }
#define S32_ALL(shape, k, a, b)                                                                                        \
    S32(shape, "s8", "s8", k, MMA_A_SIGNED | MMA_B_SIGNED, a, b), S32(shape, "u8", "u8", k, 0, a, b),                  \
        S32(shape, "s8", "u8", k, MMA_A_SIGNED, a, b), S32(shape, "u8", "s8", k, MMA_B_SIGNED, a, b)
const Shape shapes[] = {
    F32("m16n8k16", "bf16", 16, MMA_BF16, 4, 2),
    F32("m16n8k8", "bf16", 8, MMA_BF16, 2, 1),
    F32("m16n8k16", "f16", 16, MMA_F16, 4, 2),
    F32("m16n8k8", "f16", 8, MMA_F16, 2, 1),
    F32("m16n8k8", "tf32", 8, MMA_TF32, 4, 2),
    F32("m16n8k4", "tf32", 4, MMA_TF32, 2, 1),
    F16_SUMS("m16n8k16", 16, 4, 2),
    F16_SUMS("m16n8k8", 8, 2, 1),
    S32_ALL("m16n8k32", 32, 4, 2),
    S32_ALL("m16n8k16", 16, 2, 1),
};

void transpose(Warp &w, const Op &op, uint32_t) /* movmatrix of an 8 x 8 matrix */
{
    uint16_t v[8][8];
    const uint32_t *a = cells<uint32_t>(w, op.a);
    for (int l = 0; l < 32; l++)
        v[l / 4][2 * (l % 4)] = (uint16_t)a[l], v[l / 4][2 * (l % 4) + 1] = (uint16_t)(a[l] >> 16);
    uint32_t *d = cells<uint32_t>(w, op.d);
    for (int l = 0; l < 32; l++)
        d[l] = v[2 * (l % 4)][l / 4] | (uint32_t)v[2 * (l % 4) + 1][l / 4] << 16;
}

void decode_fragments(Decoder &d, const Instruction &i, const Shape &s, Op &op)
{
    const int counts[4] = {s.d, s.a, s.b, s.d};
    const std::string types = s.types, sums = types.substr(0, 3) == "f16" ? "b32" : types.substr(0, 3);
    d.operand_count(i, 4, 4);
    int n = 0;
    for (size_t k = 0; k < 4; k++) {
        const Operand &o = i.operands[k];
        const std::vector<Operand> one(1, o), &parts = o.kind == VECTOR ? o.parts : one;
        if ((int)parts.size() != counts[k])
            throw Fault("operand " + std::to_string(k) + ": found " + std::to_string(parts.size()) +
                        " registers, expected " + std::to_string(counts[k]));
        for (const Operand &r : parts)
            op.data[n++] = k == 0 ? d.target(r, sums) : d.source(r, k == 3 ? sums : "b32");
    }
}

} // namespace

bool decode_mma(Decoder &d, const Instruction &i, Op &op)
{
    op.kind = WARP_SYNC, op.is_all_needed = true;
    if (i.opcode == "movmatrix.sync.aligned.m8n8.trans.b16") {
        d.operand_count(i, 2, 2);
        op.what = C_WARP, op.run = transpose;
        op.d = d.target(i.operands[0], "b32"), op.a = d.source(i.operands[1], "b32");
        return true;
    }
    const std::string begin = "mma.sync.aligned.";
    const bool is_fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    for (const Shape &s : shapes) {
        const std::string shape = begin + s.shape + ".row.col.";
        const bool saturates = i.opcode == shape + "satfinite." + s.types && s.types[0] == 's';
        if (i.opcode != shape + s.types && !saturates)
            continue;
        op.what = C_MMA, op.run = is_fast ? s.avx2 : s.plain;
        op.count = (uint8_t)s.k, op.mode = s.mode | (saturates ? (int)MMA_SATURATES : 0);
        decode_fragments(d, i, s, op);
        return true;
    }
    return false;
}

} // namespace ptx
