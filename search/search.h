#ifndef SQ_SEARCH_H
#define SQ_SEARCH_H

#include "data/loader/loader.h"
#include "search/cost/latency.h"
#include "search/evaluate/worker_pool.h"
#include "search/objectives.h"
#include "supernet/model/model.h"
#include "supernet/train/search_mask.h"

/* Looks for the most accurate path under hard limits: a searcher asks for candidates (ask), the evaluator calibrates
 * batch norm and scores each on images held out from training, and the searcher is told (tell). State is saved after
 * every evaluation; a killed search goes on where it was and ends with the same files. */

typedef struct {
    double macs, parameters; /* millions */
    double memory_mb;        /* largest live activations of one FP32 image, 10^6 bytes */
} sq_limits;                 /* 0: no limit */

/* A device that a search predicts for. A path holds its limits when mean + margin * deviation is not above limit_ms,
 * and energy and area are not above theirs. */
enum { SQ_MAX_DEVICES = 4 };
typedef struct {
    const char *name; /* for messages and files; borrowed, like the cache */
    const sq_latency_cache *cache;
    double limit_ms, margin, limit_energy_mj, limit_area_mm2; /* limits 0: none */
} sq_search_device;
typedef struct {
    sq_search_device list[SQ_MAX_DEVICES];
    int count;
} sq_search_devices;

typedef enum {
    SQ_SEARCH_EVOLUTION, /* as SPOS runs it */
    SQ_SEARCH_RANDOM,
    SQ_SEARCH_NSGA2,     /* several objectives */
    SQ_SEARCH_ANNEALING, /* simulated annealing */
    SQ_SEARCH_HALVING,   /* successive halving on the number of images */
    SQ_SEARCH_KINDS
} sq_search_kind;
const char *sq_search_kind_name(sq_search_kind kind); /* "evolution", ...; as configurations write it */

typedef struct {
    sq_search_kind kind;
    uint64_t seed;
    int population, generations, parents, crossover, mutation; /* SPOS: 50, 20, 10, 25, 25 */
    double mutation_probability;                               /* 0.1 */
    int tries;                               /* per wanted child before it becomes a random path: 10 */
    int random_paths;                        /* scored as a baseline, reported as their mean: 0.. */
    int calibration_images;                  /* SPOS: 20,000 */
    int calibration_batch, evaluation_batch; /* 0 is a configuration's: chosen before (batch_choice.h) */
    int evaluation_images;                   /* 0: the whole held-out split */
    int together;      /* candidates of a rank evaluated together, at most: what a killed search loses. The scores do
                          not depend on it */
    int cache_mb;      /* what may be kept between layers and candidates beside the models, 2^20 bytes */
    int write_retries; /* of the state and the results (kernels/base/retry.h) */
    sq_limits limits;
    const sq_search_mask *search_mask; /* borrowed: what may be drawn; NULL: every choice */
    sq_objectives objectives;
    sq_point reference;                    /* of the hypervolume; count 0: 0 accuracy, the worst cost told */
    double nsga_crossover, nsga_mutation;  /* of a child; of each layer */
    double temperature, final_temperature; /* percentage points of top-1 */
    int chains;
    int eta, rungs;
} sq_search_options;

typedef struct {
    int *path;                          /* [layer_count]; owned by the result */
    int images;                         /* asked: how many to score on, 0 for all; told: how many it was scored on */
    double loss, top1, top5;            /* on the held-out images; shares in 0..1 */
    double macs, parameters, memory_mb; /* as in the limits */
    sq_prediction on[SQ_MAX_DEVICES];   /* what each device is predicted to take */
    int generation;                     /* -1: the random baseline */
} sq_candidate;

typedef struct {
    sq_candidate *candidates;
    int candidate_count;
    int best;                /* index: highest top1, then top5, then lower loss, then first; only generations >= 0, and
                                of these only those scored on the most images */
    double random_mean_top1; /* NaN without a baseline */
    int *pareto;             /* indices, ascending: who of those is no worse than any other in all objectives at once */
    int pareto_count;        /* 0 without objectives */
    double hypervolume;      /* of the front; top1 in 0..1, costs in their units */
    sq_point reference;      /* that it was taken to */
} sq_search_result;

void sq_search_result_clear(sq_search_result *result);

/* Batch-norm calibration and accuracy of one path: the engine under `squall evaluate` and export; a search has groups.
 */
typedef struct sq_evaluator sq_evaluator;
SQ_MUST_USE sq_status sq_evaluator_create(sq_evaluator **out, sq_backend *backend, const sq_space *space,
                                          sq_model *weights, bool use_average, const sq_image_set *calibration,
                                          int calibration_batch, const sq_image_set *validation, int evaluation_batch);
void sq_evaluator_destroy(sq_evaluator *evaluator);
/* Resets the path's statistics and collects their plain mean over the calibration images. */
SQ_MUST_USE sq_status sq_evaluator_calibrate(sq_evaluator *evaluator, const int *path);
/* Scores with the statistics that are there, on the first `images` of the validation set; 0: on all. */
SQ_MUST_USE sq_status sq_evaluator_score(sq_evaluator *evaluator, const int *path, int images, sq_result *out);
/* Takes the path's statistics from another model of the same space instead: those of training, say. */
SQ_MUST_USE sq_status sq_evaluator_adopt(sq_evaluator *evaluator, sq_model *source, const int *path);
/* The model whose STATISTICS the calibration filled; it runs EVALUATE with the evaluation batch. */
sq_model *sq_evaluator_model(sq_evaluator *evaluator);

/* Fails before anything is evaluated when no path can meet the limits, naming the smallest possible value. `run` is the
 * folder: <run>/search/{state.json, search.json, arch.json}; is_resumed continues from state.json. */
typedef struct {
    const char *run; /* folder */
    bool is_resumed, is_quiet;
    uint64_t weights;               /* fingerprint of the supernet's weights: a search is not continued on others */
    int images, calibration_images; /* that the evaluator has: halving's budget follows from them */
} sq_search_run;

/* What sq_search refuses before it evaluates anything, for a caller with files of its own (of `run` the images count):
 * SQ_INVALID names options out of range, or the smallest possible value where no path can meet the limits. */
SQ_MUST_USE sq_status sq_search_check(const sq_search_options *options, const sq_space *space,
                                      const sq_search_devices *devices, const sq_search_run *run);

SQ_MUST_USE sq_status sq_search(const sq_search_options *options, const sq_space *space, sq_worker_pool *pool,
                                const sq_search_devices *devices, const sq_search_run *run, sq_search_result *out);

#endif
