/* Tests limits on the costs of a path and on the path's predictions for several devices. */
#include <stdlib.h>
#include <string.h>

#include "search/limits.h"
#include "tests/search/made_up_table.h"

Test(limits, impossible_ones_are_refused_with_the_smallest_cost)
{
    sq_space *space = open_at("spos", 0);
    sq_searcher *s = calloc(1, sizeof *s);
    sq_search_options options = {.limits = {.macs = 270}};
    s->options = &options;
    s->space = space;
    sq_limits_fill_block_costs(s);
    cr_expect_eq(sq_limits_check(s), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "270.359"), "%s", sq_error_text());
    options.limits.macs = 271;
    MUST(sq_limits_check(s));
    free(s);
    sq_space_free(space);
}

static void expect_impossible_limits(const sq_searcher *s, sq_search_devices *devices)
{
    devices->list[1].limit_ms = 0.01;
    cr_expect_eq(sq_limits_check(s), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "b: latency limit 0.01 ms: no path can meet it"), "%s", sq_error_text());
    devices->list[1].limit_ms = 0;
    devices->list[0].limit_area_mm2 = 5;
    cr_expect_eq(sq_limits_check(s), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "a limit on area, but the table does not have it"), "%s",
                       sq_error_text());
    devices->list[0].limit_area_mm2 = 0;
    devices->list[0].limit_energy_mj = 0.01;
    cr_expect_eq(sq_limits_check(s), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "a: energy limit"), "%s", sq_error_text());
}

Test(limits, hold_only_within_those_of_every_device)
{
    sq_space *space = open_at("proxyless", 0);
    sq_latency *table = make_table(space);
    sq_latency_cache first, second;
    const sq_search_options options = {.kind = SQ_SEARCHER_RANDOM, .tries = 10};
    sq_searcher *s = calloc(1, sizeof *s);
    int path[SQ_MAX_LAYERS], legal = 0;
    MUST(sq_latency_prepare(&first, table, space, SQ_FILL_NONE));
    table->info.scale = 0.5;
    table->info.residual_ms = 0.3;
    MUST(sq_latency_prepare(&second, table, space, SQ_FILL_NONE));
    draw_path(space, 1, path);
    const double limit = sq_latency_predict(&first, space, path).ms;
    sq_search_devices devices = {{{"a", &first, limit, 0, 0, 0}, {"b", &second, 0.45 * limit, 2, 0, 0}}, 2};
    s->options = &options;
    s->space = space;
    s->devices = &devices;
    MUST(sq_limits_check(s));
    for (uint64_t n = 0; n < 200; n++) {
        sq_candidate c = {.path = path};
        draw_path(space, n, path);
        sq_limits_fill_costs(s, &c);
        const bool wanted = c.on[0].ms <= limit && c.on[1].ms + 2 * c.on[1].deviation_ms <= 0.45 * limit;
        cr_expect_eq(sq_limits_hold(s, &c), wanted);
        legal += wanted;
    }
    cr_expect(legal > 0 && legal < 200);
    expect_impossible_limits(s, &devices);
    free(s);
    sq_latency_cache_clear(&first);
    sq_latency_cache_clear(&second);
    sq_latency_close(table);
    sq_space_free(space);
}

Test(limits, memory_is_that_of_the_largest_block)
{
    sq_space *space = open_at("tiny", 0);
    sq_searcher *s = calloc(1, sizeof *s);
    const sq_search_options options = {.limits = {.memory_mb = 1e-9}};
    s->options = &options;
    s->space = space;
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++)
            s->block_memory_mb[l][c] = l == 2 ? 5 + c : 1;
    cr_expect_eq(sq_limits_check(s), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "memory limit 1e-09 MB: no path can meet it, the smallest has 5 MB"),
                       "%s", sq_error_text());
    free(s);
    sq_space_free(space);
}
