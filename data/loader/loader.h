#ifndef SQ_LOADER_H
#define SQ_LOADER_H

#include "data/loader/sample.h"

/* Threads that decode ahead into a ring of batches. Batch s of a shuffled loader holds samples s*batch ..
 * s*batch+batch-1 of the endless sequence of epoch permutations, so position is one number and resume is exact.
 *
 * Each thread has a stretch of every batch and takes from the others' when its own is done. Where there are several
 * memory nodes (NUMA), threads stay on theirs. How many batches are made ahead follows what is measured: as many as are
 * under way while one is made, at the rate at which they are taken, within `ring`. Neither shows in what comes out. */

typedef struct {
    sq_transform transform;
    int batch;
    bool is_shuffled;      /* a permutation per epoch, endless; else in order, once, with a short last batch */
    const size_t *indices; /* of an ordered loader: these samples alone, in this order; borrowed. NULL: all */
    size_t index_count;
    uint64_t seed;
    uint64_t first_batch; /* where to begin */
    int rank, rank_count; /* several loaders share each batch: this one makes the rank-th of `rank_count` runs of
                           * `batch` images, so that together they make what one loader with rank_count * batch would. 0
                           * ranks: one */
    int threads;          /* 0: one per core that the process may use */
    int ring;             /* most batches ahead, the one given out among them; 0: 4 */
    int max_bad;          /* more undecodable images than this are an error; each is named, counted and replaced by the
                           * next sample of the sequence */
    size_t max_pixels;    /* 0: SQ_IMAGE_MAX_PIXELS */
    const char *bad_log;  /* file to which names of bad images are appended once each, or NULL */
    sq_decode decode;     /* of augmented images; all others are decoded exactly */
    const sq_cache_plan *cache; /* what to keep in memory; NULL: nothing. Only read while the loader opens */
    const sq_device_cache
        *device_cache; /* all images, in a backend's memory: batches then say which crops to read from it. NULL: they
                        * have the pixels. Only with a transform that augments, and exact decoding; borrowed */
} sq_loader_options;

typedef struct {
    const uint8_t *images;       /* count * resolution * resolution * 3, RGB; NULL with options.device_cache */
    const sq_stored_crop *crops; /* count; NULL without options.device_cache */
    const int32_t *labels;
    const float *augment; /* count * SQ_AUGMENT_COUNT */
    int count;            /* 0: the ordered loader is at its end */
    uint64_t index;       /* number of this batch */
} sq_batch;

typedef struct {
    int64_t bad;
    int64_t stalls;                  /* batches that were not ready when they were asked for */
    double wait_seconds;             /* of the caller, in all */
    double stage_seconds[SQ_STAGES]; /* of all threads, of batches that are done */
    int prefetch_depth;              /* batches that are made ahead at present, the one given out among them */
    size_t cached_images, cached_bytes;
} sq_loader_counters;

typedef struct sq_loader sq_loader;

SQ_MUST_USE sq_status sq_loader_open(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options);
/* The next batch, valid until the following call. SQ_DATA when too many images are bad (names the last one). */
SQ_MUST_USE sq_status sq_loader_next(sq_loader *loader, sq_batch *out);
sq_loader_counters sq_loader_get_counters(sq_loader *loader);
void sq_loader_close(sq_loader *loader); /* accepts NULL; joins the threads */

/* Batches to have in memory, the one given out among them: as many as are taken while one is made (Little's law).
 * latency    seconds from the first work on a batch to its last image
 * interval   seconds between two requests, waiting left out; 0: not known yet
 * returns    2 .. most */
int sq_loader_prefetch_depth(double latency, double interval, int most);

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
