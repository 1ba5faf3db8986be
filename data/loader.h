#ifndef SQ_LOADER_H
#define SQ_LOADER_H

#include "data/dataset.h"
#include "data/transform.h"

/* Threads that decode ahead into a ring of batches. Batch s of a shuffled loader holds samples s*batch ..
 * s*batch+batch-1 of the endless sequence of epoch permutations, so position is one number and resume is exact. */

typedef struct {
    sq_transform transform;
    int batch;
    bool is_shuffled; /* a permutation per epoch, endless; else in order, once, with a short last batch */
    uint64_t seed;
    uint64_t first_batch; /* where to begin */
    int threads;          /* 0: one per core */
    int ring;             /* batches ahead; 0: 4 */
    int max_bad;          /* more undecodable images than this are an error; each is named, counted and replaced by the
                           * next sample of the sequence */
    size_t max_pixels;    /* 0: 178,956,970 (Pillow's limit) */
    const char *bad_log;  /* file to which names of bad images are appended once each, or NULL */
} sq_loader_options;

typedef struct {
    const uint8_t *images; /* count * resolution * resolution * 3, RGB */
    const int32_t *labels;
    const float *augment; /* count * SQ_AUGMENT_COUNT */
    int count;            /* 0: the ordered loader is at its end */
    uint64_t index;       /* number of this batch */
} sq_batch;

typedef struct {
    int64_t bad;
    double wait_seconds, decode_seconds;
} sq_loader_counters;

typedef struct sq_loader sq_loader;

SQ_MUST_USE sq_status sq_loader_open(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options);
/* The next batch, valid until the following call. SQ_DATA when too many images are bad (names the last one). */
SQ_MUST_USE sq_status sq_loader_next(sq_loader *loader, sq_batch *out);
sq_loader_counters sq_loader_count(sq_loader *loader);
void sq_loader_close(sq_loader *loader); /* accepts NULL; joins the threads */

/* Position `i` of epoch `epoch`'s permutation of 0 .. count-1: element i of the array that this fills. */
void sq_loader_permutation(uint32_t *out, size_t count, uint64_t seed, uint64_t epoch);

/* Decodes a whole ordered split once: uint8 images and labels in memory, for calibration and evaluation, which pass
 * over them once per candidate. images: count * resolution^2 * 3, owned (free). */
typedef struct {
    uint8_t *images;
    int32_t *labels;
    size_t count;
    int resolution;
    int64_t bad;
} sq_image_set;
SQ_MUST_USE sq_status sq_image_set_load(sq_image_set *out, const sq_dataset *dataset, const sq_loader_options *options,
                                        const size_t *indices, size_t index_count); /* indices NULL: all */
void sq_image_set_clear(sq_image_set *set);

#endif
