#include "supernet/train/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* share: the completed share of the steps after the warm-up, 0 .. 1. */
static double constant(const sq_schedule *s, double share)
{
    (void)share;
    return s->base;
}

static double linear(const sq_schedule *s, double share)
{
    return s->base + (s->final - s->base) * share;
}

static double cosine(const sq_schedule *s, double share)
{
    return s->final + (s->base - s->final) * 0.5 * (1 + cos(pi * share));
}

#define FUNCTION(constant, word) [SQ_SCHEDULE_##constant] = word,
static double (*const functions[])(const sq_schedule *s, double share) = {SQ_SCHEDULE_LIST(FUNCTION)};
_Static_assert(sizeof functions / sizeof *functions == SQ_SCHEDULES, "one function per schedule");

double sq_schedule_at(const sq_schedule *s, int64_t step)
{
    if (step < s->warmup_steps)
        return s->base * (double)(step + 1) / (double)s->warmup_steps;
    const int64_t length = s->steps - s->warmup_steps;
    return functions[s->kind](s, length > 0 ? (double)(step - s->warmup_steps) / (double)length : 0);
}
