/* Where a block's tensors lie. The rule to know: slots are taken in the same order in every mode, so an offset means
 * the same bytes in forward and in backward. */
#include <stdio.h>
#include <string.h>

#include "supernet/model/builder.h"

/* Takes the next bytes of a role for the slot and returns its index. */
int sq_builder_take(sq_builder *b, sq_slot slot)
{
    slot.offset = b->region->at[slot.role] + b->region->bytes[slot.role];
    b->region->bytes[slot.role] += (sq_slot_bytes(&slot) + 63) / 64 * 64;
    return sq_graph_slot(b->graph, slot);
}

sq_slot sq_builder_tensor(sq_role role, int n, int h, int w, int c, int pitch)
{
    return (sq_slot){.role = role, .dtype = SQ_F32, .n = n, .h = h, .w = w, .c = c, .pitch = pitch};
}

int sq_builder_aligned(const sq_block_options *options, int c)
{
    const int alignment = options->alignment > 0 ? options->alignment : 1;
    return (c + alignment - 1) / alignment * alignment;
}

sq_slot sq_builder_activation(const sq_builder *b, sq_role role, const sq_unit *unit)
{
    const int pitch = sq_builder_aligned(b->options, sq_space_pitch(b->space, unit->c_out));
    sq_slot slot = sq_builder_tensor(role, b->options->batch, unit->h_out, unit->w_out, unit->c_out, pitch);
    slot.dtype = b->options->activation;
    return slot;
}

/* FP32 by image or by norm, padded too: kernels read eight channels at a time. */
static sq_slot padded_rows(const sq_builder *b, sq_role role, int n, int w, int c)
{
    return sq_builder_tensor(role, n, 1, w, c, sq_builder_aligned(b->options, c));
}

bool sq_builder_is_trained(const sq_builder *b)
{
    return b->mode == SQ_FORWARD || b->mode == SQ_BACKWARD;
}

/* What forward leaves for backward; in the other modes nobody reads it later. */
static sq_role work_role(const sq_builder *b)
{
    return sq_builder_is_trained(b) ? SQ_ROLE_SAVED : SQ_ROLE_SCRATCH;
}

/* Records a parameter for sq_block_parameters; dims end at the first 0. The name is prefix + module + "." + leaf. */
static void record(sq_builder *b, sq_parameter_kind kind, const char *module, const char *leaf, const int dims[4],
                   int slot)
{
    const int index = b->parameter_count++;
    if (!b->parameters || index >= b->parameter_limit)
        return;
    sq_parameter *p = &b->parameters[index];
    char prefix[64];
    sq_describe_prefix(b->space, b->layer_index, b->choice_index, b->options->is_supernet, prefix, sizeof prefix);
    *p = (sq_parameter){.kind = kind, .layer = b->layer_index, .choice = b->choice_index};
    (void)snprintf(p->name, sizeof p->name, "%s%s%s%s", prefix, module, *module ? "." : "", leaf);
    p->count = 1;
    while (p->dim_count < 4 && dims[p->dim_count] > 0) {
        p->count *= (size_t)dims[p->dim_count];
        p->dims[p->dim_count] = dims[p->dim_count];
        p->dim_count++;
    }
    p->role = b->graph->slots[slot].role;
    p->offset = b->graph->slots[slot].offset;
}

/* A weight and, at the same offset of its own role, the gradient. Dims as PyTorch has them, unused ones 0. */
static int take_weight(sq_builder *b, sq_parameter_kind kind, const char *module, const char *leaf, const int dims[4],
                       int *grad)
{
    sq_slot slot = sq_builder_tensor(SQ_ROLE_WEIGHT, dims[0], dims[1], dims[2] ? dims[2] : 1, dims[3] ? dims[3] : 1, 0);
    if (dims[1] == 0) {
        slot.c = dims[0]; /* a vector */
        slot.n = slot.h = 1;
    }
    slot.pitch = slot.c;
    slot.offset = b->region->at[SQ_ROLE_WEIGHT] + b->region->bytes[SQ_ROLE_WEIGHT];
    sq_slot behind = slot;
    behind.role = SQ_ROLE_WEIGHT_GRAD;
    *grad = b->mode == SQ_BACKWARD ? sq_graph_slot(b->graph, behind) : SQ_NONE;
    const int weight = sq_builder_take(b, slot);
    record(b, kind, module, leaf, dims, weight);
    return weight;
}

static int take_vector(sq_builder *b, sq_parameter_kind kind, const char *module, const char *leaf, int count,
                       int *grad)
{
    return take_weight(b, kind, module, leaf, (const int[]){count, 0, 0, 0}, grad);
}

static int take_statistic(sq_builder *b, sq_parameter_kind kind, const char *module, const char *leaf, int c)
{
    const int slot = sq_builder_take(b, sq_builder_tensor(SQ_ROLE_STATISTICS, 1, 1, 1, c, c));
    record(b, kind, module, leaf, (const int[]){c, 0, 0, 0}, slot);
    return slot;
}

/* What has weight decay: everything with more than one dimension. */
static void take_weights(sq_builder *b)
{
    const sq_description *d = &b->description;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        sq_unit_slots *s = &b->units[u];
        const int c_in = unit->is_depthwise ? 1 : unit->c_in;
        s->weight =
            take_weight(b, unit->is_depthwise ? SQ_PARAMETER_DEPTHWISE : SQ_PARAMETER_CONV, unit->conv, "weight",
                        (const int[]){unit->c_out, c_in, unit->kernel, unit->kernel}, &s->weight_grad);
        if (unit->se_channels == 0)
            continue;
        s->reduce = take_weight(b, SQ_PARAMETER_CONV, unit->se, "reduce.weight",
                                (const int[]){unit->se_channels, unit->c_out, 1, 1}, &s->reduce_grad);
        s->expand = take_weight(b, SQ_PARAMETER_CONV, unit->se, "expand.weight",
                                (const int[]){unit->c_out, unit->se_channels, 1, 1}, &s->expand_grad);
    }
    if (d->is_classifier)
        b->linear_weight = take_weight(b, SQ_PARAMETER_LINEAR, "", "weight",
                                       (const int[]){b->space->classes, b->layer->c_in, 0, 0}, &b->linear_weight_grad);
}

