/* scheduler.cpp - the scheduler of cuda_emu.h. Runs the threads of one kernel as fibres and reports their mistakes.
 *
 * This file is compiled without sanitizer flags, because it switches stacks and writes the index variables that every
 * fibre reads. It finds the program's sanitizers through weak symbols, and informs them of each switch.
 *
 *   EMU_SCHEDULE=0  threads and blocks in index order (default)
 *   EMU_SCHEDULE=1  in reverse order
 *   EMU_SCHEDULE=n  shuffled again in every scheduling round, seed n
 *   EMU_TRACE=1     one line per kernel on stderr
 *   EMU_BANKS=1     an ldmatrix with bank conflicts is an error
 *   EMU_DEFER=0     a stream runs work immediately, not when something waits for it (cuda_runtime.cpp) */
#include "scheduler.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sys/mman.h>
#include <vector>
#ifndef __x86_64__
#include <ucontext.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

extern "C" {
void __sanitizer_start_switch_fiber(void **, const void *, size_t) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *, const void **, size_t *) __attribute__((weak));
}

namespace {

constexpr unsigned MAX_THREADS = 1024;
constexpr size_t STACK_BYTES = 256 * 1024;

enum State { READY, AT_BARRIER, AT_WARP_OP, EXITED };

struct Fibre {
    State state;
    uint3 index;
    EmuWhere where;
    EmuWarpOp pending; /* the warp intrinsic that the fibre waits for; valid only in state AT_WARP_OP */
    uint64_t result;
    EmuCompute compute; /* compute and operands are used only for EMU_COLLECTIVE */
    void *operands;
    char barrier_sync[2], warp_sync; /* TSan orders accesses by these addresses */
    unsigned barriers;
    char *stack;
    void *sp, *asan_stack, *tsan;
#ifndef __x86_64__
    ucontext_t context;
#endif
};

/* Under TSan, consecutive blocks use different fibres. With the same fibres, TSan would treat a thread and its
 * counterpart in the next block as the same thread, and miss races between them. */
Fibre banks[2][MAX_THREADS], *fibres = banks[0];
Fibre *self; /* the running fibre; NULL while the scheduler runs */
unsigned thread_count, arrived, alive, blocks_run;
const std::function<void()> *body;
const char *kernel_name = "";
int votes, voted; /* votes at the current barrier; result of the last completed barrier */
char fence; /* TSan orders accesses by this address at __threadfence */
uint64_t rng;

struct Sched { /* the stack of the scheduler, and the values that sanitizers require to switch to it */
    void *sp, *asan_stack, *tsan;
    const void *stack;
    size_t stack_bytes;
#ifndef __x86_64__
    ucontext_t context;
#endif
} sched;
/* TSan orders a launch and host code by these addresses. With a single address, it would also order the fibres. */
char launch_begin, launch_end;

[[noreturn]] void fail(const char *what, EmuWhere where)
{
    std::fprintf(stderr, "cuda_emu: %s\n  kernel %s, block (%u,%u,%u)", what, kernel_name,
                 blockIdx.x, blockIdx.y, blockIdx.z);
    if (self)
        std::fprintf(stderr, ", thread (%u,%u,%u)", self->index.x, self->index.y, self->index.z);
    if (where.file)
        std::fprintf(stderr, ", at %s:%d", where.file, where.line);
    std::fprintf(stderr, "\n");
    std::_Exit(70); /* unlike abort(), writes no core file and has a distinct status */
}

/* ---- Stack switching ---- */

#ifdef __x86_64__
extern "C" void emu_switch_stack(void **save, void *load);
asm(".text\n"
    ".globl emu_switch_stack\n"
    ".type emu_switch_stack, @function\n"
    "emu_switch_stack:\n"
    "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
    "    ret\n"
    ".size emu_switch_stack, .-emu_switch_stack\n");
#endif

void to_fibre(Fibre *f)
{
    self = f;
    threadIdx = f->index;
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&sched.asan_stack, f->stack, STACK_BYTES);
    if (__tsan_switch_to_fiber)
        __tsan_switch_to_fiber(f->tsan, 1 /* do not synchronise */);
#ifdef __x86_64__
    emu_switch_stack(&sched.sp, f->sp);
#else
    swapcontext(&sched.context, &f->context);
#endif
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(sched.asan_stack, nullptr, nullptr);
    self = nullptr;
}

