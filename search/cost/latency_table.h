#ifndef SQ_LATENCY_TABLE_H
#define SQ_LATENCY_TABLE_H

#include "search/cost/block_key.h"
#include "search/cost/latency.h"
#include "search/cost/roofline.h"

/* Gives access to the entries of a latency table, for code that makes tables. An entry belongs to a block (table.csv).
 * If the source of a table has no shapes, an entry belongs to a layer and a choice of one space (layers.csv). */

typedef struct {
    double mean, deviation;     /* milliseconds */
    int64_t count, outliers;    /* number of samples; number of outliers among the samples */
    double energy_mj, area_mm2; /* NaN: unknown */
} sq_block_time;
/* Returns a time with 0 outliers and with unknown energy and area. */
sq_block_time sq_block_time_of(double mean_ms, double deviation_ms, int64_t count);

typedef struct {
    sq_block_key key;
    sq_block_time time;
} sq_latency_entry;

typedef struct {
    int layer, choice;  /* layer: position in the architecture's tuple, from 0 */
    sq_block_time time; /* part of a fit, so it may be negative */
} sq_layer_entry;

struct sq_latency {
    char path[1024];
    sq_device_info info;
    sq_latency_entry *entries; /* sorted by key after sq_latency_sort */
    size_t count, limit;
    sq_layer_entry *layers; /* sorted by layer and choice */
    size_t layer_count, layer_limit;
    bool has_roofline; /* the folder has a roofline.yaml, which predicts every block if there is no table */
    sq_roofline roofline;
};

/* Creates an empty table of a device with scale 1 and batch 1. The caller closes the table with sq_latency_close. */
SQ_MUST_USE sq_status sq_latency_create(sq_latency **out, const char *name);
SQ_MUST_USE sq_status sq_latency_add(sq_latency *latency, const sq_block_key *key, const sq_block_time *time);
SQ_MUST_USE sq_status sq_latency_add_layer(sq_latency *latency, int layer, int choice, const sq_block_time *time);
/* Sorts the entries for lookup. SQ_INVALID: a key occurs twice; the message names `path` and the key. */
SQ_MUST_USE sq_status sq_latency_sort(sq_latency *latency, const char *path);

/* Returns the entry; NULL: there is no such entry. */
const sq_latency_entry *sq_latency_find(const sq_latency *latency, const sq_block_key *key);
const sq_layer_entry *sq_latency_find_layer(const sq_latency *latency, int layer, int choice);
/* Returns whether the roofline predicts every block because there is no table. */
bool sq_latency_is_modelled(const sq_latency *latency);
/* Returns the entry with the nearest key, for messages; NULL: the table has no entries by block. */
const sq_latency_entry *sq_latency_nearest(const sq_latency *latency, const sq_block_key *key);

/* Add the rows of table.csv or layers.csv. SQ_INVALID: the message has the file, the line and the reason. */
SQ_MUST_USE sq_status sq_latency_read_table(sq_latency *latency, const char *path);
SQ_MUST_USE sq_status sq_latency_read_layers(sq_latency *latency, const char *path);

/* Writes device.yaml and table.csv or layers.csv into the folder, each completely or not at all. device.yaml is written
 * last, because a folder without device.yaml is not a device; an interrupted call thus leaves no incomplete new
 * device. */
SQ_MUST_USE sq_status sq_latency_write(const sq_latency *latency, const char *folder);

#endif
