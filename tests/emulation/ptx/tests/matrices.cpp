/* matrices.cpp - compares mma of every shape, ldmatrix, stmatrix and movmatrix with loops. Factors are small integers
 * divided by powers of two, so sums are exact and results must have equal bits. */
#include "support.h"

#include <cmath>

using namespace test;

namespace
{

enum Type { BF16, F16, TF32, S8, U8 };
struct Shape {
    const char *opcode;
    int k;
    Type a, b;
    bool has_half_sums;
};

uint32_t encode(double v, Type t)
{
    const float f = (float)v;
    uint32_t u;
    std::memcpy(&u, &f, 4);
    if (t == BF16)
        return u >> 16;
    if (t == TF32)
        return u;
    if (t != F16)
        return (uint32_t)(int32_t)v & 0xff;
    const uint32_t sign = u >> 16 & 0x8000; /* FP16 of a normal number with few significant bits */
    return v == 0 ? sign : sign | ((u >> 13 & 0x3ff) | ((u >> 23 & 0xff) - 127 + 15) << 10);
}
double sample(Random &r, Type t)
{
    if (t == S8)
        return (double)(int8_t)r.next();
    if (t == U8)
        return (double)(uint8_t)r.next();
    return (double)((int64_t)(r.next() % 33) - 16) * std::ldexp(1.0, (int)(r.next() % 4) - 2);
}
int elements_of(Type t)
{
    return t == TF32 ? 1 : t == S8 || t == U8 ? 4 : 2;
}

std::string list(const char *name, int first, int count)
{
    std::string s = "{";
    for (int k = 0; k < count; k++)
        s += (k ? ", %" : "%") + std::string(name) + std::to_string(first + k);
    return s + "}";
}

/* One mma.m16n8k{k}. Memory contains the registers a, b, c, d of each lane. The members a, b and c are the matrices as
 * numbers. */
struct Product {
    const Shape &s;
    const bool is_integer, has_floats;
    const int elements; /* elements of a and b in one register */
    const int a_count, b_count, d_count, words;
    double a[16][32], b[32][8], c[16][8];

