/* Looking at what was packed: counts from the index, and checksums of all records. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/pack/pack.h"
#include "data/sources/shard.h"
#include "kernels/base/file.h"

enum { MOST_THREADS = 256 };

/* ---- Counting ---- */

static void count_record(sq_pack_summary *out, const sq_shard_record *r)
{
    const unsigned format = r->flags & 0xFF;
    out->images++;
    out->formats[format < SQ_FORMATS ? format : SQ_FORMAT_UNKNOWN]++;
    out->recoded += (r->flags & SQ_SHARD_REENCODED) != 0;
    out->raw += (r->flags & SQ_SHARD_RAW) != 0;
    out->grey += (r->flags & SQ_SHARD_GREY) != 0;
    out->cmyk += (r->flags & SQ_SHARD_CMYK) != 0;
    out->rotated += (r->flags & SQ_SHARD_ROTATED) != 0;
    out->bad += (r->flags & SQ_SHARD_UNDECODABLE) != 0;
}

/* A line for each thing that is odd about a record. usual: the format that most images have. */
static void list_record(FILE *file, sq_pack_summary *out, const sq_shard *s, size_t i, unsigned usual)
{
    const sq_shard_record *r = sq_shard_record_at(s, i);
    const unsigned format = r->flags & 0xFF;
    const char *words[5];
    int count = 0;
    if (r->flags & SQ_SHARD_UNDECODABLE)
        words[count++] = "undecodable";
    if (format != usual && format < SQ_FORMATS)
        words[count++] = sq_image_format_name((sq_image_format)format);
    if (r->flags & SQ_SHARD_GREY && 2 * out->grey <= out->images)
        words[count++] = "grey";
    if (r->flags & SQ_SHARD_CMYK)
        words[count++] = "CMYK";
    if (r->flags & SQ_SHARD_ROTATED)
        words[count++] = "EXIF-rotated";
    for (int k = 0; k < count; k++)
        (void)fprintf(file, "%s\t%s/%s\n", words[k], sq_shard_class_name(s, r->label), sq_shard_image_name(s, i));
    out->listed += (uint64_t)count;
}

static sq_status write_list(sq_pack_summary *out, sq_shard *const *shards, const char *list)
{
    sq_file_writer file;
    unsigned usual = 0;
    for (unsigned f = 0; f < SQ_FORMATS; f++)
        usual = out->formats[f] > out->formats[usual] ? f : usual;
    SQ_TRY(sq_file_begin(&file, list));
    for (int k = 0; k < out->shards; k++)
        for (size_t i = 0; i < sq_shard_get_header(shards[k])->count; i++)
            list_record(file.stream, out, shards[k], i, usual);
    return sq_file_finish(&file, list);
}

sq_status sq_pack_summarise(sq_pack_summary *out, const char *folder, const char *split, const char *list)
{
    sq_shard **shards = NULL;
    sq_pack_summary found = {0};
    SQ_TRY(sq_shards_open(&shards, &found.shards, folder, split));
    found.classes = (int)sq_shard_get_header(shards[0])->class_count;
    for (int k = 0; k < found.shards; k++) {
        const sq_shard_header *head = sq_shard_get_header(shards[k]);
        found.bytes += head->file_bytes;
        for (size_t i = 0; i < head->count; i++)
            count_record(&found, sq_shard_record_at(shards[k], i));
    }
    const sq_status status = list ? write_list(&found, shards, list) : SQ_OK;
    sq_shards_close(shards, found.shards);
    if (status == SQ_OK)
        *out = found;
    return status;
}

/* ---- Verifying ---- */

typedef struct {
    sq_shard **shards;
    int shard_count;
    const sq_verify_options *options;
    atomic_int next;
    pthread_mutex_t lock; /* of what follows */
    uint64_t damaged;
    bool is_out_of_memory;
} verification;

static void tell(verification *v)
{
    (void)pthread_mutex_lock(&v->lock);
    v->damaged++;
    if (v->options->damaged)
        v->options->damaged(v->options->context, sq_error_text());
    (void)pthread_mutex_unlock(&v->lock);
}

static bool verify_shard(verification *v, const sq_shard *s, void **buffer, size_t *capacity)
{
    for (size_t i = 0; i < sq_shard_get_header(s)->count; i++) {
        const size_t size = (size_t)sq_shard_record_at(s, i)->size;
        if (v->options->is_stopped && v->options->is_stopped())
            return true;
        if (size > *capacity) {
            void *more = realloc(*buffer, size);
            if (!more)
                return false;
            *buffer = more;
            *capacity = size;
        }
        if (sq_shard_read(s, i, *buffer) != SQ_OK)
            tell(v);
    }
    return true;
}

static void *verify(void *context)
{
    verification *v = context;
    void *buffer = NULL;
    size_t capacity = 0;
    bool has_memory = true;
    for (int k = atomic_fetch_add(&v->next, 1); has_memory && k < v->shard_count; k = atomic_fetch_add(&v->next, 1))
        has_memory = verify_shard(v, v->shards[k], &buffer, &capacity);
    free(buffer);
    if (!has_memory) {
        (void)pthread_mutex_lock(&v->lock);
        v->is_out_of_memory = true;
        (void)pthread_mutex_unlock(&v->lock);
    }
    return NULL;
}

sq_status sq_pack_verify(const char *folder, const char *split, const sq_verify_options *options,
                         uint64_t *damaged_count)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[MOST_THREADS];
    verification v = {.options = options};
    SQ_TRY(sq_shards_open(&v.shards, &v.shard_count, folder, split));
    int wanted = options->threads > 0 ? options->threads : cores > 0 ? (int)cores : 1, started = 0;
    wanted = wanted < MOST_THREADS ? wanted : MOST_THREADS;
    (void)pthread_mutex_init(&v.lock, NULL); /* cannot fail on Linux */
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, verify, &v) == 0)
        started++;
    (void)verify(&v); /* this thread too: one is enough */
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail: they are ours */
    (void)pthread_mutex_destroy(&v.lock);
    sq_shards_close(v.shards, v.shard_count);
    if (v.is_out_of_memory)
        return sq_fail(SQ_NO_MEMORY, "%s: a record", folder);
    if (options->is_stopped && options->is_stopped())
        return sq_fail(SQ_INTERRUPTED, "%s: not all of %s was read", folder, split);
    *damaged_count = v.damaged;
    return SQ_OK;
}
