#ifndef SQ_LATENCY_TABLE_H
#define SQ_LATENCY_TABLE_H

#include "search/latency.h"

/* What a latency table is made of: shared by its readers and by `squall measure`. */

enum { SQ_LATENCY_KEY_BYTES = 160 };

typedef struct {
    char key[SQ_LATENCY_KEY_BYTES];
    double mean, deviation;
} sq_latency_entry;

struct sq_latency {
    char path[1024];
    sq_device_info info;
    bool is_proxyless; /* keys are in ProxylessNAS's dialect */
    sq_latency_entry *entries;
    size_t count, limit;
};

SQ_MUST_USE sq_status sq_latency_add(sq_latency *latency, const char *key, double mean, double deviation);
/* Sorts for lookup; SQ_INVALID names a key that stands there twice. */
SQ_MUST_USE sq_status sq_latency_sort(sq_latency *latency, const char *path);

/* "Conv-input:224x224x3-output:112x112x32": {count, mean, var} in milliseconds. Source: mit-han-lab/proxylessnas,
 * search/utils/latency_estimator.py. */
SQ_MUST_USE sq_status sq_latency_read_proxyless(sq_latency *latency, const char *path);
/* The block's key in that dialect; SQ_UNSUPPORTED for kinds that it does not know. */
SQ_MUST_USE sq_status sq_latency_proxyless_key(const sq_space *space, int layer, int choice, char *text, size_t bytes);

/* Writes device.yaml and table.csv; `samples` is the count column. */
SQ_MUST_USE sq_status sq_latency_write(const char *folder, const sq_device_info *info, const sq_latency_entry *entries,
                                       size_t count, int samples);

#endif
