/* tensor_core.cuh - the warp-wide matrix instructions of sm_80 and later. This is the only inline PTX; in the
 * emulator each instruction has a host twin (tests/emulation/runtime/tensor_core.cpp).
 *
 * All 32 lanes of a warp make the call together. With g = lane / 4 and t = lane % 4, a lane
 * holds (PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type"):
 *
 *   A (16 x 16)     a[i]: row g + 8 (i % 2), columns 2t + 8 (i / 2) and the next; two bf16, low half first
 *   B (16 x 8)      b[i]: rows 2t + 8 i and the next, column g;                   two bf16, low half first
 *   C, D (16 x 8)   c[i]: row g + 8 (i / 2), column 2t + i % 2;                   one float
 *
 * load_matrix_x<n> reads n 8 x 8 matrices of bf16 from shared memory. Lane 8 j + r passes the address
 * of row r of matrix j: 16 bytes, aligned to 16. Word j of the result has row g, columns 2t and
 * 2t + 1 of matrix j; transposed: rows 2t and 2t + 1, column g. Row-major A and column-major B are loaded
 * plain; row-major B and column-major A are loaded transposed. The caller places a barrier between the
 * stores to shared memory and the load. */
#ifndef TENSOR_CORE_H
#define TENSOR_CORE_H

#include "kernels/cuda/launch.cuh"

#ifdef CUDA_EMU

void emu_mma(EmuWhere where, float d[4], const unsigned a[4], const unsigned b[2], const float c[4]);
void emu_load_matrix(const EmuMatrixLoad &load);

static inline void mma_bf16_16x8x16(float d[4], const unsigned a[4], const unsigned b[2], const float c[4],
                                    EMU_CALLER)
{
    emu_mma({file, line}, d, a, b, c);
}

/* Reads the row here, because the sanitizers instrument this code but not the twin. */
template <int COUNT, bool TRANSPOSED>
static inline void emu_load_matrix(unsigned *words, const void *address, EmuWhere where)
{
    const bool reads = emu_lane() < 8 * COUNT; /* the other lanes' addresses are ignored */
    emu_load_matrix({where, words, COUNT, TRANSPOSED, address,
                     reads ? *static_cast<const uint4 *>(address) : make_uint4(0, 0, 0, 0)});
}

static inline void load_matrix_x4(unsigned words[4], const void *row, EMU_CALLER)
{
    emu_load_matrix<4, false>(words, row, {file, line});
}
static inline void load_matrix_x4_transposed(unsigned words[4], const void *row, EMU_CALLER)
{
    emu_load_matrix<4, true>(words, row, {file, line});
}
static inline void load_matrix_x2_transposed(unsigned words[2], const void *row, EMU_CALLER)
{
    emu_load_matrix<2, true>(words, row, {file, line});
}

#else

/* d = a b + c. The products are exact; the hardware chooses the order of the sums in fp32. d may be c. */
static __device__ __forceinline__ void mma_bf16_16x8x16(float d[4], const unsigned a[4], const unsigned b[2],
                                                        const float c[4])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]),
                   "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}

/* "memory": the compiler must not move the load before a store or a barrier. */
static __device__ __forceinline__ void load_matrix_x4(unsigned words[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}
static __device__ __forceinline__ void load_matrix_x4_transposed(unsigned words[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}
static __device__ __forceinline__ void load_matrix_x2_transposed(unsigned words[2], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(words[0]), "=r"(words[1])
                 : "r"((unsigned)__cvta_generic_to_shared(row)) : "memory");
}

#endif
#endif /* TENSOR_CORE_H */
