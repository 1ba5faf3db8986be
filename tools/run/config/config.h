#ifndef SQ_CONFIG_H
#define SQ_CONFIG_H

#include "search/search.h"
#include "supernet/train/trainer.h"

/* One configuration file says everything about a run: which space, data, training, search and export. It is a table of
 * dotted keys; the table in config_keys.c is the only place that knows names, types, defaults, ranges and meanings, and
 * feeds reader, writer and manual alike. `latency` may be a list, one entry a device; on the command line its second
 * entry is latency.2.limit_ms and so on. */

enum { SQ_DATA_CACHE_NONE, SQ_DATA_CACHE_RAM, SQ_DATA_CACHE_DEVICE };

typedef struct {
    char *train, *val; /* sources (see data/sources/dataset.h); val empty: same source as train */
    double held_out;   /* share of train kept for the search */
    int classes;       /* 0: all */
    int resolution;    /* 0: the space's */
    float mean[3], std[3];
    int range, channel_order; /* 1: pixels stay 0..255; 1: BGR */
    sq_transform transform;   /* training; evaluation takes resolution and crop_fraction from it */
    int threads, ring, max_bad;
    int decode; /* sq_decode_mode */
    int cache;  /* SQ_DATA_CACHE_* */
    int cache_mb;
} sq_data_config;

typedef struct {
    char *device; /* folder, or a table in another dialect; empty: none */
    double limit_ms, margin, limit_energy_mj, limit_area_mm2;
    int fill; /* sq_fill */
} sq_latency_config;

typedef struct {
    char *space;             /* path of the space file */
    char *device;            /* backend: auto, cuda, cuda:N, cpu, reference */
    int graphs;              /* 1: cuda runs its programs as CUDA graphs */
    int engine;              /* sq_engine: whose kernels cuda runs */
    int threads;             /* of the backend; 0: all cores */
    int sync_batch_norm;     /* 1: norms see the images of all ranks */
    sq_dtype reduction;      /* SQ_F32 or SQ_BF16: gradients between ranks */
    double ranks_time_limit; /* seconds */
    double lr, final_lr;     /* for batches of lr_batch; train.schedule has them for train.batch */
    int lr_batch, lr_rule;   /* lr_batch 0: train.batch; lr_rule 0: linear, 1: sqrt */
    int64_t seed;
    sq_data_config data;
    sq_train_options train;
    sq_search_options search;
    sq_latency_config latency[SQ_MAX_DEVICES]; /* used from the first on, until one is empty */
    char *layers_search, *layers_fixed;            /* ranges of searched layers; architecture */
    char *train_from;                          /* run; empty: none */
    struct {
        char *groups, *steps, *lr, *start;
    } stages; /* see search/stages.h */
    int opset;
} sq_config;

/* Reads `path` (NULL: all defaults), then applies overrides "train.batch=32" in order. SQ_INVALID: file:line, key, what
 * was found and what was wanted; an unknown key names the nearest known one. Relative paths in it are looked for in the
 * working folder, in the file's folder, and in Squall's share folder. A file may begin with `base: OTHER.yaml`: what
 * that says holds where this one says nothing. */
SQ_MUST_USE sq_status sq_config_read(sq_config **out, const char *path, const char *const *overrides,
                                     int override_count);
void sq_config_free(sq_config *config); /* accepts NULL */

int sq_config_device_count(const sq_config *config);

/* The first key that decides what a training ends with (space, seed, data.*, train.*; not threads, log or checkpoints)
 * and has two values here; NULL: none. */
const char *sq_config_difference(const sq_config *a, const sq_config *b);

#endif
