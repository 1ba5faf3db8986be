/* Verifies packed shards with threads that take one shard after another. */
#include "data/pack/verify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/sources/shard_set.h"

enum { MAX_THREADS = 256 };

typedef struct {
    sq_shard **shards;
    int shard_count;
    const sq_verify_options *options;
    atomic_int next;
    pthread_mutex_t lock; /* protects the fields below */
    uint64_t damaged_count;
    bool is_out_of_memory;
} verification;

static void report_damaged(verification *v)
{
    (void)pthread_mutex_lock(&v->lock);
    v->damaged_count++;
    if (v->options->report_damaged)
        v->options->report_damaged(v->options->context, sq_error_text());
    (void)pthread_mutex_unlock(&v->lock);
}

/* Verifies the records of a shard and reports the damaged ones. Returns false if there is no memory for a record. */
static bool verify_shard(verification *v, const sq_shard *s, void **buffer, size_t *capacity)
{
    for (size_t i = 0; i < sq_shard_get_header(s)->count; i++) {
        const size_t size = (size_t)sq_shard_record_at(s, i)->size;
        if (v->options->is_stopped && v->options->is_stopped())
            return true;
        if (size > *capacity) {
            void *grown = realloc(*buffer, size);
            if (!grown)
                return false;
            *buffer = grown;
            *capacity = size;
        }
        if (sq_shard_read(s, i, *buffer) != SQ_OK)
            report_damaged(v);
    }
    return true;
}

static void *run_worker(void *context)
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
    pthread_t threads[MAX_THREADS];
    verification v = {.options = options};
    SQ_TRY(sq_shards_open(&v.shards, &v.shard_count, folder, split));
    int count = options->threads > 0 ? options->threads : cores > 0 ? (int)cores : 1, started = 0;
    count = count < MAX_THREADS ? count : MAX_THREADS;
    (void)pthread_mutex_init(&v.lock, NULL); /* cannot fail on Linux */
    while (started < count - 1 && pthread_create(&threads[started], NULL, run_worker, &v) == 0)
        started++;
    (void)run_worker(&v); /* the calling thread is one of the workers */
    for (int i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL); /* cannot fail: the threads are valid */
    (void)pthread_mutex_destroy(&v.lock);
    sq_shards_close(v.shards, v.shard_count);
    if (v.is_out_of_memory)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a record", folder);
    if (options->is_stopped && options->is_stopped())
        return sq_fail(SQ_INTERRUPTED, "%s: stopped before all records of split %s were verified", folder, split);
    *damaged_count = v.damaged_count;
    return SQ_OK;
}
