/* count_machine.cpp - estimates the cost of a launch from a sample of its blocks.
 *
 * Neighbouring blocks of a grid mostly cost the same. If two sampled blocks differ, more blocks between them are
 * sampled. If they agree, the blocks between them are assumed to cost the same. At most MOST_BLOCKS blocks run; the
 * blocks in a remaining gap get the mean cost of the two blocks at its ends. Memory is zero, because values do not
 * matter. */
#include "count_launch.h"
#include "count_machine.h"
#include "ptx/watch/counters.h"
#include "ptx/ptx.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cxxabi.h>
#include <dirent.h>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>

namespace {

enum { MOST_BLOCKS = 16, MEMORIES = 4, SECTOR = 32 };
/* Two blocks count as equal if their numbers of instructions differ by at most this fraction. */
constexpr double ALIKE = 0.01;

struct Kernel {
    const ptx::Module *module;
    const ptx::Function *function;
    std::unique_ptr<ptx::Program> program;
    std::vector<int> phase; /* phase of each instruction; a barrier or a loop edge begins a new phase */
};

/* The columns of the CSV table, in the order of sq_count_class (kernels/speed/counts.h). */
const char *const columns[] = {"int",       "divide",    "fp32",      "fp64",  "convert",  "special", "move",    "ld.param", "ld.global",
                               "st.global", "ld.shared", "st.shared", "local", "ldmatrix", "mma",     "barrier", "warp",     "branch"};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* Returns the column that counts instructions of class `what` of the PTX machine. Constant memory counts as parameters,
 * and mbarriers count as barriers. */
int column_of(int what)
{
    std::string name = ptx::class_names[what];
    name = name == "ld.const" ? "ld.param" : name == "mbarrier" ? "barrier" : name;
    for (int i = 0; i < COLUMNS; i++)
        if (name == columns[i])
            return i;
    throw ptx::Fault("instructions of class " + name + " have no column");
}

/* Returns the wavefronts of asynchronous copies into shared memory, or 0 if ptx::Stat does not count them. */
template <class S> auto landing(const S &s, int) -> decltype((double)s.landing) { return (double)s.landing; }
template <class S> double landing(const S &, long) { return 0; }

/* The members are doubles, because the counts are weighted. */
struct Cost {
    double instructions[COLUMNS] = {}, requests[MEMORIES] = {}, moved[MEMORIES] = {}, ideal[MEMORIES] = {};
    double loaded = 0, in_flight = 0; /* in_flight: sum of sectors * (sectors per warp), over all phases */

