#ifndef SQ_TESTS_ENUMERATED_SPACE_H
#define SQ_TESTS_ENUMERATED_SPACE_H

#include "search/limits.h"
#include "search/searchers/searchers.h"
#include "tests/support/support.h"

/* A space of 4,096 paths with a known accuracy for each path. The space is small enough to enumerate. Accuracy depends
 * on pairs of neighbouring layers, so a search cannot choose each layer separately. */

enum { LAYERS = 6, CHOICES = 4, PATHS = 4096, IMAGES = 729 };

/* Returns a uniform random number in 0..1 that depends only on (stream, index). */
double drawn(uint64_t stream, uint64_t index);

double accuracy_of(const int *path);          /* in 0..1 */
void path_from_number(int number, int *path); /* number in 0 .. PATHS - 1 */
double best_accuracy(void);                   /* the highest accuracy of all paths */

/* A search on the enumerated space. All options of the searcher have their defaults. */
typedef struct {
    sq_space space;
    sq_search_options options;
    sq_searcher searcher;
    sq_candidate observed[PATHS], proposed[PATHS];
    int paths[PATHS][LAYERS], proposed_paths[PATHS][LAYERS];
    bool is_noisy; /* the score is the share of correctly classified images instead of the accuracy */
} search_trial;

search_trial *open_trial(sq_searcher_kind kind, uint64_t seed, int population, int generations); /* free() it */
/* Scores a proposed candidate and appends it to the observed candidates. */
void observe(search_trial *trial, const sq_candidate *proposed);
/* Requests proposals from the searcher and observes them, until the searcher proposes nothing. */
void run_trial(search_trial *trial);
const sq_candidate *best_of(const search_trial *trial);

#endif
