/* Threads decode the images and append them to one block of the backend's memory, in any order. */
#include "data/loader/device_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/decode/decode.h"
#include "data/loader/cores.h"

enum { MAX_THREADS = 256, MARGIN_BYTES = 1 << 20 };

struct sq_device_cache {
    sq_backend *backend; /* borrowed */
    sq_device_ptr memory;
    sq_device_cache_image *images; /* one entry per image of the data set; h = 0: not in the cache */
    size_t used, count;
};

/* ---- Planning ---- */

sq_status sq_device_cache_plan(sq_cache_plan *out, const sq_dataset *dataset, sq_backend *backend, int megabytes,
                               int processes)
{
    const bool has_own_memory = backend->ops->available != NULL;
    const size_t room =
        has_own_memory && !megabytes ? backend->ops->available(backend) / 2 : sq_cache_budget(megabytes, processes);
    sq_cache_plan plan;
    SQ_TRY(sq_cache_plan_make(&plan, dataset, SIZE_MAX / 4, true));
    if (plan.wanted_bytes > room)
        return sq_fail(SQ_NO_MEMORY,
                       "data.cache: device: not enough memory: found %zu MiB (%s), expected about %zu MiB for %zu "
                       "decoded images; make them smaller with squall pack --side, or use data.cache: ram",
                       room >> 20, megabytes ? "data.cache_mb" : "half of the available memory",
                       (plan.wanted_bytes >> 20) + 1, plan.image_count);
    const size_t bytes = plan.wanted_bytes / 4 * 5 + MARGIN_BYTES; /* images outside the sample may be larger */
    plan.form = SQ_CACHE_DEVICE;
    plan.bytes = bytes < room ? bytes : room;
    *out = plan;
    return SQ_OK;
}

/* ---- Loading ---- */

typedef struct {
    sq_device_cache *cache;
    const sq_dataset *dataset;
    const sq_device_cache_options *options;
    size_t max_pixels, image_count;
    atomic_size_t next;
    atomic_bool is_stopping;
    pthread_mutex_t lock; /* protects the fields below, the cache and the backend */
    sq_status failure;
    char failure_text[1024];
} loading;

typedef struct {
    void *bytes; /* owned */
    size_t capacity;
    sq_image image;
} decoder;

/* Sets *pixels to the pixels of an image and *out to its size. Decodes the image unless the data set stores raw pixels.
 * Returns SQ_DATA if the image is bad. */
static sq_status decode(const loading *l, decoder *d, size_t index, const void **pixels, sq_device_cache_image *out)
{
    int h = 0, w = 0;
    sq_encoded_image encoded = {.name = sq_dataset_name(l->dataset, index), .max_pixels = l->max_pixels};
    encoded.bytes = sq_dataset_view(l->dataset, index, &encoded.size);
    if (!encoded.bytes) {
        SQ_TRY(sq_dataset_read(l->dataset, index, &d->bytes, &d->capacity, &encoded.size));
        encoded.bytes = d->bytes;
    }
    *pixels = encoded.bytes;
    if (!sq_dataset_is_raw(l->dataset, index, &h, &w)) {
        SQ_TRY(sq_image_decode(&d->image, &encoded));
        *pixels = d->image.pixels;
        h = d->image.h;
        w = d->image.w;
    }
    *out = (sq_device_cache_image){.h = h, .w = w};
    return SQ_OK;
}

/* Appends an image to the block. The caller holds the lock. */
static sq_status append(const loading *l, size_t index, const void *pixels, sq_device_cache_image image)
{
    sq_device_cache *c = l->cache;
    const size_t bytes = (size_t)image.h * (size_t)image.w * 3;
    if (bytes > l->options->bytes - c->used)
        return sq_fail(SQ_NO_MEMORY,
                       "data.cache: device: %zu of %zu images need %zu MiB: expected at most %zu MiB, estimated from a "
                       "sample; use data.cache: ram",
                       c->count, l->image_count, c->used >> 20, l->options->bytes >> 20);
    SQ_TRY(c->backend->ops->write(c->backend, (sq_device_ptr){c->memory.address + c->used}, pixels, bytes));
    image.offset = c->used;
    c->images[index] = image;
    c->used += bytes;
    c->count++;
    return SQ_OK;
}

