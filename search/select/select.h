#ifndef SQ_SELECT_H
#define SQ_SELECT_H

#include "search/cost/latency.h"

/* Picks a device's search space out of a pool of operators: for each searched layer the operators that promise most for
 * their time,
 *     score = capacity / milliseconds,  capacity = (multiply-adds in M)^a * (parameters in k)^b,
 * of the block at that layer. Source: Zhang et al. 2020, HURRICANE (arXiv 1910.11609): representation capacity and
 * hardware efficiency of each operator decide, layer by layer; the formula is ours, the paper's could not be read. */

typedef struct {
    double a, b;        /* 0..10 */
    int keep;           /* operators of a layer, 1.. */
    bool is_per_family; /* of these, the best one of each family that the rules leave */
} sq_select_options;
/* Both measures alike; together a square root, because capacity pays less and less: what is twice as large in both may
 * take 1.41 times as long. With a = 1, b = 0 the score is the rate of multiply-adds, and the largest operators win
 * everywhere. */
#define SQ_SELECT_OPTIONS                                                                                              \
    {                                                                                                                  \
        .a = 0.25, .b = 0.25, .keep = 4                                                                                \
    }

typedef enum {
    SQ_SELECT_RANK,   /* its rank decides */
    SQ_SELECT_FAMILY, /* kept as the best of its family, though its rank is beyond what is kept */
    SQ_SELECT_RULE,   /* the device's rules drop it */
    SQ_SELECT_SKIP    /* no operator but a layer left out: it is not scored, and stays beside the kept ones */
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
    int first[SQ_MAX_LAYERS + 1];  /* layer l's are [first[l], first[l + 1]); a layer that is not searched has none */
    int ranked_count[SQ_MAX_LAYERS];
    int filled_count; /* blocks whose time was filled in */
} sq_selection;

/* Scores, ranks and chooses.
 *
 * cache    all blocks of the space on the device (sq_latency_prepare); its info has the rules
 * returns  SQ_INVALID: an option out of range; no searched layer; a layer with fewer operators than `keep` after the
 *          rules, or with more families than `keep`. SQ_DATA: a block whose time is not above 0 */
SQ_MUST_USE sq_status sq_select_run(sq_selection *out, const sq_space *space, const sq_latency_cache *cache,
                                    const sq_select_options *options);
void sq_select_clear(sq_selection *selection);

/* The family of a kind, as one of its kinds: shuffle's and xception's is shuffle, another kind is its own. */
sq_block_kind sq_select_family(sq_block_kind kind);

/* The operator as its space says it. */
const sq_choice *sq_select_choice(const sq_selection *selection, const sq_select_operator *o);

/* The operators that a layer keeps, best first, a skip last; 0 where nothing is searched. kept holds SQ_MAX_CHOICES. */
int sq_select_kept(const sq_selection *selection, int layer, const sq_select_operator **kept);

/* The path of best scores, in the pool's choices. In the selected space it is all zeros. */
void sq_select_best(const sq_selection *selection, int *path);

/* The path of middle latencies: of each layer's n ranked operators the one with floor(n / 2) others below it in time,
 * ties in the pool's order. What is fixed to it leaves later stages of a search as much time as a random choice would.
 */
void sq_select_middle(const sq_selection *selection, int *path);

/* The selected space, named <pool>_<device>: each layer's kept operators, best first. */
SQ_MUST_USE sq_status sq_select_space(sq_space **out, const sq_selection *selection);
/* The same as a space file that says in its head where it comes from. */
SQ_MUST_USE sq_status sq_select_write(const sq_selection *selection, const char *path);

/* "rank 2", "one of its family", "rule: no se", "rank 9 of 32", "no operator". */
void sq_select_explain(const sq_selection *selection, const sq_select_operator *o, char *text, size_t bytes);
/* Every operator of every searched layer as CSV:
 * layer,operator,family,macs_m,parameters_k,latency_ms,capacity,score,rank,kept,why; what is not scored has empty
 * fields. */
SQ_MUST_USE sq_status sq_select_write_table(const sq_selection *selection, const char *path);

#endif
