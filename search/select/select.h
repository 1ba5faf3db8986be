#ifndef SQ_SELECT_H
#define SQ_SELECT_H

#include "search/cost/latency.h"

/* Selects a device's search space from a pool of operators. Each searched layer keeps the operators with the highest
 *     score = capacity / milliseconds,  capacity = (multiply-adds in M)^a * (parameters in k)^b
 * of the block at that layer. Source: Zhang et al. 2020, HURRICANE (arXiv 1910.11609), which weighs representation
 * capacity against hardware efficiency layer by layer. The formula is ours; we could not obtain the paper's. */

typedef struct {
    double a, b;        /* 0..10 */
    int keep;           /* operators per layer, from 1 */
    bool is_per_family; /* among them the best one of each allowed family */
} sq_select_options;
/* Both exponents are equal, and their sum is 1/2, because capacity has diminishing returns: an operator that is twice
 * as large in both measures may take 1.41 times as long. With a = 1, b = 0 the score is the rate of multiply-adds, and
 * the largest operators win in every layer. */
#define SQ_SELECT_OPTIONS                                                                                              \
    {                                                                                                                  \
        .a = 0.25, .b = 0.25, .keep = 4                                                                                \
    }

typedef enum {
    SQ_SELECT_RANK,   /* kept or not by its rank */
    SQ_SELECT_FAMILY, /* kept as the best of its family, although its rank is too low */
    SQ_SELECT_RULE,   /* excluded by the device's constraints */
    SQ_SELECT_SKIP    /* a skip block: always kept, not scored, does not count */
} sq_select_reason;

typedef struct {
    int layer, choice; /* of the pool's space, and of that layer's choices */
    double macs, parameters, ms, capacity, score;
    int rank; /* 1: the best of its layer; ties go to the pool's order. 0: not ranked */
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
    int filled_count; /* blocks whose time is an estimate */
} sq_selection;

/* Scores, ranks and chooses.
 *
 * cache    all blocks of the space on the device (sq_latency_prepare); its info has the constraints
 * returns  SQ_INVALID: an option out of range; no searched layer; a layer with fewer operators than `keep` after the
 *          constraints, or with more families than `keep`. SQ_DATA: a block whose time is not above 0 */
SQ_MUST_USE sq_status sq_select_run(sq_selection *out, const sq_space *space, const sq_latency_cache *cache,
                                    const sq_select_options *options);
void sq_select_clear(sq_selection *selection);

/* The family of a kind, named by one of its kinds: shuffle for shuffle and xception, else the kind itself. */
sq_block_kind sq_select_family(sq_block_kind kind);

/* The operator in its space. */
const sq_choice *sq_select_choice(const sq_selection *selection, const sq_select_operator *o);

/* Lists the kept operators of a layer, best first, a skip block last. kept has room for SQ_MAX_CHOICES. Returns their
 * number: 0 when the layer is not searched. */
int sq_select_kept(const sq_selection *selection, int layer, const sq_select_operator **kept);

/* The path with the best score in each layer, in the pool's choices. In the selected space it is all zeros. */
void sq_select_best(const sq_selection *selection, int *path);

/* The path with the median latency in each layer: of n ranked operators the one with floor(n / 2) faster ones; ties are
 * in the pool's order. Layers that are fixed to it leave the later stages of a search as much time as random choices.
 */
void sq_select_middle(const sq_selection *selection, int *path);

/* The selected space, named <pool>_<device>: the kept operators of each layer, best first. */
SQ_MUST_USE sq_status sq_select_space(sq_space **out, const sq_selection *selection);

#endif
