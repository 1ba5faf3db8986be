/* Learning rates: pure functions of the step. */
#include <math.h>

#include "supernet/train/trainer.h"

double sq_schedule_at(const sq_schedule *s, int64_t step)
{
    if (step < s->warmup_steps)
        return s->base * (double)(step + 1) / (double)s->warmup_steps;
    const int64_t length = s->steps - s->warmup_steps;
    const double done = length > 0 ? (double)(step - s->warmup_steps) / (double)length : 0;
    switch (s->kind) {
    case SQ_SCHEDULE_LINEAR:
        return s->base + (s->final - s->base) * done;
    case SQ_SCHEDULE_COSINE:
        return s->final + (s->base - s->final) * 0.5 * (1 + cos(3.14159265358979323846 * done));
    default:
        return s->base;
    }
}
