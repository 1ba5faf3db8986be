/* Packing: the plan (which image lies in which shard), and threads that fill one shard after another. */
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

#include "data/pack/encode.h"
#include "data/sources/shard.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"

enum { MOST_THREADS = 256, MOST_IN_SHARD = 1 << 20, PLANNED_SHARDS = 64, MOST_PLANNED = 512 };
static const uint64_t LEAST_BYTES = 4 << 20, MOST_BYTES = 256 << 20;

typedef struct {
    const sq_dataset *dataset;
    const char *folder, *split;
    sq_pack_options options;
    uint64_t fingerprint;
    size_t *firsts; /* shard_count + 1: first image of each shard */
    int shard_count;
    const char **classes; /* borrowed names */
    int class_count;
    pthread_mutex_t lock;
    pthread_cond_t has_news;
    int next, working, finished; /* shards; threads */
    sq_status failure;
    char failure_text[1024];
    atomic_bool is_stopping;
    atomic_size_t images, found;
    atomic_int bad;
} packing;

typedef struct {
    void *bytes;
    size_t capacity;
    sq_image image, fitted;
} worker_memory;

/* ---- One image ---- */

static uint32_t flags_of(const sq_image_probe *probe)
{
    return (uint32_t)probe->format | (probe->is_grey ? SQ_SHARD_GREY : 0u) | (probe->is_cmyk ? SQ_SHARD_CMYK : 0u) |
           (probe->is_rotated ? SQ_SHARD_ROTATED : 0u);
}

/* Pixels of image `index`, whose bytes are in m. SQ_DATA: it cannot be decoded. */
static sq_status decode(const packing *p, worker_memory *m, size_t index, size_t size)
{
    int h, w;
    const char *name = sq_dataset_name(p->dataset, index);
    if (!sq_dataset_is_raw(p->dataset, index, &h, &w))
        return sq_image_decode(&m->image, m->bytes, size, name, p->options.max_pixels);
    SQ_TRY(sq_image_reserve(&m->image, h, w, name));
    memcpy(m->image.pixels, m->bytes, size);
    return SQ_OK;
}

/* What decoded pixels become, and where they are written. */
static sq_status add_decoded(const packing *p, worker_memory *m, size_t index, sq_shard_writer *writer,
                             sq_shard_record *record)
{
    const sq_pack_options *o = &p->options;
    const char *inner = sq_dataset_inner_name(p->dataset, index);
    unsigned char *jpeg = NULL;
    size_t size;
    SQ_TRY(sq_image_fit(&m->fitted, &m->image, o->side, o->is_cropped));
    const sq_image *image = &m->fitted;
    record->h = (uint32_t)image->h;
    record->w = (uint32_t)image->w;
    record->flags |= SQ_SHARD_REENCODED;
    if (o->is_raw) {
        record->flags |= SQ_SHARD_RAW;
        return sq_shard_writer_add(writer, image->pixels, (size_t)image->h * (size_t)image->w * 3, inner, record);
    }
    SQ_TRY(sq_image_encode_jpeg(image, o->quality, sq_dataset_name(p->dataset, index), &jpeg, &size));
    const sq_status status = sq_shard_writer_add(writer, jpeg, size, inner, record);
    free(jpeg);
    return status;
}

static sq_status count_bad(packing *p)
{
    const int bad = atomic_fetch_add(&p->bad, 1) + 1;
    char last[512];
    (void)snprintf(last, sizeof last, "%s", sq_error_text());
    return bad > p->options.max_bad
               ? sq_fail(SQ_DATA, "%d images cannot be decoded, at most %d may be bad; the last: %s", bad,
                         p->options.max_bad, last)
               : SQ_OK;
}

