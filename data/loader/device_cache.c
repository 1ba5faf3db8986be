/* Images go into one block of the backend's memory in the order in which they are decoded: where one lies shows
 * nowhere.
 */
#include "data/loader/device_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/decode/image.h"
#include "data/loader/cores.h"

enum { MOST_THREADS = 256, MARGIN = 1 << 20 };

struct sq_device_cache {
    sq_backend *backend;
    sq_device_ptr images;
    sq_device_cache_image *places; /* by data set index; h 0: left out */
    size_t used, count;
};

/* ---- Planning ---- */

sq_status sq_device_cache_plan(sq_cache_plan *out, const sq_dataset *dataset, sq_backend *backend, int megabytes,
                               int processes)
{
    const bool has_own = backend->ops->available != NULL; /* memory, which it shares with no other process */
    const size_t room =
        has_own && !megabytes ? backend->ops->available(backend) / 2 : sq_cache_budget(megabytes, processes);
    sq_cache_plan plan;
    SQ_TRY(sq_cache_plan_make(&plan, dataset, SIZE_MAX / 4, true));
    if (plan.wanted_bytes > room)
        return sq_fail(SQ_NO_MEMORY,
                       "data.cache: device: %zu images take about %zu MiB decoded, wanted at most %zu (%s); "
                       "squall pack --side makes them smaller, data.cache: ram needs not keep all",
                       plan.image_count, (plan.wanted_bytes >> 20) + 1, room >> 20,
                       megabytes ? "data.cache_mb" : "half of the memory that is free");
    const size_t taken = plan.wanted_bytes / 4 * 5 + MARGIN; /* the others may grow more than the sample */
    plan.form = SQ_CACHE_DEVICE;
    plan.bytes = taken < room ? taken : room;
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
    pthread_mutex_t lock; /* of what follows, of cache, and of the backend */
    sq_status failure;
    char failure_text[1024];
} loading;

typedef struct {
    void *bytes;
    size_t capacity;
    sq_image image;
} decoder;

/* Pixels of an image, decoded or as they lie in the data set; SQ_DATA: it is bad. */
static sq_status decode(const loading *l, decoder *d, size_t index, const void **pixels, sq_device_cache_image *out)
{
    size_t size = 0;
    int h = 0, w = 0;
    const void *record = sq_dataset_view(l->dataset, index, &size);
    if (!record) {
        SQ_TRY(sq_dataset_read(l->dataset, index, &d->bytes, &d->capacity, &size));
        record = d->bytes;
    }
    *pixels = record;
    if (!sq_dataset_is_raw(l->dataset, index, &h, &w)) {
        SQ_TRY(sq_image_decode(&d->image, record, size, sq_dataset_name(l->dataset, index), l->max_pixels));
        *pixels = d->image.pixels;
        h = d->image.h;
        w = d->image.w;
    }
    *out = (sq_device_cache_image){.h = h, .w = w};
    return SQ_OK;
}

/* Copies an image behind the others; with the lock held. */
static sq_status put(const loading *l, size_t index, const void *pixels, sq_device_cache_image place)
{
    sq_device_cache *k = l->cache;
    const size_t bytes = (size_t)place.h * (size_t)place.w * 3;
    if (bytes > l->options->bytes - k->used)
        return sq_fail(SQ_NO_MEMORY,
                       "data.cache: device: %zu of %zu images take %zu MiB already, %zu were planned by a sample of "
                       "them; data.cache: ram needs not keep all",
                       k->count, l->image_count, k->used >> 20, l->options->bytes >> 20);
    SQ_TRY(k->backend->ops->write(k->backend, (sq_device_ptr){k->images.address + k->used}, pixels, bytes));
    place.at = k->used;
    k->places[index] = place;
    k->used += bytes;
    k->count++;
    return SQ_OK;
}

static sq_status keep(loading *l, decoder *d, size_t index)
{
    const void *pixels = NULL;
    sq_device_cache_image place;
    const sq_status status = decode(l, d, index, &pixels, &place);
    if (status == SQ_DATA)
        return SQ_OK; /* the loader will name it */
    SQ_TRY(status);
    (void)pthread_mutex_lock(&l->lock);
    const sq_status written = put(l, index, pixels, place);
    (void)pthread_mutex_unlock(&l->lock);
    return written;
}

static void *work(void *context)
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
            status = keep(l, &d, index);
    }
    if (status != SQ_OK) {
        (void)pthread_mutex_lock(&l->lock);
        if (l->failure == SQ_OK)
            (void)snprintf(l->failure_text, sizeof l->failure_text, "%s", sq_error_text());
        l->failure = l->failure == SQ_OK ? status : l->failure;
        (void)pthread_mutex_unlock(&l->lock);
        atomic_store(&l->is_stopping, true);
    }
    sq_image_clear(&d.image);
    free(d.bytes);
    return NULL;
}

/* This thread is one of those that work. */
static sq_status load(loading *l)
{
    pthread_t threads[MOST_THREADS];
    sq_cores cores;
    int started = 0;
    sq_cores_find(&cores, NULL);
    int wanted = l->options->threads > 0 ? l->options->threads : cores.count;
    wanted = wanted < MOST_THREADS ? wanted : MOST_THREADS;
    (void)pthread_mutex_init(&l->lock, NULL); /* cannot fail on Linux */
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, work, l) == 0)
        started++;
    (void)work(l);
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail: they are ours */
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
        return sq_fail(SQ_NO_MEMORY, "data.cache: device");
    cache->backend = backend;
    cache->places = calloc(l.image_count + 1, sizeof *cache->places);
    sq_status status =
        cache->places ? SQ_OK : sq_fail(SQ_NO_MEMORY, "data.cache: device: places of %zu images", l.image_count);
    if (status == SQ_OK)
        status = backend->ops->allocate(backend, options->bytes, &cache->images);
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
    cache->backend->ops->release(cache->backend, cache->images);
    free(cache->places);
    free(cache);
}

/* ---- Looking ---- */

const sq_device_cache_image *sq_device_cache_find(const sq_device_cache *cache, size_t index)
{
    return cache->places[index].h > 0 ? &cache->places[index] : NULL;
}

sq_device_ptr sq_device_cache_memory(const sq_device_cache *cache)
{
    return cache->images;
}

size_t sq_device_cache_bytes(const sq_device_cache *cache)
{
    return cache->used;
}

size_t sq_device_cache_count(const sq_device_cache *cache)
{
    return cache->count;
}
