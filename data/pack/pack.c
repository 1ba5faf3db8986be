/* Determines the layout, that is, which image goes into which shard, and runs the threads that write the shards. */
#include "data/pack/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "data/decode/decode.h"
#include "data/decode/format.h"
#include "data/pack/encode.h"
#include "data/pack/shard_writer.h"
#include "data/sources/shard_set.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"

enum {
    MAX_THREADS = 256,
    MAX_SHARD_IMAGES = 1 << 20,
    DEFAULT_SHARDS = 64, /* used if the bytes per shard are within the limits below */
    MAX_DEFAULT_SHARDS = 512
};
static const uint64_t MIN_DEFAULT_SHARD_BYTES = 4 << 20, MAX_DEFAULT_SHARD_BYTES = 256 << 20;
static const long REPORT_INTERVAL_NS = 500000000;
static const long NS_PER_SECOND = 1000000000;

typedef struct {
    const sq_dataset *dataset;
    const char *folder, *split;
    sq_pack_options options;
    uint64_t fingerprint; /* hash of everything that determines the files, except the images' contents */
    size_t *firsts;       /* owned; shard_count + 1 entries: the first image of each shard, then the end */
    int shard_count;
    const char **classes; /* owned array of borrowed names */
    int class_count;
    pthread_mutex_t lock; /* protects the fields up to failure_text */
    pthread_cond_t is_worker_done;
    int next;     /* number of the next shard */
    int working;  /* running threads */
    int finished; /* finished shards */
    sq_status failure;
    char failure_text[1024];
    atomic_bool is_stopping;
    atomic_size_t images, reused;
    atomic_int bad;
} packing;

/* Buffers that a thread reuses. */
typedef struct {
    void *bytes;
    size_t capacity;
    sq_image image, fitted;
} worker_buffers;

/* ---- One image ---- */

static uint32_t flags_of(const sq_image_probe *probe)
{
    return (uint32_t)probe->format | (probe->is_grey ? SQ_SHARD_GREY : 0u) | (probe->is_cmyk ? SQ_SHARD_CMYK : 0u) |
           (probe->is_rotated ? SQ_SHARD_ROTATED : 0u);
}

/* Decodes the image whose bytes are in m->bytes into m->image. Returns SQ_DATA if the image cannot be decoded. */
static sq_status decode(const packing *p, worker_buffers *m, size_t index, size_t size)
{
    int h, w;
    const char *name = sq_dataset_name(p->dataset, index);
    if (!sq_dataset_is_raw(p->dataset, index, &h, &w))
        return sq_image_decode(&m->image, &(sq_encoded_image){m->bytes, size, name, p->options.max_pixels});
    SQ_TRY(sq_image_reserve(&m->image, h, w, name));
    memcpy(m->image.pixels, m->bytes, size);
    return SQ_OK;
}

/* Shrinks the decoded image m->image and adds it to the shard. */
static sq_status add_decoded(const packing *p, worker_buffers *m, size_t index, sq_shard_writer *writer,
                             sq_shard_record *record)
{
    const sq_pack_options *o = &p->options;
    const char *inner_name = sq_dataset_inner_name(p->dataset, index);
    unsigned char *jpeg = NULL;
    size_t size;
    SQ_TRY(sq_image_fit(&m->fitted, &m->image, o->side, o->is_cropped));
    const sq_image *image = &m->fitted;
    record->h = (uint32_t)image->h;
    record->w = (uint32_t)image->w;
    record->flags = (record->flags & ~(uint32_t)SQ_SHARD_RAW) | SQ_SHARD_REENCODED;
    if (o->is_raw) {
        record->flags |= SQ_SHARD_RAW;
        return sq_shard_writer_add(writer, image->pixels, (size_t)image->h * (size_t)image->w * 3, inner_name, record);
    }
    SQ_TRY(sq_image_encode_jpeg(image, o->quality, sq_dataset_name(p->dataset, index), &jpeg, &size));
    const sq_status status = sq_shard_writer_add(writer, jpeg, size, inner_name, record);
    free(jpeg);
    return status;
}

