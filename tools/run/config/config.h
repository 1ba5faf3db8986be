#ifndef SQ_CONFIG_H
#define SQ_CONFIG_H

#include "search/search.h"
#include "supernet/train/trainer.h"

/* A configuration describes space, data, training, search and export of a run. keys.c defines the names, types,
 * defaults, ranges and meanings of the keys. In a file, `latency` can be a list with one entry per device; on the
 * command line, the keys of the second entry are latency.2.limit_ms and so on. */

enum { SQ_DATA_CACHE_NONE, SQ_DATA_CACHE_RAM, SQ_DATA_CACHE_DEVICE };

typedef struct {
    char *train, *val; /* sources (see data/sources/dataset.h); val empty: the same source as train */
    double held_out;   /* share of the images of train that is held out for the search */
    int classes;       /* number of classes; 0: all */
    int resolution;    /* 0: the space's */
    float mean[3], std[3];
    int range, channel_order; /* range 1: pixels stay 0..255; channel_order 1: BGR */
    sq_transform transform;   /* for training; evaluation uses only resolution and crop_fraction */
    int threads, ring, max_bad;
    int decode; /* sq_decode_mode */
    int cache;  /* SQ_DATA_CACHE_* */
    int cache_mb;
} sq_data_config;

typedef struct {
    char *device; /* device folder, or a table in the format of another project; empty: none */
    double limit_ms, margin, limit_energy_mj, limit_area_mm2;
    int fill; /* sq_fill */
} sq_latency_config;

typedef struct {
    char *space;             /* path of the space file */
    char *device;            /* backend: auto, cuda, cuda:N, cpu, reference */
    int graphs;              /* 1: cuda runs programs as CUDA graphs */
    int engine;              /* sq_engine: the kernels of cuda */
    int threads;             /* number of threads of the backend; 0: all cores */
    int sync_batch_norm;     /* 1: batch norm uses the images of all ranks */
    sq_dtype reduction;      /* data type of gradients between ranks: SQ_F32 or SQ_BF16 */
    double ranks_time_limit; /* seconds */
    double lr, final_lr;     /* for batches of lr_batch; train.schedule has the rates for train.batch */
    int lr_batch, lr_rule;   /* lr_batch 0: train.batch; lr_rule 0: linear, 1: sqrt */
    int64_t seed;
    sq_data_config data;
    sq_train_options train;
    sq_search_options search;
    sq_latency_config latency[SQ_MAX_DEVICES]; /* used entries come first; an empty device ends the list */
    char *layers_search, *layers_fixed;        /* ranges of searched layers; architecture of the fixed layers */
    char *train_from;                          /* folder of the run to start from; empty: none */
    struct {
        char *groups, *steps, *lr, *start;
    } stages; /* text that search/stages.h describes */
    int opset;
} sq_config;

/* Reads `path` (NULL: all defaults), then applies overrides "train.batch=32" in order. Relative paths in a file are
 * searched in the working folder, in the file's folder and in Squall's share folder. A file can name another one with
 * `base: OTHER.yaml` and override its keys. SQ_INVALID: file:line, key, found and expected value; the text for an
 * unknown key suggests the nearest known one. */
SQ_MUST_USE sq_status sq_config_read(sq_config **out, const char *path, const char *const *overrides,
                                     int override_count);
void sq_config_free(sq_config *config); /* accepts NULL */

int sq_config_device_count(const sq_config *config);

/* Returns the first key that affects the result of a training and has different values in a and b; NULL: none. */
const char *sq_config_difference(const sq_config *a, const sq_config *b);

#endif
