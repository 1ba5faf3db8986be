#include "supernet/model/memory_plan.h"

#include <stdlib.h>
#include <string.h>

#include "supernet/model/block_layout.h"

enum { ALIGNMENT = 64 };

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t sq_memory_plan_boundary_bytes(const sq_memory_plan *plan, int boundary)
{
    const sq_space *space = plan->space;
    const bool is_last = boundary == space->layer_count;
    const sq_layer *l = &space->layers[is_last ? boundary - 1 : boundary];
    const sq_slot slot = {.dtype = sq_block_boundary_dtype(space, &plan->options, boundary),
                          .n = plan->options.batch,
                          .h = is_last ? l->h_out : l->h_in,
                          .w = is_last ? l->w_out : l->w_in,
                          .pitch = sq_block_boundary_pitch(space, &plan->options, boundary)};
    return round_up(sq_slot_bytes(&slot));
}

size_t sq_memory_plan_largest(const sq_memory_plan *plan, sq_role role)
{
    size_t most = 0;
    for (int l = 0; l < plan->space->layer_count; l++)
        for (int c = 0; c < plan->space->layers[l].choice_count; c++)
            most = largest(most, plan->regions[l][c].bytes[role]);
    return most;
}

/* Places the boundaries and their gradients. Training keeps every boundary for backward. Without training, boundaries
 * use two buffers alternately, unless options.keeps_boundaries is set. The gradients of boundaries always use two
 * buffers alternately. The gradient of the images is never computed. */
static void place_boundaries(const sq_memory_plan *plan, size_t *offsets, size_t *grad_offsets, size_t *bytes,
                             size_t *grad_bytes)
{
    size_t side[2] = {0, 0}, grad_side[2] = {0, 0};
    const int count = plan->space->layer_count + 1;
    const bool is_kept = plan->is_training || plan->options.keeps_boundaries;
    *bytes = 0;
    for (int i = 0; i < count; i++) {
        offsets[i] = *bytes;
        *bytes += sq_memory_plan_boundary_bytes(plan, i);
        side[i % 2] = largest(side[i % 2], sq_memory_plan_boundary_bytes(plan, i));
        if (i > 0)
            grad_side[i % 2] = largest(grad_side[i % 2], sq_memory_plan_boundary_bytes(plan, i));
    }
    for (int i = 0; i < count; i++) {
        grad_offsets[i] = i % 2 ? grad_side[0] : 0;
        if (!is_kept)
            offsets[i] = i % 2 ? side[0] : 0;
    }
    if (!is_kept)
        *bytes = side[0] + side[1];
    *grad_bytes = plan->is_training ? grad_side[0] + grad_side[1] : 0;
}

/* Builds the block in each mode that the plan runs, to determine the block's sizes. Raises *saved to the block's bytes
 * in SQ_ROLE_SAVED, and the plan's bytes of SCRATCH and WORKSPACE to those of the block, if the latter are larger. */
static sq_status measure_block(sq_memory_plan *plan, sq_backend *backend, const sq_block_id *block, size_t *saved)
{
    size_t *bytes = plan->role_bytes;
    sq_region *region = &plan->regions[block->layer][block->choice];
    for (int mode = 0; mode < SQ_MODES; mode++) {
        const bool is_needed = plan->is_training ? mode != SQ_UPDATE : mode == SQ_COLLECT || mode == SQ_EVALUATE;
        if (!is_needed)
            continue;
        sq_graph graph = {0};
        SQ_TRY(sq_block_build(block, (sq_mode)mode, &plan->options, region, &graph));
        size_t workspace = 0;
        const bool has_workspace = backend && backend->ops->workspace;
        const sq_status status = has_workspace ? backend->ops->workspace(backend, &graph, &workspace) : SQ_OK;
        sq_graph_clear(&graph);
        SQ_TRY(status);
        *saved = largest(*saved, region->bytes[SQ_ROLE_SAVED]);
        bytes[SQ_ROLE_SCRATCH] = largest(bytes[SQ_ROLE_SCRATCH], region->bytes[SQ_ROLE_SCRATCH]);
        bytes[SQ_ROLE_WORKSPACE] = largest(bytes[SQ_ROLE_WORKSPACE], round_up(workspace));
    }
    return SQ_OK;
}

