/* ptx_launch.cpp - the `ptx` build. Runs each launch of the unchanged host code from nvcc's PTX (ptx/).
 *
 *   EMU_PTX=folder          the folder with FILE.compute_XX.ptx, from the build of the backend
 *   EMU_PTX_ARCH=90         the XX of the files to use
 *   EMU_PTX_TWIN=0|1        1 (default): each launch also runs as fibres, from the same memory, and the results are compared
 *   EMU_PTX_COVERAGE=folder each process writes a file to this folder: the instructions of each kernel that ran
 *   EMU_PTX_COUNTS=file     counts by kernel and grid, as CSV (counters.h)
 *   EMU_PTX_LINES=file      the hot source lines of each kernel, its bank conflicts and scattered accesses
 *   EMU_PTX_TRACE=1         one line per launch
 *   EMU_PTX_KEEP_GOING=1    a fault ends its launch; each kernel's first fault is printed, all are counted at the end
 *
 * A fault ends the program with status 70. A kernel that no file contains runs as fibres, and the report at exit names
 * it. */
#include "ptx/watch/counters.h"
#include "ptx/watch/global_watch.h"
#include "ptx/ptx.h"
#include "ptx/watch/written_bytes.h"
#include "ptx_twin.h"
#include "symbols.h"

#include "runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <dirent.h>
#include <fstream>
#include <set>
#include <sstream>
#include <unistd.h>

