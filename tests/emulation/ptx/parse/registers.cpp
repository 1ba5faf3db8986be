/* registers.cpp - lets registers with disjoint live ranges share places, so that the registers of a warp stay in the
 * cache. A live range is an interval of instructions in the order of the text. It contains every instruction at which
 * some path may still need the register's value. */
#include "ptx.h"

#include <algorithm>

namespace ptx
{
namespace
{

bool is_one_of(const std::string &s, std::initializer_list<const char *> words)
{
    for (const char *w : words)
        if (s == w)
            return true;
    return false;
}

/* Returns true if the instruction writes its first operand. An address operand is never written. */
bool writes_first(const Instruction &i)
{
    const std::string &n = i.parts[0];
    if (i.operands.empty() || i.operands[0].kind == ADDRESS)
        return false;
    if (n == "bar" || n == "barrier")
        return std::find(i.parts.begin(), i.parts.end(), "red") != i.parts.end();
    return !is_one_of(n, {"bra", "ret", "exit", "trap", "nanosleep", "cp", "fence", "membar", "griddepcontrol",
                          "setmaxnreg", "st", "red"});
}

void collect(const Operand &o, std::vector<int> &into)
{
    if (o.reg >= 0)
        into.push_back(o.reg);
    for (const Operand &p : o.parts)
        collect(p, into);
}

bool ends_flow(const Instruction &i)
{
    return is_one_of(i.parts[0], {"ret", "exit"});
}

typedef std::vector<uint64_t> Bits;
bool has(const Bits &b, size_t k)
{
    return b[k / 64] >> k % 64 & 1;
}
void add(Bits &b, size_t k)
{
    b[k / 64] |= 1ull << k % 64;
}

class Liveness
{
  public:
    explicit Liveness(const Function &function)
        : f(function), uses(f.code.size()), defs(f.code.size()), words((f.registers.size() + 63) / 64)
    {
        find_operands();
        find_blocks();
        for (Block &b : blocks)
            connect(b);
        propagate();
    }
    /* Returns the first and the last instruction of each register's live range. The last is -1 if the register is never
     * used. */
    std::vector<std::pair<int, int>> ranges() const
    {
        std::vector<std::pair<int, int>> range(f.registers.size(), {1 << 30, -1});
        const auto widen = [&](size_t reg, size_t at) {
            range[reg].first = std::min(range[reg].first, (int)at);
            range[reg].second = std::max(range[reg].second, (int)at);
        };
        for (const Block &b : blocks) {
            for (size_t k = b.begin; k < b.end; k++) {
                for (int u : uses[k])
                    widen((size_t)u, k);
                for (int d : defs[k])
                    widen((size_t)d, k);
            }
            for (size_t q = 0; q < f.registers.size(); q++) {
                if (has(b.in, q))
                    widen(q, b.begin);
                if (has(b.out, q))
                    widen(q, b.end - 1);
            }
        }
        return range;
    }
    bool is_read_first(size_t reg) const
    {
        return !blocks.empty() && has(blocks[0].in, reg);
    }

  private:
    struct Block {
        size_t begin, end;
        std::vector<size_t> next;
        Bits in, out, use, def;
    };
    const Function &f;
    std::vector<std::vector<int>> uses, defs;
    std::vector<Block> blocks;
    std::vector<size_t> block_of; /* number of the block that begins at an instruction, by the instruction's index */
    size_t words;

