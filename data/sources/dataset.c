/* Lists of images. A list is made once (source.c), sorted, and never changes; subsets point into it. */
#include "data/sources/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/sources/source.h"
#include "kernels/base/rng.h"

enum { LARGEST_IMAGE = 1 << 30 };

sq_status sq_dataset_open_with(sq_dataset **out, const char *source, const char *split,
                               const sq_dataset_options *options)
{
    sq_dataset *d = calloc(1, sizeof *d);
    if (!d)
        return sq_fail(SQ_NO_MEMORY, "%s: data set", source);
    const sq_status status = sq_source_list(d, source, split, options);
    if (status == SQ_OK)
        *out = d;
    else
        sq_dataset_close(d);
    return status;
}

sq_status sq_dataset_open(sq_dataset **out, const char *source, const char *split)
{
    return sq_dataset_open_with(out, source, split, &(sq_dataset_options){0});
}

void sq_dataset_close(sq_dataset *d)
{
    if (!d)
        return;
    for (size_t i = 0; d->entries && i < d->count; i++) {
        free(d->entries[i].name);
        free(d->entries[i].class_name);
    }
    for (int i = 0; !d->whole && i < d->class_count; i++)
        free(d->classes[i]);
    if (!d->whole)
        free(d->classes);
    for (int i = 0; i < d->tar_count; i++)
        (void)close(d->tars[i]); /* only read */
    sq_shards_close(d->shards, d->shard_count);
    free(d->tars);
    free(d->entries);
    free(d->indices);
    free(d);
}

/* ---- Subsets ---- */

static sq_status make_subset(sq_dataset **out, const sq_dataset *whole, int class_count)
{
    sq_dataset *d = calloc(1, sizeof *d);
    if (d)
        d->indices = malloc((whole->count ? whole->count : 1) * sizeof *d->indices);
    if (!d || !d->indices) {
        sq_dataset_close(d);
        return sq_fail(SQ_NO_MEMORY, "data set: a part of %zu images", whole->count);
    }
    d->whole = whole;
    d->classes = whole->classes;
    d->class_count = class_count;
    *out = d;
    return SQ_OK;
}

/* Marks for one class's images, first .. end: which are held out. The rank of an image's draw decides, so the share is
 * exact. */
static void choose_held_out(const sq_dataset *whole, size_t first, size_t end, double fraction, uint64_t seed,
                            bool *marks)
{
    const size_t count = end - first, wanted = (size_t)((double)count * fraction + 0.5);
    for (size_t i = first; i < end; i++)
        marks[i] = i - first < wanted;
    sq_rng rng = sq_rng_open(seed, SQ_RNG_SPLIT, (uint64_t)sq_dataset_label(whole, first));
    for (size_t i = count; i > 1; i--) {
        const size_t j = sq_rng_below(&rng, (uint32_t)i);
        const bool swap = marks[first + i - 1];
        marks[first + i - 1] = marks[first + j];
        marks[first + j] = swap;
    }
}

sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *whole, double fraction, uint64_t seed,
                              bool is_held_out)
{
    sq_dataset *d = NULL;
    bool *marks = calloc(whole->count ? whole->count : 1, sizeof *marks);
    sq_status status =
        marks ? make_subset(&d, whole, whole->class_count) : sq_fail(SQ_NO_MEMORY, "data set: held-out part");
    for (size_t first = 0, end; status == SQ_OK && first < whole->count;
         first = end) { /* entries are sorted by class */
        for (end = first + 1; end < whole->count && sq_dataset_label(whole, end) == sq_dataset_label(whole, first);)
            end++;
        choose_held_out(whole, first, end, fraction, seed, marks);
    }
    for (size_t i = 0; status == SQ_OK && i < whole->count; i++)
        if (marks[i] == is_held_out)
            d->indices[d->count++] = i;
    free(marks);
    if (status == SQ_OK && d->count == 0) {
        sq_dataset_close(d);
        return sq_fail(SQ_DATA, "data set: %g of %zu images leaves none %s", fraction, whole->count,
                       is_held_out ? "to hold out" : "to train on");
    }
    if (status == SQ_OK)
        *out = d;
    return status;
}

sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *whole, int class_limit)
{
    sq_dataset *d = NULL;
    if (class_limit < 1 || class_limit > whole->class_count)
        return sq_fail(SQ_DATA, "data set: class limit %d, wanted 1..%d", class_limit, whole->class_count);
    SQ_TRY(make_subset(&d, whole, class_limit));
    for (size_t i = 0; i < whole->count; i++)
        if (sq_dataset_label(whole, i) < class_limit)
            d->indices[d->count++] = i;
    *out = d;
    return SQ_OK;
}