static sq_status place_blocks(sq_memory_plan *plan, sq_backend *backend, const size_t *offsets,
                              const size_t *grad_offsets)
{
    size_t *bytes = plan->role_bytes;
    for (int l = 0; l < plan->space->layer_count; l++) {
        const int choices = plan->space->layers[l].choice_count;
        size_t saved = 0;
        plan->regions[l] = calloc((size_t)choices, sizeof **plan->regions);
        if (!plan->regions[l])
            return sq_fail(SQ_NO_MEMORY, "memory plan: layer %d", l);
        for (int c = 0; c < choices; c++) {
            sq_region *r = &plan->regions[l][c];
            r->boundary_in = offsets[l];
            r->boundary_out = offsets[l + 1];
            r->boundary_grad_in = grad_offsets[l];
            r->boundary_grad_out = grad_offsets[l + 1];
            r->at[SQ_ROLE_WEIGHT] = bytes[SQ_ROLE_WEIGHT];
            r->at[SQ_ROLE_STATISTICS] = bytes[SQ_ROLE_STATISTICS];
            r->at[SQ_ROLE_SAVED] = bytes[SQ_ROLE_SAVED];
            const sq_block_id block = {plan->space, l, c};
            SQ_TRY(measure_block(plan, backend, &block, &saved));
            bytes[SQ_ROLE_WEIGHT] += r->bytes[SQ_ROLE_WEIGHT];
            bytes[SQ_ROLE_STATISTICS] += r->bytes[SQ_ROLE_STATISTICS];
            plan->parameter_count += sq_block_parameters(&block, &plan->options, r, NULL, 0);
        }
        bytes[SQ_ROLE_SAVED] += saved;
    }
    return SQ_OK;
}

static sq_status list_parameters(sq_memory_plan *plan)
{
    plan->parameters = calloc((size_t)plan->parameter_count, sizeof *plan->parameters);
    if (!plan->parameters)
        return sq_fail(SQ_NO_MEMORY, "memory plan: %d parameters", plan->parameter_count);
    int done = 0;
    for (int l = 0; l < plan->space->layer_count; l++)
        for (int c = 0; c < plan->space->layers[l].choice_count; c++)
            done += sq_block_parameters(&(sq_block_id){plan->space, l, c}, &plan->options, &plan->regions[l][c],
                                        plan->parameters + done, plan->parameter_count - done);
    return SQ_OK;
}

static void size_roles(sq_memory_plan *plan)
{
    size_t *bytes = plan->role_bytes;
    bytes[SQ_ROLE_INPUT] = sq_block_input(plan->space, plan->options.batch).bytes;
    bytes[SQ_ROLE_STEP] = round_up(sizeof(sq_step));
    bytes[SQ_ROLE_RESULT] = round_up(sizeof(sq_result));
    if (!plan->is_training)
        return;
    bytes[SQ_ROLE_WEIGHT_GRAD] = bytes[SQ_ROLE_MOMENTUM] = bytes[SQ_ROLE_WEIGHT];
    bytes[SQ_ROLE_AVERAGE] = plan->options.has_average ? bytes[SQ_ROLE_WEIGHT] : 0;
}

sq_status sq_memory_plan_make(sq_memory_plan *out, const sq_space *space, const sq_block_options *options,
                              bool is_training, sq_backend *backend)
{
    sq_memory_plan plan = {.space = space, .options = *options, .is_training = is_training};
    size_t offsets[SQ_MAX_LAYERS + 1], grad_offsets[SQ_MAX_LAYERS + 1];
    if (options->batch < 1)
        return sq_fail(SQ_INVALID, "memory plan: batch %d, expected at least 1", options->batch);
    if (backend) {
        plan.options.activation = backend->ops->activation;
        plan.options.alignment = backend->ops->alignment;
    }
    place_boundaries(&plan, offsets, grad_offsets, &plan.role_bytes[SQ_ROLE_BOUNDARY],
                     &plan.role_bytes[SQ_ROLE_BOUNDARY_GRAD]);
    plan.regions = calloc((size_t)space->layer_count, sizeof *plan.regions);
    sq_status status = plan.regions ? SQ_OK : sq_fail(SQ_NO_MEMORY, "memory plan: %d layers", space->layer_count);
    if (status == SQ_OK)
        status = place_blocks(&plan, backend, offsets, grad_offsets);
    if (status == SQ_OK)
        status = list_parameters(&plan);
    if (status == SQ_OK) {
        size_roles(&plan);
        *out = plan;
    } else {
        sq_memory_plan_clear(&plan);
    }
    return status;
}

void sq_memory_plan_clear(sq_memory_plan *plan)
{
    if (plan->regions)
        for (int l = 0; l < plan->space->layer_count; l++)
            free(plan->regions[l]);
    free(plan->regions);
    free(plan->parameters);
    memset(plan, 0, sizeof *plan);
}

const sq_parameter *sq_memory_plan_find(const sq_memory_plan *plan, const char *name)
{
    for (int i = 0; i < plan->parameter_count; i++)
        if (strcmp(plan->parameters[i].name, name) == 0)
            return &plan->parameters[i];
    return NULL;
}
