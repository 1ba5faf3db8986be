/* Tests operator selection: the pool, scores computed by hand, the kept operators and the reasons, device constraints,
 * and the written space. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/block_key.h"
#include "search/cost/latency_table.h"
#include "search/select/select_table.h"
#include "supernet/space/cost.h"
#include "tests/support/support.h"

/* A space with a stem and one searched layer on 4 x 4 pixels and 8 channels. */
#define SMALL                                                                                                          \
    "name: small\nresolution: 8\nclasses: 2\nchoices:\n"                                                               \
    "  - {name: stem, kind: conv, kernel: 3}\n"                                                                        \
    "  - {name: 'mb,one', kind: mb, kernel: 3}\n"                                                                      \
    "  - {name: sep, kind: sep, kernel: 3}\n"                                                                          \
    "  - {name: shuffle, kind: shuffle, kernel: 5}\n"                                                                  \
    "  - {name: xception_se, kind: xception, kernel: 3, se: true}\n"                                                   \
    "  - {name: mb_three, kind: mb, kernel: 3, expansion: 3}\n"                                                        \
    "  - {name: skip, kind: skip, kernel: 7}\n"

typedef struct {
    char *folder;
    sq_space *space;
    sq_latency *latency;
    sq_latency_cache cache;
} bench;

/* Opens SMALL with a latency table. times[i] is the time in milliseconds of the searched layer's choice i; all other
 * blocks take 1 ms. */
static bench open_bench(const char *choices, const double *times)
{
    bench b = {.folder = make_folder()};
    char path[300], text[2000];
    (void)snprintf(path, sizeof path, "%s/small.yaml", b.folder);
    const int length = snprintf(text, sizeof text,
                                SMALL "layers:\n  - {width: 8, stride: 2, choices: [stem]}\n"
                                      "  - {width: 8, choices: [%s]}\n",
                                choices);
    const sq_piece piece = {text, (size_t)length};
    MUST(sq_file_replace(path, &piece, 1));
    MUST(sq_space_read(&b.space, path, 0, 0));
    MUST(sq_latency_create(&b.latency, "made up"));
    for (int l = 0; l < b.space->layer_count; l++)
        for (int c = 0; c < b.space->layers[l].choice_count; c++) {
            const sq_block_key key = sq_block_key_of(b.space, l, c);
            const sq_block_time time = sq_block_time_of(l == 1 ? times[c] : 1, 0, 1);
            if (key.kind != SQ_BLOCK_SKIP)
                MUST(sq_latency_add(b.latency, &key, &time));
        }
    (void)snprintf(b.latency->info.name, sizeof b.latency->info.name, "made up");
    MUST(sq_latency_sort(b.latency, "made up"));
    MUST(sq_latency_prepare(&b.cache, b.latency, b.space, SQ_FILL_NONE));
    return b;
}

static void close_bench(bench *b)
{
    sq_latency_cache_clear(&b->cache);
    sq_latency_close(b->latency);
    sq_space_free(b->space);
    drop_folder(b->folder);
}

Test(select, pool_closes_at_32_operators_in_each_of_20_layers)
{
    sq_space *pool = open_space(SOURCE("configs/spaces/hurricane-pool.yaml"));
    sq_space *spos = open_space(SOURCE("configs/spaces/spos.yaml"));
    int searched = 0;
    cr_assert_eq(pool->layer_count, spos->layer_count);
    for (int l = 0; l < pool->layer_count; l++) {
        const sq_layer *layer = &pool->layers[l], *other = &spos->layers[l];
        int kinds[SQ_BLOCK_KINDS] = {0}, with_se = 0;
        cr_expect(layer->c_out == other->c_out && layer->stride == other->stride && layer->h_in == other->h_in);
        if (layer->choice_count == 1)
            continue;
        for (int c = 0; c < layer->choice_count; c++) {
            kinds[pool->choices[layer->choices[c]].kind]++;
            with_se += pool->choices[layer->choices[c]].has_se;
        }
        searched++;
        cr_expect(layer->choice_count == 32 && with_se == 16, "layer %d", l);
        cr_expect(kinds[SQ_BLOCK_SEP] == 6 && kinds[SQ_BLOCK_MB] == 18 && kinds[SQ_BLOCK_SHUFFLE] == 6 &&
                      kinds[SQ_BLOCK_XCEPTION] == 2,
                  "layer %d", l);
    }
    cr_expect_eq(searched, 20);
    sq_space_free(pool);
    sq_space_free(spos);
}