namespace {

struct Entry {
    const ptx::Module *module;
    const ptx::Function *function;
    std::unique_ptr<ptx::Program> program; /* decoded at the first launch */
    std::vector<ptx::Stat> stats;          /* one Stat for each instruction, summed over all launches */
};

struct Machine {
    std::vector<std::unique_ptr<ptx::Module>> modules;
    std::map<std::string, Entry> entries; /* key: mangled name */
    std::map<std::string, ptx::Count> counts; /* key: kernel, grid and block */
    std::map<std::string, emu::TwinResult> twins; /* key: kernel */
    std::set<std::string> fibres_only;
    std::map<std::string, int> faults; /* number of faults; key: kernel */
    ptx::GlobalWatch watch;
    ptx::WrittenBytes written;
    bool is_twin_running = false;
};
Machine *machine;

const char *setting(const char *name)
{
    const char *v = std::getenv(name);
    return v && *v ? v : nullptr;
}

[[noreturn]] void give_up(const std::string &what)
{
    std::fprintf(stderr, "ptx: %s\n", what.c_str());
    std::fflush(nullptr);
    std::_Exit(70);
}

/* Reports a mistake of a kernel. Exits, unless EMU_PTX_KEEP_GOING is set; then only the first fault of each kernel is
 * printed, and all are counted. */
void fault(const std::string &kernel, const std::string &what)
{
    static const bool keeps_going = setting("EMU_PTX_KEEP_GOING") && std::atoi(setting("EMU_PTX_KEEP_GOING"));
    if (!keeps_going)
        give_up(what);
    if (!machine->faults[kernel]++)
        std::fprintf(stderr, "ptx: %s\n", what.c_str());
}

bool ends_with(const std::string &s, const std::string &end)
{
    return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

std::string readable(const std::string &mangled) /* for example "depthwise_kernel<3, 1, 7>" */
{
    int status = 0;
    char *text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
    std::string s = status == 0 && text ? text : mangled;
    std::free(text);
    int depth = 0;
    for (size_t i = 0; i < s.size(); i++) { /* removes the parameters */
        depth += (s[i] == '<') - (s[i] == '>');
        if (s[i] == '(' && depth == 0) {
            s.resize(i);
            break;
        }
    }
    return s.compare(0, 5, "void ") == 0 ? s.substr(5) : s;
}

void load(const std::string &folder, const std::string &suffix)
{
    std::vector<std::string> names;
    DIR *d = opendir(folder.c_str());
    for (const dirent *e; d && (e = readdir(d));)
        if (ends_with(e->d_name, suffix))
            names.push_back(e->d_name);
    if (d)
        closedir(d);
    if (names.empty())
        give_up(folder + ": no file *" + suffix);
    std::sort(names.begin(), names.end());
    for (const std::string &name : names) {
        std::ifstream in(folder + "/" + name);
        std::stringstream text;
        text << in.rdbuf();
        machine->modules.emplace_back(new ptx::Module(ptx::parse(name, text.str())));
        for (const ptx::Function &f : machine->modules.back()->functions)
            machine->entries[f.name] = Entry{machine->modules.back().get(), &f, nullptr, {}};
    }
}

Entry *entry_of(const char *name)
{
    auto found = machine->entries.find(name);
    /* The mangled name of a static function contains an L, which nvcc drops. */
    if (found == machine->entries.end() && std::string(name).compare(0, 3, "_ZL") == 0)
        found = machine->entries.find("_Z" + std::string(name + 3));
    return found == machine->entries.end() ? nullptr : &found->second;
}

void decode(Entry &e)
{
    if (e.program)
        return;
    e.program = ptx::decode(*e.module, *e.function);
    /* A problem "register ..." is a register that some path reads before it is written. This is not an error, because
     * the register then reads as NaN. */
    for (const std::string &problem : e.program->problems)
        if (problem.compare(0, 9, "register ") != 0)
            give_up(e.function->name + ": " + problem);
    e.stats.resize(e.program->code.size());
}

std::vector<ptx::Range> allocations(void)
{
    std::vector<ptx::Range> ranges;
    for (const auto *map : {&emu::device_memory, &emu::pinned_memory})
        for (auto &a : *map)
            ranges.push_back({(uintptr_t)a.first, (uintptr_t)a.first + a.second});
    std::sort(ranges.begin(), ranges.end(), [](const ptx::Range &a, const ptx::Range &b) { return a.begin < b.begin; });
    return ranges;
}

void run_ptx(Entry &e, const EmuKernel &k, size_t shared_limit)
{
    const std::vector<ptx::Range> memory = allocations();
    std::vector<ptx::Stat> stats(e.program->code.size());
    ptx::Launch l;
    l.grid = {k.grid.x, k.grid.y, k.grid.z}, l.block = {k.block.x, k.block.y, k.block.z};
    l.dynamic_bytes = k.shared_bytes;
    l.parameters = k.parameters.data(), l.parameter_bytes = k.parameters.size();
    l.memory = &memory, l.schedule = emu_schedule(), l.stats = &stats;
    l.global = &machine->watch, l.written = &machine->written;
    l.dynamic_limit = shared_limit > e.program->real_shared_bytes ? shared_limit - e.program->real_shared_bytes : 1;
    try {
        ptx::run(*e.program, l);
    } catch (const ptx::Fault &f) {
        fault(readable(e.function->name), f.what());
    }
    char shape[400];
    std::snprintf(shape, sizeof shape, "%s,%ux%ux%u,%ux%ux%u", e.function->name.c_str(), k.grid.x, k.grid.y, k.grid.z, k.block.x,
                  k.block.y, k.block.z);
    machine->counts[shape].add(*e.program, stats, 0);
    for (size_t i = 0; i < stats.size(); i++)
        e.stats[i].add(stats[i]);
    if (setting("EMU_PTX_TRACE"))
        std::fprintf(stderr, "ptx: %s\n", shape);
}

void run_fibres(const EmuKernel &k, size_t shared_limit)
{
    machine->is_twin_running = true;
    emu_run(k, shared_limit);
    machine->is_twin_running = false;
}

/* Writes by work other than PTX kernels are tracked by page. After one write, the whole page counts as written. */
void mark_pages_of(const std::function<void()> &work)
{
    for (auto &p : emu::pages_written_by(work))
        machine->written.set((uintptr_t)p.first, emu::PAGE_BYTES);
}

void report_twin_fault(const std::string &name, const emu::TwinResult &r, const emu::TwinRule *rule)
{
    char text[600];
    std::snprintf(text, sizeof text,
                  "%s: %llu words differ between the kernel as g++ and as nvcc compiled it: FP32 by %.3g (%08x by g++, %08x by nvcc), "
                  "BF16 by %.3g (%08x, %08x); expected at most %.3g and %.3g%s%s",
                  name.c_str(), (unsigned long long)r.different, r.fp32.distance, r.fp32.by_fibres, r.fp32.by_ptx, r.bf16.distance,
                  r.bf16.by_fibres, r.bf16.by_ptx, rule ? rule->fp32_bound : 0.0, rule ? rule->bf16_bound : 0.0, rule ? ": " : "",
                  rule ? rule->reason : "");
    fault(name, text);
}

void run_with_twin(Entry &e, const EmuKernel &k, size_t shared_limit)
{
    emu::Pages before = emu::pages_written_by([&] { run_fibres(k, shared_limit); });
    emu::Pages fibres = emu::copy_of(before);
    emu::restore(before);
    for (auto &p : emu::pages_written_by([&] { run_ptx(e, k, shared_limit); }))
        if (!fibres.count(p.first)) /* only the PTX wrote this page */
            fibres[p.first] = std::move(const_cast<std::unique_ptr<emu::Page> &>(p.second));
    const std::string name = readable(e.function->name);
    const emu::TwinRule *rule = emu::twin_rule_of(name);
    const emu::TwinResult result = emu::compare_twin(fibres, rule);
    machine->twins[name].add(result);
    if (!result.keeps_to(rule))
        report_twin_fault(name, result, rule);
}

bool run_kernel(const EmuKernel &k, size_t shared_limit)
{
    if (machine->is_twin_running)
        return false;
    const char *name = emu_symbol_at(k.function);
    Entry *e = name ? entry_of(name) : nullptr;
    if (!e) {
        machine->fibres_only.insert(name ? readable(name) : k.name);
        mark_pages_of([&] { run_fibres(k, shared_limit); });
        return true;
    }
    decode(*e);
    static const bool has_twin = !(setting("EMU_PTX_TWIN") && std::atoi(setting("EMU_PTX_TWIN")) == 0);
    if (has_twin)
        run_with_twin(*e, k, shared_limit);
    else
        run_ptx(*e, k, shared_limit);
    return true;
}

/* ---- Report at the exit of the process ---- */

void write_coverage(const std::string &folder)
{
    std::ofstream out(folder + "/" + std::to_string(getpid()) + ".txt");
    for (auto &e : machine->entries) {
        out << readable(e.first) << "\t" << e.second.function->code.size();
        for (size_t i = 0; i < e.second.stats.size(); i++)
            if (e.second.stats[i].warps)
                out << "\t" << i;
        out << "\n";
    }
}

void report(void)
{
    for (auto &f : machine->faults)
        std::fprintf(stderr, "ptx: %d faults in %s\n", f.second, f.first.c_str());
    for (auto &t : machine->twins)
        if (t.second.different)
            std::fprintf(stderr, "ptx: twin %s: %llu launches, %llu of %llu words differ, FP32 by %.2g, BF16 by %.2g at most\n",
                         t.first.c_str(), (unsigned long long)t.second.launches, (unsigned long long)t.second.different,
                         (unsigned long long)t.second.words, t.second.fp32.distance, t.second.bf16.distance);
    for (auto &f : machine->fibres_only)
        std::fprintf(stderr, "ptx: ran as fibres only, no PTX has it: %s\n", f.c_str());
    if (const char *folder = setting("EMU_PTX_COVERAGE"))
        write_coverage(folder);
    if (const char *path = setting("EMU_PTX_LINES")) {
        std::ofstream out(path);
        for (auto &e : machine->entries)
            out << ptx::line_report(e.first, e.second.program.get(), e.second.stats, 12);
    }
    if (const char *path = setting("EMU_PTX_COUNTS")) {
        std::ofstream out(path);
        out << ptx::count_header() << "\n";
        for (auto &c : machine->counts)
            out << ptx::count_line(c.first, c.second) << "\n";
    }
    std::fflush(nullptr);
    if (!machine->faults.empty())
        std::_Exit(70);
}

const EmuMemoryWatch watch = {
    [](const void *at, size_t bytes) { machine->written.set((uintptr_t)at, bytes); },
    [](const void *to, const void *from, size_t bytes) { machine->written.copy((uintptr_t)to, (uintptr_t)from, bytes); },
    [](const void *at, size_t bytes) { machine->written.clear((uintptr_t)at, bytes); },
    mark_pages_of,
};

__attribute__((constructor)) void begin(void)
{
    const char *folder = setting("EMU_PTX"), *architecture = setting("EMU_PTX_ARCH");
    if (!folder)
        return;
    machine = new Machine;
    try {
        load(folder, ".compute_" + std::string(architecture ? architecture : "90") + ".ptx");
    } catch (const ptx::Fault &f) {
        give_up(f.what());
    }
    emu_other_machine = run_kernel;
    emu_memory_watch = &watch;
    std::atexit(report);
}

} // namespace
