#ifndef SQ_SELECT_H
#define SQ_SELECT_H

#include "search/cost/latency.h"

/* Selects a device's search space from a pool of operators. In each searched layer, the operators are kept that have
 * the highest
 *     score = capacity / milliseconds,  capacity = (multiply-adds in M)^a * (parameters in k)^b
 * where the multiply-adds, parameters and milliseconds describe the operator's block in this layer. Source: Zhang et
 * al. 2020, HURRICANE (arXiv 1910.11609), which weighs representation capacity against hardware efficiency layer by
 * layer. The paper's formula was not available, so the formula above is Squall's. */

typedef struct {
    double a, b;        /* 0..10 */
    int keep;           /* operators per layer, from 1 */
    bool is_per_family; /* keep the best operator of each allowed family, within `keep` */
} sq_select_options;
/* The default exponents are equal. Their sum is 1/2, because capacity has diminishing returns: with this sum, an
 * operator that is twice as large in both measures has the same score if it takes 1.41 times as long. With a = 1, b = 0
 * the score is the rate of multiply-adds, and the largest operators win in every layer. */
#define SQ_SELECT_OPTIONS                                                                                              \
    {                                                                                                                  \
        .a = 0.25, .b = 0.25, .keep = 4                                                                                \
    }

typedef enum {
    SQ_SELECT_RANK,   /* the rank decides whether the operator is kept */
    SQ_SELECT_FAMILY, /* kept as the best of its family, although its rank is too low */
    SQ_SELECT_RULE,   /* excluded by the device's constraints */
    SQ_SELECT_SKIP    /* a skip block: always kept, not scored, does not count */
} sq_select_reason;

typedef struct {
    int layer, choice; /* layer of the pool's space; index among the layer's choices */
    double macs, parameters, ms, capacity, score;
    int rank; /* 1: best of the layer; ties have the pool's order; 0: not ranked */
    bool is_kept;
    sq_select_reason reason;
    sq_operator_property rule; /* of SQ_SELECT_RULE */
} sq_select_operator;

typedef struct {
    const sq_space *space; /* borrowed: the pool's */
    sq_select_options options;
    sq_device_info device;
    sq_select_operator *operators; /* freed by sq_select_clear; by layer, then in the pool's order */
    int first[SQ_MAX_LAYERS + 1];  /* layer l has operators [first[l], first[l + 1]); none if it is not searched */
    int ranked_count[SQ_MAX_LAYERS];
    int filled_count; /* number of blocks whose time is an estimate */
} sq_selection;

/* Scores and ranks the operators, and chooses the operators to keep.
 *
 * cache    times of all blocks of the space on the device (sq_latency_prepare); cache->info has the constraints
 * returns  SQ_INVALID: an option out of range; no searched layer; a layer with fewer operators than `keep` after the
 *          constraints, or with more families than `keep`. SQ_DATA: a block whose time is not above 0 */
SQ_MUST_USE sq_status sq_select_run(sq_selection *out, const sq_space *space, const sq_latency_cache *cache,
                                    const sq_select_options *options);
void sq_select_clear(sq_selection *selection);

/* Returns the family of a kind. A family is represented by one of its kinds: shuffle is the family of shuffle and
 * xception; every other kind is its own family. */
sq_block_kind sq_select_family(sq_block_kind kind);

/* Returns the operator's choice in the pool's space. */
const sq_choice *sq_select_choice(const sq_selection *selection, const sq_select_operator *o);

/* Lists the kept operators of a layer, best first, a skip block last. kept has room for SQ_MAX_CHOICES. Returns the
 * number of kept operators; 0: the layer is not searched. */
int sq_select_kept(const sq_selection *selection, int layer, const sq_select_operator **kept);

/* Writes the path that has the operator with the best score in each layer, as choices of the pool's space. In the
 * selected space, all choices of this path are 0. */
void sq_select_best(const sq_selection *selection, int *path);

/* Writes the path that has the operator with the median latency in each layer. Among n ranked operators, this is the
 * operator for which floor(n / 2) operators are faster; ties have the pool's order. If layers are fixed to these
 * operators, about as much of a latency limit is left for the later stages of a search as with random choices. */
void sq_select_middle(const sq_selection *selection, int *path);

/* Creates the selected space, which has the kept operators of each layer, best first. Its name is <pool>_<device>. */
SQ_MUST_USE sq_status sq_select_space(sq_space **out, const sq_selection *selection);

#endif
