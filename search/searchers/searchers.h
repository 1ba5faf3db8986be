#ifndef SQ_SEARCHERS_H
#define SQ_SEARCHERS_H

#include "search/searchers/searcher.h"

/* All searchers by their kind: the search loop and the tools call this; a searcher's own file does not. */

const char *sq_searcher_name(sq_searcher_kind kind);    /* "evolution": the word of the configuration */
const char *sq_searcher_summary(sq_searcher_kind kind); /* one line of help */
sq_searcher_kind sq_searcher_find(const char *word);    /* SQ_SEARCHERS when unknown */
bool sq_searcher_reads_objectives(sq_searcher_kind kind);
bool sq_searcher_varies_images(sq_searcher_kind kind); /* the validation images must be in random order */
/* Whether every generation has options.population candidates, as long as the space has that many. */
bool sq_searcher_has_equal_generations(sq_searcher_kind kind);

/* Fills candidates[0 .. *count) with the next proposals: paths, costs, images. The caller owns the memory of the paths,
 * for sq_searcher_generation_limit candidates. The observed list may end inside a generation; then the rest of that
 * generation is proposed. *count 0: the search is over.
 * returns SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_searcher_ask(const sq_searcher *searcher, sq_candidate *candidates, int *count);
int sq_searcher_generation_limit(const sq_searcher *searcher);
int sq_searcher_budget(const sq_searcher *searcher); /* candidates in all, if the space has that many */

/* SQ_INVALID: an option out of range, or an objective that no device table has. */
SQ_MUST_USE sq_status sq_searcher_check(const sq_searcher *searcher);

/* Continues `hash` with every option that the kind of searcher reads beyond the options common to all. */
uint64_t sq_searcher_hash(uint64_t hash, const sq_searcher *searcher);

/* A row of SQ_SEARCHER_OPTION_TABLE. */
typedef struct {
    sq_searcher_kind kind; /* the searcher that reads it */
    const char *name;      /* the key without "search." */
    bool is_integer;       /* int in sq_search_options; otherwise double */
    size_t offset;         /* in sq_search_options */
    double initial, least, most;
    const char *meaning;
} sq_searcher_option;
int sq_searcher_option_count(void);
const sq_searcher_option *sq_searcher_option_at(int index);

#endif
