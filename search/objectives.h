#ifndef SQ_OBJECTIVES_H
#define SQ_OBJECTIVES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/status.h"

/* What a search weighs against what: accuracy, and costs of a path. Names as configurations write them: accuracy, macs,
 * parameters, memory, latency (or latency.1), latency.2, energy, energy.2, ... */

typedef enum {
    SQ_OBJECTIVE_ACCURACY, /* top-1, 0..1; the only one that is maximised */
    SQ_OBJECTIVE_MACS,     /* millions */
    SQ_OBJECTIVE_PARAMETERS,
    SQ_OBJECTIVE_MEMORY,  /* 10^6 bytes */
    SQ_OBJECTIVE_LATENCY, /* predicted mean, ms */
    SQ_OBJECTIVE_ENERGY,  /* mJ */
    SQ_OBJECTIVE_KINDS
} sq_objective_kind;

enum { SQ_MAX_OBJECTIVES = 4 };

typedef struct {
    sq_objective_kind kind;
    int device; /* of latency and energy, from 0 */
} sq_objective;

typedef struct {
    sq_objective list[SQ_MAX_OBJECTIVES];
    int count;
} sq_objectives;

/* One number for each objective, in their units; count 0: none. */
typedef struct {
    double values[SQ_MAX_OBJECTIVES];
    int count;
} sq_point;

/* "accuracy, latency.2, macs", brackets allowed: 2 to 4 different ones, accuracy among them. false: not such a list. */
bool sq_objectives_read(const char *text, sq_objectives *out);
/* The name; "latency.2". Returns text. */
const char *sq_objective_name(const sq_objective *objective, char *text, size_t bytes);

/* "0, 300, 12.5": as many finite numbers as there are, at most 4; "" gives none. */
bool sq_point_read(const char *text, sq_point *out);

#endif
