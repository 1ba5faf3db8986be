/* The ring of batches and the threads that fill it.
 *
 * Sample t of the endless sequence of samples belongs to global batch t / (batch * rank_count) and depends on (seed, t)
 * alone. Each batch is divided into ranges, one per thread. A thread whose range is done claims slots of the next
 * ranges, then enters the next batch. Slots are claimed without a lock. The lock protects entering a batch, handing out
 * a batch and the list of bad images. */
#include "data/loader/loader.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/bad_images.h"
#include "data/loader/cores.h"
#include "data/loader/epoch_order.h"
#include "kernels/base/clock.h"
#include "kernels/graph.h"

enum { DEFAULT_RING = 4, MAX_THREADS = 256, MIN_PREFETCH_DEPTH = 2 };
static const double DECAY = 0.9; /* decay per batch of the running latency and interval */

/* The next free slot of a thread's range, as (low 32 bits of the batch number) << 32 | slot. The batch number keeps a
 * late thread from claiming slots of a later batch in the same memory. Each counter has its own cache line. */
typedef struct {
    _Alignas(64) _Atomic uint64_t next;
} slot_range;

typedef struct {
    uint8_t *images;       /* NULL with a device cache */
    sq_stored_crop *crops; /* NULL without a device cache */
    int32_t *labels;
    float *augment;
    slot_range *ranges; /* one per thread */
    atomic_int filled;  /* number of filled slots */
    double begin_seconds;
    bool is_begun; /* a thread has started to fill the batch */
} ring_batch;

typedef struct {
    sq_loader *loader;
    int number;
    sq_sample_workspace workspace;
} worker;

struct sq_loader {
    sq_loader_options options;
    sq_sample_source source;
    size_t count; /* samples of an epoch */
    size_t image_bytes;
    sq_cores cores;
    ring_batch *ring;
    pthread_t *threads;
    worker *workers;
    int started;          /* number of threads that have been started */
    pthread_mutex_t lock; /* protects the fields below */
    pthread_cond_t has_room, has_batch;
    sq_epoch_orders orders;
    sq_bad_images bad;
    uint64_t next_batch;     /* number of the next batch to hand out */
    bool is_batch_in_use;    /* the caller has batch next_batch - 1 */
    atomic_bool is_stopping; /* set by sq_loader_close and after a failure */
    sq_status failure;
    char failure_text[1024];
    sq_loader_counters counters;
    double latency_seconds;    /* from the first work on a batch to its last image; a decaying maximum */
    double interval_seconds;   /* from handing out a batch to the next request; a running mean; 0: unknown */
    double handed_out_seconds; /* time of the last hand-out */
};

/* ---- Samples and batches ---- */

static uint64_t first_sample(const sq_loader *loader, uint64_t batch)
{
    const sq_loader_options *o = &loader->options;
    return (batch * (uint64_t)o->rank_count + (uint64_t)o->rank) * (uint64_t)o->batch;
}

/* Makes the permutations that a batch needs. The caller holds the lock. No permutation in use is overwritten, because
 * there are more buffers than epochs in the ring. */
static void make_orders(sq_loader *loader, uint64_t batch)
{
    const uint64_t size = (uint64_t)loader->options.batch, sample = first_sample(loader, batch),
                   first = sample / loader->count, last = (sample + size - 1) / loader->count;
    for (uint64_t epoch = first; loader->options.is_shuffled && epoch <= last; epoch++)
        sq_epoch_orders_make(&loader->orders, epoch);
}

/* Returns the data set index of sample i of an epoch. */
static size_t index_at(const sq_loader *loader, uint64_t epoch, size_t i)
{
    if (loader->options.is_shuffled)
        return sq_epoch_orders_at(&loader->orders, epoch, i);
    return loader->options.indices ? loader->options.indices[i] : i;
}

static int batch_size(const sq_loader *loader, uint64_t batch)
{
    const uint64_t first = first_sample(loader, batch), end = loader->options.is_shuffled ? UINT64_MAX : loader->count;
    if (first >= end)
        return 0;
    return end - first < (uint64_t)loader->options.batch ? (int)(end - first) : loader->options.batch;
}

