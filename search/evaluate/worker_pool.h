#ifndef SQ_CREW_H
#define SQ_CREW_H

#include "search/evaluate/candidate_group.h"
#include "supernet/ranks/ranks.h"
#include "supernet/train/search_mask.h"

/* The ranks of a search: the first one asks a searcher and deals out candidates, all evaluate them, each in a group of
 * its own over the same weights and images. What a candidate scores is a function of its path, so the result does not
 * depend on who scored it. Candidates that share their first layers go to the same rank, in shares that get smaller
 * towards the end; whoever is idle gets the next one.
 *
 * A rank that dies, or is silent for the ranks' time limit and four times what its shares would take the first rank,
 * loses them to the others; when the candidates that were asked for are scored, sq_crew_check says which rank it was,
 * and nothing collective may follow. */

typedef struct sq_crew sq_crew;

/* ranks   NULL: one
 * scope   what the search may draw, or NULL: its fixed first layers are computed once (sq_group_fix)
 * On every rank; group, space and ranks must outlive the crew. */
SQ_MUST_USE sq_status sq_crew_create(sq_crew **out, sq_group *group, const sq_space *space,
                                     const sq_search_mask *search_mask, sq_ranks *ranks);
/* When all ranks have agreed that each has its crew: from now on the others serve, or will. */
void sq_crew_meet(sq_crew *crew);
/* On the first rank it sends the others home, who may be waiting in sq_crew_serve. Accepts NULL. */
void sq_crew_destroy(sq_crew *crew);

/* The first rank: sq_group_evaluate of at most SQ_CREW_MOST paths, shared out. Another rank's failure is this one's:
 * "rank 2: <its text>". */
enum { SQ_CREW_MOST = 1024 };
SQ_MUST_USE sq_status sq_crew_evaluate(sq_crew *crew, const int *const *paths, int count, size_t images,
                                       sq_result *results);
/* SQ_COMMUNICATION when a rank has been lost. */
SQ_MUST_USE sq_status sq_crew_check(const sq_crew *crew);

/* The other ranks: evaluates what comes until the first one sends them home. SQ_COMMUNICATION: the first rank is gone,
 * or has lost another one, and says so itself. */
SQ_MUST_USE sq_status sq_crew_serve(sq_crew *crew);

int sq_crew_size(const sq_crew *crew); /* ranks */
typedef struct {
    int64_t candidates; /* scored by a rank so far */
    double seconds;     /* that it took for them */
} sq_crew_count;
sq_crew_count sq_crew_counts(const sq_crew *crew, int rank); /* the first rank knows them of all */

#endif