/* The expected numbers are counted by hand for 4 x 4 pixels and 8 channels. mb: 8 x 9 + 8 x 8 = 136 weights, used 16
 * times each, and two norms of 8 channels. sep: twice the numbers of mb. shuffle 5: half of the channels, mid rounded
 * to 8, 4 x 8 + 8 x 25 + 8 x 4 = 264 weights, and norms of 8, 8 and 4 channels. */
Test(select, scores_by_hand)
{
    static const double times[] = {2, 8, 0.5}, macs[] = {136 * 16, 272 * 16, 264 * 16},
                        parameters[] = {136 + 32, 272 + 64, 264 + 40};
    bench b = open_bench("'mb,one', sep, shuffle", times);
    b.cache.info.scale = 3;
    const sq_select_options options = {.a = 0.5, .b = 2, .keep = 1};
    sq_selection s;
    MUST(sq_select_run(&s, b.space, &b.cache, &options));
    cr_assert(s.first[1] == 0 && s.first[2] == 3 && s.first[3] == 3);
    for (int i = 0; i < 3; i++) {
        const sq_select_operator *o = &s.operators[i];
        const double capacity = sqrt(macs[i] * 1e-6) * parameters[i] * parameters[i] * 1e-6;
        cr_expect(o->layer == 1 && o->choice == i && o->macs == macs[i] && o->parameters == parameters[i]);
        cr_expect_float_eq(o->ms, 3 * times[i], 1e-12);
        cr_expect_float_eq(o->capacity, capacity, 1e-12 * capacity);
        cr_expect_float_eq(o->score, capacity / (3 * times[i]), 1e-12 * capacity);
    }
    cr_expect(s.operators[2].rank == 1 && s.operators[2].is_kept && !s.operators[0].is_kept);
    int path[SQ_MAX_LAYERS];
    sq_select_best(&s, path);
    cr_expect(path[0] == 0 && path[1] == 2 && path[2] == 0);
    sq_select_middle(&s, path); /* the times are 0.5, 2 and 8, so choice 0 is the median */
    cr_expect(path[0] == 0 && path[1] == 0 && path[2] == 0);
    sq_select_clear(&s);
    close_bench(&b);
}

Test(select, finds_the_median_of_even_counts_and_ties)
{
    static const double times[] = {4, 4, 4, 1};
    bench b = open_bench("'mb,one', sep, shuffle, xception_se", times);
    const sq_select_options options = SQ_SELECT_OPTIONS;
    sq_selection s;
    int path[SQ_MAX_LAYERS];
    MUST(sq_select_run(&s, b.space, &b.cache, &options));
    /* The last choice is fastest, then the equal choices in order; of four choices the third is the middle. */
    sq_select_middle(&s, path);
    cr_expect_eq(path[1], 1);
    sq_select_clear(&s);
    close_bench(&b);
}

/* Expects the kept choices in order, as digits, and the reasons for keeping them. With a = b = 0, the score is 1 /
 * time. */
static void expect_kept(const bench *b, int keep, bool is_per_family, const char *wanted, const char *wanted_why)
{
    const sq_select_options options = {.keep = keep, .is_per_family = is_per_family};
    const sq_select_operator *kept[SQ_MAX_CHOICES];
    sq_selection s;
    char order[SQ_MAX_CHOICES + 1] = "", whys[400] = "", why[64];
    MUST(sq_select_run(&s, b->space, &b->cache, &options));
    const int count = sq_select_kept(&s, 1, kept);
    for (int i = 0; i < count; i++) {
        order[i] = (char)('0' + kept[i]->choice);
        sq_select_explain(&s, kept[i], why, sizeof why);
        strcat(strcat(whys, i ? ", " : ""), why);
    }
    order[count] = 0;
    cr_expect_str_eq(order, wanted);
    cr_expect_str_eq(whys, wanted_why);
    sq_select_clear(&s);
}

Test(select, keeps_the_best_and_one_of_each_family)
{
    static const double times[] = {3, 9, 8, 7, 1};
    bench b = open_bench("'mb,one', sep, shuffle, xception_se, mb_three", times);
    expect_kept(&b, 1, false, "4", "rank 1");
    expect_kept(&b, 3, false, "403", "rank 1, rank 2, rank 3");
    expect_kept(&b, 3, true, "431", "rank 1, rank 3, one of its family"); /* shuffle and xception are one family */
    expect_kept(&b, 4, true, "4031", "rank 1, rank 2, rank 3, one of its family");
    expect_kept(&b, 5, true, "40321", "rank 1, rank 2, rank 3, rank 4, rank 5");
    close_bench(&b);
}

