/* test_tensor_core.c - checks which matrix element each lane of a warp holds. Expected positions follow the PTX ISA,
 * section "Matrix fragments for mma.m16n8k16 with floating point type". The positions are listed by element here, but
 * by word in the header of the instruction. */
#include "device_support.h"
#include "test_tensor_core.h"

struct fragments { unsigned a[32][4], b[32][2]; float c[32][4]; };

static void put(unsigned *words, int i, float value) /* stores element i of a fragment of bf16 */
{
    words[i / 2] |= (unsigned)to_bf16(value) << 16 * (i % 2);
}

/* Computes d = a b + c for row-major a (16, 16), b (16, 8), c and d (16, 8). The elements of a and b must be exact in
 * bf16. Converts the matrices to fragments, and the result back to rows. */
static void product(float *d, const float *a, const float *b, const float *c)
{
    struct fragments f = {0};
    for (int lane = 0; lane < 32; lane++) {
        int group = lane >> 2, place = lane % 4;
        for (int i = 0; i < 8; i++) {
            int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
            put(f.a[lane], i, a[16 * row + place * 2 + (i & 1) + (i < 4 ? 0 : 8)]);
        }
        for (int i = 0; i < 4; i++) {
            put(f.b[lane], i, b[8 * (place * 2 + (i & 1) + (i < 2 ? 0 : 8)) + group]);
            f.c[lane][i] = c[8 * (i < 2 ? group : group + 8) + place * 2 + (i & 1)];
        }
    }
    void *da = device_copy(f.a, sizeof f.a), *db = device_copy(f.b, sizeof f.b), *dc = device_copy(f.c, sizeof f.c);
    void *dd = device_empty(sizeof f.c);
    tensor_mma(dd, da, db, dc);
    cr_assert_eq(cudaMemcpy(f.c, dd, sizeof f.c, cudaMemcpyDeviceToHost), cudaSuccess);
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++)
            d[8 * (i < 2 ? lane >> 2 : (lane >> 2) + 8) + lane % 4 * 2 + (i & 1)] = f.c[lane][i];
    cudaFree(da), cudaFree(db), cudaFree(dc), cudaFree(dd);
}

/* Multiplies the identity by b, and a by each half of the identity. Every element must appear at its own position. */
Test(tensor_core, identity_matrices)
{
    static float identity[256], left[128], right[128], a[256], b[128], zero[128], d[128];
    for (int i = 0; i < 16; i++)
        identity[17 * i] = 1.0f, (i < 8 ? left : right)[8 * i + i % 8] = 1.0f;
    for (int i = 0; i < 256; i++)
        a[i] = (float)i; /* values up to 255 are exact in bf16 and all different */
    for (int i = 0; i < 128; i++)
        b[i] = (float)(i + 1);
    product(d, identity, b, zero);
    for (int i = 0; i < 128; i++)
        cr_assert_eq(d[i], b[i], "I B at %d: found %g, expected %g", i, d[i], b[i]);
    product(d, a, left, zero);
    for (int i = 0; i < 128; i++)
        cr_assert_eq(d[i], a[16 * (i / 8) + i % 8], "A I at %d: got %g", i, d[i]);
    product(d, a, right, b);
    for (int i = 0; i < 128; i++)
        cr_assert_eq(d[i], a[16 * (i / 8) + 8 + i % 8] + b[i], "A I' + C at %d: found %g", i, d[i]);
}

/* The elements are small integers. Every product and sum is exact, so any order of summation gives the same bits. */
Test(tensor_core, exact_product)
{
    static float a[256], b[128], c[128], d[128];
    rng_state = 4;
    for (int i = 0; i < 256; i++)
        a[i] = (float)(int)(uniform() * 16.0f);
    for (int i = 0; i < 128; i++)
        b[i] = (float)(int)(uniform() * 16.0f), c[i] = uniform() < 0.0f ? -3.0f : 1e5f;
    product(d, a, b, c);
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            float want = c[8 * row + column];
            for (int k = 0; k < 16; k++)
                want += a[16 * row + k] * b[8 * k + column];
            cr_assert_eq(d[8 * row + column], want, "(%d, %d): got %g", row, column, d[8 * row + column]);
        }
}

struct load_case { int kind, count, transposed; };

ParameterizedTestParameters(tensor_core, load_matrix)
{
    static struct load_case cases[] = {{LOAD_X4, 4, 0}, {LOAD_X4_TRANSPOSED, 4, 1}, {LOAD_X2_TRANSPOSED, 2, 1}};
    return cr_make_param_array(struct load_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct load_case *t, tensor_core, load_matrix)
{
    uint16_t rows[4][8][8], got[32][4][2];
    for (int i = 0; i < 256; i++)
        rows[i / 64][i / 8 % 8][i % 8] = (uint16_t)(1000 + i);
    void *from = device_copy(rows, sizeof rows), *to = device_empty(sizeof got);
    tensor_load_matrix(to, from, t->kind);
    cudaMemcpy(got, to, sizeof got, cudaMemcpyDeviceToHost);
    for (int lane = 0; lane < 32; lane++)
        for (int matrix = 0; matrix < 4; matrix++)
            for (int i = 0; i < 2; i++) {
                int major = lane / 4, minor = lane % 4 * 2 + i;
                int want = t->transposed ? rows[matrix][minor][major] : rows[matrix][major][minor];
                if (matrix >= t->count)
                    want = 0;
                cr_assert_eq(got[lane][matrix][i], want, "lane %d matrix %d element %d: found %d, expected %d", lane, matrix,
                             i, got[lane][matrix][i], want);
            }
    cudaFree(from), cudaFree(to);
}

Test(tensor_core, product_through_shared_memory)
{
    uint16_t a[256], b[128];
    float d[128];
    for (int i = 0; i < 256; i++)
        a[i] = to_bf16((float)(i * 7 % 31 - 15));
    for (int i = 0; i < 128; i++)
        b[i] = to_bf16((float)(i * 5 % 29 - 14));
    void *da = device_copy(a, sizeof a), *db = device_copy(b, sizeof b), *dd = device_empty(sizeof d);
    tensor_product(dd, da, db);
    cudaMemcpy(d, dd, sizeof d, cudaMemcpyDeviceToHost);
    for (int i = 0; i < 128; i++) {
        float want = 0.0f;
        for (int k = 0; k < 16; k++)
            want += from_bf16(a[i / 8 * 16 + k]) * from_bf16(b[k * 8 + i % 8]);
        cr_assert_eq(d[i], want, "at %d: found %g, expected %g", i, d[i], want);
    }
    cudaFree(da), cudaFree(db), cudaFree(dd);
}
