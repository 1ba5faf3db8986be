/* decode.cpp - converts the instructions of a function to ops. An unknown instruction becomes an op that faults when it
 * runs, and an entry in Program::problems that explains how to add it. A new family of opcodes is a row of `families`.
 * */
#include "decode/decode.h"
#include "parse/scanner.h"

#include <algorithm>

namespace ptx
{

const char *const class_names[C_COUNT] = {
    "int",       "divide",    "fp32",  "fp64",     "convert", "special", "move", "ld.param", "ld.global", "st.global",
    "ld.shared", "st.shared", "local", "ldmatrix", "mma",     "barrier", "warp", "branch",   "ld.const",  "mbarrier"};

namespace
{

typedef bool (*Decode)(Decoder &d, const Instruction &i, Op &op);
struct Family {
    Decode decode;
    const char *source;  /* the file that implements the family; new opcodes are added there */
    const char *opcodes; /* first parts of opcodes, separated by spaces */
};
const Family families[] = {
    {decode_control, "instructions/control.cpp",
     "bra ret exit trap nanosleep griddepcontrol setmaxnreg prefetch prefetchu createpolicy"},
    {decode_barrier, "instructions/barrier.cpp", "bar barrier"},
    {decode_load_store, "instructions/load_store.cpp", "ld ldu st"},
    {decode_atomic, "instructions/atomic.cpp", "atom red"},
    {decode_fence, "instructions/atomic.cpp", "fence membar"},
    {decode_copy, "instructions/async_copy.cpp or instructions/bulk_copy.cpp", "cp"},
    {decode_mbarrier, "instructions/mbarrier.cpp", "mbarrier"},
    {decode_matrix_memory, "instructions/matrix_memory.cpp", "ldmatrix stmatrix"},
    {decode_mma, "instructions/mma.cpp", "mma movmatrix"},
    {decode_warp, "instructions/warp_ops.cpp", "shfl vote activemask redux elect match"},
    {decode_special, "instructions/special.cpp", "mov cvta isspacep"},
    {decode_convert, "lanes/convert.cpp", "cvt"},
};

/* opcode: the first part of the opcode. Returns NULL if the opcode has no family, because it is a row of a table. */
const Family *family_of(const std::string &opcode)
{
    static const std::map<std::string, const Family *> by_opcode = [] {
        std::map<std::string, const Family *> all;
        for (const Family &family : families)
            for (const std::string &name : split(family.opcodes, ' '))
                all[name] = &family;
        return all;
    }();
    const auto found = by_opcode.find(opcode);
    return found == by_opcode.end() ? nullptr : found->second;
}

struct Refusal {
    const char *opcode /* the first characters of the opcode */, *reason;
};
const Refusal refusals[] = {
    {"wgmma.", "warpgroup matrices are not executed"},
    {"tcgen05.", "tensor memory is not executed"},
    {"wmma.", "use mma.sync, ldmatrix and stmatrix"},
    {"cp.async.bulk.tensor", "tensor maps are not executed; use cp.async.bulk"},
    {"cp.async.bulk.prefetch.tensor", "tensor maps are not executed"},
    {"cp.reduce.async.bulk", "reducing copies are not executed"},
    {"tensormap.", "tensor maps are not executed"},
    {"fence.proxy.tensormap", "tensor maps are not executed"},
    {"barrier.cluster", "clusters are not executed"},
    {"mapa", "clusters are not executed"},
    {"getctarank", "clusters are not executed"},
    {"multimem.", "multicast memory is not executed"},
    {"st.async", "clusters are not executed"},
    {"red.async", "clusters are not executed"},
    {"call", "functions are not executed: inline them"},
    {"brx.", "jump tables are not executed"},
    {"tex.", "textures are not executed"},
    {"tld4.", "textures are not executed"},
    {"suld.", "surfaces are not executed"},
    {"sust.", "surfaces are not executed"},
    {"alloca", "stack allocation is not executed"},
};

/* Lays out static shared memory with a gap of 256 bytes between two arrays. Each array keeps its address modulo 128, so
 * it also keeps its banks. */
void lay_out_shared(const Module &m, const Function &f, Program &p)
{
    size_t end = 0, gaps = 0;
    for (const Variable &v : f.shared) {
        p.shared.push_back({v.name, v.offset + gaps, v.bytes, v.align});
        end = v.offset + v.bytes;
        gaps += 256;
    }
    p.real_shared_bytes = end;
    p.shared_bytes = end ? end + gaps : 0;
    const size_t dynamic = (p.shared_bytes + 127) / 128 * 128;
    for (const Variable &v : m.dynamic_shared) {
        bool is_used = false;
        for (const Instruction &i : f.code)
            for (const Operand &o : i.operands)
                is_used = is_used || o.text == v.name;
        if (is_used) {
            p.has_dynamic = true;
            p.shared_bytes = dynamic;
            p.shared.push_back({v.name, dynamic, 0, v.align});
        }
    }
}

void find_module_memory(const Module &m, Program &p)
{
    for (const ModuleVariable &v : m.variables)
        p.module_memory.push_back({(uintptr_t)v.memory.get(), (uintptr_t)v.memory.get() + v.bytes});
    std::sort(p.module_memory.begin(), p.module_memory.end(),
              [](const Range &a, const Range &b) { return a.begin < b.begin; });
}

std::string how_to_add(const Instruction &i)
{
    if (const Family *family = family_of(i.parts[0]))
        return std::string("add it to ") + family->source + " (README.md, \"How to add an opcode\")";
    const std::string t = type_of(i);
    const bool is_half = t.find("f16") != std::string::npos;
    const char *file = is_half ? "lanes/half.cpp" : t[0] == 'f' ? "lanes/float.cpp" : "lanes/integer.cpp";
    return std::string("add a row {\"") + i.opcode + "\", function, class, types of the operands} to " + file +
           ", or a family to decode/decode.cpp (README.md, \"How to add an opcode\")";
}

void report_problem(Warp &w, const Op &op, uint32_t lanes)
{
    fail(w, op, __builtin_ctz(lanes), w.m->p->problems[(size_t)op.target]);
}

/* Decodes one instruction into op. Returns a description of the problem with the instruction, or an empty string. */
std::string decode_one(Decoder &d, const Instruction &i, Op &op)
{
    const std::string place = ", " + d.function.name + ", line " + std::to_string(i.line);
    for (const Refusal &r : refusals)
        if (i.opcode.compare(0, std::strlen(r.opcode), r.opcode) == 0)
            return "refused instruction" + place + ": " + i.opcode + ": " + r.reason + ": " + i.text;
    std::string why = how_to_add(i);
    try {
        const Family *family = family_of(i.parts[0]);
        if (family ? family->decode(d, i, op) : decode_table(d, i, op))
            return "";
    } catch (const Fault &e) {
        why = e.what();
    }
    return "unknown instruction" + place + ": " + i.opcode + ": " + why + ": " + i.text;
}

void note_shared_access(Program &p, const Op &op)
{
    if (op.is_atomic)
        p.granule = std::min<uint32_t>(p.granule, 4);
    else if (op.what == C_MBARRIER)
        p.granule = std::min<uint32_t>(p.granule, 8);
    else if (op.space == SHARED || op.space == GENERIC) {
        const uint32_t bytes = (uint32_t)op.bytes * std::max<uint32_t>(op.count, 1);
        const bool is_access = op.bytes && (op.what == C_LOAD_GLOBAL || op.what == C_STORE_GLOBAL ||
                                            op.what == C_LOAD_SHARED || op.what == C_STORE_SHARED);
        if (is_access)
            p.granule = std::min(p.granule, bytes);
    }
}

} // namespace

std::unique_ptr<Program> decode(const Module &m, const Function &f)
{
    std::unique_ptr<Program> p(new Program);
    p->module = &m, p->function = &f;
    lay_out_shared(m, f, *p);
    find_module_memory(m, *p);
    Decoder d(m, f, *p);
    assign_registers(f, d.place, p->file_bytes, p->problems);
    p->code.reserve(f.code.size());
    for (size_t k = 0; k < f.code.size(); k++) {
        const Instruction &i = f.code[k];
        Op op;
        const std::string problem = decode_one(d, i, op);
        if (!problem.empty()) {
            op = Op();
            op.run = report_problem, op.target = (int)p->problems.size();
            p->problems.push_back(problem);
        }
        op.index = (int)k;
        if (i.guard >= 0)
            op.guard = d.place[(size_t)i.guard], op.is_negated = i.is_negated;
        note_shared_access(*p, op);
        p->code.push_back(op);
    }
    return p;
}

} // namespace ptx
