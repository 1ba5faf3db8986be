#ifndef SQ_LATENCY_TABLE_H
#define SQ_LATENCY_TABLE_H

#include "search/cost/block_key.h"
#include "search/cost/latency.h"
#include "search/cost/roofline.h"

/* The entries of a latency table, for code that makes tables. Entries are by block (table.csv), or by layer and choice
 * of one space (layers.csv) when the source of a table has no shapes. */

typedef struct {
    double mean, deviation;     /* milliseconds */
    int64_t count, outliers;    /* samples; the outliers among them */
    double energy_mj, area_mm2; /* NaN: unknown */
} sq_block_time;
/* A time without outliers, energy and area. */
sq_block_time sq_block_time_of(double mean_ms, double deviation_ms, int64_t count);

typedef struct {
    sq_block_key key;
    sq_block_time time;
} sq_latency_entry;

typedef struct {
    int layer, choice;  /* layer: position in the architecture's tuple */
    sq_block_time time; /* part of a fit: may be negative */
} sq_layer_entry;

struct sq_latency {
    char path[1024];
    sq_device_info info;
    sq_latency_entry *entries; /* sorted by key after sq_latency_sort */
    size_t count, limit;
    sq_layer_entry *layers; /* sorted by layer and choice */
    size_t layer_count, layer_limit;
    bool has_roofline; /* the folder has a roofline.yaml; it predicts every block when there is no table */
    sq_roofline roofline;
};

/* Creates an empty table of a device with scale 1 and batch 1; close it with sq_latency_close. */
SQ_MUST_USE sq_status sq_latency_create(sq_latency **out, const char *name);
SQ_MUST_USE sq_status sq_latency_add(sq_latency *latency, const sq_block_key *key, const sq_block_time *time);
SQ_MUST_USE sq_status sq_latency_add_layer(sq_latency *latency, int layer, int choice, const sq_block_time *time);
/* Sorts for lookup. SQ_INVALID names `path` and a key that occurs twice. */
SQ_MUST_USE sq_status sq_latency_sort(sq_latency *latency, const char *path);

/* NULL when there is no such entry. */
const sq_latency_entry *sq_latency_find(const sq_latency *latency, const sq_block_key *key);
const sq_layer_entry *sq_latency_find_layer(const sq_latency *latency, int layer, int choice);
/* Whether the roofline predicts every block because there is no table. */
bool sq_latency_is_modelled(const sq_latency *latency);
/* The entry with the nearest key, for messages; NULL when the table is empty. */
const sq_latency_entry *sq_latency_nearest(const sq_latency *latency, const sq_block_key *key);

/* Add the rows of table.csv or layers.csv. SQ_INVALID: file, line and reason. */
SQ_MUST_USE sq_status sq_latency_read_table(sq_latency *latency, const char *path);
SQ_MUST_USE sq_status sq_latency_read_layers(sq_latency *latency, const char *path);

/* Writes device.yaml and table.csv or layers.csv into the folder, each completely or not at all. device.yaml comes
 * last: a folder without it is not a device. */
SQ_MUST_USE sq_status sq_latency_write(const sq_latency *latency, const char *folder);

#endif
