/* control.cpp - branches, returns, and instructions that are only counted. */
#include "decode/decode.h"

namespace ptx
{
namespace
{

void nothing(Warp &, const Op &, uint32_t)
{
}
void trap(Warp &w, const Op &op, uint32_t lanes)
{
    fail(w, op, __builtin_ctz(lanes), "trap");
}
void sleep(Warp &w, const Op &, uint32_t)
{
    w.has_yielded = true, w.m->progress++;
}
void no_policy(Warp &w, const Op &op, uint32_t lanes)
{
    each<uint64_t>(cells<uint64_t>(w, op.d), lanes, [](int) { return 0; });
}

} // namespace

bool decode_control(Decoder &d, const Instruction &i, Op &op)
{
    const std::string &name = i.parts[0];
    op.what = C_BRANCH;
    if (name == "bra") {
        d.operand_count(i, 1, 1);
        const auto found = d.function.labels.find(i.operands[0].text);
        if (found == d.function.labels.end())
            throw Fault("label is unknown: " + i.operands[0].text);
        op.kind = BRANCH, op.target = found->second;
        return true;
    }
    if (name == "ret" || name == "exit")
        return op.kind = RETURN, true;
    if (name == "trap")
        return op.run = trap, true;
    op.what = C_BARRIER, op.run = nothing;
    if (name == "nanosleep")
        return op.kind = YIELD, op.run = sleep, true;
    if (name == "createpolicy")
        return op.what = C_MOVE, op.d = d.target(i.operands[0], "b64"), op.run = no_policy, true;
    if (name == "griddepcontrol") /* has no effect, because launches run one after the other */
        return i.opcode == "griddepcontrol.wait" || i.opcode == "griddepcontrol.launch_dependents";
    return name == "setmaxnreg" || name == "prefetch" || name == "prefetchu";
}

} // namespace ptx