static ring_batch *ring_at(const sq_loader *loader, uint64_t batch)
{
    return &loader->ring[batch % (uint64_t)loader->options.ring];
}

/* ---- Threads ---- */

/* Records the first failure and stops all threads. The caller holds the lock. */
static void fail(sq_loader *loader, sq_status status)
{
    if (loader->failure == SQ_OK) {
        loader->failure = status;
        (void)snprintf(loader->failure_text, sizeof loader->failure_text, "%s", sq_error_text());
    }
    atomic_store(&loader->is_stopping, true);
    (void)pthread_cond_broadcast(&loader->has_batch);
    (void)pthread_cond_broadcast(&loader->has_room);
}

static sq_status make_sample(const sq_loader *loader, sq_sample_workspace *workspace, sq_sample_id id,
                             const ring_batch *b, size_t slot)
{
    float *augment = b->augment + slot * SQ_AUGMENT_COUNT;
    if (b->crops)
        return sq_sample_crop(&loader->source, workspace, id, &b->crops[slot], augment);
    return sq_sample_make(&loader->source, workspace, id, b->images + slot * loader->image_bytes, augment);
}

static sq_status count_bad(sq_loader *loader, size_t index)
{
    char message[1024];
    (void)snprintf(message, sizeof message, "%s", sq_error_text());
    (void)pthread_mutex_lock(&loader->lock);
    const sq_status status =
        sq_bad_images_add(&loader->bad, index, sq_dataset_name(loader->source.dataset, index), message);
    loader->counters.bad = loader->bad.count;
    (void)pthread_mutex_unlock(&loader->lock);
    return status;
}

/* Fills one slot. The next good sample of the epoch replaces a bad image. */
static sq_status fill_slot(sq_loader *loader, sq_sample_workspace *workspace, uint64_t batch, size_t slot)
{
    const uint64_t sample = first_sample(loader, batch) + slot, epoch = sample / loader->count;
    const size_t position = (size_t)(sample % loader->count);
    const ring_batch *b = ring_at(loader, batch);
    for (size_t attempt = 0; attempt < loader->count; attempt++) {
        const size_t index = index_at(loader, epoch, (position + attempt) % loader->count);
        const sq_status status = make_sample(loader, workspace, (sq_sample_id){index, epoch}, b, slot);
        b->labels[slot] = sq_dataset_label(loader->source.dataset, index);
        if (status != SQ_DATA)
            return status;
        SQ_TRY(count_bad(loader, index));
    }
    return sq_fail(SQ_DATA, "none of %zu images can be read; the last one: %s", loader->count, sq_error_text());
}

/* Divides a batch into one range per thread. The user of the loader no longer reads the previous batch in the same
 * memory. */
static void assign_ranges(sq_loader *loader, uint64_t batch)
{
    ring_batch *b = ring_at(loader, batch);
    const uint64_t count = (uint64_t)batch_size(loader, batch), threads = (uint64_t)loader->options.threads;
    atomic_store(&b->filled, 0);
    b->is_begun = false;
    for (uint64_t t = 0; t < threads; t++)
        atomic_store(&b->ranges[t].next, (batch & UINT32_MAX) << 32 | count * t / threads);
}

/* Waits until there is room for a batch. Returns false if the loader stops or the data set ends. */
static bool enter_batch(sq_loader *loader, worker *w, uint64_t batch)
{
    (void)pthread_mutex_lock(&loader->lock);
    for (int stage = 0; stage < SQ_STAGES; stage++) {
        loader->counters.stage_seconds[stage] += w->workspace.seconds[stage];
        w->workspace.seconds[stage] = 0;
    }
    while (!atomic_load(&loader->is_stopping) &&
           batch >= loader->next_batch + (uint64_t)loader->counters.prefetch_depth - loader->is_batch_in_use)
        (void)pthread_cond_wait(&loader->has_room, &loader->lock);
    const bool has_work = !atomic_load(&loader->is_stopping) && batch_size(loader, batch) > 0;
    ring_batch *b = ring_at(loader, batch);
    if (has_work && batch >= loader->next_batch && !b->is_begun) {
        b->is_begun = true;
        make_orders(loader, batch);
        b->begin_seconds = sq_seconds_now();
    }
    (void)pthread_mutex_unlock(&loader->lock);
    return has_work;
}

