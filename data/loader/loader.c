/* Threads that decode ahead. Sample t of the endless sequence belongs to batch t / batch; what t is depends on (seed,
 * t) alone. A batch is dealt out in stretches, one a thread; a thread whose own is done takes from the next ones, then
 * enters the next batch. Samples are taken without a lock; the lock is for entering a batch, giving one out, and bad
 * images. */
#include "data/loader/loader.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/cores.h"
#include "kernels/base/clock.h"
#include "kernels/graph.h"

enum { DEFAULT_RING = 4, MOST_THREADS = 256, LEAST_AHEAD = 2 };

typedef struct {
    uint64_t epoch;
    bool is_made;
    uint32_t *order;
} permutation;

/* The next place of a stretch of a batch: number of the batch (its low 32 bits) << 32 | place. The number keeps a
 * thread that comes late from taking places of a later batch in the same memory. Each on a cache line of its own. */
typedef struct {
    _Alignas(64) _Atomic uint64_t next;
} stretch;

typedef struct {
    uint8_t *images; /* or */
    sq_stored_crop *crops;
    int32_t *labels;
    float *augment;
    stretch *stretches; /* one a thread */
    atomic_int filled;
    double begin_seconds; /* when its first thread entered it */
    bool is_entered;
} ring_batch;

typedef struct {
    sq_loader *loader;
    int number;
    sq_sample_workspace memory;
} worker;

struct sq_loader {
    sq_loader_options options;
    sq_sample_source source;
    size_t count; /* samples of an epoch */
    size_t image_bytes;
    sq_cores cores;
    ring_batch *ring;
    permutation *permutations;
    int permutation_count;
    pthread_t *threads;
    worker *workers;
    int started;
    pthread_mutex_t lock;
    pthread_cond_t has_room, has_batch;
    uint64_t next_batch; /* the next to be given out */
    bool is_given;
    atomic_bool is_stopping; /* closing, or a failure */
    sq_status failure;
    char failure_text[1024];
    bool *is_known_bad; /* by data set index */
    sq_loader_counters counters;
    double latency_seconds;  /* from entering a batch to its last image: the longest lately */
    double interval_seconds; /* from giving a batch out to the next request: running mean; 0: none yet */
    double given_seconds;    /* when the last one was given out */
};

void sq_loader_permutation(uint32_t *out, size_t count, uint64_t seed, uint64_t epoch)
{
    sq_rng rng = sq_rng_open(seed, SQ_RNG_SHUFFLE, epoch);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        const size_t j = sq_rng_below(&rng, (uint32_t)i);
        const uint32_t swap = out[i - 1];
        out[i - 1] = out[j];
        out[j] = swap;
    }
}

/* ---- Which sample ---- */

static uint64_t first_sample(const sq_loader *loader, uint64_t batch)
{
    const sq_loader_options *o = &loader->options;
    return (batch * (uint64_t)o->rank_count + (uint64_t)o->rank) * (uint64_t)o->batch;
}

static permutation *permutation_of(const sq_loader *loader, uint64_t epoch)
{
    return &loader->permutations[epoch % (uint64_t)loader->permutation_count];
}

/* Makes the orders of the epochs that a batch shows, with the lock held. The ring spans fewer epochs than there are
 * buffers, so that none is in use any more. */
static void make_orders(sq_loader *loader, uint64_t batch)
{
    const uint64_t size = (uint64_t)loader->options.batch, sample = first_sample(loader, batch),
                   first = sample / loader->count, last = (sample + size - 1) / loader->count;
    for (uint64_t epoch = first; loader->options.is_shuffled && epoch <= last; epoch++) {
        permutation *p = permutation_of(loader, epoch);
        if (p->is_made && p->epoch == epoch)
            continue;
        sq_loader_permutation(p->order, loader->count, loader->options.seed, epoch);
        p->epoch = epoch;
        p->is_made = true;
    }
}

/* Data set index at place i of the sequence of an epoch whose order is made. */
static size_t index_at(const sq_loader *loader, uint64_t epoch, size_t i)
{
    if (loader->options.is_shuffled)
        return permutation_of(loader, epoch)->order[i];
    return loader->options.indices ? loader->options.indices[i] : i;
}

