#ifndef SQ_RANK_H
#define SQ_RANK_H

#include "search/evaluate/evaluator.h"
#include "supernet/train/search_mask.h"

/* Does the supernet's ranking mean anything? A handful of paths is scored twice: in the supernet, and trained alone
 * from scratch; Kendall's tau-b says how far both orders agree (Yu et al. 2020, "Evaluating the search phase of neural
 * architecture search"; Chu et al. 2021, "FairNAS"). */

enum { SQ_MAX_RANKED = 100 };

typedef struct {
    bool is_known;
    double loss, top1, top5; /* on the scored images; shares in 0..1 */
} sq_rank_score;

typedef struct {
    int path[SQ_MAX_LAYERS];
    double macs, parameters; /* millions */
    sq_rank_score supernet, alone;
} sq_ranked;

/* `count` different paths into out, by seed, cheapest first: a pool of random paths is ordered by multiply-adds and cut
 * into `count` equal parts, and each part gives one at random. scope NULL: every choice.
 * returns SQ_INVALID for a count outside 2 .. SQ_MAX_RANKED, or where the pool holds fewer different paths
 * cost    64 random paths for each wanted one */
SQ_MUST_USE sq_status sq_rank_draw(sq_ranked *out, int count, const sq_space *space, const sq_search_mask *search_mask,
                                   uint64_t seed);

/* Calibrates and scores one path: the same yardstick for both scores. */
SQ_MUST_USE sq_status sq_rank_measure(sq_rank_score *out, sq_evaluator *evaluator, const int *path);

typedef struct {
    size_t pairs;         /* n (n - 1) / 2 */
    double tau, spearman; /* of top1; NAN when one side is all the same */
    double chance;        /* probability that unrelated orders agree, or disagree, at least so much: exact where nothing
                           * ties (Kendall 1938, "A new measure of rank correlation"); NAN as above */
} sq_rank_agreement;

/* Of the paths that have both scores. SQ_INVALID: fewer than 2. */
SQ_MUST_USE sq_status sq_rank_compare(sq_rank_agreement *out, const sq_ranked *list, int count);

/* What a report tells beside the paths. */
typedef struct {
    int64_t step, steps_alone; /* of the supernet; of each path alone */
    uint64_t seed;             /* of the paths drawn */
    size_t images;             /* scored on */
    bool is_test;              /* the test split; else held out from training */
} sq_rank_facts;

/* JSON without times: a run that was killed and resumed writes the same bytes. What is not known yet is null. */
SQ_MUST_USE sq_status sq_rank_write(const char *file, const sq_rank_facts *facts, const sq_space *space,
                                    const sq_ranked *list, int count);

#endif
