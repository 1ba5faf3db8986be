/* Opens data sets, makes subsets and reads images. source.c builds the list of images once; subsets hold indices into
 * that list. */
#include "data/sources/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/sources/shard_set.h"
#include "data/sources/source.h"
#include "kernels/base/rng.h"

enum { MAX_IMAGE_BYTES = 1 << 30 };

sq_status sq_dataset_open_with(sq_dataset **out, const char *source, const char *split,
                               const sq_dataset_options *options)
{
    sq_dataset *d = calloc(1, sizeof *d);
    if (!d)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a data set", source);
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
    for (int i = 0; !d->parent && i < d->class_count; i++)
        free(d->classes[i]);
    if (!d->parent)
        free(d->classes);
    for (int i = 0; i < d->tar_count; i++)
        (void)close(d->tars[i]); /* nothing was written */
    sq_shards_close(d->shards, d->shard_count);
    free(d->tars);
    free(d->entries);
    free(d->indices);
    free(d);
}

/* ---- Subsets ---- */

static sq_status make_subset(sq_dataset **out, const sq_dataset *parent, int class_count)
{
    sq_dataset *d = calloc(1, sizeof *d);
    if (d)
        d->indices = malloc((parent->count ? parent->count : 1) * sizeof *d->indices);
    if (!d || !d->indices) {
        sq_dataset_close(d);
        return sq_fail(SQ_NO_MEMORY, "data set: out of memory for a subset of %zu images", parent->count);
    }
    d->parent = parent;
    d->classes = parent->classes;
    d->class_count = class_count;
    *out = d;
    return SQ_OK;
}

/* Shuffles the marks (Fisher-Yates). */
static void shuffle(bool *marks, size_t count, sq_rng *rng)
{
    for (size_t i = count; i > 1; i--) {
        const size_t j = sq_rng_below(rng, (uint32_t)i);
        const bool swap = marks[i - 1];
        marks[i - 1] = marks[j];
        marks[j] = swap;
    }
}

/* Marks the held-out images of each class. Entries are sorted by class. */
static void choose_held_out(const sq_dataset *parent, double fraction, uint64_t seed, bool *marks)
{
    for (size_t first = 0, end; first < parent->count; first = end) {
        const int label = sq_dataset_label(parent, first);
        for (end = first + 1; end < parent->count && sq_dataset_label(parent, end) == label;)
            end++;
        const size_t held_out = (size_t)((double)(end - first) * fraction + 0.5);
        for (size_t i = first; i < end; i++)
            marks[i] = i - first < held_out;
        sq_rng rng = sq_rng_open(seed, SQ_RNG_SPLIT, (uint64_t)label);
        shuffle(marks + first, end - first, &rng);
    }
}

sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *parent, double fraction, uint64_t seed,
                              bool is_held_out)
{
    sq_dataset *d = NULL;
    bool *marks = calloc(parent->count ? parent->count : 1, sizeof *marks);
    sq_status status = marks ? make_subset(&d, parent, parent->class_count)
                             : sq_fail(SQ_NO_MEMORY, "data set: out of memory for the held-out images");
    if (status == SQ_OK)
        choose_held_out(parent, fraction, seed, marks);
    for (size_t i = 0; status == SQ_OK && i < parent->count; i++)
        if (marks[i] == is_held_out)
            d->indices[d->count++] = i;
    free(marks);
    if (status == SQ_OK && d->count == 0) {
        sq_dataset_close(d);
        return sq_fail(SQ_DATA, "data set: holding out %g of %zu images leaves none %s", fraction, parent->count,
                       is_held_out ? "for validation" : "for training");
    }
    if (status == SQ_OK)
        *out = d;
    return status;
}

sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *parent, int class_limit)
{
    sq_dataset *d = NULL;
    if (class_limit < 1 || class_limit > parent->class_count)
        return sq_fail(SQ_DATA, "data set: class limit out of range: found %d, expected 1..%d", class_limit,
                       parent->class_count);
    SQ_TRY(make_subset(&d, parent, class_limit));
    for (size_t i = 0; i < parent->count; i++)
        if (sq_dataset_label(parent, i) < class_limit)
            d->indices[d->count++] = i;
    *out = d;
    return SQ_OK;
}

sq_status sq_dataset_same_classes(const sq_dataset *train, const sq_dataset *val)
{
    for (int i = 0; i < train->class_count || i < val->class_count; i++) {
        const char *a = i < train->class_count ? train->classes[i] : NULL,
                   *b = i < val->class_count ? val->classes[i] : NULL;
        const int order = !a ? 1 : !b ? -1 : strcmp(a, b);
        if (order)
            return sq_fail(SQ_DATA, "class '%s' is only in %s", order < 0 ? a : b, order < 0 ? "train" : "val");
    }
    return SQ_OK;
}

/* ---- Reading ---- */

bool sq_dataset_has_unnamed_split(const sq_dataset *d)
{
    return d->parent ? sq_dataset_has_unnamed_split(d->parent) : d->has_unnamed_split;
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

/* Returns the entry of image `index`. Sets *owner to the data set that owns the entry: d itself if d has no parent,
 * otherwise the outermost parent of d. */
static const sq_dataset_entry *entry_of(const sq_dataset *d, size_t index, const sq_dataset **owner)
{
    while (d->parent) {
        index = d->indices[index];
        d = d->parent;
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
    return e->name + e->inner_name_offset;
}

size_t sq_dataset_size(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    return (size_t)entry_of(d, index, &owner)->size;
}

static sq_status grow_buffer(void **buffer, size_t *capacity, size_t bytes, const char *name)
{
    if (bytes <= *capacity)
        return SQ_OK;
    void *grown = realloc(*buffer, bytes);
    if (!grown)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for %zu bytes", name, bytes);
    *buffer = grown;
    *capacity = bytes;
    return SQ_OK;
}

/* Fails if the length of the file differs from the length in the list, because the file has then changed since it was
 * listed. */
static sq_status check_length(const sq_dataset_entry *e, int file)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
    if ((uint64_t)info.st_size != e->size)
        return sq_fail(SQ_DATA, "%s: the file has changed: found %lld bytes, expected %llu as listed", e->name,
                       (long long)info.st_size, (unsigned long long)e->size);
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
            return sq_fail(SQ_DATA, "%s: truncated file: found %zu bytes, expected %llu", e->name, done,
                           (unsigned long long)e->size);
        done += (size_t)got;
    }
    return SQ_OK;
}

static sq_status read_file(const sq_dataset_entry *e, char *out)
{
    const int file = open(e->name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
    sq_status status = check_length(e, file);
    if (status == SQ_OK)
        status = read_bytes(e, file, out);
    (void)close(file); /* nothing was written */
    return status;
}

sq_status sq_dataset_read(const sq_dataset *d, size_t index, void **buffer, size_t *capacity, size_t *size)
{
    const sq_dataset *owner;
    const sq_dataset_entry *e = entry_of(d, index, &owner);
    if (e->size > MAX_IMAGE_BYTES)
        return sq_fail(SQ_DATA, "%s: the image is too large: found %llu bytes, expected at most %d", e->name,
                       (unsigned long long)e->size, MAX_IMAGE_BYTES);
    SQ_TRY(grow_buffer(buffer, capacity, (size_t)e->size, e->name));
    sq_status status;
    if (e->shard >= 0)
        status = sq_shard_read(owner->shards[e->shard], (size_t)e->offset, *buffer);
    else if (e->tar >= 0)
        status = read_bytes(e, owner->tars[e->tar], *buffer);
    else
        status = read_file(e, *buffer);
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