sq_status sq_dataset_same_classes(const sq_dataset *a, const sq_dataset *b)
{
    for (int i = 0; i < a->class_count || i < b->class_count; i++) {
        const char *x = i < a->class_count ? a->classes[i] : NULL, *y = i < b->class_count ? b->classes[i] : NULL;
        const int order = !x ? 1 : !y ? -1 : strcmp(x, y);
        if (order)
            return sq_fail(SQ_DATA, "class '%s' is only in %s", order < 0 ? x : y, order < 0 ? "train" : "val");
    }
    return SQ_OK;
}

/* ---- Reading ---- */

bool sq_dataset_has_unnamed_split(const sq_dataset *d)
{
    return d->whole ? sq_dataset_has_unnamed_split(d->whole) : d->is_bare;
}

size_t sq_dataset_count(const sq_dataset *d)
{
    return d->count;
}

int sq_dataset_class_count(const sq_dataset *d)
{
    return d->class_count;
}

const char *sq_dataset_class(const sq_dataset *d, int label)
{
    return d->classes[label];
}

/* The whole that holds entry `index` of d, and its position there. */
static const sq_dataset_entry *entry_of(const sq_dataset *d, size_t index, const sq_dataset **owner)
{
    while (d->whole) {
        index = d->indices[index];
        d = d->whole;
    }
    *owner = d;
    return &d->entries[index];
}

int sq_dataset_label(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    return entry_of(d, index, &owner)->label;
}

const char *sq_dataset_name(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    return entry_of(d, index, &owner)->name;
}

const char *sq_dataset_inner_name(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    const sq_dataset_entry *e = entry_of(d, index, &owner);
    return e->name + e->inner;
}

size_t sq_dataset_size(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    return (size_t)entry_of(d, index, &owner)->size;
}

static sq_status make_room(void **buffer, size_t *capacity, size_t bytes, const char *name)
{
    if (bytes <= *capacity)
        return SQ_OK;
    void *more = realloc(*buffer, bytes);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu bytes", name, bytes);
    *buffer = more;
    *capacity = bytes;
    return SQ_OK;
}

/* A file of its own is as long as when it was listed, or it is another image by now. */
static sq_status check_length(const sq_dataset_entry *e, int file)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
    if ((uint64_t)info.st_size != e->size)
        return sq_fail(SQ_DATA, "%s: has %lld bytes, had %llu when it was listed", e->name, (long long)info.st_size,
                       (unsigned long long)e->size);
    return SQ_OK;
}

static sq_status read_bytes(const sq_dataset_entry *e, int file, char *out)
{
    size_t done = 0;
    while (done < e->size) {
        const ssize_t got = pread(file, out + done, (size_t)e->size - done, (off_t)(e->offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
        if (got == 0)
            return sq_fail(SQ_DATA, "%s: ends after %zu of %llu bytes", e->name, done, (unsigned long long)e->size);
        done += (size_t)got;
    }
    return SQ_OK;
}

sq_status sq_dataset_read(const sq_dataset *d, size_t index, void **buffer, size_t *capacity, size_t *size)
{
    const sq_dataset *owner;
    const sq_dataset_entry *e = entry_of(d, index, &owner);
    if (e->size > LARGEST_IMAGE)
        return sq_fail(SQ_DATA, "%s: %llu bytes, wanted at most %d", e->name, (unsigned long long)e->size,
                       LARGEST_IMAGE);
    SQ_TRY(make_room(buffer, capacity, (size_t)e->size, e->name));
    sq_status status = SQ_OK;
    if (e->shard >= 0)
        status = sq_shard_read(owner->shards[e->shard], (size_t)e->offset, *buffer);
    else if (e->tar >= 0)
        status = read_bytes(e, owner->tars[e->tar], *buffer);
    else {
        const int file = open(e->name, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
        status = check_length(e, file);
        if (status == SQ_OK)
            status = read_bytes(e, file, *buffer);
        (void)close(file); /* only read */
    }
    if (status == SQ_OK)
        *size = (size_t)e->size;
    return status;
}

bool sq_dataset_is_raw(const sq_dataset *d, size_t index, int *h, int *w)
{
    const sq_dataset *owner;
    const sq_dataset_entry *e = entry_of(d, index, &owner);
    const sq_shard_record *r = e->shard >= 0 ? sq_shard_record_at(owner->shards[e->shard], (size_t)e->offset) : NULL;
    if (!r || !(r->flags & SQ_SHARD_RAW))
        return false;
    *h = (int)r->h;
    *w = (int)r->w;
    return true;
}

const void *sq_dataset_view(const sq_dataset *d, size_t index, size_t *size)
{
    const sq_dataset *owner;
    const sq_dataset_entry *e = entry_of(d, index, &owner);
    const void *bytes = e->shard >= 0 ? sq_shard_view(owner->shards[e->shard], (size_t)e->offset) : NULL;
    if (bytes)
        *size = (size_t)e->size;
    return bytes;
}
