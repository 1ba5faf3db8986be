/* move.cpp - mov between registers, selp, prmt. instructions/special.cpp implements mov of vectors and special
 * registers. */
#include "lanes/lanes.h"

namespace ptx
{
namespace PTX_LANES
{
namespace
{

template <class T> void move(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return a[l]; });
}
void move_predicate(Warp &w, const Op &op, uint32_t lanes)
{
    set_predicate(w, op.d, lanes, predicate(w, op.a));
}
template <class T> void select(Warp &w, const Op &op, uint32_t lanes)
{
    const T *a = cells<T>(w, op.a), *b = cells<T>(w, op.b);
    const uint32_t p = predicate(w, op.c);
    each<T>(cells<T>(w, op.d), lanes, [=](int l) { return p >> l & 1 ? a[l] : b[l]; });
}

/* prmt.b32: the low three bits of each nibble of c select a byte. If the nibble's top bit is set, all bits
 * of the result byte are the sign of the selected byte. */
void permute(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a), *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        const uint64_t both = (uint64_t)b[l] << 32 | a[l];
        uint32_t d = 0;
        for (int i = 0; i < 4; i++) {
            const uint32_t s = c[l] >> 4 * i, byte = (uint32_t)(both >> 8 * (s & 7)) & 0xff;
            d |= (s & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte) << 8 * i;
        }
        return d;
    });
}
enum Permutation { F4E, B4E, RC8, ECL, ECR, RC16 };
/* prmt.b32.mode: the low two bits of c select a row of the mode's table. */
template <int P> void permute_by(Warp &w, const Op &op, uint32_t lanes)
{
    const uint32_t *a = cells<uint32_t>(w, op.a), *b = cells<uint32_t>(w, op.b), *c = cells<uint32_t>(w, op.c);
    each<uint32_t>(cells<uint32_t>(w, op.d), lanes, [=](int l) {
        const uint64_t both = (uint64_t)b[l] << 32 | a[l];
        const int n = (int)(c[l] & 3);
        uint32_t d = 0;
        for (int i = 0; i < 4; i++) {
            const int from = P == F4E   ? n + i
                             : P == B4E ? (n - i) & 7
                             : P == RC8 ? n
                             : P == ECL ? (i > n ? i : n)
                             : P == ECR ? (i < n ? i : n)
                                        : 2 * (n & 1) + (i & 1);
            d |= ((uint32_t)(both >> 8 * from) & 0xff) << 8 * i;
        }
        return d;
    });
}

// clang-format off: a table
#define MOVES(t, T) {"mov." t, move<T>, C_MOVE, t " " t}, {"selp." t, select<T>, C_MOVE, t " " t " " t " pred"},

const Row rows[] = {
    MOVES("b16", uint32_t) MOVES("u16", uint32_t) MOVES("s16", uint32_t) MOVES("b32", uint32_t) MOVES("u32", uint32_t)
        MOVES("s32", uint32_t) MOVES("f32", uint32_t) MOVES("b64", uint64_t) MOVES("u64", uint64_t)
            MOVES("s64", uint64_t) MOVES("f64", uint64_t){"mov.pred", move_predicate, C_MOVE, "pred pred"},
    {"prmt.b32", permute, C_INT, "b32 b32 b32 b32"},
    {"prmt.b32.f4e", permute_by<F4E>, C_INT, "b32 b32 b32 b32"},
    {"prmt.b32.b4e", permute_by<B4E>, C_INT, "b32 b32 b32 b32"},
    {"prmt.b32.rc8", permute_by<RC8>, C_INT, "b32 b32 b32 b32"},
    {"prmt.b32.ecl", permute_by<ECL>, C_INT, "b32 b32 b32 b32"},
    {"prmt.b32.ecr", permute_by<ECR>, C_INT, "b32 b32 b32 b32"},
    {"prmt.b32.rc16", permute_by<RC16>, C_INT, "b32 b32 b32 b32"},
};
// clang-format on

} // namespace

Rows move_rows()
{
    return {rows, rows + sizeof rows / sizeof *rows};
}

} // namespace PTX_LANES
} // namespace ptx
