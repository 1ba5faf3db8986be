/* Reads a packed shard. All values of a file are checked before they are used. sq_shard_open checks everything except
 * the records; each record has its own checksum. */
#include "data/sources/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shards are little-endian, and read without conversion"
#endif

enum {
    READ_AHEAD_BYTES = 8 << 20,
    /* Two reads at most this many records apart count as sequential, because threads read in parallel. */
    SEQUENTIAL_DISTANCE = 256
};

struct sq_shard {
    char *path;
    int file;
    const uint8_t *map; /* the whole file; only records are read from the map */
    size_t map_bytes;
    sq_shard_header header;
    char *tables; /* a copy of classes_offset .. file_bytes, which stays valid if the file is truncated */
    const sq_shard_record *records; /* in tables */
    const char *names;              /* in tables */
    const char **classes;           /* class_count pointers into tables */
    atomic_uchar *is_verified;      /* per record */
    _Atomic uint64_t previous;      /* the record that was read last */
    _Atomic uint64_t prefetched;    /* bytes of the file before this offset have been prefetched */
};

/* ---- Opening ---- */

/* Copies `bytes` bytes of the file, beginning at `offset`, to out. Bytes after the end of the file are set to 0. */
static sq_status read_part(const sq_shard *s, void *out, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    memset(out, 0, bytes);
    while (done < bytes) {
        const ssize_t got = pread(s->file, (char *)out + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR)
            return sq_fail(SQ_IO, "%s: %s", s->path, strerror(errno));
        if (got == 0)
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    return SQ_OK;
}

/* Returns whether the numbers of a header are consistent. The caller has already checked that file_bytes is the length
 * of the file. */
static bool is_consistent(const sq_shard_header *h)
{
    const bool is_ordered = h->header_bytes == sizeof *h && h->record_bytes == sizeof(sq_shard_record) &&
                            h->classes_offset >= sizeof *h && h->classes_offset <= h->names_offset &&
                            h->names_offset <= h->index_offset && h->index_offset <= h->file_bytes;
    if (!is_ordered)
        return false;
    const uint64_t index_bytes = h->file_bytes - h->index_offset;
    return h->count == index_bytes / sizeof(sq_shard_record) && index_bytes % sizeof(sq_shard_record) == 0 &&
           h->shard < h->shard_count && h->shard_count <= SQ_SHARD_MAX_COUNT && h->first <= h->total &&
           h->count <= h->total - h->first && h->class_count <= INT32_MAX;
}

static sq_status read_header(sq_shard *s)
{
    const uint64_t length = s->map_bytes;
    SQ_TRY(read_part(s, &s->header, sizeof s->header, 0));
    const sq_shard_header *h = &s->header;
    if (memcmp(h->magic, SQ_SHARD_MAGIC, sizeof h->magic) != 0)
        return sq_fail(SQ_DATA, "%s: not a shard", s->path);
    if (length < sizeof *h)
        return sq_fail(SQ_DATA, "%s: truncated header: found %" PRIu64 " bytes, expected %zu", s->path, length,
                       sizeof *h);
    if (h->version != SQ_SHARD_VERSION)
        return sq_fail(SQ_DATA, "%s: unsupported version: found %u, expected %d", s->path, h->version,
                       SQ_SHARD_VERSION);
    if (XXH3_64bits(h, offsetof(sq_shard_header, header_checksum)) != h->header_checksum)
        return sq_fail(SQ_DATA, "%s: the checksum of the header differs", s->path);
    if (h->file_bytes != length)
        return sq_fail(SQ_DATA, "%s: truncated or still being written: found %" PRIu64 " bytes, expected %" PRIu64,
                       s->path, length, h->file_bytes);
    if (!is_consistent(h))
        return sq_fail(SQ_DATA, "%s: inconsistent header", s->path);
    return SQ_OK;
}

static sq_status read_tables(sq_shard *s)
{
    const sq_shard_header *h = &s->header;
    const size_t bytes = (size_t)(h->file_bytes - h->classes_offset),
                 before = (size_t)(h->index_offset - h->classes_offset),
                 shift = (sizeof(uint64_t) - before % sizeof(uint64_t)) % sizeof(uint64_t); /* aligns the index */
    s->tables = malloc(bytes + shift + 1);
    s->is_verified = calloc((size_t)h->count + 1, sizeof *s->is_verified);
    if (!s->tables || !s->is_verified)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for an index of %" PRIu64 " records", s->path, h->count);
    char *begin = s->tables + shift;
    SQ_TRY(read_part(s, begin, bytes, h->classes_offset));
    if (XXH3_64bits(begin, bytes) != h->tables_checksum)
        return sq_fail(SQ_DATA, "%s: the checksum of the index differs", s->path);
    s->names = begin + (h->names_offset - h->classes_offset);
    s->records = (const sq_shard_record *)(const void *)(begin + before);
    return SQ_OK;
}

/* Fills s->classes with pointers to the class names. Checks that each name ends with a zero byte before the image names
 * begin, and that the names are in order. */
static sq_status read_classes(sq_shard *s)
{
    const sq_shard_header *h = &s->header;
    const char *end = s->names, *next = end - (h->names_offset - h->classes_offset);
    if (h->class_count > (size_t)(end - next)) /* each name has at least one byte */
        return sq_fail(SQ_DATA, "%s: the table of class names is too short: found %u classes in %zu bytes", s->path,
                       h->class_count, (size_t)(end - next));
    s->classes = calloc((size_t)h->class_count + 1, sizeof *s->classes);
    if (!s->classes)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for %u classes", s->path, h->class_count);
    for (uint32_t i = 0; i < h->class_count; i++) {
        const char *zero = memchr(next, 0, (size_t)(end - next));
        if (!zero || (i && strcmp(s->classes[i - 1], next) >= 0))
            return sq_fail(SQ_DATA, "%s: the name of class %u is unterminated or out of order", s->path, i);
        s->classes[i] = next;
        next = zero + 1;
    }
    return SQ_OK;
}

static const char *name_at(const sq_shard *s, const sq_shard_record *r)
{
    return s->names + r->name_offset;
}

static sq_status check_record(const sq_shard *s, uint64_t i)
{
    const sq_shard_header *h = &s->header;
    const sq_shard_record *r = s->records + i;
    const uint64_t names_bytes = h->index_offset - h->names_offset;
    if (r->label >= h->class_count)
        return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": label out of range: found %u, expected less than %u", s->path,
                       i, r->label, h->class_count);
    if (r->name_offset >= names_bytes || !memchr(name_at(s, r), 0, names_bytes - r->name_offset))
        return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": unterminated name", s->path, i);
    if (r->offset < sizeof *h || r->offset > h->classes_offset || r->size > h->classes_offset - r->offset ||
        r->size > SQ_SHARD_MAX_RECORD_BYTES)
        return sq_fail(SQ_DATA,
                       "%s: record %" PRIu64 " (%s/%s): out of range: found %" PRIu64 " bytes at offset %" PRIu64,
                       s->path, i, s->classes[r->label], name_at(s, r), r->size, r->offset);
    if (r->flags & SQ_SHARD_RAW &&
        (r->h == 0 || r->w == 0 || r->h > INT32_MAX || r->w > INT32_MAX ||
         (uint64_t)r->h * r->w > SQ_SHARD_MAX_RECORD_BYTES || (uint64_t)r->h * r->w * 3 != r->size))
        return sq_fail(SQ_DATA,
                       "%s: record %" PRIu64 " (%s/%s): wrong size: found %u x %u raw pixels in %" PRIu64 " bytes",
                       s->path, i, s->classes[r->label], name_at(s, r), r->w, r->h, r->size);
    return SQ_OK;
}

