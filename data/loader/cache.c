/* The cache is one block of memory and a table of slots. Threads allocate from the start of the block through an atomic
 * offset. */
#include "data/loader/cache.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/decode.h"

enum { MAX_SAMPLED_IMAGES = 256, ALIGNMENT = 64 };
static const size_t MAX_PIXELS = (size_t)1 << 28;
static const double SAMPLING_MARGIN = 1.05; /* because images outside the sample may be larger */

const char *sq_cache_form_name(sq_cache_form form)
{
    static const char *const names[] = {[SQ_CACHE_NONE] = "none",
                                        [SQ_CACHE_ENCODED] = "encoded",
                                        [SQ_CACHE_DECODED] = "decoded",
                                        [SQ_CACHE_DEVICE] = "device"};
    _Static_assert(sizeof names / sizeof *names == SQ_CACHE_FORMS, "one name per form");
    return names[form];
}

/* ---- Available memory ---- */

/* Returns MemAvailable of /proc/meminfo in bytes. Returns almost SIZE_MAX if the file does not give MemAvailable. */
static size_t system_memory(void)
{
    char line[256];
    unsigned long long kilobytes = SIZE_MAX / 1024;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
            break;
    if (file)
        (void)fclose(file); /* nothing was written */
    return (size_t)kilobytes * 1024;
}

/* Returns the number in a file. Returns SIZE_MAX if the file does not exist or holds no number ("max"). */
static size_t read_number(const char *path)
{
    unsigned long long value = SIZE_MAX;
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%llu", &value) != 1)
        value = SIZE_MAX;
    if (file)
        (void)fclose(file); /* nothing was written */
    return (size_t)value;
}

size_t sq_memory_available(void)
{
    const size_t system = system_memory(), limit = read_number("/sys/fs/cgroup/memory.max"),
                 used = read_number("/sys/fs/cgroup/memory.current");
    const size_t left = limit == SIZE_MAX || used == SIZE_MAX ? SIZE_MAX : limit > used ? limit - used : 0;
    return system < left ? system : left;
}

size_t sq_cache_budget(int megabytes, int processes)
{
    return megabytes > 0 ? (size_t)megabytes << 20 : sq_memory_available() / 2 / (size_t)processes;
}

/* ---- Planning ---- */

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

typedef struct {
    void *bytes; /* owned */
    size_t capacity;
} read_buffer;

/* Sets *out to decoded size / stored size of an image, which is 1 for raw pixels. Returns SQ_DATA if the image cannot
 * be read. */
static sq_status decoded_ratio(const sq_dataset *d, size_t index, read_buffer *buffer, double *out)
{
    int h = 0, w = 0;
    sq_encoded_image encoded = {.name = sq_dataset_name(d, index), .max_pixels = MAX_PIXELS};
    if (sq_dataset_is_raw(d, index, &h, &w)) {
        *out = 1;
        return SQ_OK;
    }
    encoded.bytes = sq_dataset_view(d, index, &encoded.size);
    if (!encoded.bytes) {
        SQ_TRY(sq_dataset_read(d, index, &buffer->bytes, &buffer->capacity, &encoded.size));
        encoded.bytes = buffer->bytes;
    }
    SQ_TRY(sq_image_read_size(&encoded, &h, &w));
    *out = (double)padded((size_t)h * (size_t)w * 3) / (double)padded(encoded.size);
    return SQ_OK;
}

/* Estimates the ratio of decoded to stored size of the data set from a sample of the images. */
static sq_status sample_ratio(const sq_dataset *d, double *out)
{
    const size_t count = sq_dataset_count(d), sampled = count < MAX_SAMPLED_IMAGES ? count : MAX_SAMPLED_IMAGES;
    read_buffer buffer = {0};
    double decoded = 0, stored = 0;
    sq_status status = SQ_OK;
    for (size_t i = 0; i < sampled && status != SQ_NO_MEMORY; i++) {
        double ratio;
        const size_t index = i * count / sampled, bytes = padded(sq_dataset_size(d, index));
        status = decoded_ratio(d, index, &buffer, &ratio);
        if (status != SQ_OK)
            continue; /* the loader reports bad images */
        decoded += ratio * (double)bytes;
        stored += (double)bytes;
    }
    free(buffer.bytes);
    if (status == SQ_NO_MEMORY)
        return status;
    if (stored == 0)
        return sq_fail(SQ_DATA, "cache: none of %zu sampled images can be read", sampled);
    *out = decoded / stored;
    return SQ_OK;
}