Test(select, ties_go_to_the_pools_order)
{
    static const double times[] = {2, 2, 1, 2, 2};
    bench b = open_bench("mb_three, sep, shuffle, 'mb,one', xception_se", times);
    expect_kept(&b, 4, false, "2013", "rank 1, rank 2, rank 3, rank 4");
    close_bench(&b);
}

Test(select, excludes_operators_before_ranking)
{
    static const double times[] = {3, 9, 8, 1, 2};
    bench b = open_bench("'mb,one', sep, shuffle, xception_se, mb_three", times);
    const sq_select_options options = {.keep = 2};
    sq_selection s;
    char why[64];
    MUST(sq_device_constraints_add(&b.cache.info.constraints, "se", "device"));
    MUST(sq_device_constraints_add(&b.cache.info.constraints, "mb", "device"));
    MUST(sq_select_run(&s, b.space, &b.cache, &options));
    static const char *const whys[] = {"rule: no mb", "rank 2", "rank 1", "rule: no se", "rule: no mb"};
    for (int i = 0; i < 5; i++) {
        sq_select_explain(&s, &s.operators[i], why, sizeof why);
        cr_expect_str_eq(why, whys[i]);
        cr_expect_eq(s.operators[i].is_kept, i == 1 || i == 2);
    }
    sq_select_clear(&s);
    MUST(sq_device_constraints_add(&b.cache.info.constraints, "kernel_5", "device"));
    cr_expect_eq(sq_select_run(&s, b.space, &b.cache, &options), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(),
                     "small: layer 1 has 1 operators for made up (rules: no se, kernel_5, mb), expected at "
                     "least the 2 to keep");
    close_bench(&b);
}

Test(select, always_keeps_a_skip_block)
{
    static const double times[] = {2, 0, 1};
    bench b = open_bench("sep, skip, shuffle", times);
    /* A skip has no kernel, so kernel_7 does not exclude it. */
    MUST(sq_device_constraints_add(&b.cache.info.constraints, "kernel_7", "device"));
    expect_kept(&b, 1, false, "21", "rank 1, no operator");
    expect_kept(&b, 2, true, "201", "rank 1, rank 2, no operator");
    close_bench(&b);
}

Test(select, writes_every_operator_as_csv)
{
    static const double times[] = {2, 4, 0};
    bench b = open_bench("'mb,one', sep, skip", times);
    const sq_select_options options = {.keep = 1};
    sq_selection s;
    char path[300], *text = NULL;
    size_t bytes;
    MUST(sq_select_run(&s, b.space, &b.cache, &options));
    (void)snprintf(path, sizeof path, "%s/table.csv", b.folder);
    MUST(sq_select_write_table(&s, path));
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    cr_expect_str_eq(text, "layer,operator,family,macs_m,parameters_k,latency_ms,capacity,score,rank,kept,why\n"
                           "1,\"mb,one\",mb,0.002176,0.168,2,1,0.5,1,yes,rank 1\n"
                           "1,sep,sep,0.004352,0.336,4,1,0.25,2,no,rank 2 of 2\n"
                           "1,skip,skip,,,,,,,yes,no operator\n");
    free(text);
    sq_select_clear(&s);
    close_bench(&b);
}

/* Expects that every block of the selected space equals the pool's block with the same name, in key and costs. */
static void expect_pools_blocks(const sq_space *pool, const sq_space *selected)
{
    cr_assert_eq(selected->layer_count, pool->layer_count);
    for (int l = 0; l < pool->layer_count; l++)
        for (int c = 0; c < selected->layers[l].choice_count; c++) {
            const char *name = selected->choices[selected->layers[l].choices[c]].name;
            int p = 0;
            while (strcmp(pool->choices[pool->layers[l].choices[p]].name, name) != 0)
                p++;
            const sq_block_key a = sq_block_key_of(pool, l, p), b = sq_block_key_of(selected, l, c);
            const sq_cost x = sq_cost_block(pool, l, p), y = sq_cost_block(selected, l, c);
            cr_expect_eq(sq_block_key_compare(&a, &b), 0, "layer %d, %s", l, name);
            cr_expect(x.macs == y.macs && x.weights == y.weights && x.norm_weights == y.norm_weights &&
                          x.activation_bytes == y.activation_bytes,
                      "layer %d, %s", l, name);
        }
}

