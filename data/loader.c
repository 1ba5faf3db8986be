/* Threads that decode ahead. Sample t of the endless sequence belongs to batch t / batch; a worker takes the next t,
 * decodes it into its place, and the batch is ready when all of its places are filled. What t is depends on (seed, t)
 * alone. */
#include "data/loader.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/clock.h"
#include "kernels/graph.h"

enum { DEFAULT_RING = 4, MOST_THREADS = 256 };
static const size_t DEFAULT_MAX_PIXELS = 178956970; /* Pillow's limit against image bombs */

typedef struct {
    uint64_t epoch;
    bool is_made;
    uint32_t *order;
} permutation;

typedef struct {
    uint8_t *images;
    int32_t *labels;
    float *augment;
    int filled, count;
} ring_batch;

struct sq_loader {
    const sq_dataset *dataset;
    sq_loader_options options;
    const size_t *indices; /* of an image set's subset; borrowed */
    size_t count;          /* samples of an epoch */
    size_t image_bytes;
    ring_batch *ring;
    permutation *permutations;
    int permutation_count;
    pthread_t *threads;
    int started;
    pthread_mutex_t lock;
    pthread_cond_t has_room, has_batch;
    uint64_t next_sample; /* the next to be taken by a worker */
    uint64_t next_batch;  /* the next to be given out */
    bool is_given, is_closing;
    sq_status failure;
    char failure_text[1024];
    bool *is_known_bad; /* by data set index */
    sq_loader_counters counters;
};

typedef struct {
    sq_image image;
    void *bytes;
    size_t capacity;
    float *scratch;
    size_t scratch_count;
} worker_memory;

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

/* The order of an epoch; called with the lock held. The ring spans fewer epochs than there are buffers. */
static const uint32_t *order_of(sq_loader *loader, uint64_t epoch)
{
    permutation *p = &loader->permutations[epoch % (uint64_t)loader->permutation_count];
    if (!p->is_made || p->epoch != epoch) {
        sq_loader_permutation(p->order, loader->count, loader->options.seed, epoch);
        p->epoch = epoch;
        p->is_made = true;
    }
    return p->order;
}

/* Data set index at place i of the sequence of an epoch. */
static size_t index_at(const sq_loader *loader, const uint32_t *order, size_t i)
{
    if (order)
        return order[i];
    return loader->indices ? loader->indices[i] : i;
}

static uint64_t sample_limit(const sq_loader *loader)
{
    return loader->options.is_shuffled ? UINT64_MAX : loader->count;
}

static int batch_size(const sq_loader *loader, uint64_t batch)
{
    const uint64_t first = batch * (uint64_t)loader->options.batch, limit = sample_limit(loader);
    if (first >= limit)
        return 0;
    return limit - first < (uint64_t)loader->options.batch ? (int)(limit - first) : loader->options.batch;
}

/* ---- Bad images ---- */