static sq_status count_bad(packing *p)
{
    const int bad = atomic_fetch_add(&p->bad, 1) + 1;
    char last[512];
    (void)snprintf(last, sizeof last, "%s", sq_error_text());
    return bad > p->options.max_bad
               ? sq_fail(SQ_DATA,
                         "too many undecodable images: found %d, expected at most %d (--max-bad); the last: %s", bad,
                         p->options.max_bad, last)
               : SQ_OK;
}

/* Decodes the image if its pixels are needed or must be checked, and sets the record's size and flags. */
static sq_status examine(packing *p, worker_buffers *m, size_t index, size_t size, sq_shard_record *record)
{
    const sq_pack_options *o = &p->options;
    int h, w;
    const bool is_raw = sq_dataset_is_raw(p->dataset, index, &h, &w);
    if (is_raw)
        return o->side ? decode(p, m, index, size) : SQ_OK;
    if (o->is_unchecked && o->side == 0)
        return SQ_OK;
    const sq_status status = decode(p, m, index, size);
    if (status == SQ_DATA) {
        record->flags |= SQ_SHARD_UNDECODABLE;
        return count_bad(p);
    }
    if (status == SQ_OK) {
        record->h = (uint32_t)m->image.h;
        record->w = (uint32_t)m->image.w;
    }
    return status;
}

/* Returns true if the bytes of the source are stored unchanged. */
static bool is_unchanged(const sq_pack_options *o, const sq_shard_record *record)
{
    const bool was_raw = (record->flags & SQ_SHARD_RAW) != 0;
    return o->side == 0 || record->flags & SQ_SHARD_UNDECODABLE ||
           (sq_image_fits((int)record->h, (int)record->w, o->side, o->is_cropped) && o->is_raw == was_raw);
}

static sq_status pack_image(packing *p, worker_buffers *m, size_t index, sq_shard_writer *writer)
{
    size_t size = 0;
    int h = 0, w = 0;
    SQ_TRY(sq_dataset_read(p->dataset, index, &m->bytes, &m->capacity, &size));
    const bool was_raw = sq_dataset_is_raw(p->dataset, index, &h, &w);
    const sq_image_probe probe = was_raw ? (sq_image_probe){.h = h, .w = w} : sq_image_probe_header(m->bytes, size);
    sq_shard_record record = {.label = (uint32_t)sq_dataset_label(p->dataset, index),
                              .h = (uint32_t)probe.h,
                              .w = (uint32_t)probe.w,
                              .flags = flags_of(&probe) | (was_raw ? SQ_SHARD_RAW : 0u)};
    SQ_TRY(examine(p, m, index, size, &record));
    const sq_status status =
        is_unchanged(&p->options, &record)
            ? sq_shard_writer_add(writer, m->bytes, size, sq_dataset_inner_name(p->dataset, index), &record)
            : add_decoded(p, m, index, writer, &record);
    atomic_fetch_add(&p->images, 1);
    return status;
}

/* ---- One shard ---- */

/* Sets *is_found to whether an earlier run has written shard k. Returns SQ_INVALID if the file belongs to another
 * pack. */
static sq_status find_shard(const packing *p, int k, const char *path, bool *is_found)
{
    sq_shard *shard = NULL;
    *is_found = sq_path_exists(path);
    if (!*is_found)
        return SQ_OK;
    SQ_TRY(sq_shard_open(&shard, path));
    const sq_shard_header *header = sq_shard_get_header(shard);
    const bool is_same = header->pack == p->fingerprint && header->shard == (uint32_t)k;
    sq_shard_close(shard);
    return is_same
               ? SQ_OK
               : sq_fail(SQ_INVALID,
                         "%s: the shard belongs to a pack of other images or options; use an empty folder, or repeat "
                         "the command that started this pack",
                         path);
}

static sq_status fill_shard(packing *p, worker_buffers *m, int k, sq_shard_writer *writer)
{
    for (size_t i = p->firsts[k]; i < p->firsts[k + 1]; i++) {
        if (atomic_load(&p->is_stopping))
            return sq_fail(SQ_INTERRUPTED, "%s: stopped", p->folder);
        SQ_TRY(pack_image(p, m, i, writer));
    }
    return sq_shard_writer_finish(writer, p->classes, p->class_count);
}