void to_scheduler(void)
{
    Fibre *f = self;
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&f->asan_stack, sched.stack, sched.stack_bytes);
    if (__tsan_switch_to_fiber)
        __tsan_switch_to_fiber(sched.tsan, 1);
#ifdef __x86_64__
    emu_switch_stack(&f->sp, sched.sp);
#else
    swapcontext(&f->context, &sched.context);
#endif
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(f->asan_stack, &sched.stack, &sched.stack_bytes);
}

/* ---- Warp intrinsics ---- */

Fibre *lane_of(unsigned warp, unsigned lane)
{
    unsigned t = warp * 32 + lane;
    return t < thread_count && fibres[t].state != EXITED ? &fibres[t] : nullptr;
}

struct Arrived { /* the lanes that have arrived at one warp intrinsic */
    const Fibre *first;
    unsigned present, ballot;
};

/* Returns true if all living lanes in `mask` have arrived at the same intrinsic. */
bool have_arrived(unsigned warp, unsigned mask, Arrived *lanes)
{
    *lanes = {};
    for (unsigned l = 0; l < 32; l++) {
        Fibre *f = mask >> l & 1 ? lane_of(warp, l) : nullptr;
        if (!f)
            continue;
        /* The lane has not arrived yet, or it has a different mask. The deadlock report shows which. */
        if (f->state != AT_WARP_OP || f->pending.mask != mask)
            return false;
        const Fibre *first = lanes->first;
        if (first && (f->pending.op != first->pending.op || f->where.line != first->where.line ||
                      (f->pending.op == EMU_COLLECTIVE && f->compute != first->compute)))
            fail("lanes named in one mask meet at different warp intrinsics", f->where);
        lanes->first = first ? first : f;
        lanes->present |= 1u << l;
        lanes->ballot |= (unsigned)(f->pending.value != 0) << l;
    }
    return lanes->first != nullptr;
}

void compute_collective(unsigned warp, const Arrived &lanes)
{
    if (lanes.present != 0xffffffffu)
        fail("a matrix instruction needs all 32 lanes of its warp", lanes.first->where);
    void *operands[32];
    for (unsigned l = 0; l < 32; l++)
        operands[l] = lane_of(warp, l)->operands;
    lanes.first->compute(operands);
}

/* Returns the lane that a shuffle reads. Source: CUDA C++ Programming Guide, "Warp Shuffle Functions". */
int source_lane(const EmuWarpOp &op, int lane)
{
    const int begin = lane & ~(op.width - 1), end = begin + op.width;
    switch (op.op) {
    case EMU_IDX: return begin + (op.arg & (op.width - 1));
    case EMU_UP: return lane - op.arg < begin ? lane : lane - op.arg;
    case EMU_DOWN: return lane + op.arg >= end ? lane : lane + op.arg;
    case EMU_XOR: return (lane ^ op.arg) >= end ? lane : lane ^ op.arg;
    case EMU_SYNC:
    case EMU_COLLECTIVE:
    case EMU_BALLOT: break;
    }
    return lane;
}

/* Completes the intrinsic that the lanes in `mask` wait for, if all living lanes in `mask` have arrived. */
void resolve_warp_op(unsigned warp, unsigned mask)
{
    Arrived lanes;
    if (!have_arrived(warp, mask, &lanes))
        return;
    if (lanes.first->pending.op == EMU_COLLECTIVE)
        compute_collective(warp, lanes);
    for (unsigned l = 0; l < 32; l++) {
        if (!(lanes.present >> l & 1))
            continue;
        Fibre *f = lane_of(warp, l);
        const int source = source_lane(f->pending, (int)l);
        if (f->pending.op == EMU_BALLOT)
            f->result = lanes.ballot;
        /* In CUDA, a value read from an absent lane is undefined. Here it is NaN. */
        if (f->pending.op >= EMU_IDX)
            f->result = lanes.present >> source & 1 ? fibres[warp * 32 + (unsigned)source].pending.value : ~0ull;
    }
    for (unsigned l = 0; l < 32; l++)
        if (lanes.present >> l & 1)
            lane_of(warp, l)->state = READY;
}

