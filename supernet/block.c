/* From a block's description to the graph of each mode. The rule to know: slots are taken in the same order in every
 * mode, so an offset means the same bytes in forward and in backward. */
#include "supernet/block.h"

#include <stdio.h>
#include <string.h>

#include "supernet/describe.h"

/* The slots of one unit; SQ_NONE where it has none. */
typedef struct {
    int z, norm, weight, weight_grad;
    int gate, pooled, hidden; /* SE */
    int reduce, reduce_bias, expand, expand_bias;
    int reduce_grad, reduce_bias_grad, expand_grad, expand_bias_grad;
    int g; /* gradient of the unit's value (backward) */
} unit_slots;

typedef struct {
    const sq_space *space;
    const sq_layer *layer;
    const sq_block_options *options;
    sq_description description;
    sq_mode mode;
    sq_region *region;
    sq_graph *graph;
    unit_slots units[SQ_MAX_UNITS];
    int input, output, input_grad, output_grad; /* boundaries */
    int linear_weight, linear_bias, linear_weight_grad, linear_bias_grad, pooled, pooled_grad;
    bool is_input_grad_written;
    int layer_index, choice_index;
    sq_parameter *parameters; /* where sq_block_parameters collects them; NULL: nobody asks */
    int parameter_count, parameter_limit;
} builder;

const char *sq_mode_name(sq_mode mode)
{
    static const char *const names[SQ_MODES] = {"forward", "backward", "update", "collect", "evaluate"};
    return names[mode];
}

sq_input_layout sq_block_input(const sq_space *space, int batch)
{
    const size_t n = (size_t)batch, side = (size_t)space->resolution;
    sq_input_layout layout = {0};
    layout.labels = (n * side * side * 3 + 63) / 64 * 64;
    layout.augment = layout.labels + (n * sizeof(int32_t) + 63) / 64 * 64;
    layout.bytes = layout.augment + (n * SQ_AUGMENT_COUNT * sizeof(float) + 63) / 64 * 64;
    return layout;
}

/* ---- Slots ---- */

/* Takes the next bytes of a role for the slot and returns its index. */
static int take(builder *b, sq_slot slot)
{
    slot.offset = b->region->at[slot.role] + b->region->bytes[slot.role];
    b->region->bytes[slot.role] += (sq_slot_bytes(&slot) + 63) / 64 * 64;
    return sq_graph_slot(b->graph, slot);
}

static sq_slot tensor(sq_role role, int n, int h, int w, int c, int pitch)
{
    return (sq_slot){.role = role, .dtype = SQ_F32, .n = n, .h = h, .w = w, .c = c, .pitch = pitch};
}

static bool is_trained(const builder *b)
{
    return b->mode == SQ_FORWARD || b->mode == SQ_BACKWARD;
}

/* What forward leaves for backward; in the other modes nobody reads it later. */
static sq_role work_role(const builder *b)
{
    return is_trained(b) ? SQ_ROLE_SAVED : SQ_ROLE_SCRATCH;
}