static sq_status check_index(const sq_shard *s)
{
    for (uint64_t i = 0; i < s->header.count; i++) {
        const sq_shard_record *r = s->records + i;
        SQ_TRY(check_record(s, i));
        if (i > 0 && r[-1].label > r->label)
            return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": out of order: found label %u after label %u", s->path, i,
                           r->label, r[-1].label);
        if (i > 0 && r[-1].label == r->label && strcmp(name_at(s, r - 1), name_at(s, r)) == 0)
            return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": duplicate name %s/%s", s->path, i, s->classes[r->label],
                           name_at(s, r));
    }
    return SQ_OK;
}

static sq_status map_file(sq_shard *s)
{
    struct stat info;
    s->file = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->file < 0 || fstat(s->file, &info) != 0)
        return sq_fail(errno == ENOENT ? SQ_DATA : SQ_IO, "%s: %s", s->path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size == 0)
        return sq_fail(SQ_DATA, "%s: not a shard", s->path);
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, s->file, 0);
    if (map == MAP_FAILED)
        return sq_fail(SQ_IO, "%s: %s", s->path, strerror(errno));
    s->map = map;
    s->map_bytes = (size_t)info.st_size;
    return SQ_OK;
}

sq_status sq_shard_open(sq_shard **out, const char *path)
{
    sq_shard *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a shard", path);
    }
    s->file = -1;
    sq_status status = map_file(s);
    if (status == SQ_OK)
        status = read_header(s);
    if (status == SQ_OK)
        status = read_tables(s);
    if (status == SQ_OK)
        status = read_classes(s);
    if (status == SQ_OK)
        status = check_index(s);
    if (status == SQ_OK)
        *out = s;
    else
        sq_shard_close(s);
    return status;
}

