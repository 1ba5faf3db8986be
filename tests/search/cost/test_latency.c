/* Tests predictions of paths. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "search/cost/block_list.h"
#include "search/cost/latency_table.h"
#include "tests/search/made_up_table.h"

#define HEADER SQ_BLOCK_KEY_COLUMNS ",mean_ms,std_ms,count"

Test(latency, a_path_is_base_plus_scale_times_its_blocks)
{
    sq_space *space = open_at("proxyless", 0);
    sq_latency *latency = make_table(space);
    sq_latency_cache cache;
    latency->info.base_ms = 3;
    latency->info.scale = 1.5;
    latency->info.residual_ms = 0.2;
    MUST(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE));
    for (uint64_t n = 0; n < 20; n++) {
        int path[SQ_MAX_LAYERS];
        double sum = 0, variance = 0;
        draw_path(space, n, path);
        for (int l = 0; l < space->layer_count; l++) {
            const sq_block_key key = sq_block_key_of(space, l, path[l]);
            const sq_latency_entry *entry = sq_latency_find(latency, &key);
            cr_assert(entry || key.kind == SQ_BLOCK_SKIP);
            sum += entry ? entry->time.mean : 0;
            variance += entry ? entry->time.deviation * entry->time.deviation : 0;
        }
        const sq_prediction p = sq_latency_predict(&cache, space, path);
        cr_expect_float_eq(p.ms, 3 + 1.5 * sum, 1e-9);
        cr_expect_float_eq(p.deviation_ms, sqrt(1.5 * 1.5 * variance + 0.04), 1e-9);
        cr_expect_float_eq(p.energy_mj, 2 * sum, 1e-9);
        cr_expect(p.filled_ms == 0 && p.area_mm2 == 0);
    }
    sq_latency_cache_clear(&cache);
    sq_latency_close(latency);
    sq_space_free(space);
}

Test(latency, a_missing_block_is_named_with_its_layer_and_the_nearest)
{
    sq_space *space = open_at("proxyless", 0), *smaller = open_at("proxyless", 192);
    sq_latency *latency = make_table(space);
    sq_latency_cache cache;
    cr_expect_eq(sq_latency_prepare(&cache, latency, smaller, SQ_FILL_NONE), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "no entry 'conv,192,192,3,32,0,3,2,0,relu6', needed by layer 0"), "%s",
                       sq_error_text());
    cr_expect_not_null(strstr(sq_error_text(), "nearest is 'conv,224,224,3,32,0,3,2,0,relu6'"), "%s", sq_error_text());
    latency->info.resolution = 224;
    cr_expect_eq(sq_latency_prepare(&cache, latency, smaller, SQ_FILL_NONE), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "found a table for 224 pixels"), "%s", sq_error_text());
    sq_latency_close(latency);
    sq_space_free(smaller);
    sq_space_free(space);
}

Test(latency, a_table_by_layer_adds_the_searched_layers)
{
    char *folder = make_folder(), text[4096] = "layer,choice,mean_ms,std_ms,count\n";
    sq_space *space = open_at("tiny", 0);
    sq_latency *latency = NULL;
    sq_latency_cache cache;
    int path[SQ_MAX_LAYERS];
    double sum = 0;
    for (int l = 0; l < space->searched_count; l++)
        for (int c = 0; c < 8; c++)
            (void)sprintf(text + strlen(text), "%d,%d,%d,0,1\n", l, c, l * c - 2);
    put_text(folder, "device.yaml", "name: x\nspace: tiny\nbase_ms: 10\nmeasured: true\n");
    put_text(folder, "layers.csv", text);
    MUST(sq_latency_open(&latency, folder));
    MUST(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE));
    draw_path(space, 3, path);
    for (int l = 0; l < space->layer_count; l++)
        if (space->layers[l].searched_index != SQ_NONE)
            sum += space->layers[l].searched_index * path[l] - 2;
    cr_expect_float_eq(sq_latency_predict(&cache, space, path).ms, 10 + sum, 1e-12);
    sq_latency_cache_clear(&cache);
    (void)snprintf(latency->info.space, sizeof latency->info.space, "other");
    cr_expect_eq(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "for the layers of space 'other', expected 'tiny'"), "%s",
                       sq_error_text());
    sq_latency_close(latency);
    sq_space_free(space);
    drop_folder(folder);
}

Test(latency, a_device_described_by_a_roofline_predicts_every_block)
{
    sq_space *space = open_at("proxyless", 0);
    sq_latency *latency = NULL;
    sq_latency_cache cache;
    int path[SQ_MAX_LAYERS];
    double sum = 0;
    MUST(sq_latency_open(&latency, SOURCE("configs/devices/myriad-x")));
    cr_expect(!sq_latency_info(latency)->is_measured && latency->has_roofline && latency->count == 0);
    MUST(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE));
    draw_path(space, 5, path);
    for (int l = 0; l < space->layer_count; l++) {
        double ms;
        MUST(sq_roofline_block(&latency->roofline, space, l, path[l], &ms));
        sum += ms;
    }
    const sq_prediction p = sq_latency_predict(&cache, space, path);
    cr_expect_float_eq(p.ms, latency->info.base_ms + latency->info.scale * sum, 1e-9);
    cr_expect_eq(p.filled_ms, 0, "the device is modelled as a whole: nothing is missing");
    sq_latency_cache_clear(&cache);
    /* If the device has a table, the roofline model estimates only missing blocks. */
    const sq_block_key key = sq_block_key_of(space, 0, 0);
    const sq_block_time time = sq_block_time_of(123, 0, 1);
    MUST(sq_latency_add(latency, &key, &time));
    cr_expect_eq(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE), SQ_DATA);
    MUST(sq_latency_prepare(&cache, latency, space, SQ_FILL_ROOFLINE));
    const sq_prediction filled = sq_latency_predict(&cache, space, path);
    cr_expect_float_eq(filled.ms - filled.filled_ms, latency->info.base_ms + latency->info.scale * 123, 1e-9);
    sq_latency_cache_clear(&cache);
    latency->has_roofline = false;
    cr_expect_eq(sq_latency_prepare(&cache, latency, space, SQ_FILL_ROOFLINE), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "no roofline.yaml"), "%s", sq_error_text());
    sq_latency_close(latency);
    sq_space_free(space);
}
