/* Compares a latency table with a space, and its entries with each other. */
#include "search/cost/latency_check.h"

#include <math.h>
#include <stdlib.h>

#include "search/cost/fill.h"

enum { MAX_INVERSIONS = 100000 };
static const double noisy_share = 0.2, inversion_deviations = 3, inversion_ratio = 1.05;

static bool is_inversion(const sq_latency_entry *smaller, const sq_latency_entry *larger)
{
    if (!sq_block_key_is_alike(&smaller->key, &larger->key) || !sq_block_key_is_below(&smaller->key, &larger->key))
        return false;
    const double spread = hypot(smaller->time.deviation, larger->time.deviation);
    return smaller->time.mean > larger->time.mean + inversion_deviations * spread &&
           smaller->time.mean > inversion_ratio * larger->time.mean;
}

static int by_ratio(const void *a, const void *b)
{
    const sq_latency_inversion *x = a, *y = b;
    return (x->ratio < y->ratio) - (x->ratio > y->ratio);
}

static sq_status find_inversions(sq_latency_check *c, const sq_latency *latency)
{
    size_t limit = 0;
    for (size_t i = 0; i < latency->count; i++)
        for (size_t j = 0; j < latency->count && c->inversion_count < MAX_INVERSIONS; j++) {
            const sq_latency_entry *a = &latency->entries[i], *b = &latency->entries[j];
            if (i == j || !is_inversion(a, b))
                continue;
            if ((size_t)c->inversion_count == limit) {
                limit = limit ? 2 * limit : 64;
                sq_latency_inversion *more = realloc(c->inversions, limit * sizeof *more);
                if (!more)
                    return sq_fail(SQ_NO_MEMORY, "latency check: %zu pairs", limit);
                c->inversions = more;
            }
            c->inversions[c->inversion_count++] = (sq_latency_inversion){a, b, a->time.mean / b->time.mean};
        }
    if (c->inversion_count)
        qsort(c->inversions, (size_t)c->inversion_count, sizeof *c->inversions, by_ratio);
    return SQ_OK;
}

sq_status sq_latency_check_table(sq_latency_check *out, const sq_latency *latency, const sq_block_list *list)
{
    sq_latency_check c = {.unused = calloc(latency->count + 1, sizeof *c.unused),
                          .noisy = calloc(latency->count + 1, sizeof *c.noisy)};
    sq_status status =
        c.unused && c.noisy ? SQ_OK : sq_fail(SQ_NO_MEMORY, "latency check: %zu entries", latency->count);
    for (size_t i = 0; status == SQ_OK && i < latency->count; i++) {
        const sq_latency_entry *e = &latency->entries[i];
        if (sq_block_list_find(list, &e->key) == SQ_NONE)
            c.unused[c.unused_count++] = (int)i;
        if (e->time.deviation > noisy_share * e->time.mean)
            c.noisy[c.noisy_count++] = (int)i;
    }
    if (status == SQ_OK)
        status = find_inversions(&c, latency);
    if (status == SQ_OK)
        *out = c;
    else
        sq_latency_check_clear(&c);
    return status;
}

void sq_latency_check_clear(sq_latency_check *c)
{
    free(c->unused);
    free(c->noisy);
    free(c->inversions);
    *c = (sq_latency_check){0};
}