static sq_status pack_image(packing *p, worker_memory *m, size_t index, sq_shard_writer *writer)
{
    const sq_pack_options *o = &p->options;
    size_t size = 0;
    int h = 0, w = 0;
    SQ_TRY(sq_dataset_read(p->dataset, index, &m->bytes, &m->capacity, &size));
    const bool was_raw = sq_dataset_is_raw(p->dataset, index, &h, &w);
    const sq_image_probe probe = was_raw ? (sq_image_probe){.h = h, .w = w} : sq_probe(m->bytes, size);
    sq_shard_record record = {.label = (uint32_t)sq_dataset_label(p->dataset, index),
                              .h = (uint32_t)probe.h,
                              .w = (uint32_t)probe.w,
                              .flags = flags_of(&probe) | (was_raw ? SQ_SHARD_RAW : 0u)};
    if (!was_raw && !(o->is_unchecked && o->side == 0)) {
        const sq_status status = decode(p, m, index, size);
        if (status != SQ_OK && status != SQ_DATA)
            return status;
        if (status == SQ_DATA) {
            SQ_TRY(count_bad(p));
            record.flags |= SQ_SHARD_UNDECODABLE;
        } else {
            record.h = (uint32_t)m->image.h;
            record.w = (uint32_t)m->image.w;
        }
    } else if (was_raw && o->side)
        SQ_TRY(decode(p, m, index, size));
    const bool is_kept = o->side == 0 || record.flags & SQ_SHARD_UNDECODABLE ||
                         (sq_image_fits((int)record.h, (int)record.w, o->side, o->is_cropped) && o->is_raw == was_raw);
    const sq_status status =
        is_kept ? sq_shard_writer_add(writer, m->bytes, size, sq_dataset_inner_name(p->dataset, index), &record)
                : add_decoded(p, m, index, writer, &record);
    atomic_fetch_add(&p->images, 1);
    return status;
}

/* ---- One shard ---- */

/* Is shard k there already? SQ_INVALID: another one is. */
static sq_status find_finished(const packing *p, int k, const char *path, bool *is_there)
{
    sq_shard *shard = NULL;
    *is_there = sq_path_exists(path);
    if (!*is_there)
        return SQ_OK;
    SQ_TRY(sq_shard_open(&shard, path));
    const sq_shard_header *head = sq_shard_get_header(shard);
    const bool is_same = head->pack == p->fingerprint && head->shard == (uint32_t)k;
    sq_shard_close(shard);
    return is_same ? SQ_OK
                   : sq_fail(SQ_INVALID,
                             "%s: a shard of other images or options, wanted an empty place or the same pack", path);
}

static sq_status fill_shard(packing *p, worker_memory *m, int k, sq_shard_writer *writer)
{
    for (size_t i = p->firsts[k]; i < p->firsts[k + 1]; i++) {
        if (atomic_load(&p->is_stopping))
            return sq_fail(SQ_INTERRUPTED, "%s: stopped", p->folder);
        SQ_TRY(pack_image(p, m, i, writer));
    }
    return sq_shard_writer_finish(writer, p->classes, p->class_count);
}

static sq_status pack_shard(packing *p, worker_memory *m, int k)
{
    char path[SQ_PATH_BYTES];
    bool is_there;
    sq_shard_writer *writer = NULL;
    SQ_TRY(sq_shard_make_path(path, sizeof path, p->folder, p->split, k));
    SQ_TRY(find_finished(p, k, path, &is_there));
    if (is_there) {
        atomic_fetch_add(&p->images, p->firsts[k + 1] - p->firsts[k]);
        atomic_fetch_add(&p->found, p->firsts[k + 1] - p->firsts[k]);
        return SQ_OK;
    }
    const sq_shard_header head = {.shard = (uint32_t)k,
                                  .shard_count = (uint32_t)p->shard_count,
                                  .count = p->firsts[k + 1] - p->firsts[k],
                                  .first = p->firsts[k],
                                  .total = sq_dataset_count(p->dataset),
                                  .pack = p->fingerprint};
    SQ_TRY(sq_shard_writer_open(&writer, path, &head));
    const sq_status status = fill_shard(p, m, k, writer);
    sq_shard_writer_close(writer);
    return status;
}

/* ---- All shards ---- */

static void *work(void *context)
{
    packing *p = context;
    worker_memory m = {0};
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
    (void)pthread_cond_signal(&p->has_news);
    (void)pthread_mutex_unlock(&p->lock);
    sq_image_clear(&m.image);
    sq_image_clear(&m.fitted);
    free(m.bytes);
    return NULL;
}

