#ifndef SQ_SEARCHER_H
#define SQ_SEARCHER_H

#include "search/search.h"

/* Searchers behind one interface: ask for candidates, tell their scores. A searcher's state is the list of candidates
 * told so far, and every draw is a function of (seed, candidate number, try); so replaying the list restores it. */

typedef struct {
    const sq_search_options *options;
    const sq_space *space;
    const sq_search_devices *devices;                 /* NULL: none */
    double macs[SQ_MAX_LAYERS][SQ_MAX_CHOICES];       /* millions */
    double parameters[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* millions, norms included */
    double memory_mb[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    int images;             /* that a candidate can be scored on; only halving needs to know */
    int calibration_images; /* that each evaluation costs besides */
    sq_candidate *observed; /* borrowed from the search; generations >= 0 in order */
    int observed_count;
} sq_searcher;

/* ---- The interface ---- */

/* Fills out[0..*count) with the next candidates (paths, costs, images; the paths are the caller's memory), at most one
 * generation; what is told may end anywhere, and then the rest of its generation is asked for. *count 0: the search is
 * over.
 * returns SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_searcher_ask(const sq_searcher *searcher, sq_candidate *out, int *count);
int sq_searcher_room(const sq_searcher *searcher);   /* the largest generation */
int sq_searcher_budget(const sq_searcher *searcher); /* candidates in all, where the space has as many */

/* SQ_INVALID: options out of range, or objectives that no device table has. */
SQ_MUST_USE sq_status sq_searcher_check_options(const sq_searcher *searcher);
SQ_MUST_USE sq_status sq_searcher_check_objectives(const sq_searcher *searcher); /* only those */
/* SQ_INVALID when no path can meet the limits, with the smallest possible value. */
SQ_MUST_USE sq_status sq_searcher_check_limits(const sq_searcher *searcher);

/* Order of candidates: top1, then top5, then lower loss; ties keep the earlier. Returns whether a is better than b.
 * It says nothing where they were scored on different numbers of images. */
bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b);
/* The best of those scored on the most images, or NULL. */
const sq_candidate *sq_searcher_best(const sq_searcher *searcher);

/* An objective of a scored candidate, to be minimised: a cost, or -top1. */
double sq_searcher_objective(const sq_candidate *candidate, const sq_objective *objective);
/* The front of everything told on the most images, into result->pareto (indices from `first` on), hypervolume and
 * reference. Nothing without objectives. */
SQ_MUST_USE sq_status sq_pareto_front_find(const sq_searcher *searcher, int first, sq_search_result *result);

/* ---- Costs and limits ---- */

/* Adds up a path's costs and predictions. */
void sq_searcher_cost(const sq_searcher *searcher, sq_candidate *candidate);
bool sq_searcher_is_legal(const sq_searcher *searcher, const sq_candidate *candidate);

/* ---- Drawing: what the searchers share ---- */

/* Whether a path has been told, or stands among `more` others. */
bool sq_searcher_knows(const sq_searcher *searcher, const int *path, const sq_candidate *more, int more_count);

/* A legal path that is not known yet, drawn by candidate number; false when many draws found none. */
bool sq_searcher_random(const sq_searcher *searcher, uint64_t number, const sq_candidate *more, int more_count,
                        int *path);

/* A generation while it is asked for. */
typedef struct {
    sq_candidate *out;
    int count, limit;
    int number; /* of the generation */
} sq_generation;

/* Takes out[count], whose path has been drawn, when it is legal and not known yet. */
bool sq_generation_take(const sq_searcher *searcher, sq_generation *generation);
/* Random paths up to the limit, numbered from observed_count on; fewer where the space has no more. */
void sq_generation_fill(const sq_searcher *searcher, sq_generation *generation);
/* The number of the generation that follows what is told. */
int sq_generation_next(const sq_searcher *searcher);

/* Each layer drawn anew with a probability; path may be `from`. */
void sq_searcher_mutate(const sq_searcher *searcher, double probability, sq_rng *rng, const int *from, int *path);
/* Each layer from one of two. */
void sq_searcher_cross(const sq_searcher *searcher, sq_rng *rng, const int *a, const int *b, int *path);

/* First index of each searcher's streams of SQ_RNG_SEARCH, far beyond numbers of candidates. */
#define SQ_STREAM_EVOLUTION (UINT64_C(1) << 40) /* + 2 * generation + is_crossover */
#define SQ_STREAM_NSGA      (UINT64_C(1) << 41) /* + generation */
#define SQ_STREAM_NEIGHBOUR (UINT64_C(1) << 42) /* + candidate */
#define SQ_STREAM_ACCEPT    (UINT64_C(1) << 43) /* + candidate */
#define SQ_STREAM_BASELINE  (UINT64_C(1) << 50) /* + path */

/* ---- The searchers: one file each; told ends with a whole generation ---- */

/* SPOS: the best `parents` of all generations breed `crossover` and `mutation` children; the rest is random.
 * Budget of this and the next three: population * (generations + 1) candidates. */
SQ_MUST_USE sq_status sq_evolution_ask(const sq_searcher *searcher, sq_candidate *out, int *count);

/* Random paths, each once: what the others must beat. */
SQ_MUST_USE sq_status sq_random_ask(const sq_searcher *searcher, sq_candidate *out, int *count);

/* NSGA-II. Parents of generation g are the best `population` of the parents of g - 1 and its children, by rank, then by
 * crowding distance, then the earlier told. A child: two binary tournaments; with nsga_crossover each layer from one of
 * both, else a copy of the first; then each layer drawn anew with nsga_mutation. A wanted child that is illegal or
 * known `tries` times becomes a random path. source: Deb et al. 2002, "A fast and elitist multiobjective genetic
 * algorithm". */
SQ_MUST_USE sq_status sq_nsga_ask(const sq_searcher *searcher, sq_candidate *out, int *count);

/* Simulated annealing by `chains` chains beside each other, one candidate of each in a generation. A
 * chain's next candidate is its present path with one layer changed; after `tries` draws in vain one layer more, at
 * last a random path. It is taken with probability exp(gain / temperature), gain in percentage points of top-1;
 * temperatures fall geometrically from `temperature` to `final_temperature`. Unlike the textbook's, a chain never goes
 * back to a path that any chain has tried: that would be asking twice. source: Kirkpatrick et al. 1983, "Optimization
 * by simulated annealing". */
SQ_MUST_USE sq_status sq_annealing_ask(const sq_searcher *searcher, sq_candidate *out, int *count);

/* Successive halving: `rungs` rungs, each a generation. Rung r scores count[r] candidates on images[r] images; the best
 * 1 / eta of them go on to eta times as many, the last rung to all.
 * Budget: what population * (generations + 1) whole evaluations cost in images through the network, calibration
 * included; count[0] is the most that it pays for.
 * source: Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization". */
SQ_MUST_USE sq_status sq_halving_ask(const sq_searcher *searcher, sq_candidate *out, int *count);

enum { SQ_MAX_RUNGS = 8 };
typedef struct {
    int count[SQ_MAX_RUNGS], images[SQ_MAX_RUNGS];
} sq_rungs;
sq_rungs sq_halving_rungs(const sq_searcher *searcher);

#endif