static uint64_t sample_limit(const sq_loader *loader)
{
    return loader->options.is_shuffled ? UINT64_MAX : loader->count;
}

static int batch_size(const sq_loader *loader, uint64_t batch)
{
    const uint64_t first = first_sample(loader, batch), limit = sample_limit(loader);
    if (first >= limit)
        return 0;
    return limit - first < (uint64_t)loader->options.batch ? (int)(limit - first) : loader->options.batch;
}

static ring_batch *ring_at(const sq_loader *loader, uint64_t batch)
{
    return &loader->ring[batch % (uint64_t)loader->options.ring];
}

/* ---- Bad images ---- */

/* Does an earlier run's line say this, or something else of the same image? A record of a shard is named otherwise in
 * its line; what is wrong with it does not change. */
static bool is_logged(const char *path, const char *name, const char *why)
{
    char line[4300];
    bool found = false;
    const size_t length = strlen(name);
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        found = strcmp(line, why) == 0 || (strncmp(line, name, length) == 0 && line[length] == ':');
    }
    if (file)
        (void)fclose(file); /* only read */
    return found;
}

/* Counts an image once, writes its name; with the lock held. */
static sq_status note_bad(sq_loader *loader, size_t index, const char *why)
{
    const char *log = loader->options.bad_log;
    if (loader->is_known_bad[index])
        return SQ_OK;
    loader->is_known_bad[index] = true;
    loader->counters.bad++;
    if (log && !is_logged(log, sq_dataset_name(loader->source.dataset, index), why)) {
        FILE *file = fopen(log, "a");
        if (file) { /* a log that cannot be written does not stop a run */
            (void)fprintf(file, "%s\n", why);
            (void)fclose(file);
        }
    }
    if (loader->counters.bad > loader->options.max_bad)
        return sq_fail(SQ_DATA, "%lld bad images, data.max_bad is %d; the last one: %s",
                       (long long)loader->counters.bad, loader->options.max_bad, why);
    return SQ_OK;
}

/* ---- Work ---- */

/* Keeps the first failure; all threads stop. With the lock held. */
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

static sq_status make_sample(const sq_loader *loader, sq_sample_workspace *memory, size_t index, uint64_t epoch,
                             const ring_batch *b, size_t slot)
{
    float *augment = b->augment + slot * SQ_AUGMENT_COUNT;
    if (b->crops)
        return sq_sample_crop(&loader->source, memory, index, epoch, &b->crops[slot], augment);
    return sq_sample_make(&loader->source, memory, index, epoch, b->images + slot * loader->image_bytes, augment);
}

/* Fills one place. A bad image is replaced by the next one of its epoch's sequence that decodes. */
static sq_status fill(sq_loader *loader, sq_sample_workspace *memory, uint64_t batch, size_t slot)
{
    const uint64_t sample = first_sample(loader, batch) + slot, epoch = sample / loader->count;
    const size_t place = (size_t)(sample % loader->count);
    const ring_batch *b = ring_at(loader, batch);
    for (size_t tries = 0; tries < loader->count; tries++) {
        const size_t index = index_at(loader, epoch, (place + tries) % loader->count);
        const sq_status status = make_sample(loader, memory, index, epoch, b, slot);
        b->labels[slot] = sq_dataset_label(loader->source.dataset, index);
        if (status != SQ_DATA)
            return status;
        char why[1024];
        (void)snprintf(why, sizeof why, "%s", sq_error_text());
        (void)pthread_mutex_lock(&loader->lock);
        const sq_status noted = note_bad(loader, index, why);
        (void)pthread_mutex_unlock(&loader->lock);
        SQ_TRY(noted);
    }
    return sq_fail(SQ_DATA, "none of %zu images can be read; the last one: %s", loader->count, sq_error_text());
}

