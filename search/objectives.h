#ifndef SQ_OBJECTIVES_H
#define SQ_OBJECTIVES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"
#include "search/candidate.h"

/* Defines the objectives of a search with several objectives: accuracy and costs of a path. In the configuration they
 * are called accuracy, macs, parameters, memory, latency (or latency.1), latency.2, energy, energy.2, ... */

/* ROW(NAME, word, unit, is_maximised, has_device, available, "summary"): one row per objective. objectives.c defines
 * the function `available`, and a function named `word` that returns the value. */
#define SQ_OBJECTIVE_TABLE(ROW)                                                                                        \
    ROW(ACCURACY, accuracy, "", true, false, has_all, "top-1 on the validation images, 0..1")                          \
    ROW(MACS, macs, "M", false, false, has_all, "multiply-adds in millions")                                           \
    ROW(PARAMETERS, parameters, "M", false, false, has_all, "parameters in millions")                                  \
    ROW(MEMORY, memory, "MB", false, false, has_all, "largest live activations of one FP32 image, 10^6 bytes")         \
    ROW(LATENCY, latency, "ms", false, true, has_all, "predicted mean latency on a device")                            \
    ROW(ENERGY, energy, "mJ", false, true, has_energy, "predicted energy on a device")

/* "accuracy macs ... " */
#define SQ_OBJECTIVE_WORD(NAME, word, unit, is_maximised, has_device, available, summary) #word " "
#define SQ_OBJECTIVE_WORDS                                                                SQ_OBJECTIVE_TABLE(SQ_OBJECTIVE_WORD)

#define SQ_OBJECTIVE_ENUMERATOR(NAME, word, unit, is_maximised, has_device, available, summary) SQ_OBJECTIVE_##NAME,
typedef enum { SQ_OBJECTIVE_TABLE(SQ_OBJECTIVE_ENUMERATOR) SQ_OBJECTIVE_KINDS } sq_objective_kind;

enum { SQ_MAX_OBJECTIVES = 4 };

typedef struct {
    sq_objective_kind kind;
    int device; /* index of the device, for latency and energy */
} sq_objective;

typedef struct {
    sq_objective list[SQ_MAX_OBJECTIVES];
    int count;
} sq_objectives;

/* A point has one number per objective, in the unit of the objective; count 0: no point. */
typedef struct {
    double values[SQ_MAX_OBJECTIVES];
    int count;
} sq_point;

const char *sq_objective_word(sq_objective_kind kind);    /* "latency" */
const char *sq_objective_unit(sq_objective_kind kind);    /* "ms" */
const char *sq_objective_summary(sq_objective_kind kind); /* one line of help */
bool sq_objective_has_device(sq_objective_kind kind);
bool sq_objective_is_maximised(sq_objective_kind kind); /* true for accuracy, false for all others */

/* Returns whether the device's table has the values that the objective requires; true for objectives without a
 * device. */
bool sq_objective_is_available(sq_objective_kind kind, const sq_latency_cache *cache);

/* Returns the objective's value of a scored candidate. The value of a maximised objective is negated, so that less is
 * better for every objective. */
double sq_objective_cost(const sq_objective *objective, const sq_candidate *candidate);

/* Reads 2 to 4 different objectives, one of which must be accuracy: "accuracy, latency.2, macs", with or without
 * brackets. Returns false for any other text. */
bool sq_objectives_read(const char *text, sq_objectives *out);
/* Writes the name of the objective with its device ("latency.2") to `text`. Returns text. */
const char *sq_objective_name(const sq_objective *objective, char *text, size_t bytes);

/* Reads up to 4 finite numbers: "0, 300, 12.5". "" gives count 0. Returns false for any other text. */
bool sq_point_read(const char *text, sq_point *out);

#endif
