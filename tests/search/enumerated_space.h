#ifndef SQ_TESTS_ENUMERATED_SPACE_H
#define SQ_TESTS_ENUMERATED_SPACE_H

#include "search/limits.h"
#include "search/searchers/searchers.h"
#include "tests/support/support.h"

/* A space of 4,096 paths with a known accuracy for each: small enough to enumerate. Accuracy depends on pairs of
 * neighbouring layers, so that layers cannot be chosen one by one. */

enum { LAYERS = 6, CHOICES = 4, PATHS = 4096, IMAGES = 729 };

/* A uniform random number in 0..1 that depends on (stream, index) alone. */
double drawn(uint64_t stream, uint64_t index);

double accuracy_of(const int *path);          /* in 0..1 */
void path_from_number(int number, int *path); /* number in 0 .. PATHS - 1 */
double best_accuracy(void);                   /* of all paths */

/* A searcher on the space, with the defaults of its options. */
typedef struct {
    sq_space space;
    sq_search_options options;
    sq_searcher searcher;
    sq_candidate observed[PATHS], proposed[PATHS];
    int paths[PATHS][LAYERS], proposed_paths[PATHS][LAYERS];
    bool is_noisy; /* the score is the share of right images instead of the accuracy */
} search_trial;

search_trial *open_trial(sq_searcher_kind kind, uint64_t seed, int population, int generations); /* free() it */
/* Scores a proposed candidate and appends it to the observed ones. */
void observe(search_trial *trial, const sq_candidate *proposed);
/* Asks and observes until the searcher proposes nothing. */
void run_trial(search_trial *trial);
const sq_candidate *best_of(const search_trial *trial);

#endif
