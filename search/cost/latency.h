#ifndef SQ_LATENCY_H
#define SQ_LATENCY_H

#include "search/cost/device.h"
#include "search/cost/fill.h"

/* Predicts the latency of a path on a device: base_ms + scale * sum of the path's table entries. An entry is the time
 * of a whole block, so it includes the effect of operations that a runtime fuses inside the block. A device is a folder
 * with device.yaml and table.csv or layers.csv (configs/devices/README.md), or a file in the format of another project
 * (dialects/dialect.h). */

typedef struct sq_latency sq_latency;

/* Opens a device. SQ_INVALID: the message has the file, the line and the reason. */
SQ_MUST_USE sq_status sq_latency_open(sq_latency **out, const char *path);
void sq_latency_close(sq_latency *latency); /* accepts NULL */
const sq_device_info *sq_latency_info(const sq_latency *latency);

/* The times of all blocks of a space. They are looked up once, so that a search predicts a path by additions only. */
typedef struct {
    double *mean, *variance;      /* [layer * choice_limit + choice], in milliseconds and in milliseconds squared */
    double *energy_mj, *area_mm2; /* NULL unless every block has a value */
    bool *is_filled;              /* the block has no entry, so its time is an estimate */
    int choice_limit, filled_count;
    sq_device_info info;
} sq_latency_cache;

/* Looks up all blocks of the space. SQ_DATA: `fill` cannot estimate the missing entries; the message names them and the
 * first layer that needs one. */
SQ_MUST_USE sq_status sq_latency_prepare(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                         sq_fill fill);
/* Looks up only the blocks of one path. With the resulting cache only this path can be predicted. */
SQ_MUST_USE sq_status sq_latency_prepare_path(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                              const int *path, sq_fill fill);
/* Opens a device, prepares the cache, and closes the device. */
SQ_MUST_USE sq_status sq_latency_load(sq_latency_cache *out, const char *device, const sq_space *space, sq_fill fill);
void sq_latency_cache_clear(sq_latency_cache *cache);

typedef struct {
    double ms;
    double deviation_ms; /* of ms; the blocks' deviations and the device's residual_ms are treated as independent */
    double filled_ms;    /* part of ms that comes from estimated blocks */
    double energy_mj, area_mm2; /* 0: the table has none */
} sq_prediction;

/* cost: one addition per layer, below a microsecond. */
sq_prediction sq_latency_predict(const sq_latency_cache *cache, const sq_space *space, const int *path);
/* Returns the milliseconds of one block times the device's scale, and sets *deviation_ms accordingly. */
double sq_latency_block_ms(const sq_latency_cache *cache, int layer, int choice, double *deviation_ms);

#endif