/* Until all threads have ended: tells and asks twice a second. */
static void watch(packing *p)
{
    const sq_pack_options *o = &p->options;
    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        const size_t found = atomic_load(&p->found); /* before the images, so that there are never more of them */
        const sq_pack_progress progress = {.images = atomic_load(&p->images),
                                           .image_count = sq_dataset_count(p->dataset),
                                           .found_count = found,
                                           .shards = p->finished,
                                           .shard_count = p->shard_count};
        const bool is_over = p->working == 0;
        (void)pthread_mutex_unlock(&p->lock);
        if (o->tell)
            o->tell(o->context, &progress);
        if (o->is_stopped && o->is_stopped())
            atomic_store(&p->is_stopping, true);
        (void)pthread_mutex_lock(&p->lock);
        if (is_over)
            break;
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until); /* cannot fail with this clock */
        until.tv_nsec += 500000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (p->working > 0)
            (void)pthread_cond_timedwait(&p->has_news, &p->lock, &until); /* looked at again whatever it says */
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static sq_status run(packing *p)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MOST_THREADS];
    int wanted = p->options.threads > 0 ? p->options.threads : cores > 0 ? (int)cores : 1, started = 0;
    wanted = wanted < p->shard_count ? wanted : p->shard_count;
    wanted = wanted < MOST_THREADS ? wanted : MOST_THREADS;
    p->working = wanted;
    while (started < wanted && pthread_create(&threads[started], NULL, work, p) == 0)
        started++;
    (void)pthread_mutex_lock(&p->lock);
    p->working -= wanted - started;
    (void)pthread_mutex_unlock(&p->lock);
    if (started > 0)
        watch(p);
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail: they are ours */
    if (started == 0)
        return sq_fail(SQ_NO_MEMORY, "%s: no thread could be started", p->folder);
    if (p->failure == SQ_INTERRUPTED || (p->failure == SQ_OK && p->finished < p->shard_count))
        return sq_fail(SQ_INTERRUPTED, "%s: %d of %d shards of %s are packed; the same command goes on", p->folder,
                       p->finished, p->shard_count, p->split);
    return p->failure == SQ_OK ? sq_folder_sync(p->folder) : sq_fail(p->failure, "%s", p->failure_text);
}

/* ---- The plan ---- */

static sq_status check_names(const sq_dataset *d)
{
    for (size_t i = 1; i < sq_dataset_count(d); i++)
        if (sq_dataset_label(d, i) == sq_dataset_label(d, i - 1) &&
            strcmp(sq_dataset_inner_name(d, i), sq_dataset_inner_name(d, i - 1)) == 0)
            return sq_fail(SQ_DATA, "class %s has the name %s twice: %s and %s",
                           sq_dataset_class(d, sq_dataset_label(d, i)), sq_dataset_inner_name(d, i),
                           sq_dataset_name(d, i - 1), sq_dataset_name(d, i));
    return SQ_OK;
}

static uint64_t choose_shard_bytes(const sq_dataset *d, uint64_t asked)
{
    uint64_t all = 0;
    if (asked)
        return asked;
    for (size_t i = 0; i < sq_dataset_count(d); i++)
        all += sq_dataset_size(d, i);
    uint64_t bytes = all / PLANNED_SHARDS;
    bytes = bytes < LEAST_BYTES ? LEAST_BYTES : bytes > MOST_BYTES ? MOST_BYTES : bytes;
    return bytes > all / MOST_PLANNED ? bytes : all / MOST_PLANNED + 1;
}

