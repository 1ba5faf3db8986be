#ifndef SQ_TRAINING_H
#define SQ_TRAINING_H

#include "tools/run/session.h"

/* Trains from a configuration, for `squall train`, each path of `squall rank` and each stage of a search in stages. */

typedef struct {
    const char *run;      /* folder for config.yaml, arch.json (of a single path) and the files of sq_train */
    const int *path;      /* train only this path of the session's space; NULL: the supernet */
    bool is_resumed;      /* start from the newest checkpoint, if there is one */
    bool is_quiet;        /* no progress line */
    const char *timeline; /* file for a Chrome trace of the first steps; or NULL */
    bool has_start;       /* print a description of the training on stdout */
} sq_training_request;

SQ_MUST_USE sq_status sq_training_run(const sq_session *session, const sq_training_request *request);

/* Returns SQ_INVALID if the folder already holds a run. */
SQ_MUST_USE sq_status sq_training_check_free(const char *run);

#endif
