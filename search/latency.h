#ifndef SQ_LATENCY_H
#define SQ_LATENCY_H

#include "supernet/space.h"

/* Latency of a path on a device: base + sum of its blocks' entries (milliseconds). A device is a folder with
 * device.yaml and table.csv (design, section 6), or a ProxylessNAS table in YAML. */

typedef struct {
    char name[SQ_NAME_BYTES], runtime[128], dtype[16], date[32], source[256], licence[64];
    int batch, threads;
    double base_ms, scale; /* total = base + scale * sum */
    bool is_measured;      /* false: modelled */
} sq_device_info;

typedef struct sq_latency sq_latency;

/* A folder with device.yaml + table.csv, or a .yaml file in ProxylessNAS's dialect. SQ_INVALID: file:line and why. */
SQ_MUST_USE sq_status sq_latency_open(sq_latency **out, const char *path);
void sq_latency_close(sq_latency *latency);
const sq_device_info *sq_latency_info(const sq_latency *latency);

/* The key of a block as table.csv spells it: "kind,h,w,c_in,c_out,mid,kernel,stride,se,act" (h, w: input). */
int sq_latency_key(const sq_space *space, int layer, int choice, char *text, size_t bytes);

/* One block; SQ_DATA names the missing key and the layer that needs it. mean and standard deviation in milliseconds. */
SQ_MUST_USE sq_status sq_latency_block(const sq_latency *latency, const sq_space *space, int layer, int choice,
                                       double *mean, double *deviation);

/* All blocks of a space looked up once, so that a search predicts by addition. */
typedef struct {
    double *mean, *deviation;
    int choice_limit;
    double base, scale;
} sq_latency_cache; /* [layer * choice_limit + choice] */
SQ_MUST_USE sq_status sq_latency_prepare(sq_latency_cache *out, const sq_latency *latency, const sq_space *space);
void sq_latency_cache_clear(sq_latency_cache *cache);
double sq_latency_predict(const sq_latency_cache *cache, const sq_space *space, const int *path);

#endif
