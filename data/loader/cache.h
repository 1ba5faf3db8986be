#ifndef SQ_CACHE_H
#define SQ_CACHE_H

#include "data/sources/dataset.h"

/* A cache keeps a data set's images in host memory. The loader fills the cache during the first epoch. A cache never
 * changes a batch, because it returns records exactly as they were added. */

typedef enum {
    SQ_CACHE_NONE,
    SQ_CACHE_ENCODED, /* records as the data set stores them */
    SQ_CACHE_DECODED, /* whole images, 8-bit RGB */
    SQ_CACHE_DEVICE,  /* all images, whole, 8-bit RGB, in a backend's memory (data/loader/device_cache.h) */
    SQ_CACHE_FORMS
} sq_cache_form;

const char *sq_cache_form_name(sq_cache_form form); /* "none", "encoded", "decoded", "device" */

/* The form and size of a cache. Sizes of decoded images are estimates, because only the headers of a sample of the
 * images are read. */
typedef struct {
    sq_cache_form form;
    size_t bytes;        /* capacity: at most the budget */
    size_t wanted_bytes; /* estimated size of all images in this form */
    size_t image_count;  /* images of the data set */
    size_t cached_count; /* estimated number of images that fit */
} sq_cache_plan;

/* Plans a cache: decoded images if all of them fit, otherwise as many encoded images as fit. Reads the headers of up to
 * 256 evenly spaced images if may_decode is true.
 *
 * budget       bytes; 0: half of the available memory
 *
 * may_decode   false: the cache is always encoded, because a decoder that reduces images needs the encoded file
 *
 * returns      SQ_NO_MEMORY; SQ_DATA: none of the sampled images can be read */
SQ_MUST_USE sq_status sq_cache_plan_make(sq_cache_plan *out, const sq_dataset *dataset, size_t budget, bool may_decode);

/* Returns the cache size in bytes of each process if `processes` of them run on one host. The size is `megabytes` (2^20
 * bytes) if that is not 0, otherwise an equal share of half of the available memory. */
size_t sq_cache_budget(int megabytes, int processes);

/* Returns the bytes that this process can still allocate: MemAvailable, or less if the control group of the process has
 * a lower limit. */
size_t sq_memory_available(void);

/* An image as a cache stores it; borrowed. */
typedef struct {
    const void *bytes;
    size_t size;
    bool is_raw; /* h * w * 3 uint8, RGB; otherwise encoded */
    int h, w;    /* of a raw record */
} sq_image_record;

typedef struct sq_cache sq_cache;

/* Opens an empty cache. The address space is reserved at once; physical memory is used only as images are added.
 * returns   SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_cache_open(sq_cache **out, const sq_cache_plan *plan);
void sq_cache_close(sq_cache *cache); /* accepts NULL */
sq_cache_form sq_cache_get_form(const sq_cache *cache);

/* The next three functions are thread-safe and do not block. sq_cache_find returns false if the image is not in the
 * cache. Records stay valid until sq_cache_close. */
bool sq_cache_find(const sq_cache *cache, size_t index, sq_image_record *out);
void sq_cache_add(sq_cache *cache, size_t index, const sq_image_record *record); /* copies the record if it fits */
bool sq_cache_is_full(const sq_cache *cache);                                    /* true: an image did not fit */

size_t sq_cache_count(const sq_cache *cache); /* images in the cache */
size_t sq_cache_bytes(const sq_cache *cache); /* bytes in use */

#endif