/* After a lane has exited, completes the intrinsics that waited for this lane. */
void leave_warp(unsigned warp)
{
    for (unsigned l = 0; l < 32; l++) {
        Fibre *f = lane_of(warp, l);
        if (f && f->state == AT_WARP_OP)
            resolve_warp_op(warp, f->pending.mask);
    }
}

/* ---- Fibres and blocks ---- */

void fibre_main(void)
{
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(nullptr, &sched.stack, &sched.stack_bytes);
    for (;;) { /* each iteration runs one block, because blocks reuse fibres and their stacks */
        if (__tsan_acquire)
            __tsan_acquire(&launch_begin);
        (*body)();
        if (__tsan_release)
            __tsan_release(&launch_end);
        self->state = EXITED;
        alive--;
        leave_warp((unsigned)(self - fibres) / 32);
        to_scheduler();
    }
}

void make_fibre(Fibre *f)
{
    f->stack = (char *)mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->stack == MAP_FAILED)
        fail("no memory for a fibre stack", {});
    mprotect(f->stack, 4096, PROT_NONE); /* a stack overflow faults instead of corrupting another stack */
    if (__tsan_create_fiber)
        f->tsan = __tsan_create_fiber(0);
#ifdef __x86_64__
    void **top = (void **)(f->stack + STACK_BYTES);
    top[-2] = (void *)fibre_main; /* return address of the first switch; six registers are below it */
    f->sp = top - 8;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&f->context, fibre_main, 0);
#endif
}

uint64_t next_random(void)
{
    rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
    return rng;
}

void order_items(unsigned *order, unsigned n, unsigned schedule)
{
    for (unsigned i = 0; i < n; i++)
        order[i] = schedule == 1 ? n - 1 - i : i;
    if (schedule > 1)
        for (unsigned i = n; i > 1; i--)
            std::swap(order[i - 1], order[next_random() % i]);
}

[[noreturn]] void report_deadlock(void)
{
    unsigned exited = thread_count - alive;
    std::fprintf(stderr, "cuda_emu: deadlock in kernel %s: %u of %u threads have exited\n",
                 kernel_name, exited, thread_count);
    std::map<std::pair<int, int>, std::pair<unsigned, Fibre *>> places;
    for (unsigned t = 0; t < thread_count; t++)
        if (fibres[t].state == AT_BARRIER || fibres[t].state == AT_WARP_OP) {
            auto &place = places[{fibres[t].state, fibres[t].where.line}];
            place.first++;
            place.second = place.second ? place.second : &fibres[t];
        }
    for (auto &p : places) {
        const Fibre *f = p.second.second;
        std::fprintf(stderr, "  %u threads wait at %s:%d (%s", p.second.first, f->where.file,
                     f->where.line, f->state == AT_BARRIER ? "__syncthreads" : "warp intrinsic, mask ");
        if (f->state == AT_WARP_OP)
            std::fprintf(stderr, "%08x", f->pending.mask);
        std::fprintf(stderr, "), first is (%u,%u,%u)\n", f->index.x, f->index.y, f->index.z);
    }
    fail("threads of one block diverged at a barrier", {});
}

void run_block(unsigned schedule, unsigned *order)
{
    fibres = banks[__tsan_create_fiber ? blocks_run++ & 1 : 0];
    arrived = 0;
    votes = 0;
    alive = thread_count;
    for (unsigned t = 0; t < thread_count; t++) {
        if (!fibres[t].stack)
            make_fibre(&fibres[t]);
        fibres[t].state = READY;
        fibres[t].barriers = 0;
        fibres[t].index = make_uint3(t % blockDim.x, t / blockDim.x % blockDim.y,
                                     t / (blockDim.x * blockDim.y));
    }
    while (alive) {
        bool progress = false;
        order_items(order, thread_count, schedule);
        for (unsigned i = 0; i < thread_count; i++)
            if (fibres[order[i]].state == READY)
                to_fibre(&fibres[order[i]]), progress = true;
        if (!progress)
            report_deadlock();
    }
}

} // namespace

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void emu_poison(void *p, size_t bytes)
{
    unsigned char *byte = (unsigned char *)p; /* memset is not used, because the sanitizers intercept it */
    for (size_t i = 0; i < bytes; i++)
        byte[i] = 0xff;
}