/* Claims a slot of thread t's range. Returns false if the range is done, or if the memory of the batch already holds a
 * later batch. */
static bool claim_slot(const sq_loader *loader, uint64_t batch, int t, size_t *slot)
{
    slot_range *range = &ring_at(loader, batch)->ranges[t];
    const uint64_t end = (uint64_t)batch_size(loader, batch) * (uint64_t)(t + 1) / (uint64_t)loader->options.threads;
    uint64_t next = atomic_load(&range->next);
    do {
        if (next >> 32 != (batch & UINT32_MAX) || (next & UINT32_MAX) >= end)
            return false;
    } while (!atomic_compare_exchange_weak(&range->next, &next, next + 1));
    *slot = (size_t)(next & UINT32_MAX);
    return true;
}

/* Wakes the consumer after the last image of a batch. */
static void finish_batch(sq_loader *loader, const ring_batch *b)
{
    (void)pthread_mutex_lock(&loader->lock);
    const double latency = sq_seconds_now() - b->begin_seconds, decayed = DECAY * loader->latency_seconds;
    loader->latency_seconds = latency > decayed ? latency : decayed;
    (void)pthread_cond_broadcast(&loader->has_batch);
    (void)pthread_mutex_unlock(&loader->lock);
}

/* Fills slots of a batch until all are claimed. */
static sq_status fill_batch(sq_loader *loader, worker *w, uint64_t batch)
{
    ring_batch *b = ring_at(loader, batch);
    const int count = batch_size(loader, batch), threads = loader->options.threads;
    size_t slot;
    for (int i = 0; i < threads; i++)
        while (!atomic_load_explicit(&loader->is_stopping, memory_order_relaxed) &&
               claim_slot(loader, batch, (w->number + i) % threads, &slot)) {
            SQ_TRY(fill_slot(loader, &w->workspace, batch, slot));
            if (atomic_fetch_add(&b->filled, 1) + 1 == count)
                finish_batch(loader, b);
        }
    return SQ_OK;
}

static void *run_worker(void *argument)
{
    worker *w = argument;
    sq_loader *loader = w->loader;
    sq_status status = SQ_OK;
    sq_cores_pin(&loader->cores, sq_cores_node(&loader->cores, w->number, loader->options.threads));
    for (uint64_t batch = loader->options.first_batch; status == SQ_OK && enter_batch(loader, w, batch); batch++)
        status = fill_batch(loader, w, batch);
    if (status != SQ_OK) {
        (void)pthread_mutex_lock(&loader->lock);
        fail(loader, status);
        (void)pthread_mutex_unlock(&loader->lock);
    }
    sq_sample_clear(&w->workspace);
    return NULL;
}

/* ---- Opening ---- */

static bool allocate_batch(const sq_loader *loader, ring_batch *b)
{
    const size_t batch = (size_t)loader->options.batch, threads = (size_t)loader->options.threads;
    if (loader->options.device_cache)
        b->crops = malloc(batch * sizeof *b->crops);
    else
        b->images = malloc(batch * loader->image_bytes);
    b->labels = malloc(batch * sizeof *b->labels);
    b->augment = malloc(batch * SQ_AUGMENT_COUNT * sizeof *b->augment);
    b->ranges = aligned_alloc(_Alignof(slot_range), threads * sizeof *b->ranges);
    return (b->images || b->crops) && b->labels && b->augment && b->ranges;
}

static sq_status allocate_ring(sq_loader *loader)
{
    const sq_loader_options *o = &loader->options;
    loader->ring = calloc((size_t)o->ring, sizeof *loader->ring);
    bool is_complete = loader->ring != NULL;
    for (int i = 0; is_complete && i < o->ring; i++)
        is_complete = allocate_batch(loader, &loader->ring[i]);
    if (!is_complete)
        return sq_fail(SQ_NO_MEMORY, "loader: out of memory for %d batches of %d images", o->ring, o->batch);
    for (int i = 0; i < o->ring; i++)
        assign_ranges(loader, o->first_batch + (uint64_t)i);
    return SQ_OK;
}

