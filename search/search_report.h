#ifndef SQ_SEARCH_REPORT_H
#define SQ_SEARCH_REPORT_H

#include "search/search.h"
#include "search/searchers/searcher.h"

/* Writes <folder>/search.json, which has every candidate with its costs and scores, and <folder>/arch.json, which has
 * the best candidate. Neither file has a date or a duration, so that a resumed search writes the same bytes. */
SQ_MUST_USE sq_status sq_search_report_write(const char *folder, const sq_searcher *searcher,
                                             const sq_search_result *result);

#endif