/* Deals a batch out. Nobody works on its memory: the one before it there was given out and is done with. */
static void deal(sq_loader *loader, uint64_t batch)
{
    ring_batch *b = ring_at(loader, batch);
    const uint64_t count = (uint64_t)batch_size(loader, batch), threads = (uint64_t)loader->options.threads;
    atomic_store(&b->filled, 0);
    b->is_entered = false;
    for (uint64_t t = 0; t < threads; t++)
        atomic_store(&b->stretches[t].next, (batch & UINT32_MAX) << 32 | count * t / threads);
}

/* Waits until a batch may be worked on; false at the end. */
static bool enter(sq_loader *loader, worker *w, uint64_t batch)
{
    (void)pthread_mutex_lock(&loader->lock);
    for (int stage = 0; stage < SQ_STAGES; stage++) {
        loader->counters.stage_seconds[stage] += w->memory.seconds[stage];
        w->memory.seconds[stage] = 0;
    }
    while (!atomic_load(&loader->is_stopping) &&
           batch >= loader->next_batch + (uint64_t)loader->counters.prefetch_depth - loader->is_given)
        (void)pthread_cond_wait(&loader->has_room, &loader->lock);
    const bool is_work = !atomic_load(&loader->is_stopping) && batch_size(loader, batch) > 0;
    ring_batch *b = ring_at(loader, batch);
    if (is_work && batch >= loader->next_batch && !b->is_entered) {
        b->is_entered = true;
        make_orders(loader, batch);
        b->begin_seconds = sq_seconds_now();
    }
    (void)pthread_mutex_unlock(&loader->lock);
    return is_work;
}

/* Takes a place of stretch t, if the batch is still the one in this memory and the stretch has one left. */
static bool take(const sq_loader *loader, uint64_t batch, int t, size_t *slot)
{
    stretch *s = &ring_at(loader, batch)->stretches[t];
    const uint64_t end = (uint64_t)batch_size(loader, batch) * (uint64_t)(t + 1) / (uint64_t)loader->options.threads;
    uint64_t next = atomic_load(&s->next);
    do {
        if (next >> 32 != (batch & UINT32_MAX) || (next & UINT32_MAX) >= end)
            return false;
    } while (!atomic_compare_exchange_weak(&s->next, &next, next + 1));
    *slot = (size_t)(next & UINT32_MAX);
    return true;
}

/* The last image of a batch is there. */
static void finish(sq_loader *loader, const ring_batch *b)
{
    (void)pthread_mutex_lock(&loader->lock);
    const double latency = sq_seconds_now() - b->begin_seconds, decayed = 0.9 * loader->latency_seconds;
    loader->latency_seconds = latency > decayed ? latency : decayed;
    (void)pthread_cond_broadcast(&loader->has_batch);
    (void)pthread_mutex_unlock(&loader->lock);
}

/* Works on a batch until nothing of it is left to take. */
static sq_status work_on(sq_loader *loader, worker *w, uint64_t batch)
{
    ring_batch *b = ring_at(loader, batch);
    const int count = batch_size(loader, batch), threads = loader->options.threads;
    size_t slot;
    for (int i = 0; i < threads; i++)
        while (!atomic_load_explicit(&loader->is_stopping, memory_order_relaxed) &&
               take(loader, batch, (w->number + i) % threads, &slot)) {
            SQ_TRY(fill(loader, &w->memory, batch, slot));
            if (atomic_fetch_add(&b->filled, 1) + 1 == count)
                finish(loader, b);
        }
    return SQ_OK;
}

static void *work(void *argument)
{
    worker *w = argument;
    sq_loader *loader = w->loader;
    sq_status status = SQ_OK;
    sq_cores_pin(&loader->cores, sq_cores_node(&loader->cores, w->number, loader->options.threads));
    for (uint64_t batch = loader->options.first_batch; status == SQ_OK && enter(loader, w, batch); batch++)
        status = work_on(loader, w, batch);
    if (status != SQ_OK) {
        (void)pthread_mutex_lock(&loader->lock);
        fail(loader, status);
        (void)pthread_mutex_unlock(&loader->lock);
    }
    sq_sample_clear(&w->memory);
    return NULL;
}

/* ---- Public ---- */