    void add(const Cost &c, double weight)
    {
        for (int i = 0; i < COLUMNS; i++)
            instructions[i] += weight * c.instructions[i];
        for (int i = 0; i < MEMORIES; i++) {
            requests[i] += weight * c.requests[i];
            moved[i] += weight * c.moved[i];
            ideal[i] += weight * c.ideal[i];
        }
        loaded += weight * c.loaded;
        in_flight += weight * c.in_flight;
    }
    double all() const
    {
        double sum = 0;
        for (double i : instructions)
            sum += i;
        return sum;
    }
};

std::vector<std::unique_ptr<ptx::Module>> modules;
std::map<std::string, Kernel> kernels; /* by short name: "pointwise_kernel<64, 0>" */
std::string prefix, rows;
bool is_counting, has_failed;

/* Shortens "void pointwise_kernel<64, 0>(sq_cuda_pointwise, int)" to "pointwise_kernel<64, 0>", as
 * tests/kernels/compiled/check_resources.py does. */
std::string short_name(std::string name)
{
    const std::pair<const char *, const char *> spellings[] = {{"(int)", ""}, {"(bool)1", "true"}, {"(bool)0", "false"},
                                                                {"(anonymous namespace)::", ""}};
    for (const auto &s : spellings)
        for (size_t at; (at = name.find(s.first)) != std::string::npos;)
            name.replace(at, std::string(s.first).size(), s.second);
    int depth = 0;
    for (size_t i = 0; i < name.size(); i++) {
        depth += (name[i] == '<') - (name[i] == '>');
        if (name[i] == '(' && depth == 0)
            name.resize(i);
    }
    return name.compare(0, 5, "void ") == 0 ? name.substr(5) : name;
}

std::string demangled(const std::string &name)
{
    int status;
    char *text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
    const std::string result = status == 0 ? text : name;
    std::free(text);
    return short_name(result);
}

/* Numbers the phase of each instruction. All loads of one phase can be in flight at once, because the assembler moves
 * them to the start of the phase, and turns forward branches around single loads into predicates. */
std::vector<int> phases_of(const ptx::Program &p)
{
    std::set<int> edges;
    for (size_t i = 0; i < p.code.size(); i++) {
        const ptx::Op &op = p.code[i];
        if (op.kind == ptx::BRANCH && op.target <= (int)i)
            edges.insert(op.target), edges.insert((int)i + 1);
        if (op.kind == ptx::BARRIER)
            edges.insert((int)i + 1);
    }
    std::vector<int> phase(p.code.size());
    int now = 0;
    for (size_t i = 0; i < p.code.size(); i++)
        phase[i] = now += edges.count((int)i) ? 1 : 0;
    return phase;
}

int memory_of(const ptx::Op &op)
{
    switch (op.what) {
    case ptx::C_LOAD_GLOBAL: return 0;
    case ptx::C_STORE_GLOBAL: return 1;
    case ptx::C_LOAD_SHARED:
    case ptx::C_MATRIX_LOAD: return 2;
    case ptx::C_STORE_SHARED: return 3;
    default: return -1;
    }
}

Cost cost_of(const Kernel &k, const std::vector<ptx::Stat> &stats)
{
    const ptx::Program &p = *k.program;
    Cost c;
    std::map<int, std::pair<double, double>> phases; /* by phase: sectors; executions of the most executed load */
    for (size_t i = 0; i < stats.size(); i++) {
        const ptx::Stat &s = stats[i];
        const ptx::Op &op = p.code[i];
        const int memory = memory_of(op);
        if (s.warps)
            c.instructions[column_of(op.what)] += (double)s.warps;
        c.moved[3] += landing(s, 0), c.ideal[3] += landing(s, 0);
        if (memory < 0)
            continue;
        c.requests[memory] += (double)s.requests;
        c.moved[memory] += (double)s.pieces;
        c.ideal[memory] += (double)s.ideal;
        if (memory != 0)
            continue;
        std::pair<double, double> &phase = phases[k.phase[i]];
        phase.first += (double)s.pieces;
        phase.second = std::max(phase.second, (double)s.warps);
    }
    for (const auto &phase : phases)
        if (phase.second.second > 0) {
            c.loaded += phase.second.first;
            c.in_flight += phase.second.first * phase.second.first / phase.second.second;
        }
    return c;
}

class Launch {
public:
    Launch(Kernel &kernel, dim3 grid, dim3 block, size_t dynamic_bytes, const CountParameters &parameters) : k(kernel)
    {
        l.grid = {grid.x, grid.y, grid.z}, l.block = {block.x, block.y, block.z};
        l.dynamic_bytes = dynamic_bytes;
        l.parameters = parameters.data(), l.parameter_bytes = parameters.size();
        l.watches_shared = false;
        block_count = grid.x * grid.y * grid.z;
        thread_count = block.x * block.y * block.z;
        shared_bytes = k.program->real_shared_bytes + dynamic_bytes;
    }
    Cost total(void)
    {
        Cost sum;
        sum.add(block(0), 1);
        if (block_count > 1)
            sum.add(block(block_count - 1), 1);
        if (block_count > 2) /* the last block is often partial, so it represents no other block */
            sum.add(block(block_count - 2), 1);
        if (block_count > 3)
            add_between(sum, 0, block_count - 2);
        return sum;
    }
    /* Returns the largest number of instructions of one block, among the blocks that ran. */
    double longest(void) const
    {
        double most = 0;
        for (const auto &b : blocks)
            most = std::max(most, b.second.all());
        return most;
    }
    unsigned block_count, thread_count; /* blocks of the grid, threads of a block */
    size_t shared_bytes;

private:
    const Cost &block(unsigned number)
    {
        const auto found = blocks.find(number);
        if (found != blocks.end())
            return found->second;
        std::vector<ptx::Stat> stats(k.program->code.size());
        const std::vector<unsigned> one = {number};
        l.blocks = &one, l.stats = &stats;
        ptx::run(*k.program, l);
        return blocks[number] = cost_of(k, stats);
    }
    void add_between(Cost &sum, unsigned a, unsigned b) /* adds the cost of the blocks between a and b */
    {
        if (b - a < 2)
            return;
        const double inner = b - a - 1, x = block(a).all(), y = block(b).all();
        const bool is_wide = b - a > block_count / 4; /* the middle of a wide gap is always sampled */
        if ((!is_wide && std::fabs(x - y) <= ALIKE * x) || blocks.size() >= MOST_BLOCKS) {
            sum.add(block(a), inner / 2), sum.add(block(b), inner / 2);
            return;
        }
        const unsigned middle = a + (b - a) / 2;
        sum.add(block(middle), 1);
        add_between(sum, a, middle);
        add_between(sum, middle, b);
    }

