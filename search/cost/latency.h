#ifndef SQ_LATENCY_H
#define SQ_LATENCY_H

#include "search/cost/device.h"

/* Latency of a path on a device: base + scale * sum of its blocks' entries (milliseconds); blocks, not operations, so
 * that what the runtime fuses inside a block is in the figure. A device is a folder with device.yaml and table.csv or
 * layers.csv (configs/devices/README.md), or a file in a dialect that search/cost/dialects/dialect.h tells by its content. */

typedef struct sq_latency sq_latency;

/* SQ_INVALID: file:line and why. */
SQ_MUST_USE sq_status sq_latency_open(sq_latency **out, const char *path);
void sq_latency_close(sq_latency *latency); /* accepts NULL */
const sq_device_info *sq_latency_info(const sq_latency *latency);

/* What happens where an entry is missing. */
typedef enum {
    SQ_FILL_NONE,        /* an error that names the entries and the first one's nearest */
    SQ_FILL_INTERPOLATE, /* between the entries of its kind: monotone in channels and pixels */
    SQ_FILL_ROOFLINE     /* by the device's roofline.yaml */
} sq_fill;

/* All blocks of a space looked up once, so that a search predicts by addition. */
typedef struct {
    double *mean, *variance;    /* [layer * choice_limit + choice], milliseconds */
    double *energy_mj, *area_mm2; /* NULL unless every block has it */
    bool *is_filled;
    int choice_limit, filled_count; /* choices that had no entry */
    sq_device_info info;
} sq_latency_cache;
/* SQ_DATA names the missing entries and who wants them; search/cost/coverage.h lists them. */
SQ_MUST_USE sq_status sq_latency_prepare(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                         sq_fill fill);
/* The same for the blocks of one path alone: others may be missing, and only this path may be asked for. */
SQ_MUST_USE sq_status sq_latency_prepare_path(sq_latency_cache *out, const sq_latency *latency, const sq_space *space,
                                              const int *path, sq_fill fill);
/* Opens, looks up and closes: for whoever needs no more of the table than this. */
SQ_MUST_USE sq_status sq_latency_load(sq_latency_cache *out, const char *device, const sq_space *space, sq_fill fill);
void sq_latency_cache_clear(sq_latency_cache *cache);

typedef struct {
    double ms, deviation_ms; /* spread of the blocks' means and of the device's residual, taken as independent */
    double filled_ms;        /* share of ms that no entry stands for */
    double energy_mj, area_mm2; /* 0 where the table has none */
} sq_prediction;
/* cost: additions; below a microsecond. */
sq_prediction sq_latency_predict(const sq_latency_cache *cache, const sq_space *space, const int *path);
/* One block, with the device's scale. */
double sq_latency_block_ms(const sq_latency_cache *cache, int layer, int choice, double *deviation_ms);

#endif
