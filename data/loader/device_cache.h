#ifndef SQ_DEVICE_CACHE_H
#define SQ_DEVICE_CACHE_H

#include "data/loader/cache.h"
#include "kernels/backend.h"

/* A device cache holds all images of a data set in a backend's memory, as whole images of 8-bit RGB. The images are
 * decoded once, before training. In each step, the backend crops and resizes the images of the batch, with the same
 * result as the loader. */

typedef struct {
    uint64_t offset; /* bytes from sq_device_cache_memory */
    int32_t h, w;
} sq_device_cache_image;

typedef struct sq_device_cache sq_device_cache;

/* Plans a cache for all images (see sq_cache_plan_make).
 * megabytes   size limit in 2^20 bytes; 0: half of the available memory of the backend. If that is host memory, the
 *             `processes` of this host share the half equally
 * returns     SQ_NO_MEMORY: the images do not fit, by an estimate from a sample of them; SQ_DATA */
SQ_MUST_USE sq_status sq_device_cache_plan(sq_cache_plan *out, const sq_dataset *dataset, sq_backend *backend,
                                           int megabytes, int processes);

typedef struct {
    size_t bytes;             /* capacity: sq_cache_plan.bytes */
    size_t max_pixels;        /* largest image; 0: SQ_IMAGE_MAX_PIXELS */
    int threads;              /* decoding threads; 0: one per usable core */
    bool (*is_stopped)(void); /* polled for each image; NULL: never stops */
} sq_device_cache_options;

/* Decodes all images into the backend's memory. Images that cannot be decoded are left out; the loader reports and
 * replaces them. Borrows the backend.
 * returns   SQ_NO_MEMORY: the images need more memory than planned, or the backend has too little; SQ_IO;
 *           SQ_INTERRUPTED */
SQ_MUST_USE sq_status sq_device_cache_load(sq_device_cache **out, const sq_dataset *dataset, sq_backend *backend,
                                           const sq_device_cache_options *options);
void sq_device_cache_close(sq_device_cache *cache); /* accepts NULL */

/* Returns the position and size of an image in the cache; NULL if the image could not be decoded. */
const sq_device_cache_image *sq_device_cache_find(const sq_device_cache *cache, size_t index);
sq_device_ptr sq_device_cache_memory(const sq_device_cache *cache);
size_t sq_device_cache_bytes(const sq_device_cache *cache); /* bytes of all images */
size_t sq_device_cache_count(const sq_device_cache *cache); /* images in the cache */

#endif