static sq_status pack_shard(packing *p, worker_buffers *m, int k)
{
    char path[SQ_PATH_BYTES];
    bool is_found;
    sq_shard_writer *writer = NULL;
    SQ_TRY(sq_shard_make_path(path, sizeof path, p->folder, p->split, k));
    SQ_TRY(find_shard(p, k, path, &is_found));
    if (is_found) {
        atomic_fetch_add(&p->images, p->firsts[k + 1] - p->firsts[k]);
        atomic_fetch_add(&p->reused, p->firsts[k + 1] - p->firsts[k]);
        return SQ_OK;
    }
    const sq_shard_header header = {.shard = (uint32_t)k,
                                    .shard_count = (uint32_t)p->shard_count,
                                    .count = p->firsts[k + 1] - p->firsts[k],
                                    .first = p->firsts[k],
                                    .total = sq_dataset_count(p->dataset),
                                    .pack = p->fingerprint};
    SQ_TRY(sq_shard_writer_open(&writer, path, &header));
    const sq_status status = fill_shard(p, m, k, writer);
    sq_shard_writer_close(writer);
    return status;
}

/* ---- All shards ---- */

static void *run_worker(void *context)
{
    packing *p = context;
    worker_buffers m = {0};
    (void)pthread_mutex_lock(&p->lock);
    while (p->next < p->shard_count && p->failure == SQ_OK && !atomic_load(&p->is_stopping)) {
        const int k = p->next++;
        (void)pthread_mutex_unlock(&p->lock);
        const sq_status status = pack_shard(p, &m, k);
        (void)pthread_mutex_lock(&p->lock);
        if (status == SQ_OK)
            p->finished++;
        else if (p->failure == SQ_OK) {
            p->failure = status;
            (void)snprintf(p->failure_text, sizeof p->failure_text, "%s", sq_error_text());
            atomic_store(&p->is_stopping, true);
        }
    }
    p->working--;
    (void)pthread_cond_signal(&p->is_worker_done);
    (void)pthread_mutex_unlock(&p->lock);
    sq_image_clear(&m.image);
    sq_image_clear(&m.fitted);
    free(m.bytes);
    return NULL;
}

static sq_pack_progress progress_of(packing *p)
{
    const size_t reused = atomic_load(&p->reused); /* read before p->images, so that reused <= images */
    return (sq_pack_progress){.images = atomic_load(&p->images),
                              .image_count = sq_dataset_count(p->dataset),
                              .reused_count = reused,
                              .shards = p->finished,
                              .shard_count = p->shard_count};
}

/* Waits until a thread ends, for at most REPORT_INTERVAL_NS. The caller holds the lock. */
static void wait_for_worker(packing *p)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until); /* cannot fail with this clock */
    until.tv_nsec += REPORT_INTERVAL_NS;
    until.tv_sec += until.tv_nsec / NS_PER_SECOND;
    until.tv_nsec %= NS_PER_SECOND;
    if (p->working > 0)
        (void)pthread_cond_timedwait(&p->is_worker_done, &p->lock, &until); /* the caller checks the state again */
}

