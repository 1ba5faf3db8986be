/* What a launch computes, in words: `variant` is the code that runs (mode, kernel size, which operands are there),
 * `sizes` how much of it. Both decide what the launch costs, so they are the key of the table of counts
 * (configs/gpus/counts.csv). Values and addresses do not matter. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cuda/launches/launch_list.h"

static void put(char text[SQ_PART_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends, without the space in front of a first word; what does not fit is cut off. */
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

/* " x:na1": normalised, then activation 1; "g" gated, "2" every other channel, "-" absent. */
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

/* " dx:+s1": an addend, sums for a norm before activation 1. */
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

/* ---- One function a kernel ---- */

static void put_rows(sq_program_part *p, const sq_cuda_pointwise *a)
{
    static const char *const modes[] = {
        [SQ_CUDA_FORWARD] = "forward",
        [SQ_CUDA_FORWARD_KXK] = "dense forward",
        [SQ_CUDA_BACKWARD] = "backward",
        [SQ_CUDA_BACKWARD_KXK] = "dense backward",
    };
    const bool is_back = a->mode >= SQ_CUDA_BACKWARD;
    put(p->variant, "%s tile%d", modes[a->mode], sq_cuda_pointwise_shape_of(a->width, is_back).tile);
    put(p->sizes, "rows=%d depth=%d width=%d", a->rows, a->depth, a->width);
    if (a->mode == SQ_CUDA_FORWARD_KXK || a->mode == SQ_CUDA_BACKWARD_KXK)
        put_geometry(p, &a->at);
    if (is_back) {
        put_gradient(p, &a->dz);
        put_sink(p, &a->sink);
    } else {
        put_view(p, "x", &a->x);
        put(p->variant, "%s", a->parts.partial ? " moments" : "");
        put(p->sizes, " out=%d", a->out_pitch);
    }
    p->parts = a->parts.parts;
}

static void put_weight_gradient(sq_program_part *p, const sq_cuda_weight_gradient *a)
{
    put(p->variant, "%s", a->is_gathered ? "dense" : "plain");
    put(p->sizes, "rows=%d depth=%d", a->rows, a->depth);
    if (a->is_gathered)
        put_geometry(p, &a->at);
    put_gradient(p, &a->dz);
    put_view(p, "x", &a->x);
    p->parts = a->parts.parts;
}