/* Records a parameter for sq_block_parameters; dims end at the first 0. The name is prefix + module + "." + leaf. */
static void record(builder *b, sq_parameter_kind kind, const char *module, const char *leaf, const int dims[4],
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
static int take_weight(builder *b, sq_parameter_kind kind, const char *module, const char *leaf, const int dims[4],
                       int *grad)
{
    sq_slot slot = tensor(SQ_ROLE_WEIGHT, dims[0], dims[1], dims[2] ? dims[2] : 1, dims[3] ? dims[3] : 1, 0);
    if (dims[1] == 0) {
        slot.c = dims[0]; /* a vector */
        slot.n = slot.h = 1;
    }
    slot.pitch = slot.c;
    slot.offset = b->region->at[SQ_ROLE_WEIGHT] + b->region->bytes[SQ_ROLE_WEIGHT];
    sq_slot behind = slot;
    behind.role = SQ_ROLE_WEIGHT_GRAD;
    *grad = b->mode == SQ_BACKWARD ? sq_graph_slot(b->graph, behind) : SQ_NONE;
    const int weight = take(b, slot);
    record(b, kind, module, leaf, dims, weight);
    return weight;
}

static int take_vector(builder *b, sq_parameter_kind kind, const char *module, const char *leaf, int count, int *grad)
{
    return take_weight(b, kind, module, leaf, (const int[]){count, 0, 0, 0}, grad);
}

static int take_statistic(builder *b, sq_parameter_kind kind, const char *module, const char *leaf, int c)
{
    const int slot = take(b, tensor(SQ_ROLE_STATISTICS, 1, 1, 1, c, c));
    record(b, kind, module, leaf, (const int[]){c, 0, 0, 0}, slot);
    return slot;
}

/* What has weight decay: everything with more than one dimension. */
static void take_weights(builder *b)
{
    const sq_description *d = &b->description;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        unit_slots *s = &b->units[u];
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

static void take_norm(builder *b, int u)
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
    norm.live = take(b, tensor(work_role(b), 1, 1, SQ_LIVE_ROWS, c, c));
    b->units[u].norm = sq_graph_norm(b->graph, norm);
}

/* Norms and biases: what has no weight decay. */
static void take_vectors(builder *b)
{
    const sq_description *d = &b->description;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        unit_slots *s = &b->units[u];
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

static void take_activations(builder *b)
{
    const sq_description *d = &b->description;
    const int n = b->options->batch;
    for (int u = 0; u < d->unit_count; u++) {
        const sq_unit *unit = &d->units[u];
        unit_slots *s = &b->units[u];
        const int pitch = sq_space_pitch(b->space, unit->c_out);
        s->z = take(b, tensor(work_role(b), n, unit->h_out, unit->w_out, unit->c_out, pitch));
        if (unit->se_channels == 0)
            continue;
        s->gate = take(b, tensor(work_role(b), n, 1, 1, unit->c_out, unit->c_out));
        s->pooled = take(b, tensor(work_role(b), n, 1, 1, unit->c_out, unit->c_out));
        s->hidden = take(b, tensor(work_role(b), n, 1, 1, unit->se_channels, unit->se_channels));
    }
    if (d->is_classifier)
        b->pooled = take(b, tensor(work_role(b), n, 1, 1, b->layer->c_in, b->layer->c_in));
}

static void take_boundaries(builder *b)
{
    const sq_layer *l = b->layer;
    sq_slot in = tensor(SQ_ROLE_BOUNDARY, b->options->batch, l->h_in, l->w_in, l->c_in, l->pitch_in);
    sq_slot out = tensor(SQ_ROLE_BOUNDARY, b->options->batch, l->h_out, l->w_out, l->c_out, l->pitch_out);
    in.is_split = l->is_split_in;
    out.is_split = l->is_split_out;
    in.offset = b->region->boundary_in;
    out.offset = b->region->boundary_out;
    b->input = sq_graph_slot(b->graph, in);
    b->output = sq_graph_slot(b->graph, out);
    if (!is_trained(b))
        return;
    in.role = out.role = SQ_ROLE_BOUNDARY_GRAD;
    in.offset = b->region->boundary_grad_in;
    out.offset = b->region->boundary_grad_out;
    b->input_grad = sq_graph_slot(b->graph, in);
    b->output_grad = sq_graph_slot(b->graph, out);
}

/* ---- Views ---- */

static sq_view input_view(const builder *b, sq_part part)
{
    return sq_view_plain(b->input, part);
}

static sq_view unit_view(const builder *b, int u)
{
    const unit_slots *s = &b->units[u];
    return sq_view_pending(s->z, s->norm, b->description.units[u].activation, s->gate);
}

static sq_view source_view(const builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    return unit->source == SQ_NONE ? input_view(b, unit->part) : unit_view(b, unit->source);
}

static sq_statistics statistics_of(sq_mode mode)
{
    return mode == SQ_COLLECT ? SQ_STATISTICS_COLLECT : mode == SQ_EVALUATE ? SQ_STATISTICS_FIXED : SQ_STATISTICS_BATCH;
}

static sq_op conv_op(const builder *b, sq_op_kind kind, int u)
{
    const sq_unit *unit = &b->description.units[u];
    sq_op op = sq_op_make(kind);
    op.x = source_view(b, u);
    op.weight = b->units[u].weight;
    op.out_norm = b->units[u].norm;
    op.kernel = unit->kernel;
    op.stride = unit->stride;
    op.is_depthwise = unit->is_depthwise;
    op.statistics = statistics_of(b->mode);
    return op;
}

static sq_op gate_op(const builder *b, sq_op_kind kind, int u)
{
    const unit_slots *s = &b->units[u];
    sq_op op = sq_op_make(kind);
    op.x = sq_view_pending(s->z, s->norm, b->description.units[u].activation, SQ_NONE);
    op.weight = s->reduce;
    op.bias = s->reduce_bias;
    op.weight2 = s->expand;
    op.bias2 = s->expand_bias;
    op.aux = s->pooled;
    op.aux2 = s->hidden;
    op.out = s->gate;
    op.gate_activation = b->description.units[u].gate_activation;
    return op;
}

/* ---- Forward, collect, evaluate ---- */

static void emit_image(builder *b)
{
    const sq_input_layout layout = sq_block_input(b->space, b->options->batch);
    sq_slot images = tensor(SQ_ROLE_INPUT, b->options->batch, b->layer->h_in, b->layer->w_in, 3, 3);
    images.dtype = SQ_U8;
    sq_slot augment = tensor(SQ_ROLE_INPUT, b->options->batch, 1, 1, SQ_AUGMENT_COUNT, SQ_AUGMENT_COUNT);
    augment.offset = layout.augment;
    sq_op op = sq_op_make(SQ_OP_IMAGE);
    op.x = sq_view_plain(sq_graph_slot(b->graph, images), SQ_ALL);
    op.out = b->input;
    op.aux = b->mode == SQ_FORWARD ? sq_graph_slot(b->graph, augment) : SQ_NONE;
    for (int i = 0; i < 3; i++) {
        const bool is_normalised = b->options->deviation[i] > 0;
        op.mean[i] = is_normalised ? b->options->mean[i] : 0;
        op.deviation[i] = is_normalised ? b->options->deviation[i] : 1;
    }
    op.is_raw = b->options->is_raw;
    op.is_bgr = b->options->is_bgr;
    sq_graph_op(b->graph, op);
}

static void emit_loss(builder *b)
{
    const sq_input_layout layout = sq_block_input(b->space, b->options->batch);
    sq_slot labels = tensor(SQ_ROLE_INPUT, b->options->batch, 1, 1, 1, 1);
    labels.dtype = SQ_I32;
    labels.offset = layout.labels;
    sq_op op = sq_op_make(SQ_OP_LOSS);
    op.x = sq_view_plain(b->output, SQ_ALL);
    op.aux = sq_graph_slot(b->graph, labels);
    op.dx = b->mode == SQ_FORWARD ? b->output_grad : SQ_NONE;
    op.label_smoothing = b->mode == SQ_FORWARD ? b->options->label_smoothing : 0;
    op.statistics = statistics_of(b->mode);
    op.out = sq_graph_slot(b->graph, (sq_slot){.role = SQ_ROLE_RESULT,
                                               .dtype = SQ_BYTES,
                                               .n = 1,
                                               .h = 1,
                                               .w = 1,
                                               .c = sizeof(sq_result),
                                               .pitch = sizeof(sq_result)});
    sq_graph_op(b->graph, op);
}

static void emit_classifier(builder *b)
{
    sq_op pool = sq_op_make(SQ_OP_POOL);
    pool.x = input_view(b, SQ_ALL);
    pool.out = b->pooled;
    pool.dropout = b->space->dropout;
    pool.statistics = statistics_of(b->mode);
    sq_graph_op(b->graph, pool);
    sq_op linear = sq_op_make(SQ_OP_LINEAR);
    linear.x = sq_view_plain(b->pooled, SQ_ALL);
    linear.weight = b->linear_weight;
    linear.bias = b->linear_bias;
    linear.out = b->output;
    sq_graph_op(b->graph, linear);
    emit_loss(b);
}

static void emit_join(builder *b)
{
    const sq_description *d = &b->description;
    sq_op op = sq_op_make(SQ_OP_JOIN);
    const sq_view pass = d->has_pass ? input_view(b, d->pass) : sq_view_none();
    op.x = d->main == SQ_NONE ? pass : unit_view(b, d->main);
    if (d->side != SQ_NONE)
        op.y = unit_view(b, d->side);
    else if (d->main != SQ_NONE)
        op.y = pass;
    op.join = d->join;
    op.out = b->output;
    sq_graph_op(b->graph, op);
}

static void emit_forward(builder *b)
{
    const sq_description *d = &b->description;
    if (b->layer == b->space->layers)
        emit_image(b);
    for (int u = 0; u < d->unit_count; u++) {
        sq_op op = conv_op(b, SQ_OP_CONV, u);
        op.out = b->units[u].z;
        sq_graph_op(b->graph, op);
        if (d->units[u].se_channels > 0)
            sq_graph_op(b->graph, gate_op(b, SQ_OP_GATE, u));
    }
    if (d->is_classifier)
        emit_classifier(b);
    else
        emit_join(b);
}

/* ---- Backward ---- */

static int take_unit_grad(builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    const int pitch = sq_space_pitch(b->space, unit->c_out);
    return take(b, tensor(SQ_ROLE_SCRATCH, b->options->batch, unit->h_out, unit->w_out, unit->c_out, pitch));
}

/* The gradient of the join's inputs. A sum that is not stored split hands the output's gradient on as it is. */
static void emit_join_back(builder *b)
{
    const sq_description *d = &b->description;
    const bool is_shared = d->join == SQ_JOIN_ADD && !b->layer->is_split_out;
    sq_op op = sq_op_make(SQ_OP_JOIN_BACK);
    op.grad = b->output_grad;
    op.join = d->join;
    if (d->main == SQ_NONE) {
        op.x = input_view(b, d->pass);
        op.dx = b->input_grad;
        op.dx_part = d->pass;
        sq_graph_op(b->graph, op);
        return;
    }
    op.x = unit_view(b, d->main);
    if (is_shared && op.x.gate != SQ_NONE) { /* the gate's backward reads the output's gradient itself */
        b->units[d->main].g = b->output_grad;
        return;
    }
    op.dx = b->units[d->main].g = is_shared ? b->output_grad : take_unit_grad(b, d->main);
    if (d->side != SQ_NONE) {
        op.y = unit_view(b, d->side);
        op.dy = b->units[d->side].g = take_unit_grad(b, d->side);
    } else if (d->has_pass && !is_shared) {
        op.y = input_view(b, d->pass);
        op.dy = b->input_grad;
        op.dy_part = d->pass;
        b->is_input_grad_written = d->pass == SQ_ALL;
    }
    sq_graph_op(b->graph, op);
}

/* Where a unit that reads the block's input adds its gradient, if somebody was there before. */
static int input_addend(builder *b)
{
    const sq_description *d = &b->description;
    const bool is_first = !b->is_input_grad_written;
    b->is_input_grad_written = true;
    if (!is_first)
        return b->input_grad;
    const bool has_residual = d->join == SQ_JOIN_ADD && d->has_pass;
    return has_residual ? b->output_grad : SQ_NONE;
}

static void emit_unit_back(builder *b, int u)
{
    const sq_unit *unit = &b->description.units[u];
    unit_slots *s = &b->units[u];
    if (unit->se_channels > 0) {
        sq_op gate = gate_op(b, SQ_OP_GATE_BACK, u);
        gate.grad = s->g;
        gate.dx = s->g == b->output_grad ? take_unit_grad(b, u) : s->g; /* a shared gradient is read again later */
        gate.weight_grad = s->reduce_grad;
        gate.bias_grad = s->reduce_bias_grad;
        gate.weight2_grad = s->expand_grad;
        gate.bias2_grad = s->expand_bias_grad;
        s->g = gate.dx;
        sq_graph_op(b->graph, gate);
    }
    sq_op op = conv_op(b, SQ_OP_CONV_BACK, u);
    op.z = sq_view_pending(s->z, s->norm, unit->activation, SQ_NONE);
    op.grad = s->g;
    op.weight_grad = s->weight_grad;
    if (unit->source != SQ_NONE) {
        op.dx = b->units[unit->source].g = take_unit_grad(b, unit->source);
    } else if (b->layer != b->space->layers) {
        op.dx = b->input_grad;
        op.dx_part = unit->part;
        op.addend = unit->part == SQ_ALL ? input_addend(b) : SQ_NONE;
    }
    sq_graph_op(b->graph, op);
}

static void emit_classifier_back(builder *b)
{
    b->pooled_grad = take(b, tensor(SQ_ROLE_SCRATCH, b->options->batch, 1, 1, b->layer->c_in, b->layer->c_in));
    sq_op linear = sq_op_make(SQ_OP_LINEAR_BACK);
    linear.x = sq_view_plain(b->pooled, SQ_ALL);
    linear.weight = b->linear_weight;
    linear.weight_grad = b->linear_weight_grad;
    linear.bias_grad = b->linear_bias_grad;
    linear.grad = b->output_grad;
    linear.dx = b->pooled_grad;
    sq_graph_op(b->graph, linear);
    sq_op pool = sq_op_make(SQ_OP_POOL_BACK);
    pool.x = input_view(b, SQ_ALL);
    pool.grad = b->pooled_grad;
    pool.dx = b->input_grad;
    pool.dropout = b->space->dropout;
    pool.statistics = SQ_STATISTICS_BATCH;
    sq_graph_op(b->graph, pool);
}

static void emit_backward(builder *b)
{
    if (b->description.is_classifier) {
        emit_classifier_back(b);
        return;
    }
    emit_join_back(b);
    for (int u = b->description.unit_count; u-- > 0;)
        emit_unit_back(b, u);
}

/* ---- Update ---- */

/* One operation over the block's whole range: weights with decay lie first. */
static void emit_update(builder *b, size_t decayed_bytes)
{
    const size_t bytes = b->region->bytes[SQ_ROLE_WEIGHT];
    if (bytes == 0)
        return;
    const int count = (int)(bytes / sizeof(float));
    sq_slot range = tensor(SQ_ROLE_WEIGHT, 1, 1, 1, count, count);
    range.offset = b->region->at[SQ_ROLE_WEIGHT];
    sq_op op = sq_op_make(SQ_OP_UPDATE);
    op.weight = sq_graph_slot(b->graph, range);
    range.role = SQ_ROLE_WEIGHT_GRAD;
    op.weight_grad = sq_graph_slot(b->graph, range);
    range.role = SQ_ROLE_MOMENTUM;
    op.aux = sq_graph_slot(b->graph, range);
    range.role = SQ_ROLE_AVERAGE;
    op.aux2 = b->options->has_average ? sq_graph_slot(b->graph, range) : SQ_NONE;
    op.decayed_count = decayed_bytes / sizeof(float);
    sq_graph_op(b->graph, op);
}

/* ---- Public ---- */

static void clear_slots(builder *b)
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
static size_t take_all(builder *b)
{
    memset(b->region->bytes, 0, sizeof b->region->bytes);
    take_boundaries(b);
    take_weights(b);
    const size_t decayed_bytes = b->region->bytes[SQ_ROLE_WEIGHT];
    take_vectors(b);
    take_activations(b);
    return decayed_bytes;
}

static builder open_builder(const sq_space *space, int layer, int choice, sq_mode mode, const sq_block_options *options,
                            sq_region *region, sq_graph *graph)
{
    builder b = {.space = space,
                 .layer = &space->layers[layer],
                 .options = options,
                 .mode = mode,
                 .region = region,
                 .graph = graph,
                 .layer_index = layer,
                 .choice_index = choice};
    clear_slots(&b);
    sq_describe_block(space, layer, choice, &b.description);
    return b;
}

sq_status sq_block_build(const sq_space *space, int layer, int choice, sq_mode mode, const sq_block_options *options,
                         sq_region *region, sq_graph *out)
{
    sq_graph graph = {0};
    builder b = open_builder(space, layer, choice, mode, options, region, &graph);
    (void)snprintf(graph.name, sizeof graph.name, "layer %d %s %s", layer,
                   space->choices[b.layer->choices[choice]].name, sq_mode_name(mode));
    const size_t decayed_bytes = take_all(&b);
    if (mode == SQ_BACKWARD)
        emit_backward(&b);
    else if (mode == SQ_UPDATE)
        emit_update(&b, decayed_bytes);
    else
        emit_forward(&b);
    const sq_status status = sq_graph_check(&graph);
    if (status == SQ_OK)
        *out = graph;
    else
        sq_graph_clear(&graph);
    return status;
}

int sq_block_parameters(const sq_space *space, int layer, int choice, const sq_block_options *options,
                        const sq_region *region, sq_parameter *out, int limit)
{
    sq_graph graph = {0};
    sq_region scratch = *region;
    builder b = open_builder(space, layer, choice, SQ_UPDATE, options, &scratch, &graph);
    b.parameters = out;
    b.parameter_limit = limit;
    (void)take_all(&b); /* only the order counts here */
    sq_graph_clear(&graph);
    return b.parameter_count;
}
