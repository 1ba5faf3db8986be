/* The reference backend: programs are graphs, walked by plain loops. Slow and obvious; every other backend is compared
 * to it. */
#include "kernels/reference/reference.h"

#include <stdlib.h>
#include <string.h>

struct sq_program {
    sq_graph graph;
    sq_binding at;
};

const sq_step *sq_ref_step(const sq_reference_call *call)
{
    return (const sq_step *)(const void *)call->at->base[SQ_ROLE_STEP].address;
}

float *sq_ref_at(const sq_reference_call *call, int slot, int n, int h, int w, int i)
{
    const sq_slot *s = sq_ref_slot(call, slot);
    const size_t pixel = ((size_t)n * (size_t)s->h + (size_t)h) * (size_t)s->w + (size_t)w;
    return sq_ref_data(call, slot) + pixel * (size_t)s->pitch + (size_t)sq_slot_channel(s, i);
}

float *sq_ref_part_at(const sq_reference_call *call, int slot, sq_part part, int n, int h, int w, int i)
{
    return sq_ref_at(call, slot, n, h, w, part == SQ_ALL ? i : 2 * i + (part == SQ_ODD));
}

int sq_ref_view_c(const sq_reference_call *call, sq_view view)
{
    return sq_view_channels(sq_ref_slot(call, view.slot), view.part).c;
}

static float pre_activation(const sq_reference_call *call, sq_view view, int n, int h, int w, int i)
{
    const float z = *sq_ref_part_at(call, view.slot, view.part, n, h, w, i);
    if (view.norm == SQ_NONE)
        return z;
    return sq_ref_live(call, view.norm, SQ_LIVE_SCALE)[i] * z + sq_ref_live(call, view.norm, SQ_LIVE_SHIFT)[i];
}

float sq_ref_value(const sq_reference_call *call, sq_view view, int n, int h, int w, int i)
{
    const float value = sq_activate(view.activation, pre_activation(call, view, n, h, w, i));
    return view.gate == SQ_NONE ? value : value * *sq_ref_at(call, view.gate, n, 0, 0, i);
}

float sq_ref_slope(const sq_reference_call *call, sq_view view, int n, int h, int w, int i)
{
    return sq_activate_slope(view.activation, pre_activation(call, view, n, h, w, i));
}

void sq_ref_sums(const sq_reference_call *call, sq_view view, int grad)
{
    if (view.norm == SQ_NONE || view.gate != SQ_NONE)
        return;
    const sq_slot *s = sq_ref_slot(call, view.slot);
    for (int i = 0; i < s->c; i++) {
        const double mean = sq_ref_live(call, view.norm, SQ_LIVE_MEAN)[i];
        const double inverse = sq_ref_live(call, view.norm, SQ_LIVE_INVERSE)[i];
        double s1 = 0, s2 = 0;
        for (int n = 0; n < s->n; n++)
            for (int h = 0; h < s->h; h++)
                for (int w = 0; w < s->w; w++) {
                    const double dy = (double)*sq_ref_at(call, grad, n, h, w, i) * sq_ref_slope(call, view, n, h, w, i);
                    s1 += dy;
                    s2 += dy * (*sq_ref_at(call, view.slot, n, h, w, i) - mean) * inverse;
                }
        sq_ref_live(call, view.norm, SQ_LIVE_S1)[i] = (float)s1;
        sq_ref_live(call, view.norm, SQ_LIVE_S2)[i] = (float)s2;
    }
}

void sq_ref_store(const sq_reference_call *call, float *gradient, double value)
{
    *gradient = (float)(sq_ref_step(call)->accumulate ? *gradient + value : value);
}

/* ---- The table ---- */

static void close_reference(sq_backend *b)
{
    free(b);
}

static void discard(sq_backend *b, sq_program *p)
{
    (void)b; /* a program is all that there is */
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

static sq_status compile(sq_backend *b, const sq_graph *g, const sq_binding *at, sq_program **out)
{
    SQ_TRY(sq_graph_check(g));
    SQ_TRY(sq_host_check_dtypes(b, g));
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
    static void (*const kinds[SQ_OP_KINDS])(const sq_reference_call *) = {
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
    (void)b; /* runs where it is called */
    for (int i = 0; i < p->graph.op_count; i++) {
        const sq_reference_call call = {&p->graph, &p->at, &p->graph.ops[i]};
        kinds[call.op->kind](&call);
    }
    return SQ_OK;
}

sq_status sq_reference_open(const sq_backend_options *options, sq_backend **out)
{
    (void)options; /* plain loops run alone */
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