static void select_for(const char *device, const sq_space *pool, const sq_select_options *options, sq_selection *out)
{
    char path[600];
    sq_latency *latency = NULL;
    sq_latency_cache cache;
    (void)snprintf(path, sizeof path, "%s/%s", SOURCE("configs/devices"), device);
    MUST(sq_latency_open(&latency, path));
    MUST(sq_latency_prepare(&cache, latency, pool, SQ_FILL_NONE));
    MUST(sq_select_run(out, pool, &cache, options));
    sq_latency_cache_clear(&cache);
    sq_latency_close(latency);
}

static int count_of(const sq_space *space, bool (*passes)(const sq_choice *))
{
    int count = 0;
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; space->layers[l].choice_count > 1 && c < space->layers[l].choice_count; c++)
            count += passes(&space->choices[space->layers[l].choices[c]]);
    return count;
}

static bool has_se(const sq_choice *c)
{
    return c->has_se;
}

static bool is_sep(const sq_choice *c)
{
    return c->kind == SQ_BLOCK_SEP;
}

/* According to a survey (arXiv 2101.09336), HURRICANE's space for the VPU has no squeeze-and-excitation, and the one
 * for the CPU has no SEP. The score alone excludes squeeze-and-excitation too, without the device's constraint. */
Test(select, modelled_devices_get_different_spaces)
{
    static const char *const devices[] = {"myriad-x", "hexagon-685", "snapdragon-845-cpu"};
    sq_space *pool = open_space(SOURCE("configs/spaces/hurricane-pool.yaml")), *spaces[3] = {NULL};
    const sq_select_options options = SQ_SELECT_OPTIONS;
    for (int d = 0; d < 3; d++) {
        sq_selection s;
        int best[SQ_MAX_LAYERS];
        select_for(devices[d], pool, &options, &s);
        MUST(sq_select_space(&spaces[d], &s));
        sq_select_best(&s, best);
        expect_pools_blocks(pool, spaces[d]);
        for (int l = 0; l < pool->layer_count; l++) {
            const sq_layer *layer = &spaces[d]->layers[l];
            cr_expect_eq(layer->choice_count, pool->layers[l].choice_count > 1 ? 4 : 1);
            cr_expect_eq(layer->choices[0], pool->layers[l].choices[best[l]], "the best comes first");
        }
        sq_select_clear(&s);
        for (int other = 0; other < d; other++) {
            int differing = 0;
            for (int l = 0; l < pool->layer_count; l++)
                differing +=
                    memcmp(spaces[d]->layers[l].choices, spaces[other]->layers[l].choices, 4 * sizeof(int)) != 0;
            cr_expect_geq(differing, 10, "%s and %s", devices[d], devices[other]);
        }
    }
    cr_expect_eq(count_of(spaces[0], has_se), 0);
    cr_expect_eq(count_of(spaces[2], is_sep), 0);
    for (int d = 0; d < 3; d++)
        sq_space_free(spaces[d]);
    sq_space_free(pool);
}

Test(select, written_space_reads_back)
{
    static const char *const pools[] = {"hurricane-pool", "hurricane-small", "proxyless", "tiny"};
    char *folder = make_folder(), path[600], *text = NULL;
    for (int i = 0; i < 4; i++) {
        const sq_select_options options = {.a = 0.5, .b = 0.1, .keep = i < 3 ? 3 : 2, .is_per_family = i < 2};
        sq_selection s;
        sq_space *selected = NULL;
        size_t bytes;
        (void)snprintf(path, sizeof path, "%s/%s.yaml", SOURCE("configs/spaces"), pools[i]);
        sq_space *pool = open_space(path);
        select_for("myriad-x", pool, &options, &s);
        MUST(sq_select_space(&selected, &s));
        (void)snprintf(path, sizeof path, "%s/%d.yaml", folder, i);
        MUST(sq_select_write(&s, path));
        sq_space *read = open_space(path);
        cr_expect_eq(sq_space_hash(read), sq_space_hash(selected), "%s", pools[i]);
        cr_expect_eq(read->searched_count, selected->searched_count);
        expect_pools_blocks(pool, read);
        for (int l = 0; l < pool->layer_count; l++)
            cr_expect(read->layers[l].is_split_in == selected->layers[l].is_split_in &&
                      read->layers[l].pitch_out == selected->layers[l].pitch_out);
        MUST(sq_file_read(path, 1 << 20, &text, &bytes));
        cr_expect_not_null(strstr(text, "for myriad-x"));
        cr_expect_not_null(strstr(text, "its rules: no se"));
        cr_expect_not_null(strstr(text, "^0.5 * (parameters in k)^0.1"));
        cr_expect_str_eq(read->source, pool->source);
        free(text);
        sq_space_free(read);
        sq_space_free(selected);
        sq_select_clear(&s);
        sq_space_free(pool);
    }
    drop_folder(folder);
}

