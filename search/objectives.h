#ifndef SQ_OBJECTIVES_H
#define SQ_OBJECTIVES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"
#include "search/candidate.h"

/* The objectives of a search with several of them: accuracy, and costs of a path. The configuration writes accuracy,
 * macs, parameters, memory, latency (or latency.1), latency.2, energy, energy.2, ... */

/* ROW(NAME, word, unit, is_maximised, has_device, available, "summary"): one row per objective. objectives.c
 * defines `available` and a function named `word`, which reads the value. */
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
    int device; /* index of the device of latency and energy */
} sq_objective;

typedef struct {
    sq_objective list[SQ_MAX_OBJECTIVES];
    int count;
} sq_objectives;

/* One number per objective, in their units; count 0: none. */
typedef struct {
    double values[SQ_MAX_OBJECTIVES];
    int count;
} sq_point;

const char *sq_objective_word(sq_objective_kind kind);    /* "latency" */
const char *sq_objective_unit(sq_objective_kind kind);    /* "ms" */
const char *sq_objective_summary(sq_objective_kind kind); /* one line of help */
bool sq_objective_has_device(sq_objective_kind kind);
bool sq_objective_is_maximised(sq_objective_kind kind); /* accuracy; all others are minimised */

/* Whether the device's table has what the objective needs; true for objectives without a device. */
bool sq_objective_is_available(sq_objective_kind kind, const sq_latency_cache *cache);

/* The objective's value of a scored candidate; negated if the objective is maximised, so that less is better. */
double sq_objective_cost(const sq_objective *objective, const sq_candidate *candidate);

/* Reads "accuracy, latency.2, macs", brackets allowed: 2 to 4 different ones, accuracy among them. Returns false for
 * any other text. */
bool sq_objectives_read(const char *text, sq_objectives *out);
/* The objective with its device, "latency.2". Returns text. */
const char *sq_objective_name(const sq_objective *objective, char *text, size_t bytes);

/* Reads "0, 300, 12.5": up to 4 finite numbers; "" gives none. Returns false for any other text. */
bool sq_point_read(const char *text, sq_point *out);

#endif