static void put_fused_back(sq_program_part *p, const sq_cuda_fused_backward *a)
{
    put(p->variant, "tile%d", sq_cuda_fused_backward_width(a->x.c, a->dz.c));
    put(p->sizes, "rows=%d", a->rows);
    put_gradient(p, &a->dz);
    put_view(p, "x", &a->x);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void put_depthwise(sq_program_part *p, const sq_cuda_depthwise *a)
{
    put_geometry(p, &a->at);
    put_view(p, "x", &a->x);
    put(p->variant, "%s", a->parts.partial ? " moments" : "");
    put(p->sizes, " out=%d", a->out_pitch);
    p->parts = a->parts.parts;
}

static void put_depthwise_back(sq_program_part *p, const sq_cuda_depthwise_backward *a)
{
    put_geometry(p, &a->at);
    put_gradient(p, &a->dz);
    put_view(p, "x", &a->x);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void put_pack(sq_program_part *p, const sq_cuda_pack_weights *a)
{
    put(p->sizes, "jobs=%d", a->count);
    for (int i = 0; i < a->count; i++)
        put(p->sizes, " %s%dx%d", a->jobs[i].is_transposed ? "t" : "", a->jobs[i].rows, a->jobs[i].depth);
}

static void put_join(sq_program_part *p, const sq_cuda_join *a)
{
    put(p->variant, "%s%s", a->is_concat ? "concat" : "add", a->is_split ? " split" : "");
    put(p->sizes, "rows=%d c=%d/%d", a->rows, a->c, a->pitch);
    put_view(p, "x", &a->x);
    if (a->has_y)
        put_view(p, "y", &a->y);
    p->parts = a->parts;
}

static void put_join_back(sq_program_part *p, const sq_cuda_join_backward *a)
{
    put(p->variant, "%s%s", a->is_split ? "split" : "plain", a->sink.data == a->grad ? " sums-only" : "");
    put(p->sizes, "rows=%d g=%d/%d offset=%d", a->rows, a->grad_c, a->grad_pitch, a->offset);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void put_gate(sq_program_part *p, const sq_cuda_gate *a)
{
    put(p->variant, "a%d", a->activation);
    put(p->sizes, "n=%d c=%d hidden=%d", a->n, a->c, a->hidden_count);
}

static void put_spread(sq_program_part *p, const sq_cuda_pool_backward *a)
{
    put(p->variant, "%s%s%s", a->grad ? "grad" : "mean", a->dropout > 0 ? " dropout" : "",
        a->parts.partial ? " sums" : "");
    put(p->sizes, "rows=%d pixels=%d c=%d", a->rows, a->pixels, a->c);
    put_sink(p, &a->sink);
    p->parts = a->parts.parts;
}

static void put_gather_gradient(sq_program_part *p, const sq_cuda_merge_gradient *a)
{
    put(p->variant, "%s%s", a->is_depthwise ? "depthwise" : "dense", a->norm.gamma_grad ? " affine" : "");
    put(p->sizes, "out=%d in=%d taps=%d pitch=%d", a->c_out, a->c_in, a->taps, a->row_pitch);
    p->parts = a->parts;
}

static void put_gemm(sq_program_part *p, const sq_cuda_gemm *a)
{
    put(p->variant, "%s%s%s%s", a->a_column == 1 ? "n" : "t", a->b_column == 1 ? "n" : "t", a->bias ? " bias" : "",
        a->step ? " gradient" : "");
    put(p->sizes, "m=%d n=%d k=%d", a->m, a->n, a->k);
}

static void put_merge(sq_program_part *p, const sq_cuda_launch *launch)
{
    if (launch->kernel == SQ_CUDA_MERGE_MOMENTS) {
        put(p->variant, "%s%s", launch->args.merge_moments.row_block ? "rows" : "counts",
            launch->args.merge_moments.norm.gamma ? " affine" : "");
        put(p->sizes, "c=%d", launch->args.merge_moments.norm.c);
        p->parts = launch->args.merge_moments.parts;
    } else if (launch->kernel == SQ_CUDA_MERGE_SUMS) {
        put(p->sizes, "c=%d width=%d", launch->args.merge_sums.c, launch->args.merge_sums.width);
        p->parts = launch->args.merge_sums.parts;
    } else {
        put(p->sizes, "norms=%d c=%d", launch->args.fixed_norms.count, launch->args.fixed_norms.norms[0].c);
    }
}

static void put_image(sq_program_part *p, const sq_cuda_image *a)
{
    put(p->variant, "%s%s", a->augment ? "augment" : "plain", a->is_raw ? " raw" : "");
    put(p->sizes, "n=%d h=%d w=%d", a->n, a->h, a->w);
}

static void put_pool(sq_program_part *p, const sq_cuda_pool *a)
{
    put(p->variant, "%s%s", a->factor ? "product" : "mean", a->dropout > 0 ? " dropout" : "");
    put(p->sizes, "n=%d pixels=%d", a->n, a->x.pixels);
    put_view(p, "x", &a->x);
}

static void put_loss(sq_program_part *p, const sq_cuda_loss *a)
{
    put(p->variant, "%s", a->gradient ? "gradient" : "value");
    put(p->sizes, "n=%d classes=%d", a->n, a->classes);
}

sq_program_part sq_cuda_describe_launch(const sq_cuda_launch *launch)
{
    sq_program_part p = {.kernel = sq_cuda_kernel_name(launch->kernel),
                         .op = launch->op,
                         .bytes = launch->bytes,
                         .operations = launch->operations};
    switch (launch->kernel) {
    case SQ_CUDA_POINTWISE:
        put_rows(&p, &launch->args.pointwise);
        break;
    case SQ_CUDA_WEIGHT_GRADIENT:
        put_weight_gradient(&p, &launch->args.weight_gradient);
        break;
    case SQ_CUDA_FUSED_BACKWARD:
        put_fused_back(&p, &launch->args.fused_backward);
        break;
    case SQ_CUDA_DEPTHWISE:
        put_depthwise(&p, &launch->args.depthwise);
        break;
    case SQ_CUDA_DEPTHWISE_BACKWARD:
        put_depthwise_back(&p, &launch->args.depthwise_backward);
        break;
    case SQ_CUDA_MERGE_MOMENTS:
    case SQ_CUDA_MERGE_SUMS:
    case SQ_CUDA_FIXED_NORMS:
        put_merge(&p, launch);
        break;
    case SQ_CUDA_MERGE_GRADIENT:
        put_gather_gradient(&p, &launch->args.merge_gradient);
        break;
    case SQ_CUDA_PACK_WEIGHTS:
        put_pack(&p, &launch->args.pack_weights);
        break;
    case SQ_CUDA_JOIN:
        put_join(&p, &launch->args.join);
        break;
    case SQ_CUDA_JOIN_BACKWARD:
        put_join_back(&p, &launch->args.join_backward);
        break;
    case SQ_CUDA_POOL:
        put_pool(&p, &launch->args.pool);
        break;
    case SQ_CUDA_GATE:
        put_gate(&p, &launch->args.gate);
        break;
    case SQ_CUDA_GATE_BACKWARD:
        put_gate(&p, &launch->args.gate_backward.gate);
        break;
    case SQ_CUDA_POOL_BACKWARD:
        put_spread(&p, &launch->args.pool_backward);
        break;
    case SQ_CUDA_GEMM:
        put_gemm(&p, &launch->args.gemm);
        break;
    case SQ_CUDA_COLUMN_SUMS:
        put(p.sizes, "rows=%d c=%d", launch->args.column_sums.rows, launch->args.column_sums.c);
        break;
    case SQ_CUDA_LOSS:
        put_loss(&p, &launch->args.loss);
        break;
    case SQ_CUDA_UPDATE:
        put(p.variant, "%s", launch->args.update.average ? "average" : "plain");
        put(p.sizes, "count=%zu", launch->args.update.count);
        break;
    case SQ_CUDA_IMAGE:
        put_image(&p, &launch->args.image);
        break;
    case SQ_CUDA_COLUMN_MOMENTS: /* the vendor engine's have no counts */
    case SQ_CUDA_FORM_GRADIENT:
    case SQ_CUDA_CONVERT:
    case SQ_CUDA_VENDOR_CONVOLUTION:
    case SQ_CUDA_VENDOR_PRODUCT:
    case SQ_CUDA_KERNELS:
        break;
    }
    return p;
}
