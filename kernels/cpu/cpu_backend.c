/* The cpu backend: compile() resolves the operands of a graph to pointers; run() is a loop over the prepared calls. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <cblas.h>
#include <sched.h>
#include <stdlib.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/crop.h"
#include "kernels/cpu/processor.h"

typedef struct {
    sq_backend base;
    sq_cpu_workspace workspace; /* enlarged by compile(), used by all calls */
    sq_status exchange_status;
    const sq_cpu_table *table;
    sq_cpu_cropper *cropper;
} cpu_backend;

typedef struct {
    sq_cpu_call call;
    sq_op op;
    void (*run)(const sq_cpu_call *);
} prepared;

struct sq_program {
    int count;
    prepared calls[];
};

/* ---- Operands ---- */

typedef struct {
    const sq_graph *graph;
    const sq_binding *at;
} resolver;

static void *address(const resolver *r, int slot)
{
    return sq_host_address(r->graph, r->at, slot);
}

static sq_cpu_tensor tensor_of(const resolver *r, int slot)
{
    if (slot == SQ_NONE)
        return (sq_cpu_tensor){0};
    const sq_slot *s = &r->graph->slots[slot];
    return (sq_cpu_tensor){address(r, slot), s->c, s->pitch, s->is_split};
}

static sq_cpu_view view_of(const resolver *r, sq_view view)
{
    if (view.slot == SQ_NONE)
        return (sq_cpu_view){0};
    const sq_slot *s = &r->graph->slots[view.slot];
    const sq_channels channels = sq_view_channels(s, view.part);
    sq_cpu_view out = {.data = address(r, view.slot),
                       .n = s->n,
                       .h = s->h,
                       .w = s->w,
                       .c = channels.c,
                       .pitch = s->pitch,
                       .first = channels.first,
                       .step = channels.step,
                       .activation = view.activation};
    if (view.norm != SQ_NONE) {
        const sq_norm *norm = &r->graph->norms[view.norm];
        float *live = address(r, norm->live);
        const int pitch = r->graph->slots[norm->live].pitch;
        out.scale = live + SQ_LIVE_SCALE * pitch;
        out.shift = live + SQ_LIVE_SHIFT * pitch;
        out.mean = live + SQ_LIVE_MEAN * pitch;
        out.inverse = live + SQ_LIVE_INVERSE * pitch;
        out.s1 = live + SQ_LIVE_S1 * pitch;
        out.s2 = live + SQ_LIVE_S2 * pitch;
    }
    if (view.gate != SQ_NONE) {
        out.gate = address(r, view.gate);
        out.gate_pitch = r->graph->slots[view.gate].pitch;
    }
    return out;
}

static sq_cpu_norm norm_of(const resolver *r, int index)
{
    if (index == SQ_NONE)
        return (sq_cpu_norm){0};
    const sq_norm *norm = &r->graph->norms[index];
    return (sq_cpu_norm){
        .c = norm->c,
        .live_pitch = r->graph->slots[norm->live].pitch,
        .gamma = address(r, norm->gamma),
        .beta = address(r, norm->beta),
        .gamma_grad = address(r, norm->gamma_grad),
        .beta_grad = address(r, norm->beta_grad),
        .running_mean = address(r, norm->running_mean),
        .running_variance = address(r, norm->running_variance),
        .live = address(r, norm->live),
        .epsilon = norm->epsilon,
    };
}

