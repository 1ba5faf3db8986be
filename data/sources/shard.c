/* Reading packed shards. Nothing in a file is believed before it is checked: sq_shard_open leaves only the records'
 * bytes unread, and those have their checksums. */
#include "data/sources/shard.h"

#include <dirent.h>
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

#include "kernels/base/text.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shards are read as they lie in memory: little-endian"
#endif

enum { READ_AHEAD = 8 << 20, NEAR = 256 };

struct sq_shard {
    char *path;
    int file;
    const uint8_t *map; /* the whole file; only records are read from it */
    size_t map_bytes;
    sq_shard_header head;
    char *tables; /* a copy of classes_offset .. file_bytes: a file that is cut later takes nothing away */
    const sq_shard_record *records; /* in tables */
    const char *names;              /* in tables */
    const char **classes;           /* class_count pointers into tables */
    atomic_uchar *is_verified;      /* per record */
    _Atomic uint64_t newest;        /* the record last read */
    _Atomic uint64_t hinted;        /* bytes of the file before here were asked for */
};

/* ---- Opening ---- */

/* Into a buffer of our own; what is missing at the end of the file stays zero. */
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

static sq_status read_header(sq_shard *s)
{
    const uint64_t length = s->map_bytes;
    SQ_TRY(read_part(s, &s->head, sizeof s->head, 0));
    const sq_shard_header *h = &s->head;
    if (memcmp(h->magic, SQ_SHARD_MAGIC, sizeof h->magic) != 0)
        return sq_fail(SQ_DATA, "%s: not a shard", s->path);
    if (length < sizeof *h)
        return sq_fail(SQ_DATA, "%s: %" PRIu64 " bytes, truncated inside the header", s->path, length);
    if (h->version != SQ_SHARD_VERSION)
        return sq_fail(SQ_DATA, "%s: version %u, wanted %d", s->path, h->version, SQ_SHARD_VERSION);
    if (XXH3_64bits(h, offsetof(sq_shard_header, header_checksum)) != h->header_checksum)
        return sq_fail(SQ_DATA, "%s: the header's checksum differs", s->path);
    if (h->file_bytes != length)
        return sq_fail(SQ_DATA, "%s: %" PRIu64 " bytes, wanted %" PRIu64 ": truncated or still growing", s->path,
                       length, h->file_bytes);
    const bool is_ordered = h->header_bytes == sizeof *h && h->record_bytes == sizeof *s->records &&
                            h->classes_offset >= sizeof *h && h->classes_offset <= h->names_offset &&
                            h->names_offset <= h->index_offset && h->index_offset <= length;
    if (!is_ordered || h->count != (length - h->index_offset) / sizeof *s->records ||
        (length - h->index_offset) % sizeof *s->records || h->shard >= h->shard_count ||
        h->shard_count > SQ_SHARD_MAX_COUNT || h->first > h->total || h->count > h->total - h->first ||
        h->class_count > INT32_MAX)
        return sq_fail(SQ_DATA, "%s: a header whose numbers do not fit together", s->path);
    return SQ_OK;
}

static sq_status read_tables(sq_shard *s)
{
    const sq_shard_header *h = &s->head;
    const size_t bytes = (size_t)(h->file_bytes - h->classes_offset),
                 before = (size_t)(h->index_offset - h->classes_offset),
                 shift = (sizeof(uint64_t) - before % sizeof(uint64_t)) % sizeof(uint64_t); /* the index is aligned */
    s->tables = malloc(bytes + shift + 1);
    s->is_verified = calloc((size_t)h->count + 1, sizeof *s->is_verified);
    if (!s->tables || !s->is_verified)
        return sq_fail(SQ_NO_MEMORY, "%s: an index of %" PRIu64 " records", s->path, h->count);
    char *begin = s->tables + shift;
    SQ_TRY(read_part(s, begin, bytes, h->classes_offset));
    if (XXH3_64bits(begin, bytes) != h->tables_checksum)
        return sq_fail(SQ_DATA, "%s: the checksum of the index differs", s->path);
    s->names = begin + (h->names_offset - h->classes_offset);
    s->records = (const sq_shard_record *)(const void *)(begin + before);
    return SQ_OK;
}

