/* Latency tables: keys, files, prediction, missing blocks, limits on several devices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/rng.h"
#include "search/cost/block_list.h"
#include "search/cost/fill.h"
#include "search/cost/latency_check.h"
#include "search/cost/latency_table.h"
#include "tests/search/made_up_table.h"

#define HEADER SQ_BLOCK_KEY_COLUMNS ",mean_ms,std_ms,count"

/* ---- Keys ---- */

Test(latency, keys_print_and_parse_back_for_every_block_of_every_space)
{
    static const char *const names[] = {"spos", "proxyless", "samples", "small64", "tiny", "bench-widths"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        sq_space *space = open_at(names[n], 0);
        sq_block_list list;
        MUST(sq_block_list_make(&list, space));
        for (int i = 0; i < list.count; i++) {
            char text[SQ_BLOCK_KEY_BYTES], *rest = text;
            const char *fields[SQ_BLOCK_KEY_FIELDS];
            sq_block_key key;
            cr_assert_lt(sq_block_key_print(&list.blocks[i].key, text, sizeof text), (int)sizeof text);
            for (int f = 0; f < SQ_BLOCK_KEY_FIELDS; f++)
                fields[f] = strsep(&rest, ",");
            cr_assert_null(rest);
            MUST(sq_block_key_parse(fields, names[n], &key));
            cr_expect_eq(sq_block_key_compare(&key, &list.blocks[i].key), 0, "%s block %d", names[n], i);
            cr_expect_eq(sq_block_list_find(&list, &key), i);
        }
        sq_block_list_clear(&list);
        sq_space_free(space);
    }
}

Test(latency, spos_has_four_choices_for_each_of_its_shapes)
{
    sq_space *space = open_at("spos", 0);
    sq_block_list list;
    MUST(sq_block_list_make(&list, space));
    /* Stem, head, classifier; four stages, each with a block of stride 2 and one of stride 1. */
    cr_expect_eq(list.count, 3 + 4 * 2 * 4);
    sq_block_list_clear(&list);
    sq_space_free(space);
}

/* ---- Files ---- */

Test(latency, table_reads_back_with_all_its_columns)
{
    char *folder = make_folder();
    sq_space *space = open_at("tiny", 0);
    sq_latency *a = make_table(space), *b = NULL;
    a->entries[1].time.outliers = 3;
    a->entries[2].time.area_mm2 = 0.5;
    a->info = (sq_device_info){.name = "mine",
                               .runtime = "r",
                               .batch = 2,
                               .base_ms = -0.25,
                               .scale = 2,
                               .residual_ms = 0.5,
                               .is_measured = true};
    MUST(sq_latency_write(a, folder));
    MUST(sq_latency_open(&b, folder));
    cr_assert_eq(a->count, b->count);
    cr_expect(b->info.base_ms == -0.25 && b->info.scale == 2 && b->info.residual_ms == 0.5 && b->info.is_measured);
    for (size_t i = 0; i < a->count; i++) {
        const sq_block_time *x = &a->entries[i].time, *y = &b->entries[i].time;
        cr_expect_eq(sq_block_key_compare(&a->entries[i].key, &b->entries[i].key), 0);
        cr_expect_float_eq(x->mean, y->mean, 1e-8 * x->mean);
        cr_expect(x->outliers == y->outliers && x->count == y->count && isnan(x->area_mm2) == isnan(y->area_mm2));
        cr_expect_float_eq(x->energy_mj, y->energy_mj, 1e-8 * x->energy_mj);
    }
    sq_latency_close(a);
    sq_latency_close(b);
    sq_space_free(space);
    drop_folder(folder);
}

Test(latency, units_of_the_header_become_milliseconds)
{
    char *folder = make_folder();
    sq_latency *latency = NULL;
    put_text(folder, "device.yaml", "name: x\nmeasured: true\n");
    put_text(folder, "table.csv",
             "# a comment\r\n" SQ_BLOCK_KEY_COLUMNS ",mean_us,std_us,count\r\nconv,8,8,3,8,0,3,2,0,relu,1500,20,7\r\n");
    MUST(sq_latency_open(&latency, folder));
    cr_expect_float_eq(latency->entries[0].time.mean, 1.5, 1e-12);
    cr_expect_float_eq(latency->entries[0].time.deviation, 0.02, 1e-12);
    cr_expect_eq(latency->entries[0].time.count, 7);
    sq_latency_close(latency);
    drop_folder(folder);
}

