/* warps.cpp - compares the results of shfl, vote, redux, match and elect with those of plain loops. Also runs divergent
 * code: nested branches, loops of different lengths, early returns, and warp barriers in a loop. */
#include "support.h"

#include <algorithm>

using namespace test;

namespace
{

/* Thread t reads word t. It writes its first result to word 64 + t, and its second result to word 128 + t. */
struct Values {
    Machine m;
    uint32_t in[64];
    explicit Values(const std::string &body, unsigned seed = 1)
        : m(kernel("add.s64 %rd3, %rd1, %rd2;\nld.global.u32 %r5, [%rd3];\n" + body), 64 * 4 * 4)
    {
        Random r(seed);
        for (unsigned k = 0; k < 64; k++)
            in[k] = m.as<uint32_t>()[k] = k % 3 ? (uint32_t)r.next() % 5 : (uint32_t)r.next();
        m.run_well(1, 64);
    }
    uint32_t out(unsigned thread, unsigned which = 1)
    {
        return m.as<uint32_t>()[64 * which + thread];
    }
};
const std::string store = "st.global.u32 [%rd3+256], %r6;\n", store_two = store + "st.global.u32 [%rd3+512], %r7;\n";

void shuffles()
{
    const struct {
        const char *name;
        int (*from)(int lane, int n);
        bool is_up;
    } modes[] = {{"idx", [](int, int n) { return n; }, false},
                 {"up", [](int l, int n) { return l - n; }, true},
                 {"down", [](int l, int n) { return l + n; }, false},
                 {"bfly", [](int l, int n) { return l ^ n; }, false}};
    for (const auto &mode : modes)
        for (int width = 2; width <= 32; width *= 2)
            for (int n : {0, 1, 2, 3, 7, 8, 16, 31}) {
                /* The operand that nvcc generates for __shfl_*_sync. */
                const unsigned c = (unsigned)(32 - width) << 8 | (mode.is_up ? 0u : 31u);
                Values v(std::string("shfl.sync.") + mode.name + ".b32 %r6|%p1, %r5, " + std::to_string(n) + ", " +
                             std::to_string(c) + ", -1;\nselp.u32 %r7, 1, 0, %p1;\n" + store_two,
                         (unsigned)(n + width));
                /* CUDA programming guide: a segment has `width` lanes. If the source of a lane is outside of the
                 * lane's segment, the lane keeps its value. */
                for (int t = 0; t < 64; t++) {
                    const int lane = t % 32, segment = lane / width * width, in_segment = lane - segment;
                    const int source = std::string(mode.name) == "idx" ? n % width : mode.from(in_segment, n);
                    /* Lanes of earlier segments may be read. */
                    const int from_lane = std::string(mode.name) == "bfly" ? (lane ^ n) - segment : source;
                    const bool is_inside =
                        std::string(mode.name) == "bfly" ? from_lane < width : source >= 0 && source < width;
                    const int from = t - lane + segment + (is_inside ? from_lane : in_segment);
                    const std::string what =
                        std::string("shfl ") + mode.name + " " + std::to_string(n) + " width " + std::to_string(width);
                    check(v.out((unsigned)t) == v.in[from], "%s: thread %d", what.c_str(), t);
                    check(v.out((unsigned)t, 2) == (uint32_t)is_inside, "%s: predicate of thread %d", what.c_str(), t);
                }
            }
}

uint32_t reduce(const std::string &name, const uint32_t *v, uint32_t mask)
{
    bool is_first = true;
    uint32_t r = 0;
    for (int l = 0; l < 32; l++)
        if (mask >> l & 1) {
            const uint32_t x = v[l];
            r = is_first                                 ? x
                : name == "add.u32" || name == "add.s32" ? r + x
                : name == "min.u32"                      ? std::min(r, x)
                : name == "max.u32"                      ? std::max(r, x)
                : name == "min.s32"                      ? (uint32_t)std::min((int32_t)r, (int32_t)x)
                : name == "max.s32"                      ? (uint32_t)std::max((int32_t)r, (int32_t)x)
                : name == "and.b32"                      ? r & x
                : name == "or.b32"                       ? r | x
                                                         : r ^ x;
            is_first = false;
        }
    return r;
}

/* Returns PTX in which only lanes of the mask execute the body. */
std::string of_mask(uint32_t mask, const std::string &body)
{
    return "mov.u32 %r6, 0;\nmov.u32 %r7, 0;\nand.b32 %r8, %r2, 31;\nmov.u32 %r9, " + std::to_string(mask) +
           ";\nshr.u32 %r10, %r9, %r8;\nand.b32 %r10, %r10, 1;\nsetp.eq.u32 %p2, %r10, 0;\nsetp.gt.u32 %p3, %r5, "
           "2;\n@%p2 bra $skip;\n" +
           body + "$skip:\n" + store_two;
}
const uint32_t masks[] = {0xffffffff, 0xffff, 0xf0f0f0f0, 1, 0x80000001, 0x7ffffffe};

void reductions()
{
    for (uint32_t mask : masks)
        for (const char *name :
             {"add.u32", "add.s32", "min.u32", "max.u32", "min.s32", "max.s32", "and.b32", "or.b32", "xor.b32"}) {
            Values v(of_mask(mask, std::string("redux.sync.") + name + " %r6, %r5, %r9;\n"), mask);
            for (unsigned t = 0; t < 64; t++)
                check(v.out(t) == (mask >> t % 32 & 1 ? reduce(name, v.in + t / 32 * 32, mask) : 0),
                      "redux %s of %x: thread %u", name, mask, t);
        }
}

/* Expects the same two results from the lanes of the mask, and 0 from all others. */
void expect_results(Values &v, const char *what, uint32_t mask, unsigned thread, const uint32_t (&results)[2])
{
    const bool is_member = mask >> thread % 32 & 1;
    check(v.out(thread) == (is_member ? results[0] : 0) && v.out(thread, 2) == (is_member ? results[1] : 0),
          "%s of %x: thread %u", what, mask, thread);
}

void votes_matches_and_elections()
{
    for (uint32_t mask : masks) {
        Values v(of_mask(mask, "vote.sync.ballot.b32 %r6, %p3, %r9;\nvote.sync.any.pred %p4, %p3, "
                               "%r9;\nvote.sync.all.pred %p5, %p3, %r9;\n"
                               "vote.sync.uni.pred %p6, %p3, %r9;\nvote.sync.any.pred %p7, !%p3, %r9;\nselp.u32 %r7, "
                               "1, 0, %p4;\nselp.u32 %r11, 2, 0, %p5;\n"
                               "selp.u32 %r12, 4, 0, %p6;\nselp.u32 %r13, 8, 0, %p7;\nadd.u32 %r7, %r7, %r11;\nadd.u32 "
                               "%r7, %r7, %r12;\nadd.u32 %r7, %r7, %r13;\n"),
                 mask);
        Values same(of_mask(mask, "match.any.sync.b32 %r6, %r5, %r9;\nmatch.all.sync.b32 %r7|%p4, %r10, %r9;\n"), mask);
        Values leader(of_mask(mask, "elect.sync %r6|%p4, %r9;\nselp.u32 %r7, 1, 0, %p4;\n"), mask);
        for (unsigned t = 0; t < 64; t++) {
            uint32_t yes = 0, equal = 0;
            for (unsigned l = 0; l < 32; l++) {
                yes |= (uint32_t)(v.in[t / 32 * 32 + l] > 2) << l & mask;
                equal |= (uint32_t)(same.in[t / 32 * 32 + l] == same.in[t]) << l & mask;
            }
            const uint32_t votes = (yes != 0) + 2 * (yes == mask) + 4 * (yes == 0 || yes == mask) + 8 * (yes != mask),
                           lowest = (uint32_t)__builtin_ctz(mask);
            expect_results(v, "vote", mask, t, {yes, votes});
            expect_results(same, "match", mask, t, {equal, mask});
            expect_results(leader, "elect", mask, t, {lowest, t % 32 == lowest});
        }
    }
}

void active_mask()
{
    Values active("and.b32 %r8, %r2, 3;\nsetp.ne.u32 %p1, %r8, 0;\nmov.u32 %r6, 0;\n@%p1 bra $skip;\nactivemask.b32 "
                  "%r6;\n$skip:\n" +
                  store);
    for (unsigned t = 0; t < 64; t++)
        check(active.out(t) == (t % 4 ? 0 : 0x11111111u), "activemask: thread %u", t);
}

/* ---- Divergence: each program in PTX and in C++, and the instructions at which its lanes reconverge ---- */

void nested_branches()
{
    Values v("and.b32 %r8, %r2, 1;\nsetp.eq.u32 %p1, %r8, 0;\nand.b32 %r9, %r2, 6;\nsetp.eq.u32 %p2, %r9, 0;\nmov.u32 "
             "%r6, 0;\n@%p1 bra $else;\n"
             "add.u32 %r6, %r6, 1;\n@%p2 bra $inner;\nadd.u32 %r6, %r6, 10;\nbra $inner_end;\n$inner:\nadd.u32 %r6, "
             "%r6, 100;\n$inner_end:\nadd.u32 %r6, %r6, 1000;\nbra $end;\n"
             "$else:\nadd.u32 %r6, %r6, 2;\n@%p2 bra $end;\nadd.u32 %r6, %r6, 20;\n$end:\nadd.u32 %r6, %r6, "
             "10000;\nactivemask.b32 %r7;\n" +
             store_two);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t x = 0;
        if (t & 1)
            x += 1 + ((t & 6) == 0 ? 100 : 10) + 1000;
        else
            x += 2 + ((t & 6) == 0 ? 0 : 20);
        check(v.out(t) == x + 10000, "nested branches: thread %u", t);
        check(v.out(t, 2) == 0xffffffffu, "nested branches: the lanes are together at the end");
    }
    uint64_t divergent = 0, all = 0;
    for (const ptx::Stat &s : v.m.stats)
        divergent += s.divergent, all += s.warps;
    /* The divergent executions in each of the two warps. Odd lanes: add and branch; two adds and a bra, because %p2
     * differs between the lanes; add and bra. Even lanes: add and branch; add. */
    check(divergent == 2 * (2 + 2 + 1 + 2 + 2 + 1), "nested branches: %llu divergent executions of %llu",
          (unsigned long long)divergent, (unsigned long long)all);
}

