#ifndef SQ_STEP_TIMES_H
#define SQ_STEP_TIMES_H

#include "supernet/ranks/step_model.h"
#include "tools/run/session.h"

/* How long the programs of a space take on one rank, and the parts of the steps that a training run would take: what
 * `squall forecast` gives to the model. */

enum { SQ_STEP_MODES = 3 }; /* forward, backward, update */

typedef struct {
    const sq_session *session; /* borrowed */
    int batch;                 /* images of one rank */
    sq_sampler *sampler;       /* the configured one; owned */
    sq_memory_plan plan;       /* of one rank; the sizes of weights and statistics count, alike on every device */
    double seconds[SQ_STEP_MODES][SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    double measured; /* seconds of a whole step, as it is measured or was given */
    int steps;       /* whose paths were measured and count */
} sq_step_times;

/* Measures on the session's device each program that the first `steps` steps of the configured sampler use, and whole
 * steps along their paths, without the network; program times are then scaled to these. Under a launcher all ranks
 * measure at the same time, and wait for each other after each step. Free with sq_step_times_clear. */
SQ_MUST_USE sq_status sq_step_times_measure(sq_step_times *out, const sq_session *session, int batch, int steps);
/* Without a device: a mean step of so many seconds, spread over the programs by their multiply-adds, backward twice
 * forward. */
SQ_MUST_USE sq_status sq_step_times_spread(sq_step_times *out, const sq_session *session, int batch, int steps,
                                           double seconds);
void sq_step_times_clear(sq_step_times *times);

typedef struct {
    sq_step_time mean; /* over the steps; messages and bytes too, rounded down */
    double forward, backward, update;
} sq_step_forecast;

/* The model's mean over the steps' paths. */
SQ_MUST_USE sq_status sq_step_times_predict(const sq_step_times *times, const sq_network *network,
                                            sq_step_forecast *out);

#endif