static sq_status allocate(sq_loader *loader)
{
    const sq_loader_options *o = &loader->options;
    const size_t samples = (size_t)o->ring * (size_t)o->batch * (size_t)o->rank_count;
    SQ_TRY(allocate_ring(loader));
    SQ_TRY(sq_bad_images_init(&loader->bad, sq_dataset_count(loader->source.dataset), o->bad_log, o->max_bad));
    if (o->is_shuffled) /* the ring contains batches of at most this many epochs, including two partial ones */
        SQ_TRY(sq_epoch_orders_init(&loader->orders, loader->count, o->seed, (int)(samples / loader->count) + 3));
    loader->threads = calloc((size_t)o->threads, sizeof *loader->threads);
    loader->workers = calloc((size_t)o->threads, sizeof *loader->workers);
    return loader->threads && loader->workers
               ? SQ_OK
               : sq_fail(SQ_NO_MEMORY, "loader: out of memory for %d threads", o->threads);
}

static sq_status start_threads(sq_loader *loader)
{
    for (int i = 0; i < loader->options.threads; i++) {
        loader->workers[i].loader = loader;
        loader->workers[i].number = i;
        const int error = pthread_create(&loader->threads[i], NULL, run_worker, &loader->workers[i]);
        if (error)
            return sq_fail(SQ_NO_MEMORY, "loader: thread %d: %s", i, strerror(error));
        loader->started++;
    }
    return SQ_OK;
}

/* Copies the options and replaces zeros by the defaults. */
static void set_options(sq_loader *loader, const sq_dataset *dataset, const sq_loader_options *options)
{
    sq_loader_options *o = &loader->options;
    *o = *options;
    o->cache = NULL; /* the plan is valid only during sq_loader_open */
    o->rank_count = options->rank_count > 0 ? options->rank_count : 1;
    sq_cores_find(&loader->cores, NULL);
    o->ring = options->ring > MIN_PREFETCH_DEPTH ? options->ring
              : options->ring > 0                ? MIN_PREFETCH_DEPTH
                                                 : DEFAULT_RING;
    o->threads = options->threads > 0 ? options->threads : loader->cores.count;
    o->threads = o->threads < MAX_THREADS ? o->threads : MAX_THREADS;
    o->max_pixels = options->max_pixels ? options->max_pixels : SQ_IMAGE_MAX_PIXELS;
    loader->count = options->indices ? options->index_count : sq_dataset_count(dataset);
    loader->image_bytes = (size_t)options->transform.resolution * (size_t)options->transform.resolution * 3;
    loader->next_batch = options->first_batch;
    loader->counters.prefetch_depth = MIN_PREFETCH_DEPTH; /* until the rates are measured */
    loader->source = (sq_sample_source){.dataset = dataset,
                                        .transform = &loader->options.transform,
                                        .decode = o->decode,
                                        .device_cache = o->device_cache,
                                        .seed = o->seed,
                                        .max_pixels = o->max_pixels};
}

static sq_status open_loader(sq_loader *loader, const sq_loader_options *options)
{
    if (options->device_cache && (!options->transform.is_augmented || options->decode != SQ_DECODE_EXACT))
        return sq_fail(SQ_INVALID, "loader: a device cache needs random crops and exact decoding");
    if (loader->count == 0)
        return sq_fail(SQ_DATA, "loader: no images");
    if (options->cache && options->cache->form != SQ_CACHE_NONE)
        SQ_TRY(sq_cache_open(&loader->source.cache, options->cache));
    SQ_TRY(allocate(loader));
    return start_threads(loader);
}

sq_status sq_loader_open(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options)
{
    sq_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return sq_fail(SQ_NO_MEMORY, "loader: out of memory");
    set_options(loader, dataset, options);
    (void)pthread_mutex_init(&loader->lock, NULL); /* cannot fail on Linux with default attributes */
    (void)pthread_cond_init(&loader->has_room, NULL);
    (void)pthread_cond_init(&loader->has_batch, NULL);
    const sq_status status = open_loader(loader, options);
    if (status == SQ_OK)
        *out = loader;
    else
        sq_loader_close(loader);
    return status;
}

