#ifndef SQ_TRAINED_RUN_H
#define SQ_TRAINED_RUN_H

#include "search/evaluate/evaluator.h"
#include "tools/run/session.h"

/* A trained run, opened for search, evaluation and export. */

typedef struct {
    sq_session session;
    sq_space *single; /* the space of a run that trained one path; else NULL */
    sq_space *space;  /* the model's space: `single` or the session's */
    sq_model *model;
    sq_image_set calibration, validation;
    int calibration_batch;
    sq_evaluator *evaluator; /* NULL before sq_trained_run_open_evaluator */
    uint64_t weights;        /* fingerprint of the loaded weights */
    char single_arch[1024];  /* the path of `single` as a tuple */
    long long step;
} sq_trained_run;

/* Opens the configuration (<run>/config.yaml, or other_config if it is not NULL), the newest checkpoint, and the
 * images. on_val: score on the test split. out->session.ranks is an input, as in sq_session_open; without ranks, the
 * process must be the only one. */
SQ_MUST_USE sq_status sq_trained_run_open(sq_trained_run *out, const char *run, const char *other_config,
                                          const sq_options *options, bool on_val);

/* Opens the evaluator, for commands that score one path at a time. */
SQ_MUST_USE sq_status sq_trained_run_open_evaluator(sq_trained_run *run);
void sq_trained_run_close(sq_trained_run *run);

/* Frees model and evaluator; keeps session and images. */
void sq_trained_run_unload(sq_trained_run *run);

/* Replaces model and evaluator by those of the run in another folder. This run must have the same configuration, and
 * can have trained a single path. */
SQ_MUST_USE sq_status sq_trained_run_load(sq_trained_run *run, const char *folder);

/* Reads --arch as a path of the configured space. Returns SQ_INVALID if the run trained one path and arch is a
 * different path. */
SQ_MUST_USE sq_status sq_trained_run_read_arch(const sq_trained_run *run, const char *arch, int *path);

#endif