void sq_shard_close(sq_shard *s)
{
    if (!s)
        return;
    if (s->map)
        (void)munmap((void *)(uintptr_t)s->map, s->map_bytes); /* the map is valid */
    if (s->file >= 0)
        (void)close(s->file); /* nothing was written */
    free(s->is_verified);
    free(s->tables);
    free(s->classes);
    free(s->path);
    free(s);
}

/* ---- Accessors ---- */

const sq_shard_header *sq_shard_get_header(const sq_shard *s)
{
    return &s->header;
}

const char *sq_shard_path(const sq_shard *s)
{
    return s->path;
}

const sq_shard_record *sq_shard_record_at(const sq_shard *s, size_t index)
{
    return s->records + index;
}

const char *sq_shard_image_name(const sq_shard *s, size_t index)
{
    return name_at(s, s->records + index);
}

const char *sq_shard_class_name(const sq_shard *s, uint32_t label)
{
    return s->classes[label];
}

/* ---- Reading ---- */

static sq_status fail_record(const sq_shard *s, size_t index, const char *why)
{
    return sq_fail(SQ_DATA, "%s: record %zu (%s/%s): %s", s->path, index, s->classes[s->records[index].label],
                   sq_shard_image_name(s, index), why);
}

/* Prefetches the following bytes if records are read sequentially, by one thread or by several. */
static void read_ahead(sq_shard *s, size_t index)
{
    const uint64_t previous = atomic_exchange_explicit(&s->previous, index, memory_order_relaxed),
                   end = s->records[index].offset + s->records[index].size;
    if (index > previous + SEQUENTIAL_DISTANCE || previous > index + SEQUENTIAL_DISTANCE)
        return; /* random access */
    uint64_t prefetched = atomic_load_explicit(&s->prefetched, memory_order_relaxed);
    if (end + READ_AHEAD_BYTES / 2 > prefetched &&
        atomic_compare_exchange_strong_explicit(&s->prefetched, &prefetched, end + READ_AHEAD_BYTES,
                                                memory_order_relaxed, memory_order_relaxed))
        (void)posix_fadvise(s->file, (off_t)end, READ_AHEAD_BYTES, POSIX_FADV_WILLNEED); /* a hint */
}

sq_status sq_shard_read(const sq_shard *s, size_t index, void *out)
{
    const sq_shard_record *r = s->records + index;
    size_t done = 0;
    read_ahead((sq_shard *)(uintptr_t)s, index); /* only changes the state of the prefetching */
    while (done < r->size) { /* pread instead of the map, because reading a truncated map would raise SIGBUS */
        const ssize_t got = pread(s->file, (char *)out + done, (size_t)r->size - done, (off_t)(r->offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_record(s, index, strerror(errno));
        if (got == 0)
            return fail_record(s, index, "the shard was truncated after it was opened");
        done += (size_t)got;
    }
    if (XXH3_64bits(out, r->size) != r->checksum)
        return fail_record(s, index, "the checksum differs");
    return SQ_OK;
}

const void *sq_shard_view(const sq_shard *s, size_t index)
{
    const sq_shard_record *r = s->records + index;
    const uint8_t *bytes = s->map + r->offset;
    if (atomic_load_explicit(&s->is_verified[index], memory_order_relaxed))
        return bytes;
    struct stat info;
    if (fstat(s->file, &info) != 0 || (size_t)info.st_size < s->map_bytes)
        return NULL;
    read_ahead((sq_shard *)(uintptr_t)s, index); /* only changes the state of the prefetching */
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)bytes & ~(page - 1);
    (void)madvise((void *)begin, (uintptr_t)bytes + r->size - begin, MADV_WILLNEED); /* a hint */
    if (XXH3_64bits(bytes, r->size) != r->checksum)
        return NULL;
    atomic_store_explicit(&s->is_verified[index], 1, memory_order_relaxed);
    return bytes;
}
