/* Tests the list of a space's blocks that a latency table lacks. */
#include <stdio.h>
#include <string.h>

#include "search/cost/coverage.h"
#include "search/cost/dialects/dialect.h"
#include "tests/support/support.h"

static sq_latency *blocks_of(const sq_space *space)
{
    sq_latency *latency = NULL;
    MUST(sq_latency_create(&latency, "made up"));
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++) {
            const sq_block_key key = sq_block_key_of(space, l, c);
            const sq_block_time time = sq_block_time_of(1, 0, 1);
            MUST(sq_latency_sort(latency, "made up"));
            if (key.kind != SQ_BLOCK_SKIP && !sq_latency_find(latency, &key))
                MUST(sq_latency_add(latency, &key, &time));
        }
    MUST(sq_latency_sort(latency, "made up"));
    return latency;
}

static void drop_block(sq_latency *latency, const sq_block_key *key)
{
    sq_latency_entry *gone = (sq_latency_entry *)(uintptr_t)sq_latency_find(latency, key);
    cr_assert_not_null(gone);
    memmove(gone, gone + 1, (size_t)(latency->entries + latency->count - gone - 1) * sizeof *gone);
    latency->count--;
}

Test(coverage, all_missing_blocks_are_listed_once_with_their_nearest)
{
    sq_space *space = open_space(SOURCE("configs/spaces/proxyless.yaml"));
    sq_latency *latency = blocks_of(space);
    const size_t all = latency->count;
    const sq_block_key first = sq_block_key_of(space, 3, 2), second = sq_block_key_of(space, 8, 5);
    sq_coverage coverage;
    sq_latency_cache cache;
    MUST(sq_coverage_find(&coverage, latency, space, NULL));
    cr_expect(coverage.missing_count == 0 && coverage.block_count == (int)all);
    sq_coverage_clear(&coverage);
    drop_block(latency, &first);
    drop_block(latency, &second);
    MUST(sq_coverage_find(&coverage, latency, space, NULL));
    cr_assert_eq(coverage.missing_count, 2);
    cr_expect_eq(coverage.block_count, (int)all);
    cr_expect(coverage.missing[0].layer == 3 && coverage.missing[0].choice == 2 && coverage.missing[0].uses == 3);
    cr_expect_eq(sq_block_key_compare(&coverage.missing[1].key, &second), 0);
    cr_expect(coverage.missing[0].nearest && coverage.missing[0].distance > 0);
    cr_expect_eq(sq_block_key_distance(&coverage.missing[0].nearest->key, &first), coverage.missing[0].distance);
    sq_coverage_clear(&coverage);
    int path[SQ_MAX_LAYERS] = {0};
    MUST(sq_coverage_find(&coverage, latency, space, path));
    cr_expect(coverage.missing_count == 0, "the path of first choices has none of the two");
    sq_coverage_clear(&coverage);
    path[8] = 5;
    MUST(sq_coverage_find(&coverage, latency, space, path));
    cr_expect_eq(coverage.missing_count, 1);
    sq_coverage_clear(&coverage);
    cr_expect_eq(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE), SQ_DATA);
    cr_expect_not_null(
        strstr(sq_error_text(),
               "made up: no entry 'mb,56,56,24,24,72,5,1,0,relu6', needed by layer 3, choice 'mb_5x5_e3' of "
               "proxyless; the nearest is '"),
        "%s", sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), "'; 1 more is missing: 'mb,28,28,40,40,240,7,1,0,relu6'"), "%s",
                       sq_error_text());
    sq_latency_close(latency);
    sq_space_free(space);
}

Test(coverage, missing_choices_of_a_table_by_layer_are_listed)
{
    sq_space *space = open_space(SOURCE("configs/spaces/tunas-proxyless.yaml"));
    char *folder = make_folder(), path[600];
    sq_latency *latency = NULL;
    put_text(folder, "mine.csv",
             "layer,op,kernel,expand,delta_ms\n-1,bias,0,0,92\n0,sepconv,3,1,-1.5\n0,sepconv,5,1,2\n");
    (void)snprintf(path, sizeof path, "%s/mine.csv", folder);
    MUST(sq_dialect_read(&latency, NULL, path, NULL));
    sq_coverage coverage;
    sq_latency_cache cache;
    MUST(sq_coverage_find(&coverage, latency, space, NULL));
    cr_expect(coverage.missing_count == 1 + 6 * 6 + 15 * 7 && coverage.block_count == coverage.missing_count + 2);
    cr_expect(coverage.missing[0].layer == 1 && coverage.missing[0].choice == 2 && coverage.missing[0].is_by_layer);
    sq_coverage_clear(&coverage);
    cr_expect_eq(sq_latency_prepare(&cache, latency, space, SQ_FILL_INTERPOLATE), SQ_DATA,
                 "shares of a fit are not interpolated");
    cr_expect_not_null(strstr(sq_error_text(),
                              "no entry 'layer 0, choice 2', needed by layer 1, choice 'mb_7x7_e1' of tunas_proxyless; "
                              "141 more are missing"),
                       "%s", sq_error_text());
    sq_latency_close(latency);
    sq_space_free(space);
    drop_folder(folder);
}