void loops()
{
    Values v("and.b32 %r8, %r5, 15;\nmov.u32 %r6, 0;\nmov.u32 %r9, 0;\n$loop:\nsetp.ge.u32 %p1, %r9, %r8;\n@%p1 bra "
             "$done;\nmad.lo.u32 %r6, %r6, 3, %r9;\n"
             "add.u32 %r9, %r9, 1;\nbra $loop;\n$done:\nactivemask.b32 %r7;\n" +
             store_two);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t x = 0;
        for (uint32_t k = 0; k < (v.in[t] & 15); k++)
            x = 3 * x + k;
        check(v.out(t) == x, "loop: thread %u", t);
        check(v.out(t, 2) == 0xffffffffu, "loop: the lanes are together at the end");
    }
}

void switches() /* nvcc writes a switch as a tree of branches */
{
    Values v("and.b32 %r8, %r5, 3;\nsetp.gt.u32 %p1, %r8, 1;\n@%p1 bra $high;\nsetp.eq.u32 %p2, %r8, 0;\n@%p2 bra "
             "$zero;\nadd.u32 %r6, %r5, 11;\nbra $end;\n"
             "$zero:\nmul.lo.u32 %r6, %r5, 7;\nbra $end;\n$high:\nsetp.eq.u32 %p2, %r8, 2;\n@%p2 bra $two;\nxor.b32 "
             "%r6, %r5, 99;\nbra $end;\n$two:\nshr.u32 %r6, %r5, 1;\n$end:\n"
             "bar.warp.sync -1;\nactivemask.b32 %r7;\n" +
             store_two);
    for (unsigned t = 0; t < 64; t++) {
        const uint32_t x = v.in[t], wanted[4] = {x * 7, x + 11, x >> 1, x ^ 99};
        check(v.out(t) == wanted[x & 3] && v.out(t, 2) == 0xffffffffu, "switch: thread %u", t);
    }
}

