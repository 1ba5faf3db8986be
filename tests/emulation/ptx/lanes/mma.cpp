/* mma.cpp - mma.sync m16n8k{4,8,16,32}. Products are exact. The sum of the products and c is computed in double and
 * rounded once. A GPU adds in a different order and with a different width, so its result may differ in the last bits
 * of the largest term.
 *
 * Let g = lane / 4, t = lane % 4, and E be the number of elements in a register. Register i of A contains row g + 8 (i
 * % 2) and columns from E t + 4 E (i / 2). Register i of B contains rows from E t + 4 E i and column g. Accumulator i
 * is the element in row g + 8 (i / 2) and column 2 t + i % 2. */
#include "lanes/half.h"

namespace ptx
{
namespace PTX_LANES
{
namespace
{

enum { M = 16, N = 8 };
struct Shape {
    int k, a_count, b_count, d_count;
}; /* k; numbers of registers of a, b and d */
Shape shape_of(const Op &op, int elements, int accumulators)
{
    const int k = op.count;
    return {k, k / (2 * elements), k / (4 * elements), accumulators};
}

template <int TYPE> double element(uint32_t v, int i)
{
    if (TYPE == MMA_TF32) {
        v &= 0xffffe000u; /* a tensor core ignores the low 13 bits of a TF32 operand */
        float f;
        return std::memcpy(&f, &v, 4), (double)f;
    }
    const uint32_t h = v >> 16 * i & 0xffff;
    return TYPE == MMA_F16 ? F16::value(h) : Bf16::value(h);
}

struct Matrices {
    double a[M][32], b[32][N], d[M][N];
};

template <int TYPE> void load_factors(Warp &w, const Op &op, const Shape &s, Matrices &m)
{
    const int elements = TYPE == MMA_TF32 ? 1 : 2;
    for (int i = 0; i < s.a_count; i++) {
        const uint32_t *v = cells<uint32_t>(w, op.data[s.d_count + i]);
        double(*to)[32] = m.a + 8 * (i % 2);
        for (int l = 0; l < 32; l++)
            for (int e = 0; e < elements; e++)
                to[l / 4][elements * (l % 4) + 4 * elements * (i / 2) + e] = element<TYPE>(v[l], e);
    }
    for (int i = 0; i < s.b_count; i++) {
        const uint32_t *v = cells<uint32_t>(w, op.data[s.d_count + s.a_count + i]);
        for (int l = 0; l < 32; l++)
            for (int e = 0; e < elements; e++)
                m.b[elements * (l % 4) + 4 * elements * i + e][l / 4] = element<TYPE>(v[l], e);
    }
}
void load_factors(Warp &w, const Op &op, const Shape &s, Matrices &m)
{
    if (op.mode == MMA_BF16)
        return load_factors<MMA_BF16>(w, op, s, m);
    op.mode == MMA_F16 ? load_factors<MMA_F16>(w, op, s, m) : load_factors<MMA_TF32>(w, op, s, m);
}

/* Returns c + a b. Products are exact, so a fused and a separate addition give equal results. */
double add_product(double a, double b, double c)
{
#ifdef __FMA__
    return std::fma(a, b, c);
#else
    return a * b + c;
#endif
}
template <int K> void multiply(Matrices &m)
{
    for (int row = 0; row < M; row += 2) { /* computes two rows at once, because their sums are independent */
        double sum[2][N];
        std::memcpy(sum, m.d[row], sizeof sum);
        for (int k = 0; k < K; k++)
            for (int j = 0; j < N; j++) {
                sum[0][j] = add_product(m.a[row][k], m.b[k][j], sum[0][j]);
                sum[1][j] = add_product(m.a[row + 1][k], m.b[k][j], sum[1][j]);
            }
        std::memcpy(m.d[row], sum, sizeof sum);
    }
}
void multiply(const Shape &s, Matrices &m)
{
    s.k == 16 ? multiply<16>(m) : s.k == 8 ? multiply<8>(m) : multiply<4>(m);
}

} // namespace

void mma_f32(Warp &w, const Op &op, uint32_t)
{
    const int elements = op.mode == MMA_TF32 ? 1 : 2;
    const Shape s = shape_of(op, elements, 4);
    const int first_c = 4 + s.a_count + s.b_count;
    Matrices m;
    load_factors(w, op, s, m);
    for (int i = 0; i < 4; i++) {
        const float *c = cells<float>(w, op.data[first_c + i]);
        for (int l = 0; l < 32; l++)
            m.d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2] = c[l];
    }
    multiply(s, m);
    for (int i = 0; i < 4; i++) {
        float *d = cells<float>(w, op.data[i]);
        for (int l = 0; l < 32; l++)
            d[l] = (float)m.d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2];
    }
}

void mma_f16(Warp &w, const Op &op, uint32_t) /* FP16 accumulators; a register has two */
{
    const Shape s = shape_of(op, 2, 2);
    const int first_c = 2 + s.a_count + s.b_count;
    Matrices m;
    load_factors(w, op, s, m);
    for (int i = 0; i < 4; i++) {
        const uint32_t *c = cells<uint32_t>(w, op.data[first_c + i / 2]);
        for (int l = 0; l < 32; l++)
            m.d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2] = F16::value(c[l] >> 16 * (i % 2) & 0xffff);
    }
    multiply(s, m);
    for (int i = 0; i < 2; i++) {
        uint32_t *d = cells<uint32_t>(w, op.data[i]);
        for (int l = 0; l < 32; l++) {
            const double *at = &m.d[l / 4 + 8 * i][2 * (l % 4)];
            d[l] = encode<F16>(at[0], 0) | encode<F16>(at[1], 0) << 16;
        }
    }
}

void mma_s32(Warp &w, const Op &op, uint32_t) /* 8-bit factors; sums wrap, or saturate with .satfinite */
{
    const Shape s = shape_of(op, 4, 4);
    int32_t a[M][32], b[32][N];
    int64_t d[M][N];
    const auto byte = [](uint32_t v, int e, bool is_signed) {
        const uint32_t u = v >> 8 * e & 0xff;
        return is_signed ? (int32_t)(int8_t)u : (int32_t)u;
    };
    for (int l = 0; l < 32; l++) {
        const int g = l / 4, t = l % 4;
        for (int i = 0; i < s.a_count; i++)
            for (int e = 0; e < 4; e++)
                a[g + 8 * (i % 2)][4 * t + 16 * (i / 2) + e] =
                    byte(cells<uint32_t>(w, op.data[4 + i])[l], e, op.mode & MMA_A_SIGNED);
        for (int i = 0; i < s.b_count; i++)
            for (int e = 0; e < 4; e++)
                b[4 * t + 16 * i + e][g] =
                    byte(cells<uint32_t>(w, op.data[4 + s.a_count + i])[l], e, op.mode & MMA_B_SIGNED);
        for (int i = 0; i < 4; i++)
            d[g + 8 * (i / 2)][2 * t + i % 2] = cells<int32_t>(w, op.data[4 + s.a_count + s.b_count + i])[l];
    }
    for (int row = 0; row < M; row++)
        for (int k = 0; k < s.k; k++)
            for (int j = 0; j < N; j++)
                d[row][j] += (int64_t)a[row][k] * b[k][j];
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < 4; i++) {
            const int64_t v = d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2];
            const bool saturates = op.mode & MMA_SATURATES;
            cells<uint32_t>(w, op.data[i])[l] = (uint32_t)(saturates && v > INT32_MAX   ? INT32_MAX
                                                           : saturates && v < INT32_MIN ? INT32_MIN
                                                                                        : v);
        }
}

} // namespace PTX_LANES
} // namespace ptx