/* Reports the progress and polls is_stopped until all threads have ended. */
static void monitor(packing *p)
{
    const sq_pack_options *o = &p->options;
    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        const sq_pack_progress progress = progress_of(p);
        const bool is_over = p->working == 0;
        (void)pthread_mutex_unlock(&p->lock);
        if (o->report)
            o->report(o->context, &progress);
        if (o->is_stopped && o->is_stopped())
            atomic_store(&p->is_stopping, true);
        (void)pthread_mutex_lock(&p->lock);
        if (is_over)
            break;
        wait_for_worker(p);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static sq_status run(packing *p)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MAX_THREADS];
    int count = p->options.threads > 0 ? p->options.threads : cores > 0 ? (int)cores : 1, started = 0;
    count = count < p->shard_count ? count : p->shard_count;
    count = count < MAX_THREADS ? count : MAX_THREADS;
    p->working = count;
    while (started < count && pthread_create(&threads[started], NULL, run_worker, p) == 0)
        started++;
    (void)pthread_mutex_lock(&p->lock);
    p->working -= count - started;
    (void)pthread_mutex_unlock(&p->lock);
    if (started > 0)
        monitor(p);
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail: the threads are valid */
    if (started == 0)
        return sq_fail(SQ_NO_MEMORY, "%s: cannot start a thread", p->folder);
    if (p->failure == SQ_INTERRUPTED || (p->failure == SQ_OK && p->finished < p->shard_count))
        return sq_fail(SQ_INTERRUPTED, "%s: stopped after %d of %d shards of split %s; repeat the command to resume",
                       p->folder, p->finished, p->shard_count, p->split);
    return p->failure == SQ_OK ? sq_folder_sync(p->folder) : sq_fail(p->failure, "%s", p->failure_text);
}

/* ---- The layout ---- */

static sq_status check_names(const sq_dataset *d)
{
    for (size_t i = 1; i < sq_dataset_count(d); i++)
        if (sq_dataset_label(d, i) == sq_dataset_label(d, i - 1) &&
            strcmp(sq_dataset_inner_name(d, i), sq_dataset_inner_name(d, i - 1)) == 0)
            return sq_fail(SQ_DATA, "class %s: duplicate name %s: found %s and %s",
                           sq_dataset_class(d, sq_dataset_label(d, i)), sq_dataset_inner_name(d, i),
                           sq_dataset_name(d, i - 1), sq_dataset_name(d, i));
    return SQ_OK;
}

static uint64_t choose_shard_bytes(const sq_dataset *d, uint64_t requested)
{
    uint64_t total = 0;
    if (requested)
        return requested;
    for (size_t i = 0; i < sq_dataset_count(d); i++)
        total += sq_dataset_size(d, i);
    uint64_t bytes = total / DEFAULT_SHARDS;
    bytes = bytes < MIN_DEFAULT_SHARD_BYTES   ? MIN_DEFAULT_SHARD_BYTES
            : bytes > MAX_DEFAULT_SHARD_BYTES ? MAX_DEFAULT_SHARD_BYTES
                                              : bytes;
    return bytes > total / MAX_DEFAULT_SHARDS ? bytes : total / MAX_DEFAULT_SHARDS + 1;
}

/* Appends the first image of a shard to p->firsts, which has memory for *capacity entries. */
static sq_status begin_shard(packing *p, size_t first, size_t *capacity)
{
    if ((size_t)p->shard_count + 1 >= *capacity) {
        *capacity = 2 * *capacity + 64;
        size_t *firsts = realloc(p->firsts, *capacity * sizeof *firsts);
        if (!firsts)
            return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a list of shards", p->folder);
        p->firsts = firsts;
    }
    p->firsts[p->shard_count++] = first;
    return SQ_OK;
}

static sq_status assign_shards(packing *p)
{
    const sq_dataset *d = p->dataset;
    const size_t count = sq_dataset_count(d);
    const uint64_t max_bytes = choose_shard_bytes(d, p->options.shard_bytes);
    size_t capacity = 0;
    uint64_t bytes = 0;
    for (size_t i = 0, in_shard = 0; i <= count; i++, in_shard++) {
        if (i > 0 && i < count && bytes + sq_dataset_size(d, i) <= max_bytes && in_shard < MAX_SHARD_IMAGES) {
            bytes += sq_dataset_size(d, i);
            continue;
        }
        SQ_TRY(begin_shard(p, i, &capacity));
        bytes = i < count ? sq_dataset_size(d, i) : 0;
        in_shard = 0;
    }
    p->shard_count--; /* the last entry of firsts is the end, not a shard */
    return p->shard_count <= SQ_SHARD_MAX_COUNT
               ? SQ_OK
               : sq_fail(SQ_INVALID, "%s: too many shards: found %d, expected at most %d; raise --shard-mb", p->folder,
                         p->shard_count, SQ_SHARD_MAX_COUNT);
}

