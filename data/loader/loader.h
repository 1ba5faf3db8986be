#ifndef SQ_LOADER_H
#define SQ_LOADER_H

#include "data/loader/sample.h"

/* A loader makes batches. The threads of a loader decode images before the images are needed, into a ring of batches.
 *
 * A shuffled loader reads an endless sequence of samples: the permutation of each epoch, one epoch after the other.
 * With one rank, batch b holds samples b * batch to (b + 1) * batch - 1 of that sequence. A position is one number, so
 * resuming is exact.
 *
 * Each thread has a range of every batch. A thread whose range is done takes samples from the ranges of other threads.
 * Threads stay on their memory node (NUMA). The loader measures how long it takes to make a batch and how fast batches
 * are consumed, and prefetches as many batches as needed, up to `ring`. The contents of a batch depend neither on the
 * threads nor on the prefetching. */

typedef struct {
    sq_transform transform;
    int batch;        /* images of a batch */
    bool is_shuffled; /* true: endless, with a permutation per epoch; false: once, in order, with a short last batch */
    const size_t *indices; /* unshuffled: only these images, in this order; borrowed. NULL: all */
    size_t index_count;
    uint64_t seed;
    uint64_t first_batch; /* number of the first batch */
    /* The loaders of several ranks share each global batch of rank_count * batch images. A loader makes the images rank
     * * batch to (rank + 1) * batch - 1 of the global batch. rank_count 0: one rank. */
    int rank, rank_count;
    int threads;                         /* 0: one per usable core */
    int ring;                            /* largest number of batches in memory, including the one in use; 0: 4 */
    int max_bad;                         /* bad images are counted, logged and replaced; more than this are an error */
    size_t max_pixels;                   /* largest image; 0: SQ_IMAGE_MAX_PIXELS */
    const char *bad_log;                 /* file to append a line per bad image to, or NULL */
    sq_decode_mode decode;               /* applies to augmented images; other images are decoded exactly */
    const sq_cache_plan *cache;          /* NULL: no cache. Only sq_loader_open reads it */
    const sq_device_cache *device_cache; /* not NULL: batches hold crops of its images instead of pixels; borrowed.
                                          * Requires an augmenting transform and exact decoding */
} sq_loader_options;

typedef struct {
    const uint8_t *images;       /* count * resolution * resolution * 3, RGB; NULL with a device cache */
    const sq_stored_crop *crops; /* count; NULL without a device cache */
    const int32_t *labels;       /* count */
    const float *augment;        /* count * SQ_AUGMENT_COUNT */
    int count;                   /* 0: the end of an unshuffled loader */
    uint64_t index;              /* number of the batch */
} sq_batch;

typedef struct {
    int64_t bad;                     /* images that could not be decoded */
    int64_t stalls;                  /* batches that were not ready when they were requested */
    double wait_seconds;             /* total time that sq_loader_next has waited */
    double stage_seconds[SQ_STAGES]; /* sum over all threads, for finished batches */
    int prefetch_depth;              /* batches in memory at present, including the one in use */
    size_t cached_images, cached_bytes;
} sq_loader_counters;

typedef struct sq_loader sq_loader;

/* Starts the threads.
 * returns   SQ_DATA: no images; SQ_INVALID: a device cache without an augmenting transform or without exact decoding;
 *           SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_loader_open(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options);

/* Waits for the next batch, which is valid until the next call of sq_loader_next.
 * returns   SQ_DATA: more than max_bad bad images, with the name of the last one; or the error of a loader thread */
SQ_MUST_USE sq_status sq_loader_next(sq_loader *loader, sq_batch *out);
sq_loader_counters sq_loader_get_counters(sq_loader *loader);
void sq_loader_close(sq_loader *loader); /* joins the threads; accepts NULL */

/* Returns the number of batches to keep in memory, including the one in use. By Little's law, that number is 1 plus the
 * number of batches that are consumed while one batch is made.
 *
 * latency    seconds from the first work on a batch to its last image
 *
 * interval   seconds between two requests, less the time that sq_loader_next waits; 0: unknown
 *
 * returns    2 .. most */
int sq_loader_prefetch_depth(double latency, double interval, int most);

#endif