int sq_loader_prefetch_depth(double latency, double interval, int most)
{
    const double taken = interval > 0 ? latency / interval : 0;
    const int wanted = taken < most ? (int)ceil(taken) + 1 : most;
    return wanted < LEAST_AHEAD ? LEAST_AHEAD : wanted > most ? most : wanted;
}

static sq_status allocate_ring(sq_loader *loader)
{
    const size_t batch = (size_t)loader->options.batch, threads = (size_t)loader->options.threads;
    loader->ring = calloc((size_t)loader->options.ring, sizeof *loader->ring);
    bool is_whole = loader->ring != NULL;
    for (int i = 0; is_whole && i < loader->options.ring; i++) {
        ring_batch *b = &loader->ring[i];
        if (loader->options.device_cache)
            b->crops = malloc(batch * sizeof *b->crops);
        else
            b->images = malloc(batch * loader->image_bytes);
        b->labels = malloc(batch * sizeof *b->labels);
        b->augment = malloc(batch * SQ_AUGMENT_COUNT * sizeof *b->augment);
        b->stretches = aligned_alloc(_Alignof(stretch), threads * sizeof *b->stretches);
        is_whole = (b->images || b->crops) && b->labels && b->augment && b->stretches;
    }
    for (int i = 0; is_whole && i < loader->options.ring; i++)
        deal(loader, loader->options.first_batch + (uint64_t)i);
    return is_whole ? SQ_OK : sq_fail(SQ_NO_MEMORY, "loader: %d batches of %zu images", loader->options.ring, batch);
}

static sq_status allocate(sq_loader *loader)
{
    const size_t ahead =
        (size_t)loader->options.ring * (size_t)loader->options.batch * (size_t)loader->options.rank_count;
    SQ_TRY(allocate_ring(loader));
    loader->is_known_bad = calloc(sq_dataset_count(loader->source.dataset) + 1, sizeof *loader->is_known_bad);
    loader->threads = calloc((size_t)loader->options.threads, sizeof *loader->threads);
    loader->workers = calloc((size_t)loader->options.threads, sizeof *loader->workers);
    loader->permutation_count = loader->options.is_shuffled ? (int)(ahead / loader->count) + 3 : 0;
    loader->permutations = calloc((size_t)loader->permutation_count + 1, sizeof *loader->permutations);
    bool is_whole = loader->is_known_bad && loader->threads && loader->workers && loader->permutations;
    for (int i = 0; is_whole && i < loader->permutation_count; i++) {
        loader->permutations[i].order = malloc(loader->count * sizeof(uint32_t));
        is_whole = loader->permutations[i].order != NULL;
    }
    return is_whole ? SQ_OK : sq_fail(SQ_NO_MEMORY, "loader: order of %zu images", loader->count);
}

static sq_status start(sq_loader *loader)
{
    for (int i = 0; i < loader->options.threads; i++) {
        loader->workers[i].loader = loader;
        loader->workers[i].number = i;
        const int error = pthread_create(&loader->threads[i], NULL, work, &loader->workers[i]);
        if (error)
            return sq_fail(SQ_NO_MEMORY, "loader: thread %d: %s", i, strerror(error));
        loader->started++;
    }
    return SQ_OK;
}

static void complete_options(sq_loader *loader, const sq_dataset *dataset, const sq_loader_options *options)
{
    sq_loader_options *o = &loader->options;
    *o = *options;
    o->rank_count = options->rank_count > 0 ? options->rank_count : 1;
    sq_cores_find(&loader->cores, NULL);
    o->ring = options->ring > LEAST_AHEAD ? options->ring : options->ring > 0 ? LEAST_AHEAD : DEFAULT_RING;
    o->threads = options->threads > 0 ? options->threads : loader->cores.count;
    o->threads = o->threads < MOST_THREADS ? o->threads : MOST_THREADS;
    o->max_pixels = options->max_pixels ? options->max_pixels : SQ_IMAGE_MAX_PIXELS;
    loader->image_bytes = (size_t)options->transform.resolution * (size_t)options->transform.resolution * 3;
    loader->next_batch = options->first_batch;
    loader->counters.prefetch_depth = LEAST_AHEAD; /* nothing is measured yet */
    loader->source = (sq_sample_source){.dataset = dataset,
                                        .transform = &loader->options.transform,
                                        .decode = o->decode,
                                        .device_cache = o->device_cache,
                                        .seed = o->seed,
                                        .max_pixels = o->max_pixels};
}

