/* Allocates the tensors of a block in the same order in every mode, so that a tensor has the same offset in forward and
 * in backward. */
#include "supernet/model/block_slots.h"

#include <stdio.h>
#include <string.h>

#include "supernet/model/block_layout.h"

/* Returns a slot of n x w rows of c FP32 values. Rows are padded, because kernels read eight channels at a time. */
static sq_slot padded_rows(const sq_builder *b, sq_role role, int n, int w, int c)
{
    sq_slot slot = sq_builder_tensor(role, n, 1, w, c);
    slot.pitch = sq_block_aligned(b->options, c);
    return slot;
}

/* Returns the role of intermediate values. FORWARD saves these values for BACKWARD; in other modes they are not used
 * after the program ends. */
static sq_role work_role(const sq_builder *b)
{
    return sq_builder_is_training(b) ? SQ_ROLE_SAVED : SQ_ROLE_SCRATCH;
}

/* A parameter's kind, name and shape. The name is prefix + module + "." + leaf; dims are PyTorch's and end at the first
 * 0. */
typedef struct {
    sq_parameter_kind kind;
    const char *module, *leaf;
    int dims[4];
} parameter;

/* Counts a parameter, and adds it to the output of sq_block_parameters if there is room. */
static void record(sq_builder *b, const parameter *from, int slot)
{
    const int index = b->parameter_count++;
    if (!b->parameters || index >= b->parameter_limit)
        return;
    sq_parameter *p = &b->parameters[index];
    char prefix[64];
    sq_describe_prefix(&b->id, b->options->is_supernet, prefix, sizeof prefix);
    *p = (sq_parameter){.kind = from->kind, .layer = b->id.layer, .choice = b->id.choice, .count = 1};
    (void)snprintf(p->name, sizeof p->name, "%s%s%s%s", prefix, from->module, *from->module ? "." : "", from->leaf);
    while (p->dim_count < 4 && from->dims[p->dim_count] > 0) {
        p->count *= (size_t)from->dims[p->dim_count];
        p->dims[p->dim_count] = from->dims[p->dim_count];
        p->dim_count++;
    }
    p->role = b->graph->slots[slot].role;
    p->offset = b->graph->slots[slot].offset;
}

/* Allocates a weight and returns its slot. *grad: the slot of its gradient in mode BACKWARD, else SQ_NONE. The gradient
 * has the same offset in SQ_ROLE_WEIGHT_GRAD. */
static int take_weight(sq_builder *b, const parameter *p, int *grad)
{
    const int *dims = p->dims;
    const bool is_vector = dims[1] == 0;
    sq_slot slot =
        is_vector ? sq_builder_tensor(SQ_ROLE_WEIGHT, 1, 1, 1, dims[0])
                  : sq_builder_tensor(SQ_ROLE_WEIGHT, dims[0], dims[1], dims[2] ? dims[2] : 1, dims[3] ? dims[3] : 1);
    slot.offset = b->region->at[SQ_ROLE_WEIGHT] + b->region->bytes[SQ_ROLE_WEIGHT];
    sq_slot gradient = slot;
    gradient.role = SQ_ROLE_WEIGHT_GRAD;
    *grad = b->mode == SQ_BACKWARD ? sq_graph_slot(b->graph, gradient) : SQ_NONE;
    const int weight = sq_builder_allocate(b, slot);
    record(b, p, weight);
    return weight;
}

static int take_statistic(sq_builder *b, const parameter *p)
{
    const int slot = sq_builder_allocate(b, sq_builder_tensor(SQ_ROLE_STATISTICS, 1, 1, 1, p->dims[0]));
    record(b, p, slot);
    return slot;
}

/* Allocates the tensors with more than one dimension, which have weight decay. */
static void take_weights(sq_builder *b)
{
    const sq_description *d = &b->description;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        sq_unit_slots *s = &b->units[u];
        const parameter conv = {unit->is_depthwise ? SQ_PARAMETER_DEPTHWISE : SQ_PARAMETER_CONV,
                                unit->conv,
                                "weight",
                                {unit->c_out, unit->is_depthwise ? 1 : unit->c_in, unit->kernel, unit->kernel}};
        const parameter reduce = {SQ_PARAMETER_CONV, unit->se, "reduce.weight", {unit->se_channels, unit->c_out, 1, 1}};
        const parameter expand = {SQ_PARAMETER_CONV, unit->se, "expand.weight", {unit->c_out, unit->se_channels, 1, 1}};
        s->weight = take_weight(b, &conv, &s->weight_grad);
        if (unit->se_channels == 0)
            continue;
        s->reduce = take_weight(b, &reduce, &s->reduce_grad);
        s->expand = take_weight(b, &expand, &s->expand_grad);
    }
    const parameter linear = {SQ_PARAMETER_LINEAR, "", "weight", {b->space->classes, b->layer->c_in}};
    if (d->is_classifier)
        b->linear_weight = take_weight(b, &linear, &b->linear_weight_grad);
}

