/* Tests the estimates for missing blocks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "search/cost/block_list.h"
#include "search/cost/fill.h"
#include "tests/search/made_up_table.h"

static sq_block_key random_key(sq_rng *rng)
{
    static const int kernels[] = {3, 5, 7};
    const int side = 7 + (int)sq_rng_below(rng, 60), in = 8 * (1 + (int)sq_rng_below(rng, 30));
    return (sq_block_key){.kind = SQ_BLOCK_MB,
                          .h = side,
                          .w = side,
                          .c_in = in,
                          .c_out = 8 * (1 + (int)sq_rng_below(rng, 30)),
                          .mid = in * (1 + (int)sq_rng_below(rng, 6)),
                          .kernel = kernels[sq_rng_below(rng, 3)],
                          .stride = 1,
                          .activation = SQ_RELU6};
}

/* Returns a made-up time of a block: overhead, memory traffic and multiplications, with 2 % noise. */
static double truth(const sq_block_key *k, sq_rng *rng)
{
    const double pixels = k->h * k->w;
    const double ms = 0.02 + 2e-7 * pixels * (k->c_in + 2.0 * k->mid + k->c_out) +
                      1e-8 * pixels * k->mid * (k->c_in + k->c_out) + 1e-7 * pixels * k->mid * k->kernel * k->kernel;
    return ms * (1 + 0.02 * (2.0 * sq_rng_below(rng, 1000) / 1000 - 1));
}

static sq_latency *random_table(int count, sq_rng *rng)
{
    sq_latency *latency = NULL;
    MUST(sq_latency_create(&latency, "random"));
    for (int i = 0; i < count; i++) {
        const sq_block_key key = random_key(rng);
        const sq_block_time time = sq_block_time_of(truth(&key, rng), 0, 1);
        MUST(sq_latency_add(latency, &key, &time));
    }
    return latency;
}

Test(fill, interpolation_is_near_and_monotone_in_every_size)
{
    sq_rng rng = sq_rng_open(1, SQ_RNG_SEARCH, 0);
    sq_latency *latency = random_table(300, &rng);
    double worst = 0, deviation;
    for (int i = 0; i < 300; i++) {
        sq_block_key key = random_key(&rng);
        double ms, larger;
        MUST(sq_fill_interpolate(latency, &key, &ms, &deviation));
        const double expected = truth(&key, &rng);
        worst = fmax(worst, fabs(ms / expected - 1));
        cr_expect_gt(deviation, 0);
        int *const sizes[] = {&key.h, &key.c_in, &key.c_out, &key.mid, &key.kernel};
        *sizes[i % 5] += 1 + (int)sq_rng_below(&rng, 40);
        MUST(sq_fill_interpolate(latency, &key, &larger, &deviation));
        cr_expect_geq(larger, ms * (1 - 1e-12));
    }
    cr_expect_lt(worst, 0.1, "%g", worst); /* both the entries and the expected time have 2 % noise */
    sq_latency_close(latency);
}

Test(fill, filled_blocks_are_counted_and_too_few_entries_refused)
{
    sq_space *space = open_at("proxyless", 0);
    sq_latency *latency = make_table(space), *few = NULL;
    sq_latency_cache cache;
    const sq_block_key key = sq_block_key_of(space, 3, 2);
    sq_latency_entry *gone = (sq_latency_entry *)(uintptr_t)sq_latency_find(latency, &key);
    int path[SQ_MAX_LAYERS];
    memmove(gone, gone + 1, (size_t)(latency->entries + latency->count - gone - 1) * sizeof *gone);
    latency->count--;
    cr_expect_eq(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE), SQ_DATA);
    MUST(sq_latency_prepare(&cache, latency, space, SQ_FILL_INTERPOLATE));
    cr_expect_eq(cache.filled_count, 3, "three layers have this shape: %d", cache.filled_count);
    cr_expect_null(cache.energy_mj, "a quantity that a block lacks is none");
    draw_path(space, 0, path);
    path[3] = 2;
    const sq_prediction p = sq_latency_predict(&cache, space, path);
    cr_expect(p.filled_ms > 0 && p.filled_ms < p.ms);
    sq_latency_cache_clear(&cache);
    MUST(sq_latency_create(&few, "few"));
    MUST(sq_latency_add(few, &latency->entries[0].key, &latency->entries[0].time));
    cr_expect_eq(sq_latency_prepare(&cache, few, space, SQ_FILL_INTERPOLATE), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "expected at least 3 to interpolate"), "%s", sq_error_text());
    sq_latency_close(few);
    sq_latency_close(latency);
    sq_space_free(space);
}
