/* One block of memory, filled from its beginning by whoever comes first; a table says where each image lies. */
#include "data/loader/cache.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/image.h"

enum { SAMPLED = 256, ALIGNMENT = 64 };
static const size_t MOST_PIXELS = (size_t)1 << 28;

/* ---- Planning ---- */

/* "MemAvailable:   123 kB" of /proc/meminfo; SIZE_MAX when it is not said. */
static size_t system_memory(void)
{
    char line[256];
    unsigned long long kilobytes = SIZE_MAX / 1024;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
            break;
    if (file)
        (void)fclose(file); /* only read */
    return (size_t)kilobytes * 1024;
}

/* The number in a file; SIZE_MAX when there is none ("max", or no such file). */
static size_t number_in(const char *path)
{
    unsigned long long value = SIZE_MAX;
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%llu", &value) != 1)
        value = SIZE_MAX;
    if (file)
        (void)fclose(file); /* only read */
    return (size_t)value;
}

size_t sq_memory_available(void)
{
    const size_t all = system_memory(), limit = number_in("/sys/fs/cgroup/memory.max"),
                 used = number_in("/sys/fs/cgroup/memory.current");
    const size_t left = limit == SIZE_MAX || used == SIZE_MAX ? SIZE_MAX : limit > used ? limit - used : 0;
    return all < left ? all : left;
}

size_t sq_cache_budget(int megabytes, int processes)
{
    return megabytes > 0 ? (size_t)megabytes << 20 : sq_memory_available() / 2 / (size_t)processes;
}

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* How often image `index` grows when it is decoded: 1 for a raw one; SQ_DATA when it cannot be read. */
static sq_status weigh(const sq_dataset *d, size_t index, void **buffer, size_t *capacity, double *growth)
{
    int h = 0, w = 0;
    size_t size = 0;
    if (sq_dataset_is_raw(d, index, &h, &w)) {
        *growth = 1;
        return SQ_OK;
    }
    const void *record = sq_dataset_view(d, index, &size);
    if (!record) {
        SQ_TRY(sq_dataset_read(d, index, buffer, capacity, &size));
        record = *buffer;
    }
    SQ_TRY(sq_image_size(record, size, sq_dataset_name(d, index), MOST_PIXELS, &h, &w));
    *growth = (double)padded((size_t)h * (size_t)w * 3) / (double)padded(size);
    return SQ_OK;
}

/* The mean growth of a sample of the images, each counted by its size. */
static sq_status sample_growth(const sq_dataset *d, double *out)
{
    const size_t count = sq_dataset_count(d), sampled = count < SAMPLED ? count : SAMPLED;
    void *buffer = NULL;
    size_t capacity = 0;
    double decoded = 0, encoded = 0;
    sq_status status = SQ_OK;
    for (size_t i = 0; i < sampled && status != SQ_NO_MEMORY; i++) {
        double growth;
        const size_t index = i * count / sampled, bytes = padded(sq_dataset_size(d, index));
        status = weigh(d, index, &buffer, &capacity, &growth);
        if (status != SQ_OK)
            continue; /* the loader will name it */
        decoded += growth * (double)bytes;
        encoded += (double)bytes;
    }
    free(buffer);
    if (status == SQ_NO_MEMORY)
        return status;
    if (encoded == 0)
        return sq_fail(SQ_DATA, "cache: none of %zu images can be read", sampled);
    *out = decoded / encoded;
    return SQ_OK;
}

sq_status sq_cache_plan_make(sq_cache_plan *out, const sq_dataset *d, size_t budget, bool may_decode)
{
    const size_t count = sq_dataset_count(d);
    const double room = (double)(budget ? budget : sq_memory_available() / 2);
    double growth = 1, encoded = 0;
    for (size_t i = 0; i < count; i++)
        encoded += (double)padded(sq_dataset_size(d, i));
    if (may_decode)
        SQ_TRY(sample_growth(d, &growth));
    const bool is_decoded = may_decode && growth * encoded <= room;
    const double wanted = is_decoded ? growth * encoded : encoded,
                 taken = is_decoded ? 1.05 * wanted : wanted; /* the others may grow more than the sample */
    *out = (sq_cache_plan){.form = is_decoded ? SQ_CACHE_DECODED : SQ_CACHE_ENCODED,
                           .bytes = (size_t)(taken < room ? taken : room),
                           .wanted_bytes = (size_t)wanted,
                           .image_count = count,
                           .cached_count = wanted <= room ? count : (size_t)(room / wanted * (double)count)};
    return SQ_OK;
}

/* ---- The cache ---- */

enum { FREE, TAKEN, KEPT }; /* states of a place */

typedef struct {
    atomic_int state;
    bool is_raw;
    int h, w;
    size_t at, size;
} place;

struct sq_cache {
    sq_cache_plan plan;
    char *memory;
    place *places; /* by data set index */
    atomic_size_t used, count;
    atomic_bool is_full;
};

sq_status sq_cache_open(sq_cache **out, const sq_cache_plan *plan)
{
    sq_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return sq_fail(SQ_NO_MEMORY, "cache");
    cache->plan = *plan;
    cache->memory = aligned_alloc(ALIGNMENT, padded(plan->bytes + ALIGNMENT));
    cache->places = calloc(plan->image_count + 1, sizeof *cache->places);
    if (!cache->memory || !cache->places) {
        sq_cache_close(cache);
        return sq_fail(SQ_NO_MEMORY, "cache: %zu bytes; data.cache_mb limits them", plan->bytes);
    }
    *out = cache;
    return SQ_OK;
}

void sq_cache_close(sq_cache *cache)
{
    if (!cache)
        return;
    free(cache->memory);
    free(cache->places);
    free(cache);
}

sq_cache_form sq_cache_get_form(const sq_cache *cache)
{
    return cache->plan.form;
}

bool sq_cache_find(const sq_cache *cache, size_t index, sq_image_record *out)
{
    place *p = &cache->places[index];
    if (atomic_load_explicit(&p->state, memory_order_acquire) != KEPT)
        return false;
    *out = (sq_image_record){cache->memory + p->at, p->size, p->is_raw, p->h, p->w};
    return true;
}

/* Room for so many bytes, or false. What is taken is never given back. */
static bool take_room(sq_cache *cache, size_t bytes, size_t *at)
{
    size_t used = atomic_load(&cache->used);
    do {
        if (bytes > cache->plan.bytes || used > cache->plan.bytes - bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&cache->used, &used, used + bytes));
    *at = used;
    return true;
}

void sq_cache_add(sq_cache *cache, size_t index, const sq_image_record *record)
{
    place *p = &cache->places[index];
    int expected = FREE;
    size_t at;
    if (!atomic_compare_exchange_strong(&p->state, &expected, TAKEN))
        return; /* another thread is at it */
    if (!take_room(cache, padded(record->size), &at)) {
        atomic_store(&cache->is_full, true);
        atomic_store(&p->state, FREE);
        return;
    }
    memcpy(cache->memory + at, record->bytes, record->size);
    p->at = at;
    p->size = record->size;
    p->is_raw = record->is_raw;
    p->h = record->h;
    p->w = record->w;
    (void)atomic_fetch_add(&cache->count, 1);
    atomic_store_explicit(&p->state, KEPT, memory_order_release);
}

bool sq_cache_is_full(const sq_cache *cache)
{
    return atomic_load(&cache->is_full);
}

size_t sq_cache_count(const sq_cache *cache)
{
    return atomic_load(&cache->count);
}

size_t sq_cache_bytes(const sq_cache *cache)
{
    return atomic_load(&cache->used);
}