static void add_number(XXH3_state_t *sum, uint64_t number)
{
    (void)XXH3_64bits_update(sum, &number, sizeof number); /* fails only if the state is NULL */
}

static void add_text(XXH3_state_t *sum, const char *text)
{
    (void)XXH3_64bits_update(sum, text, strlen(text) + 1); /* fails only if the state is NULL */
}

static sq_status compute_fingerprint(packing *p)
{
    const sq_dataset *d = p->dataset;
    const sq_pack_options *o = &p->options;
    XXH3_state_t *sum = XXH3_createState();
    if (!sum)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a fingerprint", p->folder);
    (void)XXH3_64bits_reset(sum); /* fails only if the state is NULL */
    const uint64_t numbers[] = {
        SQ_SHARD_VERSION, (uint64_t)o->side, o->is_cropped, o->is_raw, o->side && !o->is_raw ? (uint64_t)o->quality : 0,
        o->is_unchecked,  o->max_pixels};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        add_number(sum, numbers[i]);
    for (int k = 0; k <= p->shard_count; k++)
        add_number(sum, p->firsts[k]);
    for (int c = 0; c < p->class_count; c++)
        add_text(sum, p->classes[c]);
    for (size_t i = 0; i < sq_dataset_count(d); i++) {
        add_number(sum, (uint64_t)sq_dataset_label(d, i));
        add_number(sum, sq_dataset_size(d, i));
        add_text(sum, sq_dataset_inner_name(d, i));
    }
    p->fingerprint = XXH3_64bits_digest(sum);
    (void)XXH3_freeState(sum); /* always succeeds */
    return SQ_OK;
}

static sq_status prepare(packing *p)
{
    p->class_count = sq_dataset_class_count(p->dataset);
    p->classes = calloc((size_t)p->class_count + 1, sizeof *p->classes);
    if (!p->classes)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for %d classes", p->folder, p->class_count);
    for (int c = 0; c < p->class_count; c++)
        p->classes[c] = sq_dataset_class(p->dataset, c);
    SQ_TRY(check_names(p->dataset));
    SQ_TRY(assign_shards(p));
    return compute_fingerprint(p);
}

static sq_status check_options(const sq_pack_options *o)
{
    if (o->side < 0 || (o->side == 0 && (o->is_raw || o->is_cropped)))
        return sq_fail(SQ_INVALID,
                       "pack: side out of range: found %d, expected a positive side for raw or cropped images",
                       o->side);
    if (o->side > 0 && !o->is_raw && (o->quality < 1 || o->quality > 100))
        return sq_fail(SQ_INVALID, "pack: quality out of range: found %d, expected 1..100", o->quality);
    return SQ_OK;
}

/* Locks the folder against other packing processes until *file is closed. */
static sq_status lock_folder(const char *folder, int *file)
{
    SQ_TRY(sq_folder_make(folder));
    *file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*file < 0)
        return sq_fail(SQ_IO, "%s: %s", folder, strerror(errno));
    if (flock(*file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return sq_fail(SQ_INVALID, "%s: another process is packing into this folder", folder);
    return SQ_OK; /* on a file system without locks, a second process is not detected */
}

sq_status sq_pack(const sq_dataset *dataset, const char *folder, const char *split, const sq_pack_options *options)
{
    int file = -1;
    packing p = {.dataset = dataset, .folder = folder, .split = split, .options = *options};
    SQ_TRY(check_options(options));
    p.options.max_pixels = options->max_pixels ? options->max_pixels : SQ_IMAGE_MAX_PIXELS;
    (void)pthread_mutex_init(&p.lock, NULL); /* cannot fail on Linux */
    (void)pthread_cond_init(&p.is_worker_done, NULL);
    sq_status status = prepare(&p);
    if (status == SQ_OK)
        status = lock_folder(folder, &file);
    if (status == SQ_OK)
        status = run(&p);
    if (file >= 0)
        (void)close(file); /* releases the lock */
    (void)pthread_cond_destroy(&p.is_worker_done);
    (void)pthread_mutex_destroy(&p.lock);
    free(p.firsts);
    free(p.classes);
    return status;
}
