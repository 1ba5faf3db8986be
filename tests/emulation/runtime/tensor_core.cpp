/* tensor_core.cpp - host versions of kernels/cuda/convolution/tensor_core.cuh, which documents the layouts.
 *
 * Like the scheduler, this file is compiled without sanitizers. The last lane to arrive reads the operands of the other
 * lanes, which TSan would report as races on the stacks of these lanes. */
#include "cuda_emu.h"
#include "kernels/cuda/convolution/tensor_core.cuh"

#include <cstdlib>

namespace {

struct MmaLane { float *d; const unsigned *a, *b; const float *c; };

float low(unsigned pair) { return __uint_as_float(pair << 16); }
float high(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

void mma(void *const operands[32])
{
    float a[16][16], b[16][8], d[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const MmaLane *l = static_cast<const MmaLane *>(operands[lane]);
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++) {
            float *at = &a[g + 8 * (i % 2)][2 * t + 8 * (i / 2)];
            at[0] = low(l->a[i]), at[1] = high(l->a[i]);
            d[g + 8 * (i / 2)][2 * t + i % 2] = l->c[i];
        }
        for (int i = 0; i < 2; i++)
            b[2 * t + 8 * i][g] = low(l->b[i]), b[2 * t + 8 * i + 1][g] = high(l->b[i]);
    }
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < 16; k++)
            for (int column = 0; column < 8; column++) /* the product of two bf16 is exact in fp32 */
                d[row][column] += a[row][k] * b[k][column];
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++)
            static_cast<const MmaLane *>(operands[lane])->d[i] = d[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2];
}

/* Fails if the 8 rows of a matrix cannot be read at once. Rows can be read at once if they are in 8
 * different groups of 4 banks. A group is 16 of every 128 bytes. */
void check_banks(void *const operands[32], int count)
{
    static const bool wanted = std::getenv("EMU_BANKS") != nullptr;
    for (int matrix = 0; wanted && matrix < count; matrix++) {
        unsigned groups = 0;
        for (int row = 0; row < 8; row++)
            groups |= 1u << (uintptr_t)static_cast<const EmuMatrixLoad *>(operands[8 * matrix + row])->address / 16 % 8;
        if (groups != 0xff)
            emu_fail("ldmatrix with a bank conflict", static_cast<const EmuMatrixLoad *>(operands[8 * matrix])->where);
    }
}

void load_matrix(void *const operands[32])
{
    uint16_t value[32][8]; /* row r of matrix j is value[8 j + r] */
    const int count = static_cast<const EmuMatrixLoad *>(operands[0])->count;
    check_banks(operands, count);
    for (int lane = 0; lane < 8 * count; lane++) {
        const uint4 row = static_cast<const EmuMatrixLoad *>(operands[lane])->row;
        const unsigned words[4] = {row.x, row.y, row.z, row.w};
        for (int i = 0; i < 8; i++)
            value[lane][i] = (uint16_t)(words[i / 2] >> 16 * (i % 2));
    }
    for (int lane = 0; lane < 32; lane++) {
        const EmuMatrixLoad *l = static_cast<const EmuMatrixLoad *>(operands[lane]);
        const int g = lane / 4, t = 2 * (lane % 4);
        for (int j = 0; j < count; j++)
            l->words[j] = l->is_transposed ? value[8 * j + t][g] | (unsigned)value[8 * j + t + 1][g] << 16
                                        : value[8 * j + g][t] | (unsigned)value[8 * j + g][t + 1] << 16;
    }
}

} // namespace

void emu_mma(EmuWhere where, float d[4], const unsigned a[4], const unsigned b[2], const float c[4])
{
    MmaLane lane = {d, a, b, c};
    emu_warp_collective(where, mma, &lane);
}

void emu_load_matrix(const EmuMatrixLoad &load)
{
    EmuMatrixLoad lane = load;
    if (emu_lane() < 8u * (unsigned)load.count && !emu_is_shared(load.address, 16))
        emu_fail("ldmatrix reads an address outside shared memory", load.where);
    emu_warp_collective(load.where, load_matrix, &lane);
}
