/* support.h - runs PTX from a test on the machine. check() counts failures. A test's main() returns finish(). */
#ifndef PTX_TEST_SUPPORT_H
#define PTX_TEST_SUPPORT_H

#include "ptx.h"
#include "watch/counters.h"
#include "watch/global_watch.h"
#include "watch/written_bytes.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace test
{

inline long checks, failures;

inline void check(bool is_right, const char *format, ...) __attribute__((format(printf, 2, 3)));
inline void check(bool is_right, const char *format, ...)
{
    checks++;
    if (is_right)
        return;
    if (++failures > 40)
        return;
    va_list arguments;
    va_start(arguments, format);
    std::printf("FAIL ");
    std::vprintf(format, arguments);
    std::printf("\n");
    va_end(arguments);
}
inline int finish(const char *name)
{
    std::printf("%s: %ld checks, %ld failed\n", name, checks, failures);
    return failures > 0;
}

struct Random {
    uint64_t s;
    explicit Random(uint64_t seed) : s(seed * 0x9e3779b97f4a7c15ull + 1)
    {
    }
    uint64_t next()
    {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        return s * 0x2545f4914f6cdd1dull;
    }
};

/* Returns a kernel `k` with one pointer, which is in %rd1. %r1 is the thread's index in the grid, %r2 is its index in
 * the block, and %rd2 is 4 * %r1. */
inline std::string kernel(const std::string &body, const std::string &declarations = "", int target = 90)
{
    return ".version 9.0\n.target sm_" + std::to_string(target) +
           "\n.address_size 64\n.extern .shared .align 16 .b8 dynamic[];\n" +
           ".entry k(.param .u64 k_p)\n{\n.reg .pred %p<20>; .reg .b16 %h<40>; .reg .b32 %r<80>; .reg .b64 %rd<40>; "
           ".reg .f32 %f<40>; .reg .f64 %fd<20>;\n" +
           declarations +
           "ld.param.u64 %rd1, [k_p];\ncvta.to.global.u64 %rd1, %rd1;\nmov.u32 %r2, %tid.x;\nmov.u32 %r3, "
           "%ctaid.x;\nmov.u32 %r4, %ntid.x;\n"
           "mad.lo.u32 %r1, %r3, %r4, %r2;\nmul.wide.u32 %rd2, %r1, 4;\n" +
           body + "ret;\n}\n";
}

struct Machine { /* one kernel and one block of memory */
    ptx::Module module;
    std::unique_ptr<ptx::Program> program;
    std::vector<ptx::Stat> stats;
    void *memory = nullptr;
    ptx::Launch launch;
    std::vector<ptx::Range> ranges;

    explicit Machine(const std::string &text, size_t bytes) : module(ptx::parse("test.ptx", text))
    {
        program = ptx::decode(module, module.functions.at(0));
        for (const std::string &p : program->problems)
            check(p.compare(0, 8, "register") == 0, "%s", p.c_str());
        memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
        std::memset(memory, 0, bytes);
        ranges = {{(uintptr_t)memory, (uintptr_t)memory + bytes}};
        launch.memory = &ranges;
        launch.parameters = &memory, launch.parameter_bytes = sizeof memory;
        stats.resize(program->code.size());
        launch.stats = &stats;
    }
    Machine(const Machine &) = delete;
    ~Machine()
    {
        std::free(memory);
    }
    template <class T> T *as()
    {
        return static_cast<T *>(memory);
    }
    std::string run(unsigned blocks, unsigned threads) /* returns the message of the fault, or "" */
    {
        launch.grid.x = blocks, launch.block.x = threads;
        try {
            ptx::run(*program, launch);
        } catch (const ptx::Fault &f) {
            return f.what();
        }
        return "";
    }
    void run_well(unsigned blocks, unsigned threads)
    {
        const std::string fault = run(blocks, threads);
        check(fault.empty(), "%s", fault.c_str());
    }
};

} // namespace test
#endif
