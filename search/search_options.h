#ifndef SQ_SEARCH_OPTIONS_H
#define SQ_SEARCH_OPTIONS_H

#include "search/candidate.h"
#include "search/objectives.h"
#include "search/searchers/searcher_table.h"
#include "supernet/train/search_mask.h"

/* Defines the options of a search. */

/* Hard limits of a path; 0: no limit. */
typedef struct {
    double macs, parameters; /* millions */
    double memory_mb;        /* largest live activations of one FP32 image, 10^6 bytes */
} sq_limits;

/* A device whose latency, energy and area a search predicts. A path is within the limits if mean + margin * deviation
 * is at most limit_ms, energy at most limit_energy_mj, and area at most limit_area_mm2. */
typedef struct {
    const char *name; /* for messages and files; name and cache are borrowed */
    const sq_latency_cache *cache;
    double limit_ms, margin, limit_energy_mj, limit_area_mm2; /* limits of 0: none */
} sq_search_device;

typedef struct {
    sq_search_device list[SQ_MAX_DEVICES];
    int count;
} sq_search_devices;

#define SQ_INTEGER_FIELD(searcher, name, initial, least, most, meaning) int name;
#define SQ_REAL_FIELD(searcher, name, initial, least, most, meaning)    double name;

typedef struct {
    sq_searcher_kind kind;
    uint64_t seed;
    int population, generations, parents, crossover, mutation; /* SPOS: 50, 20, 10, 25, 25 */
    double mutation_probability;                               /* SPOS: 0.1 */
    int tries;              /* draws for each child before a random path replaces it; SPOS: 10 */
    int random_paths;       /* number of random paths in the baseline, whose mean top-1 is reported */
    int calibration_images; /* SPOS: 20,000 */
    int calibration_batch;
    int evaluation_batch;  /* 0 in a configuration: chosen by sq_batch_choose before the search */
    int evaluation_images; /* 0: all validation images */
    int together;          /* most candidates that a rank evaluates at once and that a killed search can lose; does not
                            * change the scores */
    int cache_mb;          /* memory for shared work between layers and candidates, 2^20 bytes */
    int write_retries;     /* repeated attempts to write the state and the results (kernels/base/retry.h) */
    sq_limits limits;
    const sq_search_mask *search_mask; /* borrowed: the choices that may be drawn; NULL: every choice */
    sq_objectives objectives;
    sq_point reference; /* of the hypervolume; count 0: accuracy 0 and the largest observed costs */
    SQ_SEARCHER_OPTION_TABLE(SQ_INTEGER_FIELD, SQ_REAL_FIELD)
} sq_search_options;

#endif
