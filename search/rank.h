#ifndef SQ_RANK_H
#define SQ_RANK_H

#include "search/evaluate/evaluator.h"
#include "supernet/train/search_mask.h"

/* Measures how well the ranking of paths by the supernet agrees with the ranking by stand-alone training. A few paths
 * are scored twice: with the weights of the supernet, and after the path alone was trained from scratch. Kendall's
 * tau-b compares the two rankings (Yu et al. 2020, "Evaluating the search phase of neural architecture search"; Chu et
 * al. 2021, "FairNAS"). */

enum { SQ_MAX_RANKED = 100 };

typedef struct {
    bool is_known;
    double loss, top1, top5; /* on the scored images; top1 and top5 in 0..1 */
} sq_rank_score;

typedef struct {
    int path[SQ_MAX_LAYERS];
    double macs, parameters; /* millions */
    sq_rank_score supernet, alone;
} sq_ranked;

/* Draws `count` different paths and returns them with ascending multiply-adds. A pool of random paths is sorted by
 * multiply-adds and divided into `count` equal parts, and one path is drawn from each part.
 *
 * search_mask  NULL: every choice
 * returns      SQ_INVALID: a count outside 2 .. SQ_MAX_RANKED, or a pool with fewer different paths
 * cost         64 * count random paths */
SQ_MUST_USE sq_status sq_rank_draw(sq_ranked *out, int count, const sq_space *space, const sq_search_mask *search_mask,
                                   uint64_t seed);

/* Calibrates and scores one path. Serves for both scores of a path. */
SQ_MUST_USE sq_status sq_rank_measure(sq_rank_score *out, sq_evaluator *evaluator, const int *path);

typedef struct {
    size_t pairs;         /* n (n - 1) / 2 */
    double tau, spearman; /* of top1; NAN: all values of the supernet, or all stand-alone values, are equal */
    double chance;        /* probability that two unrelated orders have at least this |tau|: exact without ties (Kendall
                           * 1938, "A new measure of rank correlation"); NAN like tau */
} sq_rank_agreement;

/* Compares the paths that have both scores. SQ_INVALID: fewer than 2 paths have both scores. */
SQ_MUST_USE sq_status sq_rank_compare(sq_rank_agreement *out, const sq_ranked *list, int count);

/* Further values of the report. */
typedef struct {
    int64_t step, steps_alone; /* training steps of the supernet; of each path alone */
    uint64_t seed;             /* of the drawn paths */
    size_t images;             /* number of images that each path was scored on */
    bool is_test;              /* the images are the test split; otherwise they were held out from training */
} sq_rank_facts;

/* Writes the report as JSON. The report has no dates and durations, so that a resumed run writes the same bytes.
 * Unknown scores are null. */
SQ_MUST_USE sq_status sq_rank_write(const char *file, const sq_rank_facts *facts, const sq_space *space,
                                    const sq_ranked *list, int count);

#endif
