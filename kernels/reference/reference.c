/* The reference backend is slow but simple. A program is a copy of its graph, and plain loops run it. Tests compare
 * every other backend with this one. */
#include "kernels/reference/reference.h"

#include <stdlib.h>
#include <string.h>

struct sq_program {
    sq_graph graph;
    sq_binding at;
};

static void close_reference(sq_backend *b)
{
    free(b);
}

static void discard(sq_backend *b, sq_program *p)
{
    (void)b; /* unused: a program owns its memory */
    if (!p)
        return;
    sq_graph_clear(&p->graph);
    free(p);
}

static void *copy_of(const void *items, size_t bytes)
{
    void *copy = malloc(bytes ? bytes : 1);
    if (copy && bytes)
        memcpy(copy, items, bytes);
    return copy;
}

static void (*const kernels[])(const sq_reference_call *) = {
    [SQ_OP_IMAGE] = sq_reference_image,
    [SQ_OP_CONV] = sq_reference_conv,
    [SQ_OP_CONV_BACK] = sq_reference_conv_back,
    [SQ_OP_GATE] = sq_reference_gate,
    [SQ_OP_GATE_BACK] = sq_reference_gate_back,
    [SQ_OP_JOIN] = sq_reference_join,
    [SQ_OP_JOIN_BACK] = sq_reference_join_back,
    [SQ_OP_POOL] = sq_reference_pool,
    [SQ_OP_POOL_BACK] = sq_reference_pool_back,
    [SQ_OP_LINEAR] = sq_reference_linear,
    [SQ_OP_LINEAR_BACK] = sq_reference_linear_back,
    [SQ_OP_LOSS] = sq_reference_loss,
    [SQ_OP_UPDATE] = sq_reference_update,
};
_Static_assert(sizeof kernels / sizeof *kernels == SQ_OP_KINDS, "one row per kind of operation");

static sq_status check_kernels(const sq_graph *g)
{
    for (int i = 0; i < g->op_count; i++)
        if (!kernels[g->ops[i].kind])
            return sq_fail(SQ_UNSUPPORTED, "%s: operation %d %s: the reference backend has no kernel for it", g->name,
                           i, sq_op_name(g->ops[i].kind));
    return SQ_OK;
}

static sq_status compile(sq_backend *b, const sq_graph *g, const sq_binding *at, sq_program **out)
{
    SQ_TRY(sq_graph_check(g));
    SQ_TRY(sq_host_check_dtypes(b, g));
    SQ_TRY(check_kernels(g));
    sq_program *p = calloc(1, sizeof *p);
    if (!p)
        return sq_fail(SQ_NO_MEMORY, "%s: program", g->name);
    p->graph = *g;
    p->at = *at;
    p->graph.slots = copy_of(g->slots, (size_t)g->slot_count * sizeof *g->slots);
    p->graph.norms = copy_of(g->norms, (size_t)g->norm_count * sizeof *g->norms);
    p->graph.ops = copy_of(g->ops, (size_t)g->op_count * sizeof *g->ops);
    if (!p->graph.slots || !p->graph.norms || !p->graph.ops) {
        discard(b, p);
        return sq_fail(SQ_NO_MEMORY, "%s: program", g->name);
    }
    *out = p;
    return SQ_OK;
}

static sq_status run(sq_backend *b, const sq_program *p)
{
    (void)b; /* a program holds all that it needs */
    for (int i = 0; i < p->graph.op_count; i++) {
        const sq_reference_call call = {&p->graph, &p->at, &p->graph.ops[i]};
        kernels[call.op->kind](&call);
    }
    return SQ_OK;
}

sq_status sq_reference_open(const sq_backend_options *options, sq_backend **out)
{
    (void)options; /* one thread, no device */
    static const struct sq_backend_ops ops = {
        .name = "reference",
        .alignment = 1,
        .close = close_reference,
        .allocate = sq_host_allocate,
        .release = sq_host_release,
        .write = sq_host_write,
        .read = sq_host_read,
        .copy = sq_host_copy,
        .find_nonfinite = sq_host_find_nonfinite,
        .crop = sq_reference_crop,
        .compile = compile,
        .run = run,
        .discard = discard,
        .wait = sq_host_wait,
        .measure = sq_host_measure,
        .reduce_mean = sq_host_reduce_mean,
        .join = sq_host_join,
    };
    sq_backend *b = calloc(1, sizeof *b);
    if (!b)
        return sq_fail(SQ_NO_MEMORY, "reference: backend");
    b->ops = &ops;
    *out = b;
    return SQ_OK;
}
