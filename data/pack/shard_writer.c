/* Writes a shard in this order: the records, the tables, the header. Finally renames the temporary file to the name of
 * the shard. */
#include "data/pack/shard_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "kernels/base/text.h"

enum { BUFFER_BYTES = 1 << 20, INDEX_ALIGNMENT = 8 };

struct sq_shard_writer {
    char path[SQ_PATH_BYTES], temporary[SQ_PATH_BYTES];
    FILE *file;
    bool is_finished;
    sq_shard_header header;
    sq_shard_record *records; /* owned; header.count */
    uint64_t added;           /* records so far */
    uint64_t position;        /* bytes written */
    char *names;              /* owned */
    size_t names_bytes, names_capacity;
};

static sq_status fail_write(const sq_shard_writer *w)
{
    return sq_fail(SQ_IO, "%s: %s", w->path, strerror(errno));
}

static sq_status write_bytes(sq_shard_writer *w, const void *bytes, size_t size)
{
    if (size && fwrite(bytes, 1, size, w->file) != size)
        return fail_write(w);
    w->position += size;
    return SQ_OK;
}

/* Writes zeros until the position is a multiple of `alignment`. */
static sq_status pad(sq_shard_writer *w, uint64_t alignment)
{
    static const char zeros[SQ_SHARD_ALIGNMENT];
    return write_bytes(w, zeros, (size_t)((alignment - w->position % alignment) % alignment));
}

static sq_status create_file(sq_shard_writer *w, const char *path)
{
    if (snprintf(w->path, sizeof w->path, "%s", path) >= SQ_PATH_BYTES ||
        snprintf(w->temporary, sizeof w->temporary, "%s.tmp", path) >= SQ_PATH_BYTES)
        return sq_fail(SQ_INVALID, "%.200s...: the path is too long: expected less than %d bytes", path, SQ_PATH_BYTES);
    w->records = calloc((size_t)w->header.count + 1, sizeof *w->records);
    if (!w->records)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for an index of %llu images", path,
                       (unsigned long long)w->header.count);
    const int file = open(w->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    w->file = file >= 0 ? fdopen(file, "w+b") : NULL;
    if (!w->file) {
        const sq_status status = sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
        if (file >= 0)
            (void)close(file); /* nothing was written */
        return status;
    }
    (void)setvbuf(w->file, NULL, _IOFBF, BUFFER_BYTES); /* best effort: without it, writing is slower */
    const sq_shard_header none = {0};
    return write_bytes(w, &none, sizeof none);
}

sq_status sq_shard_writer_open(sq_shard_writer **out, const char *path, const sq_shard_header *header)
{
    sq_shard_writer *w = calloc(1, sizeof *w);
    if (!w)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a shard", path);
    w->header = *header;
    const sq_status status = create_file(w, path);
    if (status == SQ_OK)
        *out = w;
    else
        sq_shard_writer_close(w);
    return status;
}

sq_status sq_shard_writer_add(sq_shard_writer *w, const void *bytes, size_t size, const char *name,
                              const sq_shard_record *record)
{
    const size_t name_bytes = strlen(name) + 1;
    if (w->added == w->header.count)
        return sq_fail(SQ_INVALID, "%s: too many records: expected %llu", w->path, (unsigned long long)w->header.count);
    if (w->names_bytes + name_bytes > w->names_capacity) {
        const size_t capacity = 2 * (w->names_bytes + name_bytes);
        char *names = realloc(w->names, capacity);
        if (!names)
            return sq_fail(SQ_NO_MEMORY, "%s: out of memory for %zu bytes of names", w->path, capacity);
        w->names = names;
        w->names_capacity = capacity;
    }
    SQ_TRY(pad(w, SQ_SHARD_ALIGNMENT));
    sq_shard_record *r = w->records + w->added;
    *r = *record;
    r->offset = w->position;
    r->size = size;
    r->checksum = XXH3_64bits(bytes, size);
    r->name_offset = w->names_bytes;
    SQ_TRY(write_bytes(w, bytes, size));
    memcpy(w->names + w->names_bytes, name, name_bytes);
    w->names_bytes += name_bytes;
    w->added++;
    return SQ_OK;
}

/* Writes a part of the tables and adds it to `sum`, the checksum of all tables. */
static sq_status write_table(sq_shard_writer *w, XXH3_state_t *sum, const void *bytes, size_t size)
{
    (void)XXH3_64bits_update(sum, bytes, size); /* fails only if the state is NULL */
    return write_bytes(w, bytes, size);
}

static sq_status write_tables(sq_shard_writer *w, XXH3_state_t *sum, const char *const *classes, int class_count)
{
    static const char zeros[INDEX_ALIGNMENT];
    sq_shard_header *h = &w->header;
    (void)XXH3_64bits_reset(sum); /* fails only if the state is NULL */
    h->classes_offset = w->position;
    for (int i = 0; i < class_count; i++)
        SQ_TRY(write_table(w, sum, classes[i], strlen(classes[i]) + 1));
    h->names_offset = w->position;
    SQ_TRY(write_table(w, sum, w->names, w->names_bytes));
    SQ_TRY(write_table(w, sum, zeros, (size_t)((INDEX_ALIGNMENT - w->position % INDEX_ALIGNMENT) % INDEX_ALIGNMENT)));
    h->index_offset = w->position;
    SQ_TRY(write_table(w, sum, w->records, (size_t)h->count * sizeof *w->records));
    h->file_bytes = w->position;
    h->tables_checksum = XXH3_64bits_digest(sum);
    return SQ_OK;
}

sq_status sq_shard_writer_finish(sq_shard_writer *w, const char *const *classes, int class_count)
{
    sq_shard_header *h = &w->header;
    if (w->added != h->count)
        return sq_fail(SQ_INVALID, "%s: too few records: found %llu, expected %llu", w->path,
                       (unsigned long long)w->added, (unsigned long long)h->count);
    XXH3_state_t *sum = XXH3_createState();
    const sq_status status = sum ? write_tables(w, sum, classes, class_count)
                                 : sq_fail(SQ_NO_MEMORY, "%s: out of memory for the tables", w->path);
    (void)XXH3_freeState(sum); /* accepts NULL */
    SQ_TRY(status);
    memcpy(h->magic, SQ_SHARD_MAGIC, sizeof h->magic);
    h->version = SQ_SHARD_VERSION;
    h->header_bytes = sizeof *h;
    h->record_bytes = sizeof *w->records;
    h->class_count = (uint32_t)class_count;
    h->header_checksum = XXH3_64bits(h, offsetof(sq_shard_header, header_checksum));
    if (fseek(w->file, 0, SEEK_SET) != 0 || fwrite(h, sizeof *h, 1, w->file) != 1 || fflush(w->file) != 0 ||
        fsync(fileno(w->file)) != 0)
        return fail_write(w);
    const bool is_closed = fclose(w->file) == 0;
    w->file = NULL;
    if (!is_closed || rename(w->temporary, w->path) != 0)
        return fail_write(w);
    w->is_finished = true;
    return SQ_OK;
}

void sq_shard_writer_close(sq_shard_writer *w)
{
    if (!w)
        return;
    if (w->file)
        (void)fclose(w->file); /* the file is removed below */
    if (!w->is_finished && *w->temporary && w->records)
        (void)unlink(w->temporary); /* best effort */
    free(w->records);
    free(w->names);
    free(w);
}
