/* counters.cpp - sums counts over instructions, and writes them as CSV and as a list of source lines. */
#include "watch/counters.h"

#include <algorithm>
#include <sstream>

namespace ptx
{

namespace
{

int place_of_class(Class c) /* returns the index in requests, pieces and ideal; -1: none */
{
    switch (c) {
    case C_LOAD_GLOBAL:
        return 0;
    case C_STORE_GLOBAL:
        return 1;
    case C_LOAD_SHARED:
    case C_MATRIX_LOAD:
        return 2;
    case C_STORE_SHARED:
        return 3;
    default:
        return -1;
    }
}

} // namespace

void Count::add(const Program &p, const std::vector<Stat> &stats, double time)
{
    launches++;
    seconds += time;
    for (size_t k = 0; k < stats.size(); k++) {
        const Stat &s = stats[k];
        const Op &op = p.code[k];
        warps[op.what] += s.warps, lanes += s.lanes, divergent += s.divergent, landing += s.landing;
        const int where = place_of_class(op.what);
        if (where < 0)
            continue;
        requests[where] += s.requests, pieces[where] += s.pieces, ideal[where] += s.ideal;
        if (where < 2)
            global_bytes += s.lanes * op.bytes * (op.is_atomic ? 1 : std::max<uint64_t>(op.count, 1));
    }
}

uint64_t Count::instructions() const
{
    uint64_t n = 0;
    for (uint64_t w : warps)
        n += w;
    return n;
}

std::string count_header()
{
    std::string s =
        "kernel,grid,block,launches,warp_instructions,lane_operations,global_bytes,instructions_per_16_bytes";
    for (const char *c : class_names)
        s += std::string(",") + c;
    for (const char *c : {"ld.global", "st.global", "ld.shared", "st.shared"})
        s += std::string(",") + c + " requests," + c + " pieces," + c + " ideal";
    return s + ",seconds,divergent_warp_instructions,async_wavefronts";
}

std::string count_line(const std::string &name, const Count &c)
{
    std::ostringstream s;
    s << name << ',' << c.launches << ',' << c.instructions() << ',' << c.lanes << ',' << c.global_bytes << ','
      << (double)c.lanes / ((double)c.global_bytes / 16 + 1e-9);
    for (uint64_t w : c.warps)
        s << ',' << w;
    for (int k = 0; k < 4; k++)
        s << ',' << c.requests[k] << ',' << c.pieces[k] << ',' << c.ideal[k];
    s << ',' << c.seconds << ',' << c.divergent << ',' << c.landing;
    return s.str();
}

std::string line_report(const std::string &name, const Program *p, const std::vector<Stat> &stats, int lines)
{
    if (!p)
        return name + ": never ran\n\n";
    std::ostringstream s;
    struct Line {
        uint64_t warps = 0, pieces[2] = {}, ideal[2] = {};
    };
    std::map<std::pair<int, int>, Line> by_line;
    uint64_t ran = 0, all = 0;
    for (size_t k = 0; k < stats.size(); k++) {
        const Where &w = p->function->code[k].where;
        Line &line = by_line[{w.file, w.line}];
        const Op &op = p->code[k];
        const int where = place_of_class(op.what) >= 2;
        line.warps += stats[k].warps, line.pieces[where] += stats[k].pieces, line.ideal[where] += stats[k].ideal;
        ran += stats[k].warps > 0, all += stats[k].warps;
    }
    s << name << ": " << ran << " of " << stats.size() << " instructions ran\n";
    std::vector<std::pair<uint64_t, std::pair<int, int>>> sorted;
    for (auto &b : by_line)
        sorted.push_back({b.second.warps, b.first});
    std::sort(sorted.rbegin(), sorted.rend());
    const auto place = [&](const std::pair<int, int> &at) {
        const auto f = p->module->files.find(at.first);
        const std::string path = f == p->module->files.end() ? "?" : f->second;
        return path.substr(path.rfind('/') + 1) + ":" + std::to_string(at.second);
    };
    for (int k = 0; k < lines && k < (int)sorted.size() && sorted[(size_t)k].first; k++)
        s << "  " << 100 * sorted[(size_t)k].first / (all ? all : 1) << " %  " << place(sorted[(size_t)k].second)
          << "\n";
    for (auto &b : by_line)
        for (int where = 0; where < 2; where++)
            if (b.second.pieces[where] > b.second.ideal[where] * 11 / 10)
                s << "  " << (where ? "bank conflicts " : "sectors ") << b.second.pieces[where] << " for "
                  << b.second.ideal[where] << "  " << place(b.first) << "\n";
    s << "\n";
    return s.str();
}

} // namespace ptx
