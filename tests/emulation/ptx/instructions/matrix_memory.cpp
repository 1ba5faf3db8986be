/* matrix_memory.cpp - ldmatrix and stmatrix of 8 x 8 matrices of 16-bit elements. Lane 8 j + r has the address of row r
 * of matrix j. Lane l holds the elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4; with .trans, it holds these elements
 * of column l / 4. */
#include "decode/decode.h"

namespace ptx
{
namespace
{

uint32_t address_lanes(const Op &op)
{
    return op.count == 4 ? FULL : (1u << 8 * op.count) - 1;
}

void row_addresses(Warp &w, const Op &op, Addresses &a, bool is_write)
{
    addresses(w, op.a, op.offset, op.mode != 0, a);
    for (int l = 0; l < 32; l++)
        a.at[l] -= (a.at[l] & WINDOW) == SHARED_WINDOW ? SHARED_WINDOW : 0;
    resolve(w, {op, address_lanes(op), 16, is_write}, SHARED, a.at);
}

void load(Warp &w, const Op &op, uint32_t) /* op.is_signed: transposed */
{
    Addresses a;
    row_addresses(w, op, a, false);
    for (int j = 0; j < op.count; j++) {
        uint32_t *d = cells<uint32_t>(w, op.data[j]);
        uint16_t v[8][8];
        for (int r = 0; r < 8; r++)
            std::memcpy(v[r], (const void *)(uintptr_t)a.at[8 * j + r], 16);
        for (int l = 0; l < 32; l++) {
            const int g = l / 4, t = 2 * (l % 4);
            d[l] = op.is_signed ? v[t][g] | (uint32_t)v[t + 1][g] << 16 : v[g][t] | (uint32_t)v[g][t + 1] << 16;
        }
    }
}

void store(Warp &w, const Op &op, uint32_t)
{
    Addresses a;
    row_addresses(w, op, a, true);
    for (int j = 0; j < op.count; j++) {
        const uint32_t *s = cells<uint32_t>(w, op.data[j]);
        uint16_t v[8][8];
        for (int l = 0; l < 32; l++) {
            const int g = l / 4, t = 2 * (l % 4);
            (op.is_signed ? v[t][g] : v[g][t]) = (uint16_t)s[l];
            (op.is_signed ? v[t + 1][g] : v[g][t + 1]) = (uint16_t)(s[l] >> 16);
        }
        for (int r = 0; r < 8; r++)
            std::memcpy((void *)(uintptr_t)a.at[8 * j + r], v[r], 16);
    }
}

} // namespace

bool decode_matrix_memory(Decoder &d, const Instruction &i, Op &op)
{
    const bool is_load = i.parts[0] == "ldmatrix";
    if (!d.has(i, "m8n8") || type_of(i) != "b16" || !d.has(i, "sync") || !d.has(i, "aligned"))
        return false;
    d.operand_count(i, 2, 2);
    const Operand &registers = i.operands[is_load ? 0 : 1];
    const std::vector<Operand> one(1, registers), &parts = registers.kind == VECTOR ? registers.parts : one;
    op.kind = WARP_SYNC, op.is_all_needed = true, op.what = is_load ? C_MATRIX_LOAD : C_STORE_SHARED;
    op.count = d.has(i, "x4") ? 4 : d.has(i, "x2") ? 2 : 1;
    if (parts.size() != op.count)
        throw Fault("found " + std::to_string(parts.size()) + " registers, expected " + std::to_string(op.count));
    op.is_signed = d.has(i, "trans"), op.space = SHARED, op.bytes = 4;
    op.run = is_load ? load : store;
    for (size_t k = 0; k < parts.size(); k++)
        op.data[k] = is_load ? d.target(parts[k], "b32") : d.source(parts[k], "b32");
    bool is_wide_address;
    d.address(i.operands[is_load ? 1 : 0], op.a, op.offset, is_wide_address);
    op.mode = is_wide_address;
    return true;
}

} // namespace ptx