    Kernel &k;
    ptx::Launch l;
    std::map<unsigned, Cost> blocks;
};

void write_row(const std::string &name, Launch &launch)
{
    const Cost c = launch.total();
    std::ostringstream s;
    s << prefix << ",\"" << name << "\"," << launch.block_count << ',' << launch.thread_count << ',' << launch.shared_bytes;
    s.precision(0);
    s << std::fixed;
    for (double i : c.instructions)
        s << ',' << i;
    for (int m = 0; m < MEMORIES; m++)
        s << ',' << c.requests[m] << ',' << c.moved[m] << ',' << c.ideal[m];
    s << ',' << (c.loaded > 0 ? SECTOR * c.in_flight / c.loaded : 0);
    s.precision(3);
    s << ',' << launch.longest() * launch.block_count / c.all() << '\n';
    rows += s.str();
}

} // namespace

void count_launch(const char *pretty, dim3 grid, dim3 block, size_t dynamic_bytes, const CountParameters &parameters)
{
    if (!is_counting || has_failed)
        return;
    std::string name = pretty;
    name = name.substr(name.find("K = ") + 4);
    name = short_name(name.substr(0, name.rfind(']')));
    const auto found = kernels.find(name);
    if (found == kernels.end()) {
        std::fprintf(stderr, "count_launches: kernel %s is in no PTX file\n", name.c_str());
        has_failed = true;
        return;
    }
    Kernel &k = found->second;
    try {
        if (!k.program) {
            k.program = ptx::decode(*k.module, *k.function);
            k.phase = phases_of(*k.program);
        }
        Launch launch(k, grid, block, dynamic_bytes, parameters);
        write_row(name, launch);
    } catch (const ptx::Fault &fault) {
        std::fprintf(stderr, "count_launches: %s: %s\n", name.c_str(), fault.what());
        has_failed = true;
    }
}

extern "C" int count_open(const char *folder)
{
    std::vector<std::string> names;
    DIR *const d = opendir(folder);
    for (const dirent *e; d && (e = readdir(d));)
        if (std::string(e->d_name).find(".compute_90.ptx") != std::string::npos)
            names.push_back(e->d_name);
    if (d)
        closedir(d);
    if (names.empty()) {
        std::fprintf(stderr, "count_launches: %s: found no *.compute_90.ptx\n", folder);
        return 1;
    }
    for (const std::string &name : names) {
        std::ifstream in(std::string(folder) + "/" + name);
        std::stringstream text;
        text << in.rdbuf();
        try {
            modules.emplace_back(new ptx::Module(ptx::parse(name, text.str())));
        } catch (const ptx::Fault &fault) {
            std::fprintf(stderr, "count_launches: %s: %s\n", name.c_str(), fault.what());
            return 1;
        }
        for (const ptx::Function &f : modules.back()->functions)
            kernels[demangled(f.name)] = Kernel{modules.back().get(), &f, nullptr, {}};
    }
    return 0;
}

extern "C" void count_begin(const char *text)
{
    is_counting = text != nullptr;
    prefix = text ? text : "";
    rows.clear();
    has_failed = false;
}

extern "C" const char *count_rows(void)
{
    return has_failed ? nullptr : rows.c_str();
}

extern "C" const char *count_columns(void)
{
    static std::string text;
    text = "instance,grid,block,shared_bytes";
    for (const char *name : columns)
        text += std::string(",") + name;
    for (const char *memory : {"ld.global", "st.global", "ld.shared", "st.shared"})
        for (const char *what : {" requests", " moved", " ideal"})
            text += std::string(",") + memory + what;
    text += ",bytes in flight,longest block";
    return text.c_str();
}
