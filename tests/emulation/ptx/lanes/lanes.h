/* lanes.h - tables of operations on the lanes of one warp. A row has the opcode, the function and the types of the
 * operands. To add an opcode that only computes, add a row. The files of lanes/ are compiled twice, for any x86-64 and
 * for AVX2 with FMA. Therefore, they must not use standard containers or define anything outside of namespace
 * PTX_LANES. */
#ifndef PTX_LANES_H
#define PTX_LANES_H

#include "machine/machine.h"

namespace ptx
{

struct Row {
    /* The opcode of a floating-point row omits .rn .rz .rm .rp .ftz .sat .approx .full; only f64 rows keep .approx. */
    const char *opcode;
    Execute run;
    Class what;
    /* One word for each operand, beginning with the result. A word is a type, "imm" (a literal, stored in Op::mode), or
     * a type in parentheses if the operand's register may be wider than the type. The operands are stored in Op::d, a,
     * b, c, e. */
    const char *operands;
};
struct Rows {
    const Row *begin, *end;
};

#define PTX_LANES_OF(variant)                                                                                          \
    namespace variant                                                                                                  \
    {                                                                                                                  \
    Rows integer_rows();                                                                                               \
    Rows float_rows();                                                                                                 \
    Rows half_rows();                                                                                                  \
    Rows compare_rows();                                                                                               \
    Rows convert_rows();                                                                                               \
    Rows move_rows();                                                                                                  \
    void mma_f32(Warp &w, const Op &op, uint32_t lanes); /* op.mode: MmaType; op.count: k of the shape */              \
    void mma_f16(Warp &w, const Op &op, uint32_t lanes);                                                               \
    void mma_s32(Warp &w, const Op &op, uint32_t lanes);                                                               \
    }
PTX_LANES_OF(lanes_plain)
PTX_LANES_OF(lanes_avx2)

enum MmaType { MMA_BF16, MMA_F16, MMA_TF32 };
enum MmaFlags { MMA_A_SIGNED = 1, MMA_B_SIGNED = 2, MMA_SATURATES = 4 }; /* op.mode of mma_s32 */
enum RoundMode {
    ROUND_NEAREST = 0,
    ROUND_DOWN = 0x2000,
    ROUND_UP = 0x4000,
    ROUND_ZERO = 0x6000,
    ROUND_MASK = 0x6000,
    FLUSH = 0x8040
};

} // namespace ptx
#endif