void emu_fence(void)
{
    if (__tsan_release) {
        __tsan_release(&fence);
        __tsan_acquire(&fence);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

unsigned emu_schedule(void)
{
    const char *text = std::getenv("EMU_SCHEDULE");
    return text ? (unsigned)std::atoi(text) : 0;
}

int emu_syncthreads(EmuWhere where, int vote)
{
    Fibre *f = self;
    votes += vote;
    f->state = AT_BARRIER;
    f->where = where;
    char *sync = &fibres[0].barrier_sync[f->barriers++ & 1];
    if (__tsan_release)
        __tsan_release(sync);
    if (++arrived == thread_count) {
        arrived = 0;
        voted = votes, votes = 0;
        for (unsigned t = 0; t < thread_count; t++) {
            if (fibres[t].where.line != where.line)
                fail("threads of one block meet at different __syncthreads()", where);
            fibres[t].state = READY;
        }
    }
    to_scheduler();
    if (__tsan_acquire)
        __tsan_acquire(sync);
    return voted; /* no thread passes the next barrier before this thread has read `voted` */
}

uint64_t emu_warp_op(const EmuWarpOp &op)
{
    Fibre *f = self;
    unsigned t = (unsigned)(f - fibres);
    if (!(op.mask >> t % 32 & 1))
        fail("a warp intrinsic's mask leaves out the calling lane", op.where);
    f->state = AT_WARP_OP;
    f->where = op.where, f->pending = op;
    char *sync = &fibres[t & ~31u].warp_sync;
    if (op.op == EMU_SYNC && __tsan_release) /* only __syncwarp orders memory; shuffles do not */
        __tsan_release(sync);
    resolve_warp_op(t / 32, op.mask);
    if (f->state != READY)
        to_scheduler();
    if (op.op == EMU_SYNC && __tsan_acquire)
        __tsan_acquire(sync);
    return f->result;
}

void emu_warp_collective(EmuWhere where, EmuCompute compute, void *operands)
{
    self->compute = compute;
    self->operands = operands;
    emu_warp_op({where, EMU_COLLECTIVE, 0xffffffffu, 0, 0, 32});
}

unsigned emu_lane(void) { return (unsigned)(self - fibres) % 32; }

void emu_fail(const char *what, EmuWhere where) { fail(what, where); }

bool (*emu_other_machine)(const EmuKernel &kernel, size_t shared_limit);

void emu_run(const EmuKernel &kernel, size_t limit)
{
    if (emu_other_machine && emu_other_machine(kernel, limit))
        return;
    static const bool trace = std::getenv("EMU_TRACE") != nullptr;
    const unsigned schedule = emu_schedule();
    const dim3 grid = kernel.grid, block = kernel.block;
    rng = 0x9e3779b97f4a7c15ull * (schedule + 1);
    kernel_name = kernel.name;
    if (trace)
        std::fprintf(stderr, "cuda_emu: %s<<<(%u,%u,%u), (%u,%u,%u), %zu>>>\n", kernel.name, grid.x, grid.y, grid.z,
                     block.x, block.y, block.z, kernel.shared_bytes);

    gridDim = grid, blockDim = block;
    body = &kernel.body;
    thread_count = block.x * block.y * block.z;
    if (__tsan_get_current_fiber)
        sched.tsan = __tsan_get_current_fiber();

    const unsigned blocks = grid.x * grid.y * grid.z;
    std::vector<unsigned> block_order(blocks), thread_order(thread_count);
    order_items(block_order.data(), blocks, schedule);
    if (__tsan_release)
        __tsan_release(&launch_begin);
    for (unsigned b : block_order) {
        blockIdx = make_uint3(b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y));
        emu_begin_shared(kernel.shared_bytes, limit);
        run_block(schedule, thread_order.data());
        emu_end_shared();
    }
    if (__tsan_acquire)
        __tsan_acquire(&launch_end);
}
