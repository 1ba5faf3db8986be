#include "supernet/model/walk.h"

sq_status sq_model_walk(sq_model *model, const int *path, sq_mode mode)
{
    for (int l = 0; l < sq_model_plan(model)->space->layer_count; l++)
        SQ_TRY(sq_model_run(model, l, path[l], mode));
    return SQ_OK;
}

sq_status sq_model_forward(sq_model *model, const int *path)
{
    return sq_model_walk(model, path, SQ_FORWARD);
}

const int *sq_step_paths_at(const sq_step_paths *paths, int index)
{
    return paths->first + (size_t)index * SQ_MAX_LAYERS;
}

int sq_step_paths_begin(const sq_step_paths *paths)
{
    return paths->local_count > 0 ? paths->local_first : 0;
}

int sq_step_paths_end(const sq_step_paths *paths)
{
    return paths->local_count > 0 ? paths->local_first + paths->local_count : paths->count;
}

static bool is_split_across_ranks(const sq_step_paths *paths)
{
    return paths->local_count > 0 && paths->local_count < paths->count;
}

/* Whether one of the paths first .. end - 1 contains the block. */
static bool is_used(const sq_step_paths *paths, int first, int end, int layer, int choice)
{
    for (int i = first; i < end; i++)
        if (sq_step_paths_at(paths, i)[layer] == choice)
            return true;
    return false;
}

/* Reduces every block of the layer that any rank used. */
static sq_status reduce_layer(const sq_walk_calls *calls, const sq_step_paths *paths, int layer)
{
    for (int i = 0; i < paths->count; i++) {
        const int choice = sq_step_paths_at(paths, i)[layer];
        if (is_used(paths, 0, i, layer, choice))
            continue;
        const bool is_local = is_used(paths, sq_step_paths_begin(paths), sq_step_paths_end(paths), layer, choice);
        SQ_TRY(calls->reduce(calls->context, layer, choice, is_local));
    }
    return SQ_OK;
}

/* The reduction of a layer's gradients overlaps the backward pass of the layer before it. */
sq_status sq_walk_backward(const sq_walk_calls *calls, const sq_step_paths *paths, int index)
{
    const int *path = sq_step_paths_at(paths, index);
    const bool is_split = is_split_across_ranks(paths);
    for (int l = calls->layer_count; l-- > 0;) {
        SQ_TRY(calls->accumulate(calls->context, is_used(paths, sq_step_paths_begin(paths), index, l, path[l])));
        SQ_TRY(calls->run(calls->context, l, path[l], SQ_BACKWARD));
        if (is_split && index + 1 == sq_step_paths_end(paths))
            SQ_TRY(reduce_layer(calls, paths, l));
        else if (!is_split && !is_used(paths, index + 1, paths->count, l, path[l]))
            SQ_TRY(calls->reduce(calls->context, l, path[l], true));
    }
    return calls->join(calls->context);
}

sq_status sq_walk_update(const sq_walk_calls *calls, const sq_step_paths *paths)
{
    for (int l = 0; l < calls->layer_count; l++)
        for (int i = 0; i < paths->count; i++)
            if (!is_used(paths, 0, i, l, sq_step_paths_at(paths, i)[l]))
                SQ_TRY(calls->run(calls->context, l, sq_step_paths_at(paths, i)[l], SQ_UPDATE));
    return SQ_OK;
}

/* ---- The calls on a model ---- */

static sq_status accumulate(void *context, bool is_on)
{
    return sq_model_set_accumulate(context, is_on);
}

static sq_status run(void *context, int layer, int choice, sq_mode mode)
{
    return sq_model_run(context, layer, choice, mode);
}

static sq_status reduce(void *context, int layer, int choice, bool is_local)
{
    return sq_model_reduce(context, layer, choice, is_local);
}

static sq_status join(void *context)
{
    return sq_model_join(context);
}

static sq_walk_calls calls_on(sq_model *model)
{
    return (sq_walk_calls){sq_model_plan(model)->space->layer_count, accumulate, run, reduce, join, model};
}

sq_status sq_model_backward_of(sq_model *model, const sq_step_paths *paths, int index)
{
    const sq_walk_calls calls = calls_on(model);
    return sq_walk_backward(&calls, paths, index);
}

sq_status sq_model_update_of(sq_model *model, const sq_step_paths *paths)
{
    const sq_walk_calls calls = calls_on(model);
    return sq_walk_update(&calls, paths);
}

sq_status sq_model_backward(sq_model *model, const int *path)
{
    const sq_step_paths paths = {.first = path, .count = 1};
    return sq_model_backward_of(model, &paths, 0);
}

sq_status sq_model_update(sq_model *model, const int *path)
{
    return sq_model_walk(model, path, SQ_UPDATE);
}