/* ---- Using ---- */

int sq_loader_prefetch_depth(double latency, double interval, int most)
{
    const double used = interval > 0 ? latency / interval : 0; /* batches consumed while one batch is made */
    const int depth = used < most ? (int)ceil(used) + 1 : most;
    return depth < MIN_PREFETCH_DEPTH ? MIN_PREFETCH_DEPTH : depth > most ? most : depth;
}

/* Takes back the batch that sq_loader_next returned last, and updates the prefetch depth. The caller holds the lock. */
static void reclaim_batch(sq_loader *loader)
{
    const double interval = sq_seconds_now() - loader->handed_out_seconds, mean = loader->interval_seconds;
    if (!loader->is_batch_in_use)
        return;
    loader->interval_seconds = mean > 0 ? DECAY * mean + (1 - DECAY) * interval : interval;
    loader->counters.prefetch_depth =
        sq_loader_prefetch_depth(loader->latency_seconds, loader->interval_seconds, loader->options.ring);
    assign_ranges(loader, loader->next_batch - 1 + (uint64_t)loader->options.ring);
    loader->is_batch_in_use = false;
    (void)pthread_cond_broadcast(&loader->has_room);
}

sq_status sq_loader_next(sq_loader *loader, sq_batch *out)
{
    (void)pthread_mutex_lock(&loader->lock);
    reclaim_batch(loader);
    ring_batch *b = ring_at(loader, loader->next_batch);
    const int count = batch_size(loader, loader->next_batch);
    const double begin = sq_seconds_now();
    loader->counters.stalls += count > 0 && atomic_load(&b->filled) < count;
    while (atomic_load(&b->filled) < count && loader->failure == SQ_OK)
        (void)pthread_cond_wait(&loader->has_batch, &loader->lock);
    loader->handed_out_seconds = sq_seconds_now();
    loader->counters.wait_seconds += loader->handed_out_seconds - begin;
    sq_status status = SQ_OK;
    if (loader->failure != SQ_OK) {
        status = sq_fail(loader->failure, "%s", loader->failure_text);
    } else {
        *out = (sq_batch){b->images, b->crops, b->labels, b->augment, count, loader->next_batch};
        loader->is_batch_in_use = count > 0;
        loader->next_batch += count > 0;
    }
    (void)pthread_mutex_unlock(&loader->lock);
    return status;
}

sq_loader_counters sq_loader_get_counters(sq_loader *loader)
{
    (void)pthread_mutex_lock(&loader->lock);
    sq_loader_counters counters = loader->counters;
    (void)pthread_mutex_unlock(&loader->lock);
    if (loader->source.cache) {
        counters.cached_images = sq_cache_count(loader->source.cache);
        counters.cached_bytes = sq_cache_bytes(loader->source.cache);
    }
    return counters;
}

static void free_batch(ring_batch *b)
{
    free(b->images);
    free(b->crops);
    free(b->labels);
    free(b->augment);
    free(b->ranges);
}

void sq_loader_close(sq_loader *loader)
{
    if (!loader)
        return;
    (void)pthread_mutex_lock(&loader->lock);
    atomic_store(&loader->is_stopping, true);
    (void)pthread_cond_broadcast(&loader->has_room);
    (void)pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->started; i++)
        (void)pthread_join(loader->threads[i], NULL);
    for (int i = 0; loader->ring && i < loader->options.ring; i++)
        free_batch(&loader->ring[i]);
    sq_epoch_orders_free(&loader->orders);
    sq_bad_images_free(&loader->bad);
    sq_cache_close(loader->source.cache);
    free(loader->ring);
    free(loader->threads);
    free(loader->workers);
    (void)pthread_mutex_destroy(&loader->lock);
    (void)pthread_cond_destroy(&loader->has_room);
    (void)pthread_cond_destroy(&loader->has_batch);
    free(loader);
}
