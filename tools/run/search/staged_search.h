#ifndef SQ_STAGED_SEARCH_H
#define SQ_STAGED_SEARCH_H

#include "tools/run/search/search_run.h"

/* Trains and searches one group of layers after the other (search/stages.h), for `squall search --two-stage`. Each
 * stage is an ordinary run in <run>/stage-1, <run>/stage-2, ... */
SQ_MUST_USE sq_status sq_search_in_stages(const char *config, const char *run, const sq_options *options,
                                          const sq_search_request *request);

#endif
