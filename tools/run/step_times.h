#ifndef SQ_STEP_TIMES_H
#define SQ_STEP_TIMES_H

#include "supernet/ranks/step_model.h"
#include "tools/run/session.h"

/* Times of a space's programs on one rank, and the parts of its training steps. These are the inputs of the step model
 * (supernet/ranks/step_model.h) for `squall forecast`. */

enum { SQ_STEP_MODES = 3 }; /* forward, backward and update */

typedef struct {
    const sq_session *session; /* borrowed */
    int batch;                 /* images of one rank */
    sq_sampler *sampler;       /* the configured one; owned */
    sq_memory_plan
        plan; /* of one rank; only the sizes of weights and statistics are used, and these are equal on all devices */
    double seconds[SQ_STEP_MODES][SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    double measured; /* seconds of a whole step, measured or given */
    int steps;       /* steps whose paths are measured and averaged */
} sq_step_times;

/* Measures each program that the first `steps` steps of the configured sampler use, and whole steps along the same
 * paths, on the session's device and without the network. Then scales the program times to the time of whole steps.
 * Under a launcher, all ranks measure at the same time and wait for each other after each step. The caller frees `out`
 * with sq_step_times_clear. */
SQ_MUST_USE sq_status sq_step_times_measure(sq_step_times *out, const sq_session *session, int batch, int steps);
/* Makes step times without a device. Distributes the given seconds of a mean step over the programs in proportion to
 * their multiply-adds. A backward program takes twice as long as a forward program. */
SQ_MUST_USE sq_status sq_step_times_spread(sq_step_times *out, const sq_session *session, int batch, int steps,
                                           double seconds);
void sq_step_times_clear(sq_step_times *times);

typedef struct {
    sq_step_time mean; /* mean over the steps; messages and bytes are rounded down */
    double forward, backward, update;
} sq_step_forecast;

/* Predicts the mean time of the steps on a network. */
SQ_MUST_USE sq_status sq_step_times_predict(const sq_step_times *times, const sq_network *network,
                                            sq_step_forecast *out);

#endif
