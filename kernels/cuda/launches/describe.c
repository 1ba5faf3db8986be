/* Describes a launch as text. `variant` names the code that runs: mode, kernel size, operands that are present.
 * `sizes` is the amount of work. Both determine the cost of the launch, so they are the key of the table of counts
 * (configs/gpus/counts.csv). Values and addresses do not appear. */
#include "kernels/cuda/launches/describe.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(char text[SQ_PART_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends to the text, without the leading space of the first word. Truncates to SQ_PART_TEXT. */
static void put(char text[SQ_PART_TEXT], const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    if (used == 0 && format[0] == ' ')
        format++;
    va_start(arguments, format);
    (void)vsnprintf(text + used, SQ_PART_TEXT - used, format, arguments);
    va_end(arguments);
}

/* " x:na1": normalized, then activation 1. "g": gated; "2": every second channel; "-": absent. */
static void put_view(sq_program_part *p, const char *name, const sq_cuda_view *v)
{
    if (!v->data) {
        put(p->variant, " %s:-", name);
        return;
    }
    put(p->variant, " %s:%s%s%sa%d", name, v->scale ? "n" : "", v->gate ? "g" : "", v->step == 2 ? "2" : "",
        v->activation);
    put(p->sizes, " %s=%d/%d", name, v->c, v->pitch);
}

static void put_gradient(sq_program_part *p, const sq_cuda_gradient *g)
{
    put(p->variant, " dz:a%d", g->activation);
    put(p->sizes, " dz=%d/%d/%d", g->c, g->g_pitch, g->z_pitch);
}

/* " dx:+s1": an addend; sums for a norm before activation 1. */
static void put_sink(sq_program_part *p, const sq_cuda_sink *s)
{
    if (!s->data) {
        put(p->variant, " dx:-");
        return;
    }
    put(p->variant, " dx:%s%s", s->addend ? "+" : "", s->step == 2 ? "2" : "");
    if (s->z.scale)
        put(p->variant, "s%d%s", s->z.activation, s->z.step == 2 ? "2" : "");
    put(p->sizes, " dx=%d/%d", s->c, s->pitch);
}

static void put_geometry(sq_program_part *p, const sq_cuda_geometry *at)
{
    put(p->variant, " k%d s%d", at->kernel, at->stride);
    put(p->sizes, " n=%d h=%d w=%d", at->n, at->h_in, at->w_in);
}

/* ---- Convolutions ---- */

static void describe_pointwise(sq_program_part *p, const sq_cuda_pointwise *a)
{
    static const char *const modes[] = {
        [SQ_CUDA_FORWARD] = "forward",
        [SQ_CUDA_FORWARD_KXK] = "dense forward",
        [SQ_CUDA_BACKWARD] = "backward",
        [SQ_CUDA_BACKWARD_KXK] = "dense backward",
    };
    const bool is_backward = a->mode >= SQ_CUDA_BACKWARD;
    put(p->variant, "%s tile%d", modes[a->mode], sq_cuda_pointwise_shape_of(a->width, is_backward).tile);
    put(p->sizes, "rows=%d depth=%d width=%d", a->rows, a->depth, a->width);
    if (a->mode == SQ_CUDA_FORWARD_KXK || a->mode == SQ_CUDA_BACKWARD_KXK)
        put_geometry(p, &a->at);
    if (is_backward) {
        put_gradient(p, &a->dz);
        put_sink(p, &a->sink);
    } else {
        put_view(p, "x", &a->x);
        put(p->variant, "%s", a->parts.partial ? " moments" : "");
        put(p->sizes, " out=%d", a->out_pitch);
    }
    p->parts = a->parts.parts;
}

static void describe_weight_gradient(sq_program_part *p, const sq_cuda_weight_gradient *a)
{
    put(p->variant, "%s", a->is_gathered ? "dense" : "plain");
    put(p->sizes, "rows=%d depth=%d", a->rows, a->depth);
    if (a->is_gathered)
        put_geometry(p, &a->at);
    put_gradient(p, &a->dz);
    put_view(p, "x", &a->x);
    p->parts = a->parts.parts;
}