sq_status sq_cache_plan_make(sq_cache_plan *out, const sq_dataset *d, size_t budget, bool may_decode)
{
    const size_t count = sq_dataset_count(d);
    const double room = (double)(budget ? budget : sq_memory_available() / 2);
    double ratio = 1, stored = 0;
    for (size_t i = 0; i < count; i++)
        stored += (double)padded(sq_dataset_size(d, i));
    if (may_decode)
        SQ_TRY(sample_ratio(d, &ratio));
    const bool is_decoded = may_decode && ratio * stored <= room;
    const double wanted = is_decoded ? ratio * stored : stored,
                 capacity = is_decoded ? SAMPLING_MARGIN * wanted : wanted;
    *out = (sq_cache_plan){.form = is_decoded ? SQ_CACHE_DECODED : SQ_CACHE_ENCODED,
                           .bytes = (size_t)(capacity < room ? capacity : room),
                           .wanted_bytes = (size_t)wanted,
                           .image_count = count,
                           .cached_count = wanted <= room ? count : (size_t)(room / wanted * (double)count)};
    return SQ_OK;
}

/* ---- The cache ---- */

enum { SLOT_EMPTY, SLOT_FILLING, SLOT_READY };

typedef struct {
    atomic_int state;
    bool is_raw;
    int h, w;
    size_t offset, size; /* bytes in sq_cache.memory */
} cache_slot;

struct sq_cache {
    sq_cache_plan plan;
    char *memory;      /* owned */
    cache_slot *slots; /* owned; one slot per image of the data set */
    atomic_size_t used, count;
    atomic_bool is_full;
};

sq_status sq_cache_open(sq_cache **out, const sq_cache_plan *plan)
{
    sq_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return sq_fail(SQ_NO_MEMORY, "cache: out of memory");
    cache->plan = *plan;
    cache->memory = aligned_alloc(ALIGNMENT, padded(plan->bytes + ALIGNMENT));
    cache->slots = calloc(plan->image_count + 1, sizeof *cache->slots);
    if (!cache->memory || !cache->slots) {
        sq_cache_close(cache);
        return sq_fail(SQ_NO_MEMORY, "cache: out of memory for %zu bytes; lower data.cache_mb", plan->bytes);
    }
    *out = cache;
    return SQ_OK;
}

void sq_cache_close(sq_cache *cache)
{
    if (!cache)
        return;
    free(cache->memory);
    free(cache->slots);
    free(cache);
}

sq_cache_form sq_cache_get_form(const sq_cache *cache)
{
    return cache->plan.form;
}

bool sq_cache_find(const sq_cache *cache, size_t index, sq_image_record *out)
{
    cache_slot *s = &cache->slots[index];
    if (atomic_load_explicit(&s->state, memory_order_acquire) != SLOT_READY)
        return false;
    *out = (sq_image_record){cache->memory + s->offset, s->size, s->is_raw, s->h, s->w};
    return true;
}

/* Allocates a part of cache->memory, which stays allocated until sq_cache_close. Returns false if there is no room. */
static bool allocate(sq_cache *cache, size_t bytes, size_t *offset)
{
    size_t used = atomic_load(&cache->used);
    do {
        if (bytes > cache->plan.bytes || used > cache->plan.bytes - bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&cache->used, &used, used + bytes));
    *offset = used;
    return true;
}

void sq_cache_add(sq_cache *cache, size_t index, const sq_image_record *record)
{
    cache_slot *s = &cache->slots[index];
    int expected = SLOT_EMPTY;
    size_t offset;
    if (!atomic_compare_exchange_strong(&s->state, &expected, SLOT_FILLING))
        return; /* another thread has filled the slot or is filling it */
    if (!allocate(cache, padded(record->size), &offset)) {
        atomic_store(&cache->is_full, true);
        atomic_store(&s->state, SLOT_EMPTY);
        return;
    }
    memcpy(cache->memory + offset, record->bytes, record->size);
    s->offset = offset;
    s->size = record->size;
    s->is_raw = record->is_raw;
    s->h = record->h;
    s->w = record->w;
    (void)atomic_fetch_add(&cache->count, 1);
    atomic_store_explicit(&s->state, SLOT_READY, memory_order_release);
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
