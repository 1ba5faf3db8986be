#ifndef SQ_SEARCHER_H
#define SQ_SEARCHER_H

#include "search/search_options.h"

/* Defines the interface that every searcher implements. A searcher proposes candidates one generation at a time and
 * observes the candidates' scores. The list of observed candidates is the whole state of a searcher, because every draw
 * is a function of (seed, candidate number, try). Replaying the list therefore restores a search that was killed. */

/* The input of a searcher. */
typedef struct {
    const sq_search_options *options;
    const sq_space *space;
    const sq_search_devices *devices;                       /* NULL: none */
    double block_macs[SQ_MAX_LAYERS][SQ_MAX_CHOICES];       /* millions */
    double block_parameters[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* millions, norms included */
    double block_memory_mb[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    int evaluation_images;  /* images that a candidate can be scored on */
    int calibration_images; /* images that each evaluation calibrates with */
    sq_candidate *observed; /* borrowed from the search; candidates of generations >= 0, in order */
    int observed_count;
} sq_searcher;

/* A generation that is being filled. */
typedef struct {
    sq_candidate *candidates; /* room for `limit`; each has memory for its path */
    int count, limit;
    int number; /* of the generation, from 0 */
} sq_generation;

typedef struct {
    const char *summary; /* one line of help */
    /* Adds the next candidates to the empty generation. The last generation in the observed list is complete. If no
     * candidate is added, the search ends. Fails with SQ_NO_MEMORY. */
    sq_status (*ask)(const sq_searcher *searcher, sq_generation *generation);
    int (*generation_limit)(const sq_searcher *searcher); /* most candidates of a generation */
    int (*budget)(const sq_searcher *searcher);           /* candidates in all, if the space has that many */
    /* Makes the checks of options that the ranges in SQ_SEARCHER_OPTION_TABLE cannot express. Fails with SQ_INVALID. */
    sq_status (*check)(const sq_searcher *searcher);
    bool reads_objectives; /* search.objectives are then part of the fingerprint */
    bool varies_images; /* scores some candidates only on the first images; the numbers of images are then part of the
                         * fingerprint */
} sq_searcher_ops;

#define SQ_SEARCHER_DECLARATION(NAME, word, STREAM) extern const sq_searcher_ops sq_searcher_##word;
SQ_SEARCHER_TABLE(SQ_SEARCHER_DECLARATION)

#endif