static sq_status plan_shards(packing *p)
{
    const sq_dataset *d = p->dataset;
    const size_t count = sq_dataset_count(d);
    const uint64_t most = choose_shard_bytes(d, p->options.shard_bytes);
    size_t limit = 0;
    uint64_t bytes = 0;
    for (size_t i = 0, in_shard = 0; i <= count; i++, in_shard++) {
        if (i > 0 && i < count && bytes + sq_dataset_size(d, i) <= most && in_shard < MOST_IN_SHARD) {
            bytes += sq_dataset_size(d, i);
            continue;
        }
        if ((size_t)p->shard_count + 1 >= limit) {
            limit = 2 * limit + 64;
            size_t *more = realloc(p->firsts, limit * sizeof *more);
            if (!more)
                return sq_fail(SQ_NO_MEMORY, "%s: a plan of %zu images", p->folder, count);
            p->firsts = more;
        }
        p->firsts[p->shard_count++] = i;
        bytes = i < count ? sq_dataset_size(d, i) : 0;
        in_shard = 0;
    }
    p->shard_count--; /* the last is the end */
    return p->shard_count <= SQ_SHARD_MAX_COUNT
               ? SQ_OK
               : sq_fail(SQ_INVALID, "%s: %d shards, wanted at most %d", p->folder, p->shard_count, SQ_SHARD_MAX_COUNT);
}

static void add_number(XXH3_state_t *sum, uint64_t number)
{
    (void)XXH3_64bits_update(sum, &number, sizeof number); /* fails for NULL states alone */
}

static void add_text(XXH3_state_t *sum, const char *text)
{
    (void)XXH3_64bits_update(sum, text, strlen(text) + 1); /* fails for NULL states alone */
}

/* Of everything that decides the bytes, but for the images' contents. */
static sq_status take_fingerprint(packing *p)
{
    const sq_dataset *d = p->dataset;
    const sq_pack_options *o = &p->options;
    XXH3_state_t *sum = XXH3_createState();
    if (!sum)
        return sq_fail(SQ_NO_MEMORY, "%s: a fingerprint", p->folder);
    (void)XXH3_64bits_reset(sum); /* fails for NULL states alone */
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

static sq_status plan(packing *p)
{
    p->class_count = sq_dataset_class_count(p->dataset);
    p->classes = calloc((size_t)p->class_count + 1, sizeof *p->classes);
    if (!p->classes)
        return sq_fail(SQ_NO_MEMORY, "%s: %d classes", p->folder, p->class_count);
    for (int c = 0; c < p->class_count; c++)
        p->classes[c] = sq_dataset_class(p->dataset, c);
    SQ_TRY(check_names(p->dataset));
    SQ_TRY(plan_shards(p));
    return take_fingerprint(p);
}

static sq_status check_options(const sq_pack_options *o)
{
    if (o->side < 0 || (o->side == 0 && (o->is_raw || o->is_cropped)))
        return sq_fail(SQ_INVALID, "pack: side %d, wanted a short side for raw or cropped images", o->side);
    if (o->side > 0 && !o->is_raw && (o->quality < 1 || o->quality > 100))
        return sq_fail(SQ_INVALID, "pack: quality %d, wanted 1..100", o->quality);
    return SQ_OK;
}

/* One packer a folder; *file is closed to let the next one in. */
static sq_status lock_folder(const char *folder, int *file)
{
    SQ_TRY(sq_folder_make(folder));
    *file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*file < 0)
        return sq_fail(SQ_IO, "%s: %s", folder, strerror(errno));
    if (flock(*file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return sq_fail(SQ_INVALID, "%s: another process packs there", folder);
    return SQ_OK; /* a file system without locks is none of our business */
}

sq_status sq_pack(const sq_dataset *dataset, const char *folder, const char *split, const sq_pack_options *options)
{
    int file = -1;
    packing p = {.dataset = dataset, .folder = folder, .split = split, .options = *options};
    SQ_TRY(check_options(options));
    p.options.max_pixels = options->max_pixels ? options->max_pixels : SQ_IMAGE_MAX_PIXELS;
    (void)pthread_mutex_init(&p.lock, NULL); /* cannot fail on Linux */
    (void)pthread_cond_init(&p.has_news, NULL);
    sq_status status = plan(&p);
    if (status == SQ_OK)
        status = lock_folder(folder, &file);
    if (status == SQ_OK)
        status = run(&p);
    if (file >= 0)
        (void)close(file); /* only locked */
    (void)pthread_cond_destroy(&p.has_news);
    (void)pthread_mutex_destroy(&p.lock);
    free(p.firsts);
    free(p.classes);
    return status;
}