    explicit Product(const Shape &shape)
        : s(shape), is_integer(s.a == S8 || s.a == U8), has_floats(!is_integer && !s.has_half_sums),
          elements(elements_of(s.a)), a_count(s.k / (2 * elements)), b_count(s.k / (4 * elements)),
          d_count(s.has_half_sums ? 2 : 4), words(a_count + b_count + 2 * d_count)
    {
    }
    std::string text() const;
    void fill(Random &r);
    void store(uint32_t *memory) const;
    uint32_t expected(int row, int column) const;
};

std::string Product::text() const
{
    const char *sums = has_floats ? "f" : "r";
    std::string body = "mul.wide.u32 %rd3, %r1, " + std::to_string(4 * words) + ";\nadd.s64 %rd3, %rd1, %rd3;\n";
    for (int k = 0; k < words - d_count; k++) {
        const bool is_sum = k >= a_count + b_count;
        body += std::string("ld.global.b32 %") + (is_sum ? sums : "r") + std::to_string(20 + k) + ", [%rd3+" +
                std::to_string(4 * k) + "];\n";
    }
    body += std::string(s.opcode) + " " + list(sums, 1 + 9, d_count) + ", " + list("r", 20, a_count) + ", " +
            list("r", 20 + a_count, b_count) + ", " + list(sums, 20 + a_count + b_count, d_count) + ";\n";
    for (int k = 0; k < d_count; k++)
        body += std::string("st.global.b32 [%rd3+") + std::to_string(4 * (words - d_count + k)) + "], %" + sums +
                std::to_string(10 + k) + ";\n";
    return kernel(body);
}

void Product::fill(Random &r)
{
    const auto factor = [&](Type t) {
        /* Keeps sums exact in the 11 bits of FP16. */
        return s.has_half_sums ? (double)(r.next() % 9) - 4 : sample(r, t);
    };
    for (auto &row : a)
        for (double &v : row)
            v = factor(s.a);
    for (auto &row : b)
        for (double &v : row)
            v = factor(s.b);
    for (auto &row : c)
        for (double &v : row)
            v = is_integer        ? (double)(int32_t)r.next()
                : s.has_half_sums ? (double)(int)(r.next() % 17) - 8
                                  : sample(r, BF16);
}

uint32_t float_bits(double v)
{
    const float f = (float)v;
    uint32_t u;
    std::memcpy(&u, &f, 4);
    return u;
}

/* Stores the matrices in the layouts of the PTX manual. */
void Product::store(uint32_t *memory) const
{
    for (int lane = 0; lane < 32; lane++) {
        uint32_t *w = memory + lane * words;
        const int g = lane / 4, t = lane % 4, bits = 32 / elements;
        for (int i = 0; i < a_count; i++)
            for (int e = 0; e < elements; e++)
                w[i] |= encode(a[i % 2 ? g + 8 : g][t * elements + e + (i / 2) * 4 * elements], s.a)
                        << bits * e * (elements > 1);
        for (int i = 0; i < b_count; i++)
            for (int e = 0; e < elements; e++)
                w[a_count + i] |= encode(b[t * elements + e + i * 4 * elements][g], s.b) << bits * e * (elements > 1);
        for (int i = 0; i < 4; i++) {
            const double v = c[i < 2 ? g : g + 8][2 * t + (i & 1)];
            if (s.has_half_sums)
                w[a_count + b_count + i / 2] |= encode(v, F16) << 16 * (i & 1);
            else
                w[a_count + b_count + i] = is_integer ? (uint32_t)(int32_t)v : float_bits(v);
        }
    }
}

uint32_t Product::expected(int row, int column) const
{
    double sum = c[row][column];
    for (int k = 0; k < s.k; k++)
        sum += a[row][k] * b[k][column];
    if (s.has_half_sums)
        return encode(sum, F16);
    if (!is_integer)
        return float_bits(sum);
    const bool saturates = std::string(s.opcode).find("satfinite") != std::string::npos;
    return saturates ? (uint32_t)(int32_t)std::fmax(std::fmin(sum, INT32_MAX), INT32_MIN) : (uint32_t)(int64_t)sum;
}

void multiply(const Shape &s, unsigned seed)
{
    Product p(s);
    Random r(seed);
    p.fill(r);
    Machine m(p.text(), (size_t)(32 * 4 * p.words));
    uint32_t *memory = m.as<uint32_t>();
    p.store(memory);
    m.run_well(1, 32);
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + (i < 2 ? 0 : 8), column = 2 * (lane % 4) + (i & 1);
            const uint32_t word = memory[lane * p.words + p.words - p.d_count + (s.has_half_sums ? i / 2 : i)];
            const uint32_t found = s.has_half_sums ? word >> 16 * (i & 1) & 0xffff : word;
            const uint32_t expected = p.expected(row, column);
            check(found == expected, "%s: row %d, column %d: found %x, expected %x", s.opcode, row, column, found,
                  expected);
        }
}

/* Each 16-bit element of shared memory contains its own index. Row r of matrix j is row 5 (8 j + r) % 32 of shared
 * memory. */
