/* Slots, views and the growth of graphs. What each kind of operation demands is in graph_check.c. */
#include "kernels/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t sq_slot_count(const sq_slot *slot)
{
    return (size_t)slot->n * (size_t)slot->h * (size_t)slot->w * (size_t)slot->pitch;
}

size_t sq_dtype_bytes(sq_dtype dtype)
{
    static const size_t bytes[] = {[SQ_F32] = 4, [SQ_BF16] = 2, [SQ_I32] = 4, [SQ_U8] = 1, [SQ_BYTES] = 1};
    return bytes[dtype];
}

size_t sq_slot_bytes(const sq_slot *slot)
{
    return sq_slot_count(slot) * sq_dtype_bytes(slot->dtype);
}

static const char *const activation_names[SQ_ACTIVATIONS] = {
    [SQ_LINEAR] = "linear", [SQ_RELU] = "relu",       [SQ_RELU6] = "relu6",
    [SQ_HSWISH] = "hswish", [SQ_SIGMOID] = "sigmoid", [SQ_HSIGMOID] = "hsigmoid",
};

const char *sq_activation_name(sq_activation activation)
{
    return activation_names[activation];
}

sq_activation sq_activation_find(const char *name)
{
    int found = 0;
    while (found < SQ_ACTIVATIONS && strcmp(activation_names[found], name) != 0)
        found++;
    return (sq_activation)found;
}

/* Comparisons are written so that NaN passes through. */
static float clamp6(float x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

float sq_activate(sq_activation activation, float x)
{
    switch (activation) {
    case SQ_RELU:
        return x < 0 ? 0 : x;
    case SQ_RELU6:
        return clamp6(x);
    case SQ_HSWISH:
        return x * clamp6(x + 3) / 6;
    case SQ_SIGMOID:
        return 1 / (1 + expf(-x));
    case SQ_HSIGMOID:
        return clamp6(x + 3) / 6;
    default:
        return x;
    }
}

float sq_activate_slope(sq_activation activation, float x)
{
    switch (activation) {
    case SQ_RELU:
        return x > 0 ? 1 : 0;
    case SQ_RELU6:
        return x > 0 && x < 6 ? 1 : 0;
    case SQ_HSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
    case SQ_SIGMOID: {
        const float y = 1 / (1 + expf(-x));
        return y * (1 - y);
    }
    case SQ_HSIGMOID:
        return x > -3 && x < 3 ? 1.0f / 6 : 0;
    default:
        return 1;
    }
}

sq_channels sq_view_channels(const sq_slot *slot, sq_part part)
{
    const int half = slot->pitch / 2;
    if (part == SQ_ALL)
        return (sq_channels){0, 1, slot->c};
    if (slot->is_split)
        return (sq_channels){part == SQ_ODD ? half : 0, 1, slot->c / 2};
    return (sq_channels){part == SQ_ODD, 2, slot->c / 2};
}

int sq_slot_channel(const sq_slot *slot, int i)
{
    return slot->is_split ? i % 2 * (slot->pitch / 2) + i / 2 : i;
}

sq_view sq_view_none(void)
{
    return (sq_view){SQ_NONE, SQ_NONE, SQ_LINEAR, SQ_NONE, SQ_ALL};
}

sq_view sq_view_plain(int slot, sq_part part)
{
    return (sq_view){slot, SQ_NONE, SQ_LINEAR, SQ_NONE, part};
}

sq_view sq_view_pending(int slot, int norm, sq_activation activation, int gate)
{
    return (sq_view){slot, norm, activation, gate, SQ_ALL};
}

sq_op sq_op_make(sq_op_kind kind)
{
    return (sq_op){
        .kind = kind,
        .x = sq_view_none(),
        .y = sq_view_none(),
        .z = sq_view_none(),
        .weight = SQ_NONE,
        .bias = SQ_NONE,
        .weight2 = SQ_NONE,
        .bias2 = SQ_NONE,
        .weight_grad = SQ_NONE,
        .bias_grad = SQ_NONE,
        .weight2_grad = SQ_NONE,
        .bias2_grad = SQ_NONE,
        .out = SQ_NONE,
        .out_norm = SQ_NONE,
        .grad = SQ_NONE,
        .dx = SQ_NONE,
        .dy = SQ_NONE,
        .addend = SQ_NONE,
        .augment = SQ_NONE,
        .pooled = SQ_NONE,
        .hidden = SQ_NONE,
        .labels = SQ_NONE,
        .momentum = SQ_NONE,
        .average = SQ_NONE,
        .kernel = 1,
        .stride = 1,
    };
}

const char *sq_op_name(sq_op_kind kind)
{
    static const char *const names[SQ_OP_KINDS] = {
        "image", "conv",      "conv_back", "gate",        "gate_back", "join",   "join_back",
        "pool",  "pool_back", "linear",    "linear_back", "loss",      "update",
    };
    return names[kind];
}

/* Makes room for one more; a failed allocation marks the graph with a negative count. */
static bool grow(void **items, int *count, int *limit, size_t item_bytes)
{
    if (*count < 0)
        return false;
    if (*count == *limit) {
        const int wanted = *limit ? 2 * *limit : 16;
        void *more = realloc(*items, (size_t)wanted * item_bytes);
        if (!more) {
            *count = -1;
            return false;
        }
        *items = more;
        *limit = wanted;
    }
    return true;
}

int sq_graph_slot(sq_graph *graph, sq_slot slot)
{
    if (!grow((void **)&graph->slots, &graph->slot_count, &graph->slot_limit, sizeof slot))
        return SQ_NONE;
    graph->slots[graph->slot_count] = slot;
    return graph->slot_count++;
}

int sq_graph_norm(sq_graph *graph, sq_norm norm)
{
    if (!grow((void **)&graph->norms, &graph->norm_count, &graph->norm_limit, sizeof norm))
        return SQ_NONE;
    graph->norms[graph->norm_count] = norm;
    return graph->norm_count++;
}

void sq_graph_op(sq_graph *graph, sq_op op)
{
    if (!grow((void **)&graph->ops, &graph->op_count, &graph->op_limit, sizeof op))
        return;
    graph->ops[graph->op_count++] = op;
}

void sq_graph_clear(sq_graph *graph)
{
    free(graph->slots);
    free(graph->norms);
    free(graph->ops);
    memset(graph, 0, sizeof *graph);
}