/* Pointers to the class names; each ends with a zero byte before the names begin. */
static sq_status read_classes(sq_shard *s)
{
    const sq_shard_header *h = &s->head;
    const char *end = s->names, *next = end - (h->names_offset - h->classes_offset);
    if (h->class_count > (size_t)(end - next)) /* a name has a byte at least */
        return sq_fail(SQ_DATA, "%s: %u classes in %zu bytes", s->path, h->class_count, (size_t)(end - next));
    s->classes = calloc((size_t)h->class_count + 1, sizeof *s->classes);
    if (!s->classes)
        return sq_fail(SQ_NO_MEMORY, "%s: %u classes", s->path, h->class_count);
    for (uint32_t i = 0; i < h->class_count; i++) {
        const char *zero = memchr(next, 0, (size_t)(end - next));
        if (!zero || (i && strcmp(s->classes[i - 1], next) >= 0))
            return sq_fail(SQ_DATA, "%s: the name of class %u does not end, or is out of order", s->path, i);
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
    const sq_shard_header *h = &s->head;
    const sq_shard_record *r = s->records + i;
    const uint64_t names_bytes = h->index_offset - h->names_offset;
    if (r->label >= h->class_count)
        return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": label %u, wanted less than %u", s->path, i, r->label,
                       h->class_count);
    if (r->name_offset >= names_bytes || !memchr(name_at(s, r), 0, names_bytes - r->name_offset))
        return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": its name does not end", s->path, i);
    if (r->offset < sizeof *h || r->offset > h->classes_offset || r->size > h->classes_offset - r->offset ||
        r->size > SQ_SHARD_MAX_RECORD_BYTES)
        return sq_fail(SQ_DATA, "%s: record %" PRIu64 " (%s/%s): %" PRIu64 " bytes at %" PRIu64 ", outside its place",
                       s->path, i, s->classes[r->label], name_at(s, r), r->size, r->offset);
    if (r->flags & SQ_SHARD_RAW &&
        (r->h == 0 || r->w == 0 || r->h > INT32_MAX || r->w > INT32_MAX ||
         (uint64_t)r->h * r->w > SQ_SHARD_MAX_RECORD_BYTES || (uint64_t)r->h * r->w * 3 != r->size))
        return sq_fail(SQ_DATA, "%s: record %" PRIu64 " (%s/%s): %u x %u raw pixels in %" PRIu64 " bytes", s->path, i,
                       s->classes[r->label], name_at(s, r), r->w, r->h, r->size);
    return SQ_OK;
}

static sq_status check_index(const sq_shard *s)
{
    for (uint64_t i = 0; i < s->head.count; i++) {
        const sq_shard_record *r = s->records + i;
        SQ_TRY(check_record(s, i));
        if (i > 0 && r[-1].label > r->label)
            return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": label %u after %u", s->path, i, r->label, r[-1].label);
        if (i > 0 && r[-1].label == r->label && strcmp(name_at(s, r - 1), name_at(s, r)) == 0)
            return sq_fail(SQ_DATA, "%s: record %" PRIu64 ": the name %s/%s a second time", s->path, i,
                           s->classes[r->label], name_at(s, r));
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
        return sq_fail(SQ_NO_MEMORY, "%s: shard", path);
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
        (void)munmap((void *)(uintptr_t)s->map, s->map_bytes); /* a mapping of our own */
    if (s->file >= 0)
        (void)close(s->file); /* only read */
    free(s->is_verified);
    free(s->tables);
    free(s->classes);
    free(s->path);
    free(s);
}

/* ---- Looking ---- */