static sq_status load_image(loading *l, decoder *d, size_t index)
{
    const void *pixels = NULL;
    sq_device_cache_image image;
    const sq_status decoded = decode(l, d, index, &pixels, &image);
    if (decoded == SQ_DATA)
        return SQ_OK; /* the loader reports bad images */
    SQ_TRY(decoded);
    (void)pthread_mutex_lock(&l->lock);
    const sq_status status = append(l, index, pixels, image);
    (void)pthread_mutex_unlock(&l->lock);
    return status;
}

/* Records the first failure and stops all threads. */
static void fail(loading *l, sq_status status)
{
    (void)pthread_mutex_lock(&l->lock);
    if (l->failure == SQ_OK) {
        (void)snprintf(l->failure_text, sizeof l->failure_text, "%s", sq_error_text());
        l->failure = status;
    }
    (void)pthread_mutex_unlock(&l->lock);
    atomic_store(&l->is_stopping, true);
}

static void *run_worker(void *context)
{
    loading *l = context;
    decoder d = {0};
    sq_status status = SQ_OK;
    while (status == SQ_OK && !atomic_load(&l->is_stopping)) {
        const size_t index = atomic_fetch_add(&l->next, 1);
        if (index >= l->image_count)
            break;
        if (l->options->is_stopped && l->options->is_stopped())
            status = sq_fail(SQ_INTERRUPTED, "data.cache: device: stopped before all images were decoded");
        else
            status = load_image(l, &d, index);
    }
    if (status != SQ_OK)
        fail(l, status);
    sq_image_clear(&d.image);
    free(d.bytes);
    return NULL;
}

/* Runs the workers. The calling thread is one of the workers. */
static sq_status load(loading *l)
{
    pthread_t threads[MAX_THREADS];
    sq_cores cores;
    int started = 0;
    sq_cores_find(&cores, NULL);
    int count = l->options->threads > 0 ? l->options->threads : cores.count;
    count = count < MAX_THREADS ? count : MAX_THREADS;
    (void)pthread_mutex_init(&l->lock, NULL); /* cannot fail on Linux */
    while (started < count - 1 && pthread_create(&threads[started], NULL, run_worker, l) == 0)
        started++;
    (void)run_worker(l);
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail: the threads are valid */
    (void)pthread_mutex_destroy(&l->lock);
    return l->failure == SQ_OK ? SQ_OK : sq_fail(l->failure, "%s", l->failure_text);
}

sq_status sq_device_cache_load(sq_device_cache **out, const sq_dataset *dataset, sq_backend *backend,
                               const sq_device_cache_options *options)
{
    sq_device_cache *cache = calloc(1, sizeof *cache);
    loading l = {.cache = cache,
                 .dataset = dataset,
                 .options = options,
                 .max_pixels = options->max_pixels ? options->max_pixels : SQ_IMAGE_MAX_PIXELS,
                 .image_count = sq_dataset_count(dataset)};
    if (!cache)
        return sq_fail(SQ_NO_MEMORY, "data.cache: device: out of memory");
    cache->backend = backend;
    cache->images = calloc(l.image_count + 1, sizeof *cache->images);
    sq_status status =
        cache->images
            ? SQ_OK
            : sq_fail(SQ_NO_MEMORY, "data.cache: device: out of memory for a list of %zu images", l.image_count);
    if (status == SQ_OK)
        status = backend->ops->allocate(backend, options->bytes, &cache->memory);
    if (status == SQ_OK)
        status = load(&l);
    if (status == SQ_OK)
        *out = cache;
    else
        sq_device_cache_close(cache);
    return status;
}

void sq_device_cache_close(sq_device_cache *cache)
{
    if (!cache)
        return;
    cache->backend->ops->release(cache->backend, cache->memory);
    free(cache->images);
    free(cache);
}

/* ---- Accessors ---- */

const sq_device_cache_image *sq_device_cache_find(const sq_device_cache *cache, size_t index)
{
    return cache->images[index].h > 0 ? &cache->images[index] : NULL;
}

sq_device_ptr sq_device_cache_memory(const sq_device_cache *cache)
{
    return cache->memory;
}

size_t sq_device_cache_bytes(const sq_device_cache *cache)
{
    return cache->used;
}

size_t sq_device_cache_count(const sq_device_cache *cache)
{
    return cache->count;
}
