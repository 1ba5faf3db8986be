#ifndef SQ_CACHE_H
#define SQ_CACHE_H

#include "data/sources/dataset.h"

/* Images of a data set kept in memory from the first epoch on. What comes out of a cache is what went in: a batch has
 * the same bits with and without it. */

typedef enum {
    SQ_CACHE_NONE,
    SQ_CACHE_ENCODED, /* records as the data set has them */
    SQ_CACHE_DECODED, /* whole images, 8-bit RGB */
    SQ_CACHE_DEVICE   /* the same, in the memory of a backend (data/loader/device_cache.h): all or none */
} sq_cache_form;

/* What will be kept. Decoded sizes are estimated from the headers of a sample of the images. */
typedef struct {
    sq_cache_form form;
    size_t bytes;                     /* that the cache may take: at most the budget */
    size_t wanted_bytes;              /* that all images need in this form, estimated */
    size_t image_count, cached_count; /* of the data set; that fit, estimated */
} sq_cache_plan;

/* Decoded images if they fit, else encoded ones, as many as fit. Reads up to 256 images, evenly spaced, where it
 * decodes.
 *
 * budget       bytes; 0: half of the memory that is free now
 *
 * may_decode   false: encoded in any case (a decoder that reduces needs the file)
 *
 * returns      SQ_NO_MEMORY; SQ_DATA when none of the sampled images can be read */
SQ_MUST_USE sq_status sq_cache_plan_make(sq_cache_plan *out, const sq_dataset *dataset, size_t budget, bool may_decode);

/* Bytes that each of so many processes of one host may keep: `megabytes` (2^20), or with 0 its share of half of what is
 * free. */
size_t sq_cache_budget(int megabytes, int processes);

/* Bytes that a process may still take: what the kernel can free, within the limit of the process's control group. */
size_t sq_memory_available(void);

typedef struct {
    const void *bytes;
    size_t size;
    bool is_raw; /* h * w * 3, RGB */
    int h, w;    /* of raw ones */
} sq_image_record;

typedef struct sq_cache sq_cache;

/* SQ_NO_MEMORY. Takes address space at once and memory as images come. */
SQ_MUST_USE sq_status sq_cache_open(sq_cache **out, const sq_cache_plan *plan);
void sq_cache_close(sq_cache *cache); /* accepts NULL */
sq_cache_form sq_cache_get_form(const sq_cache *cache);

/* All three are thread-safe and wait for nobody. Records stay valid until the cache is closed. */
bool sq_cache_find(const sq_cache *cache, size_t index, sq_image_record *out);
void sq_cache_add(sq_cache *cache, size_t index, const sq_image_record *record); /* copies it, if there is room */
bool sq_cache_is_full(const sq_cache *cache); /* the last image that was added found no room */

size_t sq_cache_count(const sq_cache *cache); /* images in it */
size_t sq_cache_bytes(const sq_cache *cache);

#endif
