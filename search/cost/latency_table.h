#ifndef SQ_LATENCY_TABLE_H
#define SQ_LATENCY_TABLE_H

#include "search/cost/block_key.h"
#include "search/cost/latency.h"
#include "search/cost/roofline.h"

/* What a latency table is made of: for whoever makes one (readers of other dialects, `squall lut`). Entries stand by
 * block (table.csv) or, where somebody's table or a fit knows no shapes, by layer and choice of one space (layers.csv). */

typedef struct { /* of one block */
    double mean, deviation; /* milliseconds */
    int64_t count, outliers; /* samples behind them; of these far away */
    double energy_mj, area_mm2; /* NaN: not given */
} sq_block_time;
sq_block_time sq_block_time_of(double mean_ms, double deviation_ms, int64_t count); /* the rest not given */

typedef struct {
    sq_block_key key;
    sq_block_time time;
} sq_latency_entry;

typedef struct {
    int layer, choice; /* position in the architecture's tuple, and the number that stands there */
    sq_block_time time; /* a share of a fit may be negative */
} sq_layer_entry;

struct sq_latency {
    char path[1024];
    sq_device_info info;
    sq_latency_entry *entries; /* sorted by key, once sq_latency_sort has run */
    size_t count, limit;
    sq_layer_entry *layers; /* sorted by layer and choice */
    size_t layer_count, layer_limit;
    bool has_roofline; /* the folder has a roofline.yaml; without a table every block is predicted by it */
    sq_roofline roofline;
};

/* An empty table of a device with scale 1 and batch 1; close with sq_latency_close. */
SQ_MUST_USE sq_status sq_latency_create(sq_latency **out, const char *name);
SQ_MUST_USE sq_status sq_latency_add(sq_latency *latency, const sq_block_key *key, const sq_block_time *time);
SQ_MUST_USE sq_status sq_latency_add_layer(sq_latency *latency, int layer, int choice, const sq_block_time *time);
/* Sorts for lookup; SQ_INVALID names a key that stands there twice, and `path`. */
SQ_MUST_USE sq_status sq_latency_sort(sq_latency *latency, const char *path);

/* NULL when it is not there. */
const sq_latency_entry *sq_latency_find(const sq_latency *latency, const sq_block_key *key);
const sq_layer_entry *sq_latency_find_layer(const sq_latency *latency, int layer, int choice);
/* No table at all: every block is predicted by the roofline, and none is missing. */
bool sq_latency_is_modelled(const sq_latency *latency);
/* The entry with the nearest key, for messages; NULL when the table has none. */
const sq_latency_entry *sq_latency_nearest(const sq_latency *latency, const sq_block_key *key);

/* Reads table.csv, layers.csv into the latency. SQ_INVALID: file:line and why. */
SQ_MUST_USE sq_status sq_latency_read_table(sq_latency *latency, const char *path);
SQ_MUST_USE sq_status sq_latency_read_layers(sq_latency *latency, const char *path);

/* Writes <folder>/device.yaml and table.csv or layers.csv, each whole or not at all, device.yaml last: a folder without
 * it is no device. */
SQ_MUST_USE sq_status sq_latency_write(const sq_latency *latency, const char *folder);

#endif