void load_and_store(int count, bool is_transposed)
{
    const std::string x = ".x" + std::to_string(count) + (is_transposed ? ".trans" : "");
    const std::string registers = list("r", 20, count);
    std::string body =
        "mov.u32 %r5, tile;\nmov.u32 %r6, other;\nmov.u32 %r7, 0;\nshl.b32 %r8, %r2, 1;\n"
        "$fill:\nshl.b32 %r9, %r7, 6;\nadd.u32 %r9, %r9, %r8;\nshl.b32 %r10, %r9, 1;\nadd.u32 %r10, %r10, "
        "%r5;\nadd.u32 %r11, %r9, 1;\n"
        "shl.b32 %r11, %r11, 16;\nor.b32 %r11, %r11, %r9;\nst.shared.u32 [%r10], %r11;\nadd.u32 %r7, %r7, "
        "1;\nsetp.lt.u32 %p1, %r7, 4;\n@%p1 bra $fill;\nbar.sync 0;\n"
        "mul.lo.u32 %r12, %r2, 5;\nand.b32 %r12, %r12, 31;\nshl.b32 %r12, %r12, 4;\nadd.u32 %r13, %r5, %r12;\n"
        "ldmatrix.sync.aligned.m8n8" +
        x + ".shared.b16 " + registers +
        ", [%r13];\nshl.b32 %r14, %r2, 4;\nadd.u32 %r14, %r14, %r6;\n"
        "stmatrix.sync.aligned.m8n8" +
        x + ".shared.b16 [%r14], " + registers +
        ";\nbar.sync 0;\n"
        "mul.wide.u32 %rd3, %r1, 32;\nadd.s64 %rd3, %rd1, %rd3;\n";
    for (int k = 0; k < count; k++)
        body += "st.global.u32 [%rd3+" + std::to_string(4 * k) + "], %r" + std::to_string(20 + k) + ";\n";
    body += "setp.ge.u32 %p2, %r2, " + std::to_string(8 * count) +
            ";\n@%p2 bra $end;\nld.shared.v4.u32 {%r30, %r31, %r32, %r33}, [%r14];\n"
            "st.global.v4.u32 [%rd3+16], {%r30, %r31, %r32, %r33};\n$end:\n";
    Machine m(kernel(body, ".shared .align 16 .b8 tile[512];\n.shared .align 16 .b8 other[512];\n"), 32 * 32);
    m.run_well(1, 32);
    const uint32_t *w = m.as<uint32_t>();
    for (int l = 0; l < 32; l++)
        for (int j = 0; j < count; j++)
            for (int h = 0; h < 2; h++) {
                const int row = is_transposed ? 2 * (l % 4) + h : l / 4,
                          column = is_transposed ? l / 4 : 2 * (l % 4) + h;
                const unsigned wanted = (unsigned)((8 * j + row) * 5 % 32 * 8 + column);
                check((w[8 * l + j] >> 16 * h & 0xffff) == wanted, "ldmatrix%s, lane %d, matrix %d", x.c_str(), l, j);
            }
    for (int l = 0; l < 8 * count; l++) /* stmatrix must write the values that ldmatrix read */
        for (int k = 0; k < 8; k++)
            check((w[8 * l + 4 + k / 2] >> 16 * (k % 2) & 0xffff) == (unsigned)(l * 5 % 32 * 8 + k),
                  "stmatrix%s, row %d, element %d", x.c_str(), l, k);
}

void transpose()
{
    Machine m(kernel("add.s64 %rd3, %rd1, %rd2;\nld.global.u32 %r5, [%rd3];\nmovmatrix.sync.aligned.m8n8.trans.b16 "
                     "%r6, %r5;\nst.global.u32 [%rd3], %r6;\n"),
              128);
    uint16_t *v = m.as<uint16_t>();
    for (int k = 0; k < 64; k++)
        v[k] = (uint16_t)(1000 + k);
    m.run_well(1, 32);
    for (int row = 0; row < 8; row++)
        for (int column = 0; column < 8; column++)
            check(v[8 * row + column] == 1000 + 8 * column + row, "movmatrix, row %d, column %d", row, column);
}

} // namespace

int main()
{
    const Shape shapes[] = {{"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 16, BF16, BF16, false},
                            {"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", 8, BF16, BF16, false},
                            {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 16, F16, F16, false},
                            {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", 8, F16, F16, false},
                            {"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", 16, F16, F16, true},
                            {"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", 8, F16, F16, true},
                            {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 8, TF32, TF32, false},
                            {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", 4, TF32, TF32, false},
                            {"mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", 32, S8, S8, false},
                            {"mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32", 32, U8, S8, false},
                            {"mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32", 32, S8, U8, false},
                            {"mma.sync.aligned.m16n8k32.row.col.satfinite.s32.u8.u8.s32", 32, U8, U8, false},
                            {"mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32", 16, S8, S8, false},
                            {"mma.sync.aligned.m16n8k16.row.col.satfinite.s32.u8.u8.s32", 16, U8, U8, false}};
    for (const Shape &s : shapes)
        for (unsigned seed = 1; seed <= 20; seed++)
            multiply(s, seed);
    for (int count : {1, 2, 4})
        for (bool is_transposed : {false, true})
            load_and_store(count, is_transposed);
    transpose();
    return finish("matrices");
}