Test(latency, bad_tables_are_refused_with_the_line_and_the_reason)
{
    static const struct {
        const char *table, *text;
    } rows[] = {
        {"kind,h\n", ":1: header"},
        {HEADER "\nconv,1,2\n", ":2: 3 columns, expected 13"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,-1,0,1\n", ":2: mean_ms '-1', expected a number above 0"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,0,0,1\n", ":2: mean_ms '0'"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,nan,0,1\n", ":2: mean_ms 'nan'"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,inf,0,1\n", ":2: mean_ms 'inf'"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,,0,1\n", ":2: mean_ms ''"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,1,-1,1\n", ":2: std_ms '-1'"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,1,0,0\n", ":2: count '0'"},
        {HEADER "\nconf,1,1,1,1,0,1,1,0,relu,1,0,1\n", ":2: kind 'conf'"},
        {HEADER "\nconv,x,1,1,1,0,1,1,0,relu,1,0,1\n", ":2: h 'x'"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,rely,1,0,1\n", ":2: act 'rely'"},
        {HEADER "\nconv,1,1,1,1,0,1,1,0,relu,1,0,1\n\nconv,1,1,1,1,0,1,1,0,relu,2,0,1\n", "occurs twice"},
        {HEADER "\n", "no entries"},
        {SQ_BLOCK_KEY_COLUMNS ",mean_us,std_ms,count\n", "another unit"},
        {SQ_BLOCK_KEY_COLUMNS ",mean_ms,std_ms,energy\n", "unknown column 'energy', did you mean 'energy_mj'?"},
        {SQ_BLOCK_KEY_COLUMNS ",mean_ms,mean_us\n", "occurs twice"},
        {SQ_BLOCK_KEY_COLUMNS ",std_ms,count\n", "no column mean_ms"},
        {"", "no entries"},
    };
    char *folder = make_folder();
    sq_latency *latency = NULL;
    put_text(folder, "device.yaml", "name: x\nmeasured: true\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_text(folder, "table.csv", rows[i].table);
        cr_expect_eq(sq_latency_open(&latency, folder), SQ_INVALID, "row %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "row %zu: %s", i, sq_error_text());
    }
    drop_folder(folder);
}

Test(latency, bad_devices_are_refused)
{
    static const struct {
        const char *yaml, *text;
    } rows[] = {
        {"name: x\nmeasured: true\nunit: us\n", "unit 'us', expected ms"},
        {"name: x\nmeasured: true\nscale: -1\n", "scale -1"},
        {"name: x\nmeasured: true\nresidual_ms: -1\n", "residual_ms -1"},
        {"name: x\nmeasured: true\nbatch: -1\n", "batch -1"},
        {"name: x\nmeasured: true\nbatsh: 1\n", "did you mean 'batch'"},
    };
    char *folder = make_folder();
    sq_latency *latency = NULL;
    put_text(folder, "table.csv", HEADER "\nconv,1,1,1,1,0,1,1,0,relu,1,0,1\n");
    cr_expect_neq(sq_latency_open(&latency, folder), SQ_OK, "a folder without device.yaml is no device");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_text(folder, "device.yaml", rows[i].yaml);
        cr_expect_eq(sq_latency_open(&latency, folder), SQ_INVALID, "row %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "row %zu: %s", i, sq_error_text());
    }
    drop_folder(folder);
}

Test(latency, a_device_reads_back_as_it_was_written_with_its_runner)
{
    sq_device_info a = {.name = "a \"quoted\" \\ name: #1",
                        .runtime = "onnxruntime 1.17, CPU\tof mine",
                        .dtype = "float32",
                        .clocks = "2.8 GHz",
                        .date = "2026-11-21",
                        .source = "- a source: 'this'",
                        .licence = "MIT",
                        .space = "spos",
                        .doubt = "scale 0.1873: expected 0.5 to 2",
                        .batch = 4,
                        .threads = 2,
                        .resolution = 224,
                        .base_ms = -0.123456789,
                        .scale = 1.5,
                        .residual_ms = 0.25,
                        .base_energy_mj = 3,
                        .base_area_mm2 = 4,
                        .is_measured = true,
                        .has_runner = true},
                   b;
    char *folder = make_folder(), path[600];
    (void)snprintf(path, sizeof path, "%s/device.yaml", folder);
    a.runner = (sq_runner){.runtime = "mine",
                           .command = "sh -c 'run \"$1\"' sh {model}",
                           .pattern = "^time: ([0-9.]+) ms \\\\$",
                           .unit = "us",
                           .warmup = 1,
                           .repeats = 2,
                           .rounds = 3,
                           .threads = 4,
                           .batch = 5,
                           .time_limit_seconds = 0.5};
    MUST(sq_device_write(&a, path));
    MUST(sq_device_read(&b, path));
    cr_expect_str_eq(a.name, b.name);
    cr_expect_str_eq(a.runtime, b.runtime);
    cr_expect_str_eq(a.source, b.source);
    cr_expect(strcmp(a.dtype, b.dtype) == 0 && strcmp(a.clocks, b.clocks) == 0 && strcmp(a.date, b.date) == 0 &&
              strcmp(a.licence, b.licence) == 0 && strcmp(a.space, b.space) == 0 && strcmp(a.doubt, b.doubt) == 0);
    cr_expect(a.batch == b.batch && a.threads == b.threads && a.resolution == b.resolution && a.base_ms == b.base_ms &&
              a.scale == b.scale && a.residual_ms == b.residual_ms && a.base_energy_mj == b.base_energy_mj &&
              a.base_area_mm2 == b.base_area_mm2 && b.is_measured && b.has_runner);
    cr_expect_str_eq(a.runner.command, b.runner.command);
    cr_expect_str_eq(a.runner.pattern, b.runner.pattern);
    cr_expect(strcmp(b.runner.unit, "us") == 0 && b.runner.warmup == 1 && b.runner.repeats == 2 &&
              b.runner.rounds == 3 && b.runner.threads == 4 && b.runner.batch == 5 &&
              b.runner.time_limit_seconds == 0.5);
    const sq_device_info plain = {.name = "x", .batch = 1, .scale = 1};
    MUST(sq_device_write(&plain, path));
    MUST(sq_device_read(&b, path));
    cr_expect(!b.has_runner && !*b.doubt && !b.is_measured && b.scale == 1 && b.base_ms == 0);
    drop_folder(folder);
}

/* ---- Prediction ---- */

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

/* ---- Missing blocks filled in ---- */

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

/* What a device would take: overhead, traffic, products, with some noise. */
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

Test(latency, interpolation_is_near_and_monotone_in_every_size)
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
    cr_expect_lt(worst, 0.1, "%g", worst); /* 2 % noise in the entries and in what is compared */
    sq_latency_close(latency);
}

Test(latency, filled_blocks_are_counted_and_too_few_entries_refused)
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
    /* With a table beside it, the roofline only fills what is missing. */
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

Test(latency, check_finds_unused_wide_and_implausible_entries)
{
    sq_space *space = open_at("proxyless", 0), *other = open_at("spos", 0);
    sq_latency *latency = make_table(space);
    sq_block_list list;
    sq_latency_check c;
    MUST(sq_block_list_make(&list, space));
    for (size_t i = 0; i < latency->count; i++)
        latency->entries[i].time.deviation = 0;
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_expect(!c.unused_count && !c.noisy_count && !c.inversion_count, "%d", c.inversion_count);
    sq_latency_check_clear(&c);
    const sq_block_key small = sq_block_key_of(space, 3, 0); /* 3x3, expansion 3; 1: expansion 6; 2: 5x5 */
    sq_latency_entry *slow = (sq_latency_entry *)(uintptr_t)sq_latency_find(latency, &small);
    const double honest = slow->time.mean;
    slow->time.mean = 1000;
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_assert_gt(c.inversion_count, 0);
    cr_expect(c.inversions[0].smaller == slow && c.inversions[0].ratio >= c.inversions[c.inversion_count - 1].ratio);
    sq_latency_check_clear(&c);
    slow->time.deviation = 900; /* as if nobody knew */
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_expect(c.inversion_count == 0 && c.noisy_count == 1);
    sq_latency_check_clear(&c);
    slow->time = sq_block_time_of(honest, 0, 1);
    sq_block_list_clear(&list);
    MUST(sq_block_list_make(&list, other));
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_expect_eq(c.unused_count, (int)latency->count);
    sq_latency_check_clear(&c);
    sq_block_list_clear(&list);
    sq_latency_close(latency);
    sq_space_free(space);
    sq_space_free(other);
}
