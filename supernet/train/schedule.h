#ifndef SQ_SCHEDULE_H
#define SQ_SCHEDULE_H

#include <stdint.h>

/* Learning rates: SCHEDULE(constant, word of train.schedule). The word is also the name of a function in schedule.c. */
#define SQ_SCHEDULE_LIST(SCHEDULE)                                                                                     \
    SCHEDULE(CONSTANT, constant)                                                                                       \
    SCHEDULE(LINEAR, linear)                                                                                           \
    SCHEDULE(COSINE, cosine)

#define SQ_SCHEDULE_CONSTANT_OF(constant, word) SQ_SCHEDULE_##constant,
typedef enum { SQ_SCHEDULE_LIST(SQ_SCHEDULE_CONSTANT_OF) SQ_SCHEDULES } sq_schedule_kind;

/* "constant linear cosine " */
#define SQ_SCHEDULE_WORD(constant, word) #word " "
#define SQ_SCHEDULE_WORDS                SQ_SCHEDULE_LIST(SQ_SCHEDULE_WORD)

typedef struct {
    sq_schedule_kind kind;
    double base, final;   /* learning rates at the end of the warm-up and after the last step */
    int64_t warmup_steps; /* the rate rises linearly from 0 to base */
    int64_t steps;
} sq_schedule;

/* Returns the learning rate of a step in 0 .. steps - 1. A pure function. */
double sq_schedule_at(const sq_schedule *schedule, int64_t step);

#endif
