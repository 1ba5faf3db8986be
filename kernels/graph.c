/* Builds graphs and checks their slots and norms. operation.c checks operations. */
#include "kernels/graph.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for one more item. If the allocation fails, sets *count to -1 and returns false. */
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

static sq_status check_slot(const sq_graph *graph, int i)
{
    const sq_slot *s = &graph->slots[i];
    if ((unsigned)s->role >= SQ_ROLES || (unsigned)s->dtype >= SQ_DTYPES)
        return sq_fail(SQ_INVALID, "%s: slot %d: found role %d and dtype %d, expected 0 to %d and 0 to %d", graph->name,
                       i, (int)s->role, (int)s->dtype, SQ_ROLES - 1, SQ_DTYPES - 1);
    if (s->n < 1 || s->h < 1 || s->w < 1 || s->c < 1 || s->pitch < s->c)
        return sq_fail(SQ_INVALID,
                       "%s: slot %d: found %dx%dx%dx%d with pitch %d, expected sizes above 0 and pitch >= c",
                       graph->name, i, s->n, s->h, s->w, s->c, s->pitch);
    if (s->offset % 64)
        return sq_fail(SQ_INVALID, "%s: slot %d: found offset %zu, expected a multiple of 64 bytes", graph->name, i,
                       s->offset);
    if (s->is_split && (s->c % 2 || s->pitch % 2))
        return sq_fail(SQ_INVALID, "%s: slot %d: split: found %d channels and pitch %d, expected even numbers",
                       graph->name, i, s->c, s->pitch);
    return SQ_OK;
}

sq_status sq_graph_check(const sq_graph *graph)
{
    if (graph->slot_count < 0 || graph->norm_count < 0 || graph->op_count < 0)
        return sq_fail(SQ_NO_MEMORY, "%s: graph", graph->name);
    for (int i = 0; i < graph->slot_count; i++)
        SQ_TRY(check_slot(graph, i));
    for (int i = 0; i < graph->norm_count; i++)
        if (graph->norms[i].live < 0 || graph->norms[i].running_mean < 0 || graph->norms[i].running_variance < 0)
            return sq_fail(SQ_INVALID, "%s: norm %d: a slot is missing (live, running_mean or running_variance)",
                           graph->name, i);
    for (int i = 0; i < graph->op_count; i++)
        SQ_TRY(sq_op_check(graph, i));
    return SQ_OK;
}
