#ifndef SQ_DEVICE_CACHE_H
#define SQ_DEVICE_CACHE_H

#include "data/loader/cache.h"
#include "kernels/backend.h"

/* Images of a data set in the memory of a backend: decoded once before the first step, whole, 8-bit RGB. A step's crops
 * are then cropped and resized there (the backend's crop()), to the bits that the loader would have made. */

typedef struct {
    uint64_t at; /* bytes from the first image */
    int32_t h, w;
} sq_device_cache_image;

typedef struct sq_device_cache sq_device_cache;

/* As sq_cache_plan_make, for all images or none. megabytes: 2^20 bytes that they may take; 0: half of what is free
 * where the backend's memory is, and of a host's memory the share of each of so many processes. returns   SQ_NO_MEMORY:
 * they do not fit, by the sizes of a sample of them; SQ_DATA */
SQ_MUST_USE sq_status sq_device_cache_plan(sq_cache_plan *out, const sq_dataset *dataset, sq_backend *backend,
                                           int megabytes, int processes);

typedef struct {
    size_t bytes;             /* of the plan */
    size_t max_pixels;        /* 0: SQ_IMAGE_MAX_PIXELS */
    int threads;              /* that decode; 0: one per core that the process may use */
    bool (*is_stopped)(void); /* asked now and then; NULL: never */
} sq_device_cache_options;

/* Decodes all images into the backend's memory. An image that cannot be decoded is left out; the loader names and
 * replaces it. Borrows the backend.
 * returns   SQ_NO_MEMORY: more than planned after all, or the backend has no room; SQ_IO; SQ_INTERRUPTED */
SQ_MUST_USE sq_status sq_device_cache_load(sq_device_cache **out, const sq_dataset *dataset, sq_backend *backend,
                                           const sq_device_cache_options *options);
void sq_device_cache_close(sq_device_cache *cache); /* accepts NULL */

/* NULL: left out. */
const sq_device_cache_image *sq_device_cache_find(const sq_device_cache *cache, size_t index);
sq_device_ptr sq_device_cache_memory(const sq_device_cache *cache);
size_t sq_device_cache_bytes(const sq_device_cache *cache); /* of the images */
size_t sq_device_cache_count(const sq_device_cache *cache); /* images in it */

#endif