Test(select, refuses_impossible_selections)
{
    static const double times[] = {2, -1, 1}, good[] = {2, 1, 1};
    static const struct {
        sq_select_options options;
        const char *text;
    } rows[] = {
        {{.keep = 0}, "small: 0 operators to keep, expected 1..64"},
        {{.keep = 65}, "small: 65 operators to keep, expected 1..64"},
        {{.a = -1, .keep = 1}, "exponents a -1, b 0: expected 0..10"},
        {{.b = NAN, .keep = 1}, "expected 0..10"},
        {{.keep = 4}, "layer 1 has 3 operators for made up, expected at least the 4 to keep"},
        {{.keep = 2, .is_per_family = true}, "layer 1 has 3 families of operators, expected at most the 2 to keep"},
    };
    bench b = open_bench("'mb,one', sep, shuffle", good);
    sq_selection s = {.filled_count = -7};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_eq(sq_select_run(&s, b.space, &b.cache, &rows[i].options), SQ_INVALID);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "%s", sq_error_text());
        cr_expect_eq(s.filled_count, -7, "touched on failure");
    }
    close_bench(&b);
    const sq_select_options one = {.keep = 1};
    b = open_bench("'mb,one', sep, shuffle", times);
    cr_expect_eq(sq_select_run(&s, b.space, &b.cache, &one), SQ_DATA);
    cr_expect_str_eq(sq_error_text(), "made up: layer 1, choice 'sep': -1 ms, expected more than 0 to score by");
    close_bench(&b);
    b = open_bench("sep", good);
    cr_expect_eq(sq_select_run(&s, b.space, &b.cache, &one), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(), "small: no layer is searched, nothing to select");
    close_bench(&b);
}

Test(select, reads_writes_and_checks_constraints)
{
    static const struct {
        const char *rules, *found; /* the written line, or the text of the error */
        bool is_good;
    } rows[] = {
        {"rules: {drop: [se]}", "rules: {drop: [se]}\n", true},
        {"rules: {drop: [sep, xception, kernel_7, sep]}", "rules: {drop: [kernel_7, xception, sep]}\n", true},
        {"rules: {drop: []}", "measured: false\n", true},
        {"rules: {drop: [sse]}", "rules: drop: unknown property 'sse', did you mean 'se'?", false},
        {"rules: {drop: [kernel_9]}", "unknown property 'kernel_9', did you mean 'kernel_", false},
        {"rules: {drop: [expansion_of_six]}", "expected se, kernel_3, kernel_5, kernel_7, shuffle, xception, mb, sep",
         false},
        {"rules: {drp: [se]}", "unknown key 'drp', did you mean 'drop'?", false},
        {"rules: se", "rules", false},
    };
    char *folder = make_folder(), path[300], text[300];
    (void)snprintf(path, sizeof path, "%s/device.yaml", folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sq_device_info info;
        const int length = snprintf(text, sizeof text, "name: x\nmeasured: false\n%s\n", rows[i].rules);
        const sq_piece piece = {text, (size_t)length};
        MUST(sq_file_replace(path, &piece, 1));
        const sq_status status = sq_device_read(&info, path);
        cr_expect_eq(status, rows[i].is_good ? SQ_OK : SQ_INVALID, "%s", rows[i].rules);
        if (status == SQ_OK) {
            char *again = NULL;
            size_t bytes;
            MUST(sq_device_write(&info, path));
            MUST(sq_file_read(path, 1 << 16, &again, &bytes));
            const size_t tail = strlen(rows[i].found);
            cr_expect(bytes > tail && strcmp(again + bytes - tail, rows[i].found) == 0, "%s", again);
            free(again);
        } else {
            cr_expect_not_null(strstr(sq_error_text(), rows[i].found), "%s", sq_error_text());
        }
    }
    drop_folder(folder);
}

Test(select, names_the_blocks_that_a_device_lacks)
{
    static const double times[] = {2, 1, 1};
    bench b = open_bench("'mb,one', sep, shuffle", times);
    sq_space *pool = open_space(SOURCE("configs/spaces/hurricane-small.yaml"));
    sq_latency_cache cache;
    cr_expect_eq(sq_latency_prepare(&cache, b.latency, pool, SQ_FILL_NONE), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "no entry 'conv,64,64,3,16,0,3,2,0,relu'"), "%s", sq_error_text());
    cr_expect_null(strchr(sq_error_text(), '\n'));
    sq_space_free(pool);
    close_bench(&b);
}