void early_returns()
{
    Values v("mov.u32 %r6, 7;\n" + store +
             "and.b32 %r8, %r2, 5;\nsetp.eq.u32 %p1, %r8, 5;\n@%p1 ret;\nmov.u32 %r6, 8;\n" + store +
             "setp.gt.u32 %p2, %r2, 40;\n@%p2 bra $leave;\nactivemask.b32 %r6;\n" + store + "bra $leave;\n$leave:\n");
    for (unsigned t = 0; t < 64; t++) {
        uint32_t living = 0;
        for (unsigned l = 0; l < 32; l++)
            living |= (uint32_t)((l & 5) != 5 && t / 32 * 32 + l <= 40) << l;
        check(v.out(t) == ((t & 5) == 5 ? 7u : t > 40 ? 8u : living), "early return: thread %u", t);
    }
}

void break_around_warp_barrier() /* lanes leave a loop with a ballot at different times */
{
    Values v("and.b32 %r8, %r5, 7;\nmov.u32 %r6, 0;\nmov.u32 %r9, 0;\n$loop:\nsetp.ge.u32 %p1, %r9, "
             "%r8;\nvote.sync.ballot.b32 %r10, %p1, -1;\nsetp.eq.s32 %p2, %r10, -1;\n"
             "@%p2 bra $done;\n@%p1 bra $next;\nadd.u32 %r6, %r6, %r9;\n$next:\nbar.warp.sync -1;\nadd.u32 %r9, %r9, "
             "1;\nbra $loop;\n$done:\nactivemask.b32 %r7;\n" +
             store_two);
    for (unsigned t = 0; t < 64; t++) {
        const uint32_t n = v.in[t] & 7;
        check(v.out(t) == n * (n - 1) / 2 * (n > 0) && v.out(t, 2) == 0xffffffffu, "loop with bar.warp.sync: thread %u",
              t);
    }
}

void local_labels() /* inline assembly repeats label names in braces */
{
    Values v("mov.u32 %r6, 0;\n{ .reg .pred p; setp.lt.u32 p, %r2, 8; @p bra SKIP; add.u32 %r6, %r6, 1; SKIP: }\n"
             "{ .reg .pred p; setp.lt.u32 p, %r2, 16; @p bra SKIP; add.u32 %r6, %r6, 10; SKIP: }\n" +
             store);
    for (unsigned t = 0; t < 64; t++)
        check(v.out(t) == (t >= 8) + 10u * (t >= 16), "local labels: thread %u", t);
}

} // namespace

int main()
{
    shuffles(), reductions(), votes_matches_and_elections(), active_mask();
    nested_branches(), loops(), switches(), early_returns(), break_around_warp_barrier(), local_labels();
    return finish("warps");
}
