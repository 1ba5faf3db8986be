#ifndef SQ_SEARCH_SUMMARY_H
#define SQ_SEARCH_SUMMARY_H

#include "search/search.h"
#include "tools/run/trained_run.h"

/* Prints the best candidate of a search with its accuracy, costs and predictions, and the Pareto front of a search with
 * several objectives.
 *
 * folder  the folder of the run
 * on_val  true: the scores are from the test split */
void sq_search_print_result(const sq_trained_run *run, const sq_search_result *result, const sq_search_devices *devices,
                            const char *folder, bool on_val);

#endif