static sq_cpu_call resolve(const resolver *r, const sq_op *op)
{
    sq_cpu_call call = {
        .op = op,
        .x = view_of(r, op->x),
        .y = view_of(r, op->y),
        .z = view_of(r, op->z),
        .out = tensor_of(r, op->out),
        .grad = tensor_of(r, op->grad),
        .dx = tensor_of(r, op->dx),
        .dy = tensor_of(r, op->dy),
        .addend = tensor_of(r, op->addend),
        .augment = tensor_of(r, op->augment),
        .pooled = tensor_of(r, op->pooled),
        .hidden = tensor_of(r, op->hidden),
        .momentum = tensor_of(r, op->momentum),
        .average = tensor_of(r, op->average),
        .dx_view = view_of(r, sq_view_plain(op->dx, op->dx_part)),
        .dy_view = view_of(r, sq_view_plain(op->dy, op->dy_part)),
        .norm = norm_of(r, op->out_norm),
        .weight = address(r, op->weight),
        .bias = address(r, op->bias),
        .weight2 = address(r, op->weight2),
        .bias2 = address(r, op->bias2),
        .weight_grad = address(r, op->weight_grad),
        .bias_grad = address(r, op->bias_grad),
        .weight2_grad = address(r, op->weight2_grad),
        .bias2_grad = address(r, op->bias2_grad),
        .raw_x = address(r, op->x.slot),
        .labels = address(r, op->labels),
        .raw_out = address(r, op->out),
        .step = (const sq_step *)(const void *)r->at->base[SQ_ROLE_STEP].address,
    };
    if (op->kind == SQ_OP_CONV) { /* z is the output, as in the backward operation */
        call.z = view_of(r, sq_view_plain(op->out, SQ_ALL));
    }
    if (op->kind == SQ_OP_UPDATE)
        call.out = tensor_of(r, op->weight);
    return call;
}

/* Returns the kernel of an operation. The member `run` of the kernel is NULL if the backend cannot run the
 * operation. */
static const sq_cpu_kernel *choose_kernel(const sq_cpu_table *table, const sq_op *op)
{
    const sq_cpu_kind *kind = &table->kinds[op->kind];
    if (op->is_depthwise)
        return &kind->depthwise;
    return op->kernel == 1 && op->stride == 1 && kind->pointwise.run ? &kind->pointwise : &kind->general;
}

/* Returns the number of threads for a call. Starting threads costs a few microseconds, so a call of less than 20 us
 * runs on one thread. The bits do not depend on this choice. The time is estimated as 0.3 ns per float read or written
 * and 10 ps per multiply-add (50 ps in depthwise kernels). */
static int threads_for(const sq_cpu_call *call, int threads)
{
    const double in = (double)call->x.n * call->x.h * call->x.w * call->x.c;
    const double out = call->z.data ? (double)call->z.n * call->z.h * call->z.w * call->z.c : 0;
    const double taps = (double)call->op->kernel * call->op->kernel;
    const double macs = call->op->is_depthwise ? 5 * out * taps : out * taps * call->x.c;
    const double microseconds = 3e-4 * (in + out) + 1e-5 * macs;
    const bool is_update = call->op->kind == SQ_OP_UPDATE; /* has its own threshold, in update_run */
    return microseconds < 20 && !is_update ? 1 : threads;
}

/* ---- Compiling and running ---- */

static sq_status grow(sq_backend *b, float **floats, size_t *count, size_t wanted, size_t copies)
{
    if (wanted <= *count)
        return SQ_OK;
    const size_t rounded = (wanted + 63) / 64 * 64; /* rounded so that threads do not share cache lines */
    sq_device_ptr p;
    SQ_TRY(sq_host_allocate(b, rounded * copies * sizeof **floats, &p));
    free(*floats);
    *floats = (float *)(void *)p.address;
    *count = rounded;
    return SQ_OK;
}

/* Allocates memory for the values that a norm of c channels exchanges with the other ranks. */
static sq_status grow_exchanged(cpu_backend *cpu, int c)
{
    sq_cpu_workspace *w = &cpu->workspace;
    w->exchange = cpu->base.norm_group;
    if (!w->exchange || 2 * (size_t)c <= w->exchanged_count)
        return SQ_OK;
    free(w->exchanged);
    w->exchanged_count = 0;
    w->exchanged = calloc((1 + (size_t)w->exchange->count) * 2 * (size_t)c, sizeof *w->exchanged);
    w->exchanged_count = w->exchanged ? 2 * (size_t)c : 0;
    return w->exchanged ? SQ_OK
                        : sq_fail(SQ_NO_MEMORY, "cpu: no memory for the statistics of %d ranks", w->exchange->count);
}