static bool is_logged(const char *path, const char *name)
{
    char line[4300];
    bool found = false;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        found = strncmp(line, name, strlen(name)) == 0;
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
    if (log && !is_logged(log, sq_dataset_name(loader->dataset, index))) {
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

/* Decodes the image at `index` into its place; SQ_DATA when it is bad. */
static sq_status decode_one(const sq_loader *loader, worker_memory *memory, size_t index, uint64_t epoch,
                            uint8_t *pixels, float *augment)
{
    const sq_transform *t = &loader->options.transform;
    const char *name = sq_dataset_name(loader->dataset, index);
    size_t size = 0;
    SQ_TRY(sq_dataset_read(loader->dataset, index, &memory->bytes, &memory->capacity, &size));
    SQ_TRY(sq_image_decode(&memory->image, memory->bytes, size, name, loader->options.max_pixels));
    sq_rng rng = sq_rng_open(loader->options.seed, SQ_RNG_AUGMENT, (epoch << 40) + index);
    const sq_image *image = &memory->image;
    const sq_crop crop =
        t->is_augmented ? sq_transform_crop(t, image->h, image->w, &rng) : sq_transform_centre(t, image->h, image->w);
    sq_transform_draw(t, &rng, augment);
    return sq_transform_resize(image, crop, t->resolution, pixels, &memory->scratch, &memory->scratch_count);
}

/* Fills one place. A bad image is replaced by the next one of its epoch's sequence that decodes. */
static sq_status fill(sq_loader *loader, worker_memory *memory, uint64_t sample, const uint32_t *order)
{
    const uint64_t epoch = sample / loader->count, batch = sample / (uint64_t)loader->options.batch;
    const size_t slot = (size_t)(sample % (uint64_t)loader->options.batch), place = (size_t)(sample % loader->count);
    ring_batch *b = &loader->ring[batch % (uint64_t)loader->options.ring];
    for (size_t tries = 0; tries < loader->count; tries++) {
        const size_t index = index_at(loader, order, (place + tries) % loader->count);
        const sq_status status = decode_one(loader, memory, index, epoch, b->images + slot * loader->image_bytes,
                                            b->augment + slot * SQ_AUGMENT_COUNT);
        b->labels[slot] = sq_dataset_label(loader->dataset, index);
        if (status != SQ_DATA)
            return status;
        (void)pthread_mutex_lock(&loader->lock);
        char why[1024];
        (void)snprintf(why, sizeof why, "%s", sq_error_text());
        const sq_status noted = note_bad(loader, index, why);
        (void)pthread_mutex_unlock(&loader->lock);
        SQ_TRY(noted);
    }
    return sq_fail(SQ_DATA, "none of %zu images can be read; the last one: %s", loader->count, sq_error_text());
}

/* Waits for a sample to do; false at the end. With the lock held. */
static bool take_sample(sq_loader *loader, uint64_t *sample, const uint32_t **order)
{
    for (;;) {
        const uint64_t batch = loader->next_sample / (uint64_t)loader->options.batch;
        if (loader->is_closing || loader->failure != SQ_OK || loader->next_sample >= sample_limit(loader))
            return false;
        if (batch < loader->next_batch + (uint64_t)loader->options.ring - (loader->is_given ? 1 : 0))
            break;
        (void)pthread_cond_wait(&loader->has_room, &loader->lock);
    }
    *sample = loader->next_sample++;
    *order = loader->options.is_shuffled ? order_of(loader, *sample / loader->count) : NULL;
    return true;
}

static void *work(void *argument)
{
    sq_loader *loader = argument;
    worker_memory memory = {{0}, NULL, 0, NULL, 0};
    uint64_t sample;
    const uint32_t *order;
    (void)pthread_mutex_lock(&loader->lock);
    while (take_sample(loader, &sample, &order)) {
        (void)pthread_mutex_unlock(&loader->lock);
        const double begin = sq_seconds_now();
        const sq_status status = fill(loader, &memory, sample, order);
        const double seconds = sq_seconds_now() - begin;
        (void)pthread_mutex_lock(&loader->lock);
        ring_batch *b = &loader->ring[sample / (uint64_t)loader->options.batch % (uint64_t)loader->options.ring];
        loader->counters.decode_seconds += seconds;
        b->filled++;
        if (status != SQ_OK && loader->failure == SQ_OK) {
            loader->failure = status;
            (void)snprintf(loader->failure_text, sizeof loader->failure_text, "%s", sq_error_text());
        }
        if (status != SQ_OK || b->filled == batch_size(loader, sample / (uint64_t)loader->options.batch))
            (void)pthread_cond_broadcast(&loader->has_batch);
    }
    (void)pthread_mutex_unlock(&loader->lock);
    sq_image_clear(&memory.image);
    free(memory.bytes);
    free(memory.scratch);
    return NULL;
}

/* ---- Public ---- */

static sq_status allocate(sq_loader *loader)
{
    const size_t batch = (size_t)loader->options.batch;
    const size_t ahead = (size_t)loader->options.ring * batch;
    loader->ring = calloc((size_t)loader->options.ring, sizeof *loader->ring);
    loader->is_known_bad = calloc(sq_dataset_count(loader->dataset) + 1, sizeof *loader->is_known_bad);
    loader->threads = calloc((size_t)loader->options.threads, sizeof *loader->threads);
    bool is_whole = loader->ring && loader->is_known_bad && loader->threads;
    for (int i = 0; is_whole && i < loader->options.ring; i++) {
        ring_batch *b = &loader->ring[i];
        b->images = malloc(batch * loader->image_bytes);
        b->labels = malloc(batch * sizeof *b->labels);
        b->augment = malloc(batch * SQ_AUGMENT_COUNT * sizeof *b->augment);
        is_whole = b->images && b->labels && b->augment;
    }
    loader->permutation_count = loader->options.is_shuffled ? (int)(ahead / loader->count) + 3 : 0;
    loader->permutations = calloc((size_t)loader->permutation_count + 1, sizeof *loader->permutations);
    is_whole = is_whole && loader->permutations;
    for (int i = 0; is_whole && i < loader->permutation_count; i++) {
        loader->permutations[i].order = malloc(loader->count * sizeof(uint32_t));
        is_whole = loader->permutations[i].order != NULL;
    }
    return is_whole ? SQ_OK : sq_fail(SQ_NO_MEMORY, "loader: %zu images ahead", ahead);
}

static int core_count(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (int)count;
}

static sq_status open_subset(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options,
                             const size_t *indices, size_t index_count)
{
    sq_loader *loader = calloc(1, sizeof *loader);
    if (!loader)
        return sq_fail(SQ_NO_MEMORY, "loader");
    loader->dataset = dataset;
    loader->options = *options;
    loader->indices = indices;
    loader->count = indices ? index_count : sq_dataset_count(dataset);
    loader->options.ring = options->ring > 0 ? options->ring : DEFAULT_RING;
    loader->options.threads = options->threads > 0 ? options->threads : core_count();
    loader->options.max_pixels = options->max_pixels ? options->max_pixels : DEFAULT_MAX_PIXELS;
    loader->image_bytes = (size_t)options->transform.resolution * (size_t)options->transform.resolution * 3;
    loader->next_batch = options->first_batch;
    loader->next_sample = options->first_batch * (uint64_t)options->batch;
    (void)pthread_mutex_init(&loader->lock, NULL); /* default attributes: cannot fail on Linux */
    (void)pthread_cond_init(&loader->has_room, NULL);
    (void)pthread_cond_init(&loader->has_batch, NULL);
    sq_status status = loader->count ? SQ_OK : sq_fail(SQ_DATA, "loader: no images");
    if (status == SQ_OK)
        status = allocate(loader);
    for (int i = 0; status == SQ_OK && i < loader->options.threads; i++) {
        const int error = pthread_create(&loader->threads[i], NULL, work, loader);
        if (error)
            status = sq_fail(SQ_NO_MEMORY, "loader: thread %d: %s", i, strerror(error));
        else
            loader->started++;
    }
    if (status == SQ_OK)
        *out = loader;
    else
        sq_loader_close(loader);
    return status;
}

sq_status sq_loader_open(sq_loader **out, const sq_dataset *dataset, const sq_loader_options *options)
{
    return open_subset(out, dataset, options, NULL, 0);
}

sq_status sq_loader_next(sq_loader *loader, sq_batch *out)
{
    (void)pthread_mutex_lock(&loader->lock);
    if (loader->is_given) { /* the last one's place is free now */
        loader->ring[(loader->next_batch - 1) % (uint64_t)loader->options.ring].filled = 0;
        loader->is_given = false;
        (void)pthread_cond_broadcast(&loader->has_room);
    }
    ring_batch *b = &loader->ring[loader->next_batch % (uint64_t)loader->options.ring];
    const int count = batch_size(loader, loader->next_batch);
    const double begin = sq_seconds_now();
    while (count > 0 && b->filled < count && loader->failure == SQ_OK)
        (void)pthread_cond_wait(&loader->has_batch, &loader->lock);
    loader->counters.wait_seconds += sq_seconds_now() - begin;
    sq_status status = SQ_OK;
    if (loader->failure != SQ_OK) {
        status = sq_fail(loader->failure, "%s", loader->failure_text);
    } else {
        *out = (sq_batch){b->images, b->labels, b->augment, count, loader->next_batch};
        loader->is_given = count > 0;
        loader->next_batch += count > 0;
    }
    (void)pthread_mutex_unlock(&loader->lock);
    return status;
}

sq_loader_counters sq_loader_count(sq_loader *loader)
{
    (void)pthread_mutex_lock(&loader->lock);
    const sq_loader_counters counters = loader->counters;
    (void)pthread_mutex_unlock(&loader->lock);
    return counters;
}

void sq_loader_close(sq_loader *loader)
{
    if (!loader)
        return;
    (void)pthread_mutex_lock(&loader->lock);
    loader->is_closing = true;
    (void)pthread_cond_broadcast(&loader->has_room);
    (void)pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->started; i++)
        (void)pthread_join(loader->threads[i], NULL);
    for (int i = 0; loader->ring && i < loader->options.ring; i++) {
        free(loader->ring[i].images);
        free(loader->ring[i].labels);
        free(loader->ring[i].augment);
    }
    for (int i = 0; loader->permutations && i < loader->permutation_count; i++)
        free(loader->permutations[i].order);
    free(loader->ring);
    free(loader->permutations);
    free(loader->threads);
    free(loader->is_known_bad);
    (void)pthread_mutex_destroy(&loader->lock);
    (void)pthread_cond_destroy(&loader->has_room);
    (void)pthread_cond_destroy(&loader->has_batch);
    free(loader);
}

/* ---- Image sets ---- */

static sq_status copy_batches(sq_image_set *set, sq_loader *loader)
{
    const size_t bytes = (size_t)set->resolution * (size_t)set->resolution * 3;
    for (size_t done = 0; done < set->count;) {
        sq_batch batch;
        SQ_TRY(sq_loader_next(loader, &batch));
        memcpy(set->images + done * bytes, batch.images, (size_t)batch.count * bytes);
        memcpy(set->labels + done, batch.labels, (size_t)batch.count * sizeof *batch.labels);
        done += (size_t)batch.count;
    }
    set->bad = sq_loader_count(loader).bad;
    return SQ_OK;
}

sq_status sq_image_set_load(sq_image_set *out, const sq_dataset *dataset, const sq_loader_options *options,
                            const size_t *indices, size_t index_count)
{
    sq_image_set set = {.count = indices ? index_count : sq_dataset_count(dataset),
                        .resolution = options->transform.resolution};
    const size_t bytes = (size_t)set.resolution * (size_t)set.resolution * 3;
    sq_loader *loader = NULL;
    sq_loader_options ordered = *options;
    ordered.is_shuffled = false;
    ordered.first_batch = 0;
    set.images = malloc(set.count * bytes + 1);
    set.labels = malloc((set.count + 1) * sizeof *set.labels);
    sq_status status = set.images && set.labels ? SQ_OK : sq_fail(SQ_NO_MEMORY, "image set: %zu images", set.count);
    if (status == SQ_OK)
        status = open_subset(&loader, dataset, &ordered, indices, index_count);
    if (status == SQ_OK)
        status = copy_batches(&set, loader);
    sq_loader_close(loader);
    if (status == SQ_OK)
        *out = set;
    else
        sq_image_set_clear(&set);
    return status;
}

void sq_image_set_clear(sq_image_set *set)
{
    free(set->images);
    free(set->labels);
    memset(set, 0, sizeof *set);
}
