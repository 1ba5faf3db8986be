/* load_store.cpp - ld, ldu and st. If a register is wider than the type, a load fills the upper bits with zeros or with
 * the sign, and a store uses only the lower bits. */
#include "decode/decode.h"

#include <cstdlib>

namespace ptx
{
namespace
{

template <class M, class D>
void fetch(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes) /* M: type in memory; D: type of the register */
{
    for (int k = 0; k < op.count; k++) {
        if (op.data[k] == NOWHERE)
            continue;
        auto *d = cells<D>(w, op.data[k]);
        for (uint32_t m = lanes; m; m &= m - 1) {
            const int l = __builtin_ctz(m);
            M v;
            std::memcpy(&v, (const char *)(uintptr_t)at[l] + (size_t)k * sizeof(M), sizeof v);
            d[l] = (D)v;
        }
    }
}
template <class M, class D> void put(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes)
{
    for (int k = 0; k < op.count; k++) {
        const D *d = cells<D>(w, op.data[k]);
        for (uint32_t m = lanes; m; m &= m - 1) {
            const int l = __builtin_ctz(m);
            const M v = (M)d[l];
            std::memcpy((char *)(uintptr_t)at[l] + (size_t)k * sizeof(M), &v, sizeof v);
        }
    }
}
void fetch_four_words(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes)
{
    uint32_t *d[4];
    for (int k = 0; k < 4; k++)
        d[k] = cells<uint32_t>(w, op.data[k]);
    for (uint32_t m = lanes; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        uint32_t v[4];
        std::memcpy(v, (const void *)(uintptr_t)at[l], sizeof v);
        d[0][l] = v[0], d[1][l] = v[1], d[2][l] = v[2], d[3][l] = v[3];
    }
}

typedef void (*Transfer)(Warp &w, const Op &op, const uint64_t *at, uint32_t lanes);

/* Returns the load function for elements of `bytes` bytes and registers of `bits` bits. */
Transfer loader(int bytes, bool is_signed, int bits)
{
    const Transfer table[3][2][3] = {
        {{fetch<uint8_t, uint16_t>, fetch<uint8_t, uint32_t>, fetch<uint8_t, uint64_t>},
         {fetch<int8_t, uint16_t>, fetch<int8_t, uint32_t>, fetch<int8_t, uint64_t>}},
        {{fetch<uint16_t, uint16_t>, fetch<uint16_t, uint32_t>, fetch<uint16_t, uint64_t>},
         {fetch<int16_t, uint16_t>, fetch<int16_t, uint32_t>, fetch<int16_t, uint64_t>}},
        {{nullptr, fetch<uint32_t, uint32_t>, fetch<uint32_t, uint64_t>},
         {nullptr, fetch<int32_t, uint32_t>, fetch<int32_t, uint64_t>}},
    };
    const int size = bytes == 1 ? 0 : bytes == 2 ? 1 : 2, width = bits == 16 ? 0 : bits == 32 ? 1 : 2;
    return bytes == 8 ? fetch<uint64_t, uint64_t> : table[size][is_signed][width];
}
Transfer storer(int bytes, int bits)
{
    const bool is_wide_register = bits == 64;
    return bytes == 1   ? (is_wide_register ? put<uint8_t, uint64_t> : put<uint8_t, uint32_t>)
           : bytes == 2 ? (is_wide_register ? put<uint16_t, uint64_t> : put<uint16_t, uint32_t>)
           : bytes == 4 ? (is_wide_register ? put<uint32_t, uint64_t> : put<uint32_t, uint32_t>)
                        : put<uint64_t, uint64_t>;
}

void load(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    addresses(w, op.a, op.offset, op.mode != 0, a);
    resolve(w, {op, lanes, (unsigned)op.bytes * op.count, false}, op.space, a.at);
    if (op.target)
        return fetch_four_words(w, op, a.at, lanes);
    loader(op.bytes, op.is_signed, op.width)(w, op, a.at, lanes);
}
void store(Warp &w, const Op &op, uint32_t lanes)
{
    Addresses a;
    addresses(w, op.a, op.offset, op.mode != 0, a);
    resolve(w, {op, lanes, (unsigned)op.bytes * op.count, true}, op.space, a.at);
    storer(op.bytes, op.width)(w, op, a.at, lanes);
}

Class class_of(unsigned space, bool is_load)
{
    switch (space) {
    case PARAM:
        return C_LOAD_PARAM;
    case SHARED:
        return is_load ? C_LOAD_SHARED : C_STORE_SHARED;
    case LOCAL:
        return C_LOCAL;
    case CONSTANT:
        return C_LOAD_CONST;
    default:
        return is_load ? C_LOAD_GLOBAL : C_STORE_GLOBAL;
    }
}

void decode_data(Decoder &d, const Operand &data, const std::string &type, bool is_load, Op &op)
{
    const bool is_vector = data.kind == VECTOR;
    op.count = is_vector ? (uint8_t)data.parts.size() : 1;
    if (op.count > 8 || (op.count & (op.count - 1)))
        throw Fault("a vector of " + std::to_string(op.count) + " elements");
    op.width = 0;
    bool has_sink = false;
    for (int k = 0; k < op.count; k++) {
        const Operand &o = is_vector ? data.parts[(size_t)k] : data;
        const uint8_t bits = o.reg >= 0 ? d.register_of(o).bits : 0;
        has_sink = has_sink || o.text == "_";
        op.data[k] = o.text == "_" && is_load ? NOWHERE
                     : is_load                ? d.target(o, type, OR_WIDER)
                                              : d.source(o, type, OR_WIDER);
        if (bits && op.width && bits != op.width)
            throw Fault("a vector of registers of different widths");
        op.width = bits ? bits : op.width;
    }
    if (!op.width) /* the operand has only literals */
        op.width = bits_of_type(type) == 64 ? 64 : 32;
    if (!is_load && op.width == 64 && bits_of_type(type) < 64)
        for (int k = 0; k < op.count; k++)
            if ((is_vector ? data.parts[(size_t)k] : data).reg < 0)
                throw Fault("a literal among registers wider than the type");
    /* A target of 1 selects fetch_four_words. */
    op.target = is_load && op.bytes == 4 && op.count == 4 && op.width == 32 && !has_sink;
}

} // namespace

bool decode_load_store(Decoder &d, const Instruction &i, Op &op)
{
    const std::string type = type_of(i);
    const bool is_load = i.parts[0] != "st", has_policy = i.opcode.find("cache_hint") != std::string::npos;
    d.operand_count(i, 2 + has_policy, 2 + has_policy);
    const unsigned bits = bits_of_type(type);
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
        return false;
    for (const std::string &p : i.parts)
        if (p == "mmio" || p == "shared::cluster" || p == "b128")
            return false;
    op.space = (uint8_t)space_of(i);
    if (!is_load && (op.space == CONSTANT || op.space == PARAM))
        return false;
    op.bytes = (uint8_t)(bits / 8);
    op.is_signed = type[0] == 's', op.is_constant = d.has(i, "nc");
    op.is_acquire = d.has(i, "acquire"), op.is_release = d.has(i, "release");
    op.is_strong = op.is_acquire || op.is_release || d.has(i, "relaxed") || d.has(i, "volatile");
    op.run = is_load ? load : store, op.what = class_of(op.space, is_load);
    decode_data(d, i.operands[is_load ? 0 : 1], type, is_load, op);
    if (has_policy)
        d.source(i.operands[2], "b64");
    bool is_wide_address;
    d.address(i.operands[is_load ? 1 : 0], op.a, op.offset, is_wide_address);
    op.mode = is_wide_address;
    return true;
}

} // namespace ptx
