#ifndef SQ_SEARCH_RUN_H
#define SQ_SEARCH_RUN_H

#include "tools/run/session.h"

/* Searches a trained run, for `squall search`. */

typedef struct {
    const char *config; /* replaces the run's own configuration; or NULL */
    bool is_resumed, on_val, is_quiet;
    sq_ranks *ranks; /* all ranks make the same calls; NULL: one rank */
} sq_search_request;

SQ_MUST_USE sq_status sq_search_trained_run(const char *run, const sq_options *options,
                                            const sq_search_request *request);

#endif
