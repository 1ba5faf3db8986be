#ifndef SQ_SEARCHERS_H
#define SQ_SEARCHERS_H

#include "search/searchers/searcher.h"

/* Calls a searcher by its kind. The search loop and the tools call these functions; searchers do not call them. */

const char *sq_searcher_name(sq_searcher_kind kind);    /* "evolution": the word of the configuration */
const char *sq_searcher_summary(sq_searcher_kind kind); /* one line of help */
sq_searcher_kind sq_searcher_find(const char *word);    /* SQ_SEARCHERS: unknown word */
bool sq_searcher_reads_objectives(sq_searcher_kind kind);
bool sq_searcher_varies_images(sq_searcher_kind kind); /* true: the validation images must be in random order */
/* Returns whether every generation has options.population candidates, provided that the space has enough paths. */
bool sq_searcher_has_equal_generations(sq_searcher_kind kind);

/* Fills candidates[0 .. *count) with the paths, costs and numbers of images of the next proposals. The caller allocates
 * the candidates and their paths, sq_searcher_generation_limit of each. If the last observed generation is incomplete,
 * the rest of this generation is proposed. *count 0: the search is over.
 * returns SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_searcher_ask(const sq_searcher *searcher, sq_candidate *candidates, int *count);
int sq_searcher_generation_limit(const sq_searcher *searcher);
int sq_searcher_budget(const sq_searcher *searcher); /* candidates in all, if the space has that many */

/* Checks the options. SQ_INVALID: an option is out of range, or the device table of an objective lacks its values. */
SQ_MUST_USE sq_status sq_searcher_check(const sq_searcher *searcher);

/* Returns `hash` continued with the options that this kind of searcher reads and that are not common to all
 * searchers. */
uint64_t sq_searcher_hash(uint64_t hash, const sq_searcher *searcher);

/* A row of SQ_SEARCHER_OPTION_TABLE. */
typedef struct {
    sq_searcher_kind kind; /* the searcher that reads the option */
    const char *name;      /* the key without "search." */
    bool is_integer;       /* int in sq_search_options; otherwise double */
    size_t offset;         /* in sq_search_options */
    double initial, least, most;
    const char *meaning;
} sq_searcher_option;
int sq_searcher_option_count(void);
const sq_searcher_option *sq_searcher_option_at(int index);

#endif
