/* decode.h - conversion of instructions to ops. A decoder must pass every register operand through Decoder::source or
 * Decoder::target. These functions compare the declared width and kind of the register with the type of the
 * instruction, and throw a Fault if these differ. */
#ifndef PTX_DECODE_H
#define PTX_DECODE_H

#include "machine/machine.h"

namespace ptx
{

enum Width { EXACT, OR_WIDER /* for ld, st and cvt, where the register may be wider than the type */ };

class Decoder
{
  public:
    Decoder(const Module &m, const Function &f, Program &p) : module(m), function(f), program(p)
    {
    }
    const Module &module;
    const Function &function;
    Program &program;
    std::vector<uint32_t> place; /* offset of each register in the register file */

    uint32_t source(const Operand &o, const std::string &type, Width width = EXACT); /* register, literal or symbol */
    uint32_t target(const Operand &o, const std::string &type, Width width = EXACT);
    uint32_t constant(uint64_t value, bool is_wide);
    uint32_t scratch(size_t bytes);                           /* reserves registers that only one op uses */
    uint64_t symbol(const std::string &name, bool &is_found); /* returns the symbol's address in its state space */
    const Register &register_of(const Operand &o) const;
    bool has(const Instruction &i, const char *part) const;
    /* Splits the address operand o into its base register (NOWHERE: no base), its offset, and whether the base has 64
     * bits. Throws a Fault if o is not an address. */
    void address(const Operand &o, uint32_t &base, int64_t &offset, bool &is_wide);
    void operand_count(const Instruction &i, size_t least, size_t most) const;
    int immediate(const Operand &o) const; /* throws a Fault if o is not an integer literal */

  private:
    void check(const Operand &o, const std::string &type, Width width) const;
    std::map<std::pair<uint64_t, bool>, uint32_t> constants;
};

std::string type_of(const Instruction &i, int from_end = 0); /* for example "f32"; "" if the opcode has no type */
unsigned bits_of_type(const std::string &type);
static inline bool is_wide(const std::string &type)
{
    return bits_of_type(type) == 64;
}
unsigned space_of(const Instruction &i);

/* Each function decodes a family of instructions. It returns false for an instruction that it does not handle, and may
 * throw a Fault. */
bool decode_table(Decoder &d, const Instruction &i, Op &op);         /* decode_table.cpp: the rows of lanes/ */
bool decode_convert(Decoder &d, const Instruction &i, Op &op);       /* decode_table.cpp */
bool decode_control(Decoder &d, const Instruction &i, Op &op);       /* control.cpp */
bool decode_barrier(Decoder &d, const Instruction &i, Op &op);       /* barrier.cpp */
bool decode_special(Decoder &d, const Instruction &i, Op &op);       /* special.cpp */
bool decode_load_store(Decoder &d, const Instruction &i, Op &op);    /* load_store.cpp */
bool decode_atomic(Decoder &d, const Instruction &i, Op &op);        /* atomic.cpp */
bool decode_fence(Decoder &d, const Instruction &i, Op &op);         /* atomic.cpp */
bool decode_copy(Decoder &d, const Instruction &i, Op &op);          /* async_copy.cpp */
bool decode_bulk_copy(Decoder &d, const Instruction &i, Op &op);     /* bulk_copy.cpp */
bool decode_mbarrier(Decoder &d, const Instruction &i, Op &op);      /* mbarrier.cpp */
bool decode_matrix_memory(Decoder &d, const Instruction &i, Op &op); /* matrix_memory.cpp */
bool decode_mma(Decoder &d, const Instruction &i, Op &op);           /* mma.cpp */
bool decode_warp(Decoder &d, const Instruction &i, Op &op);          /* warp_ops.cpp */

} // namespace ptx
#endif
