#include "supernet/train/train_step.h"

#include "supernet/model/walk.h"

static sq_status walk(const sq_train_step *s, const sq_step_paths *paths, int index, const sq_step *scalars,
                      sq_result *result)
{
    SQ_TRY(sq_model_set_step(s->model, scalars));
    SQ_TRY(sq_model_forward(s->model, paths->first + (size_t)index * SQ_MAX_LAYERS));
    const double begin = sq_timeline_now(s->timeline);
    SQ_TRY(sq_model_result(s->model, result));
    sq_timeline_add(s->timeline, SQ_TIME_LOSS, 0, 0, begin);
    return sq_model_backward_of(s->model, paths, index);
}

sq_status sq_train_step_gradients(const sq_train_step *s, const sq_step_paths *paths, const sq_step *scalars,
                                  sq_train_outcome *out)
{
    const int end = paths->local_count > 0 ? paths->local_first + paths->local_count : paths->count;
    *out = (sq_train_outcome){.bad_path = SQ_NONE, .bad_layer = SQ_NONE};
    if (s->keeps_statistics)
        SQ_TRY(sq_nonfinite_check_save(s->nonfinite_check));
    for (int i = paths->local_count > 0 ? paths->local_first : 0; i < end; i++)
        SQ_TRY(walk(s, paths, i, &scalars[i], &out->results[i]));
    if (s->load)
        SQ_TRY(s->load(s->context));
    return sq_nonfinite_check_gradients(s->nonfinite_check, paths, &out->bad_path, &out->bad_layer);
}