/* Resolves operation i into call `c` and enlarges the workspace if needed. */
static sq_status prepare(cpu_backend *cpu, const resolver *r, int i, prepared *c)
{
    sq_cpu_workspace *w = &cpu->workspace;
    const sq_cpu_kernel *kernel = choose_kernel(cpu->table, &r->graph->ops[i]);
    size_t shared = 0, scratch = 0;
    if (!kernel->run)
        return sq_fail(SQ_UNSUPPORTED, "%s: operation %d %s: the cpu backend has no kernel for it", r->graph->name, i,
                       sq_op_name(r->graph->ops[i].kind));
    c->op = r->graph->ops[i];
    c->call = resolve(r, &r->graph->ops[i]);
    c->call.op = &c->op;
    c->call.workspace = w;
    c->call.threads = threads_for(&c->call, w->threads);
    c->run = kernel->run;
    kernel->prepare(&c->call, &shared, &scratch);
    SQ_TRY(grow_exchanged(cpu, c->call.norm.c));
    SQ_TRY(grow(&cpu->base, &w->shared, &w->shared_count, shared, 1));
    return grow(&cpu->base, &w->scratch, &w->scratch_count, scratch, (size_t)w->threads);
}

static sq_status compile(sq_backend *b, const sq_graph *g, const sq_binding *at, sq_program **out)
{
    SQ_TRY(sq_graph_check(g));
    SQ_TRY(sq_host_check_dtypes(b, g));
    sq_program *p = calloc(1, sizeof *p + (size_t)g->op_count * sizeof(prepared));
    if (!p)
        return sq_fail(SQ_NO_MEMORY, "%s: program", g->name);
    const resolver r = {g, at};
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < g->op_count; i++)
        status = prepare((cpu_backend *)b, &r, i, &p->calls[p->count++]);
    if (status == SQ_OK)
        *out = p;
    else
        free(p);
    return status;
}

static sq_status run(sq_backend *b, const sq_program *p)
{
    cpu_backend *cpu = (cpu_backend *)b;
    cpu->exchange_status = SQ_OK;
    for (int i = 0; i < p->count && cpu->exchange_status == SQ_OK; i++)
        p->calls[i].run(&p->calls[i].call);
    return cpu->exchange_status;
}

static sq_status crop(sq_backend *b, const sq_crop_batch *batch)
{
    return sq_cpu_crop(((cpu_backend *)b)->cropper, batch);
}

static void discard(sq_backend *b, sq_program *p)
{
    (void)b; /* a program is one allocation */
    free(p);
}

static void close_cpu(sq_backend *b)
{
    cpu_backend *cpu = (cpu_backend *)b;
    sq_cpu_cropper_close(cpu->cropper);
    free(cpu->workspace.shared);
    free(cpu->workspace.scratch);
    free(cpu->workspace.exchanged);
    free(cpu);
}

static int usable_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}

sq_status sq_cpu_open(const sq_backend_options *options, sq_backend **out)
{
    const int threads = options->threads;
    static const struct sq_backend_ops ops = {
        .name = "cpu",
        .alignment = 1,
        .close = close_cpu,
        .allocate = sq_host_allocate,
        .release = sq_host_release,
        .write = sq_host_write,
        .read = sq_host_read,
        .copy = sq_host_copy,
        .find_nonfinite = sq_host_find_nonfinite,
        .crop = crop,
        .compile = compile,
        .run = run,
        .discard = discard,
        .wait = sq_host_wait,
        .measure = sq_host_measure,
        .reduce_mean = sq_host_reduce_mean,
        .join = sq_host_join,
    };
    if (threads < 0 || threads > 1024)
        return sq_fail(SQ_INVALID, "threads: found %d, expected 0 (all cores) to 1024", threads);
    cpu_backend *cpu = calloc(1, sizeof *cpu);
    if (!cpu)
        return sq_fail(SQ_NO_MEMORY, "cpu: backend");
    const char *name;
    cpu->base.ops = &ops;
    cpu->workspace.exchange_status = &cpu->exchange_status;
    cpu->workspace.threads = threads > 0 ? threads : usable_cores();
    cpu->table = sq_cpu_choose_table(&name);
    openblas_set_num_threads(1); /* each thread of Squall runs its own matrix products */
    const sq_status status = sq_cpu_cropper_open(&cpu->cropper, cpu->workspace.threads);
    if (status == SQ_OK)
        *out = &cpu->base;
    else
        close_cpu(&cpu->base);
    return status;
}