    void find_operands()
    {
        for (size_t k = 0; k < f.code.size(); k++) {
            const Instruction &i = f.code[k];
            for (size_t o = 0; o < i.operands.size(); o++)
                collect(i.operands[o], o == 0 && writes_first(i) ? defs[k] : uses[k]);
            /* If the guard is false, the target register keeps its old value, so this instruction also uses it. */
            if (i.guard >= 0) {
                uses[k].push_back(i.guard);
                uses[k].insert(uses[k].end(), defs[k].begin(), defs[k].end());
            }
        }
    }
    void find_blocks()
    {
        const size_t n = f.code.size();
        std::vector<char> starts(n + 1, 0);
        starts[0] = 1;
        for (const auto &l : f.labels)
            starts[(size_t)l.second] = 1;
        for (size_t k = 0; k < n; k++)
            if (f.code[k].parts[0] == "bra" || ends_flow(f.code[k]))
                starts[k + 1] = 1;
        block_of.assign(n + 1, 0);
        const Bits none(words, 0);
        for (size_t k = 0; k < n;) {
            size_t end = k + 1;
            while (end < n && !starts[end])
                end++;
            block_of[k] = blocks.size();
            blocks.push_back({k, end, {}, none, none, none, none});
            k = end;
        }
    }
    void connect(Block &b)
    {
        const Instruction &last = f.code[b.end - 1];
        const bool is_branch = last.parts[0] == "bra";
        if (is_branch && !last.operands.empty()) {
            const auto l = f.labels.find(last.operands[0].text);
            if (l != f.labels.end() && l->second < (int)f.code.size())
                b.next.push_back(block_of[(size_t)l->second]);
        }
        if (b.end < f.code.size() && !((is_branch || ends_flow(last)) && last.guard < 0))
            b.next.push_back(block_of[b.end]);
        for (size_t k = b.begin; k < b.end; k++) {
            for (int u : uses[k])
                if (!has(b.def, (size_t)u))
                    add(b.use, (size_t)u);
            for (int d : defs[k])
                add(b.def, (size_t)d);
        }
    }
    void propagate()
    {
        for (bool is_changed = true; is_changed;) {
            is_changed = false;
            for (size_t k = blocks.size(); k-- > 0;) {
                Block &b = blocks[k];
                for (size_t w = 0; w < words; w++) {
                    uint64_t out = 0;
                    for (size_t next : b.next)
                        out |= blocks[next].in[w];
                    const uint64_t in = b.use[w] | (out & ~b.def[w]);
                    is_changed = is_changed || in != b.in[w] || out != b.out[w];
                    b.in[w] = in, b.out[w] = out;
                }
            }
        }
    }
};

/* Linear scan: the place of a register is free again after the last instruction of its live range. */
class Places
{
  public:
    Places(const Function &f_, std::vector<uint32_t> &place_) : f(f_), place(place_)
    {
    }
    size_t bytes = 64;
    void release_before(int instruction)
    {
        while (!ends.empty() && ends.front().first < instruction) {
            std::pop_heap(ends.begin(), ends.end(), later);
            const size_t ended = (size_t)ends.back().second;
            spare[f.registers[ended].kind].push_back(place[ended]);
            ends.pop_back();
        }
    }
    void assign(int q, int last_instruction)
    {
        /* A predicate takes 64 bytes, so that each has its own cache line. */
        static const uint32_t size[3] = {64, 128, 256};
        const int kind = f.registers[(size_t)q].kind;
        if (!spare[kind].empty()) {
            place[(size_t)q] = spare[kind].back();
            spare[kind].pop_back();
        } else {
            place[(size_t)q] = (uint32_t)bytes;
            bytes += size[kind];
        }
        ends.push_back({last_instruction, q});
        std::push_heap(ends.begin(), ends.end(), later);
    }

  private:
    static bool later(const std::pair<int, int> &a, const std::pair<int, int> &b)
    {
        return a.first > b.first;
    }
    const Function &f;
    std::vector<uint32_t> &place;
    std::vector<uint32_t> spare[3];
    std::vector<std::pair<int, int>> ends; /* pairs of last instruction and register, as a heap */
};

} // namespace

void assign_registers(const Function &f, std::vector<uint32_t> &place, size_t &bytes,
                      std::vector<std::string> &problems)
{
    const Liveness liveness(f);
    const std::vector<std::pair<int, int>> range = liveness.ranges();
    std::vector<int> order;
    for (size_t q = 0; q < f.registers.size(); q++) {
        if (liveness.is_read_first(q))
            problems.push_back("register " + f.registers[q].name + " is read on some path before it is written");
        if (range[q].second >= 0)
            order.push_back((int)q);
    }
    std::sort(order.begin(), order.end(),
              [&](int a, int b) { return range[(size_t)a].first < range[(size_t)b].first; });
    place.assign(f.registers.size(), 0);
    Places places(f, place);
    for (int q : order) {
        places.release_before(range[(size_t)q].first);
        places.assign(q, range[(size_t)q].second);
    }
    bytes = (places.bytes + 127) / 128 * 128;
}

} // namespace ptx