static void describe_fused_backward(sq_program_part *p, const sq_cuda_fused_backward *a)
{
    put(p->variant, "tile%d", sq_cuda_fused_backward_width(a->x.c, a->dz.c));
    put(p->sizes, "rows=%d", a->rows);
    put_gradient(p, &a->dz);
    put_view(p, "x", &a->x);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void describe_depthwise(sq_program_part *p, const sq_cuda_depthwise *a)
{
    put_geometry(p, &a->at);
    put_view(p, "x", &a->x);
    put(p->variant, "%s", a->parts.partial ? " moments" : "");
    put(p->sizes, " out=%d", a->out_pitch);
    p->parts = a->parts.parts;
}

static void describe_depthwise_backward(sq_program_part *p, const sq_cuda_depthwise_backward *a)
{
    put_geometry(p, &a->at);
    put_gradient(p, &a->dz);
    put_view(p, "x", &a->x);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void describe_merge_moments(sq_program_part *p, const sq_cuda_merge_moments *a)
{
    put(p->variant, "%s%s", a->row_block ? "rows" : "counts", a->norm.gamma ? " affine" : "");
    put(p->sizes, "c=%d", a->norm.c);
    p->parts = a->parts;
}

static void describe_fixed_norms(sq_program_part *p, const sq_cuda_fixed_norms *a)
{
    put(p->sizes, "norms=%d c=%d", a->count, a->norms[0].c);
}

static void describe_merge_sums(sq_program_part *p, const sq_cuda_merge_sums *a)
{
    put(p->sizes, "c=%d width=%d", a->c, a->width);
    p->parts = a->parts;
}

static void describe_merge_gradient(sq_program_part *p, const sq_cuda_merge_gradient *a)
{
    put(p->variant, "%s%s", a->is_depthwise ? "depthwise" : "dense", a->norm.gamma_grad ? " affine" : "");
    put(p->sizes, "out=%d in=%d taps=%d pitch=%d", a->c_out, a->c_in, a->taps, a->row_pitch);
    p->parts = a->parts;
}

static void describe_pack_weights(sq_program_part *p, const sq_cuda_pack_weights *a)
{
    put(p->sizes, "jobs=%d", a->count);
    for (int i = 0; i < a->count; i++)
        put(p->sizes, " %s%dx%d", a->jobs[i].is_transposed ? "t" : "", a->jobs[i].rows, a->jobs[i].depth);
}

/* ---- Other operations ---- */

static void describe_join(sq_program_part *p, const sq_cuda_join *a)
{
    put(p->variant, "%s%s", a->is_concat ? "concat" : "add", a->is_split ? " split" : "");
    put(p->sizes, "rows=%d c=%d/%d", a->rows, a->c, a->pitch);
    put_view(p, "x", &a->x);
    if (a->has_y)
        put_view(p, "y", &a->y);
    p->parts = a->parts;
}

static void describe_join_backward(sq_program_part *p, const sq_cuda_join_backward *a)
{
    put(p->variant, "%s%s", a->is_split ? "split" : "plain", a->sink.data == a->grad ? " sums-only" : "");
    put(p->sizes, "rows=%d g=%d/%d offset=%d", a->rows, a->grad_c, a->grad_pitch, a->offset);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void describe_pool(sq_program_part *p, const sq_cuda_pool *a)
{
    put(p->variant, "%s%s", a->factor ? "product" : "mean", a->dropout > 0 ? " dropout" : "");
    put(p->sizes, "n=%d pixels=%d", a->n, a->x.pixels);
    put_view(p, "x", &a->x);
}

static void describe_gate(sq_program_part *p, const sq_cuda_gate *a)
{
    put(p->variant, "a%d", a->activation);
    put(p->sizes, "n=%d c=%d hidden=%d", a->n, a->c, a->hidden_count);
}

static void describe_gate_backward(sq_program_part *p, const sq_cuda_gate_backward *a)
{
    describe_gate(p, &a->gate);
}

static void describe_pool_backward(sq_program_part *p, const sq_cuda_pool_backward *a)
{
    put(p->variant, "%s%s%s", a->grad ? "grad" : "mean", a->dropout > 0 ? " dropout" : "",
        a->parts.partial ? " sums" : "");
    put(p->sizes, "rows=%d pixels=%d c=%d", a->rows, a->pixels, a->c);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void describe_gemm(sq_program_part *p, const sq_cuda_gemm *a)
{
    put(p->variant, "%s%s%s%s", a->a_column == 1 ? "n" : "t", a->b_column == 1 ? "n" : "t", a->bias ? " bias" : "",
        a->step ? " gradient" : "");
    put(p->sizes, "m=%d n=%d k=%d", a->m, a->n, a->k);
}

static void describe_column_sums(sq_program_part *p, const sq_cuda_column_sums *a)
{
    put(p->sizes, "rows=%d c=%d", a->rows, a->c);
}

static void describe_loss(sq_program_part *p, const sq_cuda_loss *a)
{
    put(p->variant, "%s", a->gradient ? "gradient" : "value");
    put(p->sizes, "n=%d classes=%d", a->n, a->classes);
}

static void describe_update(sq_program_part *p, const sq_cuda_update *a)
{
    put(p->variant, "%s", a->average ? "average" : "plain");
    put(p->sizes, "count=%zu", a->count);
}

static void describe_image(sq_program_part *p, const sq_cuda_image *a)
{
    put(p->variant, "%s%s", a->augment ? "augment" : "plain", a->is_raw ? " raw" : "");
    put(p->sizes, "n=%d h=%d w=%d", a->n, a->h, a->w);
}

/* ---- Passes of the vendor engine: not in the table of counts ---- */

static void describe_column_moments(sq_program_part *p, const sq_cuda_column_moments *a)
{
    (void)p, (void)a;
}

static void describe_form_gradient(sq_program_part *p, const sq_cuda_form_gradient *a)
{
    (void)p, (void)a;
}

static void describe_convert(sq_program_part *p, const sq_cuda_convert *a)
{
    (void)p, (void)a;
}

static void describe_arguments(sq_program_part *p, const sq_cuda_launch *launch)
{
    switch (launch->kernel) {
#define DESCRIBE(KIND, name)                                                                                           \
    case SQ_CUDA_##KIND:                                                                                               \
        describe_##name(p, &launch->args.name);                                                                        \
        break;
        SQ_CUDA_LAUNCHES(DESCRIBE)
#undef DESCRIBE
    case SQ_CUDA_VENDOR_CONVOLUTION: /* calls of NVIDIA's libraries are not in the table either */
    case SQ_CUDA_VENDOR_PRODUCT:
    case SQ_CUDA_KERNELS:
        break;
    }
}

sq_program_part sq_cuda_describe_launch(const sq_cuda_launch *launch)
{
    sq_program_part p = {.kernel = sq_cuda_kernel_name(launch->kernel),
                         .op = launch->op,
                         .bytes = launch->bytes,
                         .operations = launch->operations};
    describe_arguments(&p, launch);
    return p;
}