static void take_norm(sq_builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    const int c = unit->c_out;
    const parameter gamma = {SQ_PARAMETER_GAMMA, unit->norm, "weight", {c}};
    const parameter beta = {SQ_PARAMETER_BETA, unit->norm, "bias", {c}};
    const parameter mean = {SQ_PARAMETER_MEAN, unit->norm, "running_mean", {c}};
    const parameter variance = {SQ_PARAMETER_VARIANCE, unit->norm, "running_var", {c}};
    sq_norm norm = {.c = c, .gamma = SQ_NONE, .beta = SQ_NONE, .gamma_grad = SQ_NONE, .beta_grad = SQ_NONE};
    if (b->space->is_affine) {
        norm.gamma = take_weight(b, &gamma, &norm.gamma_grad);
        norm.beta = take_weight(b, &beta, &norm.beta_grad);
    }
    norm.epsilon = b->space->epsilon;
    norm.running_mean = take_statistic(b, &mean);
    norm.running_variance = take_statistic(b, &variance);
    norm.live = sq_builder_allocate(b, padded_rows(b, work_role(b), 1, SQ_LIVE_ROWS, c));
    b->units[u].norm = sq_graph_norm(b->graph, norm);
}

/* Allocates norms and biases, which have no weight decay. */
static void take_vectors(sq_builder *b)
{
    const sq_description *d = &b->description;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        sq_unit_slots *s = &b->units[u];
        const parameter reduce = {SQ_PARAMETER_BIAS, unit->se, "reduce.bias", {unit->se_channels}};
        const parameter expand = {SQ_PARAMETER_BIAS, unit->se, "expand.bias", {unit->c_out}};
        take_norm(b, u);
        if (unit->se_channels == 0)
            continue;
        s->reduce_bias = take_weight(b, &reduce, &s->reduce_bias_grad);
        s->expand_bias = take_weight(b, &expand, &s->expand_bias_grad);
    }
    const parameter bias = {SQ_PARAMETER_BIAS, "", "bias", {b->space->classes}};
    if (d->is_classifier && b->space->has_bias)
        b->linear_bias = take_weight(b, &bias, &b->linear_bias_grad);
}

static void take_activations(sq_builder *b)
{
    const sq_description *d = &b->description;
    const int n = b->options->batch;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        sq_unit_slots *s = &b->units[u];
        s->z = sq_builder_allocate(b, sq_builder_activation(b, work_role(b), unit));
        if (unit->se_channels == 0)
            continue;
        s->gate = sq_builder_allocate(b, padded_rows(b, work_role(b), n, 1, unit->c_out));
        s->pooled = sq_builder_allocate(b, padded_rows(b, work_role(b), n, 1, unit->c_out));
        s->hidden = sq_builder_allocate(b, padded_rows(b, work_role(b), n, 1, unit->se_channels));
    }
    if (d->is_classifier)
        b->pooled = sq_builder_allocate(b, sq_builder_tensor(work_role(b), n, 1, 1, b->layer->c_in));
}

static void take_boundaries(sq_builder *b)
{
    const sq_layer *l = b->layer;
    const int index = b->id.layer, n = b->options->batch;
    sq_slot in = sq_builder_tensor(SQ_ROLE_BOUNDARY, n, l->h_in, l->w_in, l->c_in);
    sq_slot out = sq_builder_tensor(SQ_ROLE_BOUNDARY, n, l->h_out, l->w_out, l->c_out);
    in.pitch = sq_block_boundary_pitch(b->space, b->options, index);
    out.pitch = sq_block_boundary_pitch(b->space, b->options, index + 1);
    in.dtype = sq_block_boundary_dtype(b->space, b->options, index);
    out.dtype = sq_block_boundary_dtype(b->space, b->options, index + 1);
    in.is_split = l->is_split_in;
    out.is_split = l->is_split_out;
    in.offset = b->region->boundary_in;
    out.offset = b->region->boundary_out;
    b->input = sq_graph_slot(b->graph, in);
    b->output = sq_graph_slot(b->graph, out);
    if (!sq_builder_is_training(b))
        return;
    in.role = out.role = SQ_ROLE_BOUNDARY_GRAD;
    in.offset = b->region->boundary_grad_in;
    out.offset = b->region->boundary_grad_out;
    b->input_grad = sq_graph_slot(b->graph, in);
    b->output_grad = sq_graph_slot(b->graph, out);
}

size_t sq_builder_allocate_all(sq_builder *b)
{
    memset(b->region->bytes, 0, sizeof b->region->bytes);
    take_boundaries(b);
    take_weights(b);
    const size_t decayed_bytes = b->region->bytes[SQ_ROLE_WEIGHT];
    take_vectors(b);
    take_activations(b);
    return decayed_bytes;
}