sq_status sq_loader_open(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options)
{
    sq_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return sq_fail(SQ_NO_MEMORY, "loader");
    loader->count = options->indices ? options->index_count : sq_dataset_count(dataset);
    complete_options(loader, dataset, options);
    (void)pthread_mutex_init(&loader->lock, NULL); /* default attributes: cannot fail on Linux */
    (void)pthread_cond_init(&loader->has_room, NULL);
    (void)pthread_cond_init(&loader->has_batch, NULL);
    sq_status status = loader->count ? SQ_OK : sq_fail(SQ_DATA, "loader: no images");
    if (options->device_cache && (!options->transform.is_augmented || options->decode != SQ_DECODE_EXACT))
        status = sq_fail(SQ_INVALID, "loader: a device cache needs exact decoding and random crops");
    if (status == SQ_OK && options->cache && options->cache->form != SQ_CACHE_NONE)
        status = sq_cache_open(&loader->source.cache, options->cache);
    loader->options.cache = NULL; /* borrowed */
    if (status == SQ_OK)
        status = allocate(loader);
    if (status == SQ_OK)
        status = start(loader);
    if (status == SQ_OK)
        *out = loader;
    else
        sq_loader_close(loader);
    return status;
}

/* The last batch that was given out is done with: its memory is for a later one. With the lock held. */
static void take_back(sq_loader *loader)
{
    const double interval = sq_seconds_now() - loader->given_seconds, mean = loader->interval_seconds;
    if (!loader->is_given)
        return;
    loader->interval_seconds = mean > 0 ? 0.9 * mean + 0.1 * interval : interval;
    loader->counters.prefetch_depth =
        sq_loader_prefetch_depth(loader->latency_seconds, loader->interval_seconds, loader->options.ring);
    deal(loader, loader->next_batch - 1 + (uint64_t)loader->options.ring);
    loader->is_given = false;
    (void)pthread_cond_broadcast(&loader->has_room);
}

sq_status sq_loader_next(sq_loader *loader, sq_batch *out)
{
    (void)pthread_mutex_lock(&loader->lock);
    take_back(loader);
    ring_batch *b = ring_at(loader, loader->next_batch);
    const int count = batch_size(loader, loader->next_batch);
    const double begin = sq_seconds_now();
    loader->counters.stalls += count > 0 && atomic_load(&b->filled) < count;
    while (atomic_load(&b->filled) < count && loader->failure == SQ_OK)
        (void)pthread_cond_wait(&loader->has_batch, &loader->lock);
    loader->given_seconds = sq_seconds_now();
    loader->counters.wait_seconds += loader->given_seconds - begin;
    sq_status status = SQ_OK;
    if (loader->failure != SQ_OK) {
        status = sq_fail(loader->failure, "%s", loader->failure_text);
    } else {
        *out = (sq_batch){b->images, b->crops, b->labels, b->augment, count, loader->next_batch};
        loader->is_given = count > 0;
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
    for (int i = 0; loader->ring && i < loader->options.ring; i++) {
        free(loader->ring[i].images);
        free(loader->ring[i].crops);
        free(loader->ring[i].labels);
        free(loader->ring[i].augment);
        free(loader->ring[i].stretches);
    }
    for (int i = 0; loader->permutations && i < loader->permutation_count; i++)
        free(loader->permutations[i].order);
    sq_cache_close(loader->source.cache);
    free(loader->ring);
    free(loader->permutations);
    free(loader->threads);
    free(loader->workers);
    free(loader->is_known_bad);
    (void)pthread_mutex_destroy(&loader->lock);
    (void)pthread_cond_destroy(&loader->has_room);
    (void)pthread_cond_destroy(&loader->has_batch);
    free(loader);
}