const sq_shard_header *sq_shard_get_header(const sq_shard *s)
{
    return &s->head;
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

/* Asks for the next bytes where records are read in order, by one thread or by several. */
static void read_ahead(sq_shard *s, size_t index)
{
    const uint64_t before = atomic_exchange_explicit(&s->newest, index, memory_order_relaxed),
                   end = s->records[index].offset + s->records[index].size;
    if (index > before + NEAR || before > index + NEAR)
        return; /* shuffled: a record is asked for when it is read */
    uint64_t hinted = atomic_load_explicit(&s->hinted, memory_order_relaxed);
    if (end + READ_AHEAD / 2 > hinted &&
        atomic_compare_exchange_strong_explicit(&s->hinted, &hinted, end + READ_AHEAD, memory_order_relaxed,
                                                memory_order_relaxed))
        (void)posix_fadvise(s->file, (off_t)end, READ_AHEAD, POSIX_FADV_WILLNEED); /* a hint */
}

sq_status sq_shard_read(const sq_shard *s, size_t index, void *out)
{
    const sq_shard_record *r = s->records + index;
    size_t done = 0;
    read_ahead((sq_shard *)(uintptr_t)s, index); /* only its hints change */
    while (done < r->size) { /* not from the map: a file that was cut meanwhile must not end the program */
        const ssize_t got = pread(s->file, (char *)out + done, (size_t)r->size - done, (off_t)(r->offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_record(s, index, strerror(errno));
        if (got == 0)
            return fail_record(s, index, "the shard was cut since it was opened");
        done += (size_t)got;
    }
    if (XXH3_64bits(out, r->size) != r->checksum)
        return fail_record(s, index, "its checksum differs");
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
    read_ahead((sq_shard *)(uintptr_t)s, index); /* only its hints change */
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)bytes & ~(page - 1);
    (void)madvise((void *)begin, (uintptr_t)bytes + r->size - begin, MADV_WILLNEED); /* a hint */
    if (XXH3_64bits(bytes, r->size) != r->checksum)
        return NULL;
    atomic_store_explicit(&s->is_verified[index], 1, memory_order_relaxed);
    return bytes;
}

/* ---- All shards of a split ---- */

sq_status sq_shard_make_path(char *out, size_t bytes, const char *folder, const char *split, int shard)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%.32s-%05d.shard", split, shard);
    return sq_text_path(out, bytes, folder, name);
}

/* The number in "<split>-00017.shard"; -1: another name. */
static int number_in(const char *name, const char *split)
{
    const char *dash = strrchr(name, '-');
    int number = -1, used = 0;
    if (!dash || (split && (strlen(split) != (size_t)(dash - name) || strncmp(name, split, strlen(split)) != 0)))
        return -1;
    if (strspn(dash + 1, "0123456789") != 5 || sscanf(dash + 1, "%5d.shard%n", &number, &used) != 1 || used == 0)
        return -1;
    return dash[1 + used] ? -1 : number;
}

/* A shard of the split that is there: its number; -1: none. */
static int find_any(const char *folder, const char *split)
{
    int found = -1;
    DIR *list = opendir(folder);
    for (struct dirent *e = list ? readdir(list) : NULL; e; e = readdir(list)) {
        const int number = number_in(e->d_name, split);
        if (number >= 0 && (found < 0 || number < found))
            found = number;
    }
    if (list)
        (void)closedir(list); /* only read */
    return found;
}

bool sq_shards_exist(const char *folder, const char *split)
{
    return find_any(folder, split) >= 0;
}

static bool has_same_classes(const sq_shard *a, const sq_shard *b)
{
    if (a->head.class_count != b->head.class_count)
        return false;
    for (uint32_t i = 0; i < a->head.class_count; i++)
        if (strcmp(a->classes[i], b->classes[i]) != 0)
            return false;
    return true;
}

/* That shard i goes on where the ones before it ended. */
static sq_status check_place(const sq_shard *first, const sq_shard *s, int i, uint64_t before)
{
    const sq_shard_header *a = &first->head, *b = &s->head;
    if (b->pack != a->pack || b->shard_count != a->shard_count || b->total != a->total || !has_same_classes(first, s))
        return sq_fail(SQ_DATA, "%s: of another pack than %s", s->path, first->path);
    if (b->shard != (uint32_t)i || b->first != before ||
        (i + 1 == (int)a->shard_count && b->first + b->count != b->total))
        return sq_fail(SQ_DATA, "%s: is shard %u with images from %" PRIu64 ", wanted shard %d from %" PRIu64, s->path,
                       b->shard, b->first, i, before);
    return SQ_OK;
}

sq_status sq_shards_open(sq_shard ***out, int *count, const char *folder, const char *split)
{
    char path[SQ_PATH_BYTES];
    uint64_t before = 0;
    const int any = find_any(folder, split);
    if (any < 0)
        return sq_fail(SQ_DATA, "%s: no shards of %s", folder, split);
    sq_shard *one = NULL;
    SQ_TRY(sq_shard_make_path(path, sizeof path, folder, split, any));
    SQ_TRY(sq_shard_open(&one, path));
    const int wanted = (int)one->head.shard_count;
    sq_shard_close(one);
    sq_shard **shards = calloc((size_t)wanted, sizeof *shards);
    sq_status status = shards ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: %d shards", folder, wanted);
    for (int i = 0; status == SQ_OK && i < wanted; i++) {
        status = sq_shard_make_path(path, sizeof path, folder, split, i);
        if (status == SQ_OK && access(path, F_OK) != 0)
            status = sq_fail(SQ_DATA, "%s: the shard is missing, one of %d", path, wanted);
        if (status == SQ_OK)
            status = sq_shard_open(&shards[i], path);
        if (status == SQ_OK)
            status = check_place(shards[0], shards[i], i, before);
        if (status == SQ_OK)
            before += shards[i]->head.count;
    }
    if (status == SQ_OK) {
        *out = shards;
        *count = wanted;
    } else
        sq_shards_close(shards, wanted);
    return status;
}

void sq_shards_close(sq_shard **shards, int count)
{
    for (int i = 0; shards && i < count; i++)
        sq_shard_close(shards[i]);
    free(shards);
}
