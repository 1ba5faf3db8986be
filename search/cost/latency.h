#ifndef SQ_LATENCY_H
#define SQ_LATENCY_H

#include "search/cost/device.h"
#include "search/cost/fill.h"

/* Latency of a path on a device: base_ms + scale * sum of its blocks' entries. Entries are whole blocks, not
 * operations, so they include the fusion that a runtime does inside a block. A device is a folder with device.yaml and
 * table.csv or layers.csv (configs/devices/README.md), or a file in the format of another project (dialects/dialect.h).
 */

typedef struct sq_latency sq_latency;

/* SQ_INVALID: file, line and reason. */
SQ_MUST_USE sq_status sq_latency_open(sq_latency **out, const char *path);
void sq_latency_close(sq_latency *latency); /* accepts NULL */
const sq_device_info *sq_latency_info(const sq_latency *latency);

/* All blocks of a space, looked up once, so that a search predicts by addition. */
typedef struct {
    double *mean, *variance;      /* [layer * choice_limit + choice], milliseconds and their squares */
    double *energy_mj, *area_mm2; /* NULL unless every block has one */
    bool *is_filled;              /* the block has no entry: its time is an estimate */
    int choice_limit, filled_count;
    sq_device_info info;
} sq_latency_cache;

/* SQ_DATA names the missing entries and the layers that need them, when `fill` cannot estimate them. */
SQ_MUST_USE sq_status sq_latency_prepare(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                         sq_fill fill);
/* The same for the blocks of one path: only that path can be predicted then. */
SQ_MUST_USE sq_status sq_latency_prepare_path(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                              const int *path, sq_fill fill);
/* Opens a device, prepares the cache, and closes the device. */
SQ_MUST_USE sq_status sq_latency_load(sq_latency_cache *out, const char *device, const sq_space *space, sq_fill fill);
void sq_latency_cache_clear(sq_latency_cache *cache);

typedef struct {
    double ms;
    double deviation_ms; /* of the sum, with the blocks' deviations and the device's residual taken as independent */
    double filled_ms;    /* part of ms that is estimated */
    double energy_mj, area_mm2; /* 0 when the table has none */
} sq_prediction;

/* cost: one addition per layer, below a microsecond. */
sq_prediction sq_latency_predict(const sq_latency_cache *cache, const sq_space *space, const int *path);
/* Milliseconds of one block, scaled. */
double sq_latency_block_ms(const sq_latency_cache *cache, int layer, int choice, double *deviation_ms);

#endif
