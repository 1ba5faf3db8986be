/* counts.cpp - checks the sectors, wavefronts and instructions of accesses whose cost is known. */
#include "support.h"

#include <algorithm>

using namespace test;

namespace
{

std::string vector_type(unsigned bytes)
{
    return bytes == 8 ? "v2.u32" : bytes == 16 ? "v4.u32" : "u32";
}
std::string registers(unsigned bytes)
{
    return bytes == 8 ? "{%r20, %r21}" : bytes == 16 ? "{%r20, %r21, %r22, %r23}" : "%r20";
}
const std::string zeros = "mov.u32 %r20, 0;\nmov.u32 %r21, 0;\nmov.u32 %r22, 0;\nmov.u32 %r23, 0;\n";

ptx::Count count(Machine &m)
{
    ptx::Count c;
    c.add(*m.program, m.stats, 0);
    return c;
}

/* Each lane reads and writes `bytes` bytes of global memory at start + stride * lane. */
void global(unsigned bytes, unsigned stride, unsigned start, uint64_t sectors)
{
    Machine m(kernel(zeros + "mul.wide.u32 %rd3, %r2, " + std::to_string(stride) +
                     ";\nadd.s64 %rd3, %rd1, %rd3;\nld.global." + vector_type(bytes) + " " + registers(bytes) +
                     ", [%rd3+" + std::to_string(start) + "];\nbar.sync 0;\nst.global." + vector_type(bytes) +
                     " [%rd3+" + std::to_string(start) + "], " + registers(bytes) + ";\n"),
              32 * 256 + 256);
    m.run_well(1, 32);
    const ptx::Count c = count(m);
    for (int k = 0; k < 2; k++) {
        check(c.requests[k] == 1 && c.ideal[k] == bytes && c.pieces[k] == sectors,
              "global, %u bytes, stride %u, start %u: %llu sectors, expected %llu", bytes, stride, start,
              (unsigned long long)c.pieces[k], (unsigned long long)sectors);
    }
    check(c.global_bytes == 64 * bytes, "global bytes: %llu", (unsigned long long)c.global_bytes);
}

/* Each lane writes, and then reads, `bytes` bytes of shared memory. The PTX in `address` computes the address of the
 * lane in %r10. */
void shared(const char *what, unsigned bytes, const std::string &address, uint64_t wavefronts, uint64_t ideal)
{
    Machine m(kernel(zeros + "mov.u32 %r9, dynamic;\n" + address +
                     "add.u32 %r10, %r10, %r9;\n@%p1 bra $end;\nst.shared." + vector_type(bytes) + " [%r10], " +
                     registers(bytes) + ";\nbar.sync 0;\nld.shared." + vector_type(bytes) + " " + registers(bytes) +
                     ", [%r10];\n$end:\n"),
              256);
    /* Lanes of a broadcast write the same word, which watches_shared would report as a race. */
    m.launch.dynamic_bytes = 32768, m.launch.watches_shared = false;
    m.run_well(1, 32);
    const ptx::Count c = count(m);
    for (int k = 2; k < 4; k++)
        check(c.requests[k] == 1 && c.pieces[k] == wavefronts && c.ideal[k] == ideal,
              "shared %s, %u bytes: %llu wavefronts, expected %llu; ideal %llu, expected %llu", what, bytes,
              (unsigned long long)c.pieces[k], (unsigned long long)wavefronts, (unsigned long long)c.ideal[k],
              (unsigned long long)ideal);
}
std::string strided(unsigned bytes)
{
    return "setp.ne.u32 %p1, %r2, %r2;\nmul.lo.u32 %r10, %r2, " + std::to_string(bytes) + ";\n";
}

void shared_patterns()
{
    /* Conflicts of `ways` ways: 4-byte words are `ways` words apart, so `ways` lanes use one bank. Accesses of 8 bytes
     * take two phases, and accesses of 16 bytes take four. */
    for (unsigned ways : {1u, 2u, 4u, 8u, 16u, 32u})
        shared("strided", 4, strided(4 * ways), ways, 1);
    for (unsigned ways : {1u, 2u, 4u, 8u, 16u})
        shared("strided", 8, strided(8 * ways), 2 * ways, 2);
    for (unsigned ways : {1u, 2u, 4u, 8u})
        shared("strided", 16, strided(16 * ways), 4 * ways, 4);
    shared("strided by 33 words", 4, strided(132), 1, 1);
    shared("padded rows", 16, strided(144), 4, 4); /* rows are 36 words apart, so 8 lanes of a phase cover all banks */
    shared("broadcast", 4, strided(0), 1, 1);
    shared("broadcast", 8, strided(0), 2, 2);
    shared("broadcast", 16, strided(0), 4, 4);
    shared("pairs of lanes share a word", 4,
           "setp.ne.u32 %p1, %r2, %r2;\nshr.u32 %r10, %r2, 1;\nshl.b32 %r10, %r10, 2;\n", 1, 1);
    shared("half of the lanes in one bank, half in another word of it", 4,
           "setp.ne.u32 %p1, %r2, %r2;\nand.b32 %r10, %r2, 1;\nshl.b32 %r10, %r10, 7;\n", 2, 1);
    shared("eight words of one bank, each for four lanes", 4,
           "setp.ne.u32 %p1, %r2, %r2;\nand.b32 %r10, %r2, 7;\nshl.b32 %r10, %r10, 7;\n", 8, 1);
    shared("sixteen words of one bank, each for two lanes", 4,
           "setp.ne.u32 %p1, %r2, %r2;\nand.b32 %r10, %r2, 15;\nshl.b32 %r10, %r10, 7;\n", 16, 1);
}

void matrix_loads()
{
    const struct {
        int count;
        unsigned stride;
        uint64_t wavefronts, ideal;
    } cases[] = {{4, 16, 4, 4}, {4, 128, 32, 4}, {4, 144, 4, 4}, {4, 32, 8, 4}, {4, 64, 16, 4},
                 {2, 16, 2, 2}, {2, 128, 16, 2}, {1, 144, 1, 1}, {1, 128, 8, 1}};
    for (const auto &c : cases) {
        std::string list = "{";
        for (int k = 0; k < c.count; k++)
            list += (k ? ", %r" : "%r") + std::to_string(20 + k);
        Machine m(kernel("mov.u32 %r9, dynamic;\nmul.lo.u32 %r10, %r2, " + std::to_string(c.stride) +
                         ";\nadd.u32 %r10, %r10, %r9;\nldmatrix.sync.aligned.m8n8.x" + std::to_string(c.count) +
                         ".shared.b16 " + list + "}, [%r10];\n"),
                  256);
        m.launch.dynamic_bytes = 8192, m.launch.watches_shared = false;
        m.run_well(1, 32);
        const ptx::Count n = count(m);
        check(n.requests[2] == 1 && n.pieces[2] == c.wavefronts && n.ideal[2] == c.ideal,
              "ldmatrix.x%d, rows %u bytes apart: %llu wavefronts, expected %llu", c.count, c.stride,
              (unsigned long long)n.pieces[2], (unsigned long long)c.wavefronts);
        check(n.warps[ptx::C_MATRIX_LOAD] == 1, "ldmatrix.x%d: instructions", c.count);
    }
}

void classes()
{
    /* kernel() begins with 7 instructions: ld.param, cvta, 3 mov, mad, mul. The launch has two blocks of two warps. */
    Machine m(kernel("add.u32 %r5, %r2, 1;\nrem.u32 %r6, %r5, 3;\ncvt.rn.f32.u32 %f1, %r6;\nmul.f32 %f2, %f1, "
                     "%f1;\nsqrt.rn.f32 %f3, %f2;\nselp.u32 %r7, 1, 2, %p1;\n"
                     "setp.gt.u32 %p2, %r2, 47;\n@%p2 bra $skip;\nadd.u32 %r8, %r5, 2;\nadd.u32 %r9, %r5, "
                     "2;\n$skip:\nbar.sync 0;\nvote.sync.ballot.b32 %r10, %p2, -1;\nadd.f64 %fd1, %fd2, %fd3;\n"),
              256);
    m.run_well(2, 64);
    const ptx::Count c = count(m);
    const struct {
        ptx::Class what;
        uint64_t warps;
    } wanted[] = {{ptx::C_INT, 4 * (3 + 1 + 1 + 2)},
                  {ptx::C_DIVIDE, 4},
                  {ptx::C_CONVERT, 4},
                  {ptx::C_FP32, 4},
                  {ptx::C_SPECIAL, 4},
                  {ptx::C_MOVE, 4 * 4},
                  {ptx::C_LOAD_PARAM, 4},
                  {ptx::C_BARRIER, 4},
                  {ptx::C_WARP, 4},
                  {ptx::C_FP64, 4},
                  {ptx::C_BRANCH, 4 * 2 /* bra, ret */}};
    for (const auto &w : wanted)
        check(c.warps[w.what] == w.warps, "class %s: %llu, expected %llu", ptx::class_names[w.what],
              (unsigned long long)c.warps[w.what], (unsigned long long)w.warps);
    /* In each block, the second warp executes two adds with half of its lanes. */
    check(c.divergent == 2 * 2, "divergent: %llu", (unsigned long long)c.divergent);
    check(c.instructions() == 4 * 21, "instructions: %llu", (unsigned long long)c.instructions());
    /* Lanes 48 to 63 of a block take the branch. The other lanes of the second warp execute the two adds. */
    check(c.lanes == 2 * (32 * 20 + 32 * 18 + 16 + 2 * 16), "lanes: %llu", (unsigned long long)c.lanes);
    const std::string header = ptx::count_header(), line = ptx::count_line("k,1,1", c);
    check(std::count(header.begin(), header.end(), ',') == std::count(line.begin(), line.end(), ','),
          "CSV: header and line have different columns");
}

void sampled_blocks()
{
    const std::vector<uint32_t> blocks = {1, 5, 6};
    Machine m(kernel("add.s64 %rd3, %rd1, %rd2;\nld.global.u32 %r5, [%rd3];\nadd.u32 %r5, %r5, 1;\nst.global.u32 "
                     "[%rd3], %r5;\n"),
              8 * 32 * 4);
    ptx::WrittenBytes nothing; /* reads are not checked if only some blocks run */
    m.launch.blocks = &blocks, m.launch.written = &nothing;
    m.run_well(8, 32);
    const ptx::Count c = count(m);
    check(c.requests[0] == 3 && c.requests[1] == 3, "blocks 1, 5 and 6: %llu requests",
          (unsigned long long)c.requests[0]);
    for (unsigned t = 0; t < 256; t++)
        check(m.as<uint32_t>()[t] == (t / 32 == 1 || t / 32 == 5 || t / 32 == 6), "sampled blocks: thread %u", t);
}

void written_bytes()
{
    ptx::WrittenBytes w;
    const uintptr_t base = 0x7f0000000000 + 65536 - 100; /* the range crosses the border of a page */
    check(w.first_unwritten(base, 1) == 0, "nothing is written");
    w.set(base + 3, 200);
    check(w.first_unwritten(base + 3, 200) == 200 && w.first_unwritten(base + 2, 9) == 0 &&
              w.first_unwritten(base + 100, 104) == 103,
          "set");
    w.clear(base + 70, 1);
    check(w.first_unwritten(base + 3, 200) == 67, "clear");
    w.copy(base + 1000, base, 300);
    check(w.first_unwritten(base + 1003, 200) == 67 && w.first_unwritten(base + 1071, 200) == 132 &&
              w.first_unwritten(base + 1000, 3) == 0,
          "copy");
    w.set(base, 1 << 20);
    check(w.first_unwritten(base, 1 << 20) == 1 << 20 && w.first_unwritten(base, (1 << 20) + 1) == 1 << 20,
          "a megabyte");
    w.clear(base, 1 << 20);
    check(w.first_unwritten(base + 1070, 1) == 0, "clear a megabyte");
    Random r(3);
    std::vector<bool> plain(4096);
    for (int k = 0; k < 3000; k++) { /* compares with a plain array */
        const size_t at = r.next() % 4000, bytes = r.next() % 96;
        const bool sets = r.next() % 3;
        sets ? w.set(base + at, bytes) : w.clear(base + at, bytes);
        for (size_t i = at; i < at + bytes; i++)
            plain[i] = sets;
        const size_t from = r.next() % 4000;
        size_t n = 0;
        while (n < 96 && plain[from + n])
            n++;
        check(w.first_unwritten(base + from, 96) == n, "random ranges, step %d", k);
    }
}

} // namespace

int main()
{
    for (unsigned bytes : {4u, 8u, 16u}) {
        global(bytes, bytes, 0, bytes);         /* coalesced: 32 * bytes / 32 */
        global(bytes, bytes, 16, bytes + 1);    /* starts in the middle of a sector */
        global(bytes, 2 * bytes, 0, 2 * bytes); /* lanes access every second element */
        global(bytes, 32, 0, 32);               /* one sector for each lane */
        global(bytes, 128, 0, 32);
        global(bytes, 0, 0, 1); /* all lanes access the same address */
    }
    shared_patterns(), matrix_loads(), classes(), sampled_blocks(), written_bytes();
    return finish("counts");
}
