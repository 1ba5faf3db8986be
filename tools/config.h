#ifndef SQ_CONFIG_H
#define SQ_CONFIG_H

#include "search/search.h"
#include "supernet/trainer.h"

/* One configuration file says everything about a run: which space, data, training, search and export. Read whole and
 * checked whole before anything starts; an unknown key is an error that names the nearest known one and the line. */

typedef struct {
    char *train, *val; /* sources (see data/dataset.h); val NULL: same source as train */
    double held_out;   /* share of train kept for the search; default 0.1 */
    int class_limit;   /* 0: all */
    int resolution;    /* 0: the space's */
    float mean[3], deviation[3];
    bool is_raw, is_bgr;
    sq_transform augment; /* training; evaluation takes resolution and crop_fraction from it */
    int threads, ring, max_bad;
} sq_data_config;

typedef struct {
    char *space;   /* path of the space file, relative to the configuration's folder or the working folder */
    char *device;  /* backend: auto, cpu, reference */
    char *latency; /* device folder or ProxylessNAS YAML; NULL: none */
    int threads;   /* of the backend; 0: all cores */
    uint64_t seed;
    sq_data_config data;
    sq_train_options train;
    sq_search_options search;
    int opset;
} sq_config;

/* Reads `path` (NULL: all defaults), then applies overrides "train.batch=32" in order. */
SQ_MUST_USE sq_status sq_config_read(sq_config **out, const char *path, const char *const *overrides,
                                     int override_count);
/* Writes the resolved configuration: reading it back gives the same. */
SQ_MUST_USE sq_status sq_config_write(const sq_config *config, const char *path);
void sq_config_free(sq_config *config);

/* The table of keys for `squall help config` and the README: name, type, default, meaning. false after the last. */
bool sq_config_describe(int index, const char **key, const char **type, const char **initial, const char **meaning);

#endif