static void take_norm(sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    const int c = unit->c_out;
    sq_norm norm = {.c = c, .gamma = SQ_NONE, .beta = SQ_NONE, .gamma_grad = SQ_NONE, .beta_grad = SQ_NONE};
    if (b->space->is_affine) {
        norm.gamma = take_vector(b, SQ_PARAMETER_GAMMA, unit->norm, "weight", c, &norm.gamma_grad);
        norm.beta = take_vector(b, SQ_PARAMETER_BETA, unit->norm, "bias", c, &norm.beta_grad);
    }
    norm.epsilon = b->space->epsilon;
    norm.running_mean = take_statistic(b, SQ_PARAMETER_MEAN, unit->norm, "running_mean", c);
    norm.running_variance = take_statistic(b, SQ_PARAMETER_VARIANCE, unit->norm, "running_var", c);
    norm.live = sq_builder_take(b, padded_rows(b, work_role(b), 1, SQ_LIVE_ROWS, c));
    b->units[u].norm = sq_graph_norm(b->graph, norm);
}

/* Norms and biases: what has no weight decay. */
static void take_vectors(sq_builder *b)
{
    const sq_description *d = &b->description;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        sq_unit_slots *s = &b->units[u];
        take_norm(b, u);
        if (unit->se_channels == 0)
            continue;
        s->reduce_bias =
            take_vector(b, SQ_PARAMETER_BIAS, unit->se, "reduce.bias", unit->se_channels, &s->reduce_bias_grad);
        s->expand_bias = take_vector(b, SQ_PARAMETER_BIAS, unit->se, "expand.bias", unit->c_out, &s->expand_bias_grad);
    }
    if (d->is_classifier && b->space->has_bias)
        b->linear_bias = take_vector(b, SQ_PARAMETER_BIAS, "", "bias", b->space->classes, &b->linear_bias_grad);
}

static void take_activations(sq_builder *b)
{
    const sq_description *d = &b->description;
    const int n = b->options->batch;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        sq_unit_slots *s = &b->units[u];
        s->z = sq_builder_take(b, sq_builder_activation(b, work_role(b), unit));
        if (unit->se_channels == 0)
            continue;
        s->gate = sq_builder_take(b, padded_rows(b, work_role(b), n, 1, unit->c_out));
        s->pooled = sq_builder_take(b, padded_rows(b, work_role(b), n, 1, unit->c_out));
        s->hidden = sq_builder_take(b, padded_rows(b, work_role(b), n, 1, unit->se_channels));
    }
    if (d->is_classifier)
        b->pooled = sq_builder_take(b, sq_builder_tensor(work_role(b), n, 1, 1, b->layer->c_in, b->layer->c_in));
}

static void take_boundaries(sq_builder *b)
{
    const sq_layer *l = b->layer;
    const int index = b->layer_index, n = b->options->batch;
    const int pitch_in = sq_block_boundary_pitch(b->space, b->options, index);
    const int pitch_out = sq_block_boundary_pitch(b->space, b->options, index + 1);
    sq_slot in = sq_builder_tensor(SQ_ROLE_BOUNDARY, n, l->h_in, l->w_in, l->c_in, pitch_in);
    sq_slot out = sq_builder_tensor(SQ_ROLE_BOUNDARY, n, l->h_out, l->w_out, l->c_out, pitch_out);
    in.dtype = sq_block_boundary_dtype(b->space, b->options, index);
    out.dtype = sq_block_boundary_dtype(b->space, b->options, index + 1);
    in.is_split = l->is_split_in;
    out.is_split = l->is_split_out;
    in.offset = b->region->boundary_in;
    out.offset = b->region->boundary_out;
    b->input = sq_graph_slot(b->graph, in);
    b->output = sq_graph_slot(b->graph, out);
    if (!sq_builder_is_trained(b))
        return;
    in.role = out.role = SQ_ROLE_BOUNDARY_GRAD;
    in.offset = b->region->boundary_grad_in;
    out.offset = b->region->boundary_grad_out;
    b->input_grad = sq_graph_slot(b->graph, in);
    b->output_grad = sq_graph_slot(b->graph, out);
}

void sq_builder_clear_slots(sq_builder *b)
{
    for (int u = 0; u < SQ_MAX_UNITS; u++) {
        int *const slots = (int *)&b->units[u];
        for (size_t i = 0; i < sizeof b->units[u] / sizeof(int); i++)
            slots[i] = SQ_NONE;
    }
    b->input = b->output = b->input_grad = b->output_grad = SQ_NONE;
    b->linear_weight = b->linear_bias = b->linear_weight_grad = b->linear_bias_grad = SQ_NONE;
    b->pooled = b->pooled_grad = SQ_NONE;
}

/* Takes everything that has a place, in the same order in every mode; returns the bytes of weights that have decay. */
size_t sq_builder_take_all(sq_builder *b)
{
    memset(b->region->bytes, 0, sizeof b->region->bytes);
    take_boundaries(b);
    take_weights(b);
    const size_t decayed_bytes = b->region->bytes[SQ_ROLE_WEIGHT];
    take_vectors(b);
    take_activations(b);
    return decayed_bytes;
}
