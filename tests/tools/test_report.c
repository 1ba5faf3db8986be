/* Tests the report (logs, settings, scores, pages) and the pictures of networks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/train/log/events.h"
#include "tests/support/support.h"
#include "tools/report/picture.h"
#include "tools/report/report.h"
#include "tools/report/watch.h"

/* Stubs for the files that are embedded in the page. The test checks only the text between them. */
static const unsigned char mark[] = "mark";
const sq_asset sq_report_assets[] = {{"page.js", mark, 4}, {NULL, NULL, 0}};

static char *path_in(const char *folder, const char *name)
{
    static char path[4096];
    MUST(sq_text_path(path, sizeof path, folder, name));
    return path;
}

static double number_at(const json_t *object, const char *key, size_t i)
{
    const json_t *value = json_array_get(json_object_get(object, key), i);
    cr_assert(json_is_number(value), "%s[%zu]", key, i);
    return json_number_value(value);
}

static const char *const loss_only[] = {"loss", NULL};

Test(report, curves_count_what_was_written_again_once)
{
    char *folder = make_folder();
    json_t *events = json_array(), *notes = json_array();
    put_text(folder, "log.jsonl",
             "{\"event\":\"start\",\"step\":0}\n{\"event\":\"step\",\"step\":10,\"loss\":3}\n"
             "{\"event\":\"step\",\"step\":20,\"loss\":2}\n{\"event\":\"step\",\"step\":30,\"loss\":9}\n"
             "{\"event\":\"step\",\"step\":20,\"loss\":1.5}\nnonsense\n[1]\n{\"event\":\"step\",\"step\":30,\"lo");
    json_t *curves = sq_report_curves(folder, "log.jsonl", loss_only, events, notes);
    cr_assert_eq(json_array_size(json_object_get(curves, "step")), 2);
    cr_assert_eq(number_at(curves, "step", 1), 20);
    cr_assert_eq(number_at(curves, "loss", 1), 1.5);
    cr_assert_eq(json_array_size(events), 1);
    cr_assert_eq(json_array_size(notes), 2, "torn, and two lines that are no objects");
    cr_assert_null(sq_report_curves(folder, "absent.jsonl", loss_only, events, notes));
    json_decref(curves);
    json_decref(events);
    json_decref(notes);
    drop_folder(folder);
}

Test(report, long_curves_are_means_between_least_and_greatest)
{
    char *folder = make_folder();
    json_t *events = json_array(), *notes = json_array();
    FILE *file = fopen(path_in(folder, "log.jsonl"), "w");
    cr_assert_not_null(file);
    for (int i = 1; i <= 3001; i++)
        cr_assert_gt(fprintf(file, "{\"step\":%d,\"loss\":%d}\n", i, i % 3), 0);
    cr_assert_eq(fclose(file), 0);
    json_t *curves = sq_report_curves(folder, "log.jsonl", loss_only, events, notes);
    cr_assert_eq(json_integer_value(json_object_get(curves, "per")), 3);
    cr_assert_eq(json_array_size(json_object_get(curves, "loss")), 1001);
    cr_assert_eq(number_at(curves, "step", 0), 3);
    cr_assert_eq(number_at(curves, "loss", 0), 1);
    cr_assert_eq(number_at(curves, "loss_low", 0), 0);
    cr_assert_eq(number_at(curves, "loss_high", 0), 2);
    cr_assert_eq(number_at(curves, "step", 1000), 3001);
    cr_assert_eq(number_at(curves, "loss", 1000), 1);
    cr_assert_eq(json_array_size(notes), 0);
    json_decref(curves);
    json_decref(events);
    json_decref(notes);
    drop_folder(folder);
}

Test(report, settings_are_flat_and_unknown_keys_are_noted)
{
    char *folder = make_folder();
    json_t *notes = json_array();
    put_text(folder, "config.yaml",
             "space: a\ntrain: {steps: 5, speed: 9}\nlatency:\n  - {device: x, limit_ms: 1}\n  - {device: y}\n"
             "data:\n  mean: [1, 2]\n");
    json_t *settings = sq_report_settings(folder, "config.yaml", notes);
    cr_assert_str_eq(sq_report_setting(settings, "train.steps"), "5");
    cr_assert_str_eq(sq_report_setting(settings, "latency.device"), "x");
    cr_assert_str_eq(sq_report_setting(settings, "latency.2.device"), "y");
    cr_assert_str_eq(sq_report_setting(settings, "data.mean"), "[1, 2]");
    cr_assert_str_eq(sq_report_setting(settings, "absent"), "");
    cr_assert_eq(json_array_size(notes), 1);
    cr_assert_not_null(strstr(json_string_value(json_array_get(notes, 0)), "(train.speed)"));
    json_decref(settings);
    put_text(folder, "config.yaml", "a: [");
    settings = sq_report_settings(folder, "config.yaml", notes);
    cr_assert_eq(json_object_size(settings), 0);
    cr_assert_eq(json_array_size(notes), 2);
    json_decref(settings);
    json_decref(notes);
    drop_folder(folder);
}

Test(report, text_of_a_run_cannot_leave_its_element)
{
    char *text = NULL;
    size_t bytes = 0;
    json_t *name = sq_report_text("</script><b>&\xff\x01\xc3\xa9");
    cr_assert_str_eq(json_string_value(name), "</script><b>&??\xc3\xa9");
    json_t *data = json_pack("{s:[{s:o}]}", "runs", "name", name);
    FILE *file = open_memstream(&text, &bytes);
    cr_assert_not_null(file);
    MUST(sq_report_page(file, data, false));
    cr_assert_eq(fclose(file), 0);
    cr_assert_null(strstr(text, "<b>"));
    cr_assert_not_null(strstr(text, "\\u003c/script\\u003e\\u003cb\\u003e\\u0026"));
    cr_assert_not_null(strstr(text, "<title>&lt;/script&gt;&lt;b&gt;&amp;"));
    cr_assert_not_null(strstr(text, "connect-src 'none'"));
    cr_assert_not_null(strstr(text, "mark</script>"));
    free(text);
    json_decref(data);
}

Test(report, a_search_without_an_end_gets_its_costs_from_the_space)
{
    char *folder = make_folder();
    sq_space *space;
    json_t *notes = json_array(),
           *settings = json_pack("{s:s, s:s}", "search.random_paths", "1", "search.population", "1");
    MUST(sq_space_read(&space, SOURCE("configs/spaces/samples.yaml"), 0, 0));
    MUST(sq_folder_make(path_in(folder, "search")));
    put_text(folder, "search/state.json",
             "{\"limit\": 9, \"scored\": [{\"arch\": [0,0,0,0,0,0,0,0], \"top1\": 0.5}, {\"arch\": [0,0,0,0,0,0,0,9], "
             "\"top1\": 0.6},"
             " {\"arch\": [3]}]}");
    json_t *search = sq_report_search(folder, settings, space, notes);
    const json_t *candidates = json_object_get(search, "candidates");
    cr_assert_gt(number_at(candidates, "macs", 0), 1);
    cr_assert(json_is_null(json_array_get(json_object_get(candidates, "macs"), 1)), "no such choice");
    cr_assert(json_is_null(json_array_get(json_object_get(candidates, "macs"), 2)), "no such path");
    cr_assert_eq(number_at(candidates, "generation", 0), -1);
    cr_assert_eq(number_at(candidates, "generation", 2), 1);
    cr_assert_eq(json_integer_value(json_object_get(search, "limit")), 9);
    cr_assert_eq(json_array_size(notes), 1);
    json_decref(search);
    json_decref(settings);
    json_decref(notes);
    sq_space_free(space);
    drop_folder(folder);
}

Test(report, what_is_no_run_is_refused)
{
    char *folder = make_folder();
    const char *const devices[] = {NULL};
    json_t *runs = json_array(), *stages = json_array();
    cr_assert_eq(sq_report_run(folder, devices, runs, stages), SQ_INVALID);
    cr_assert_not_null(strstr(sq_error_text(), "not a run"));
    put_text(folder, "log.jsonl", "");
    MUST(sq_report_run(folder, devices, runs, stages));
    cr_assert_eq(json_array_size(runs), 1);
    json_decref(runs);
    json_decref(stages);
    drop_folder(folder);
}

Test(report, a_space_that_is_gone_is_noted)
{
    json_t *notes = json_array(), *settings = json_pack("{s:s}", "space", "/nowhere/of-nobody.yaml");
    cr_assert_null(sq_report_space(".", settings, notes));
    cr_assert_eq(json_array_size(notes), 1);
    cr_assert_not_null(strstr(json_string_value(json_array_get(notes, 0)), "/nowhere/of-nobody.yaml"));
    json_decref(settings);
    json_decref(notes);
}

static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* Checks that the picture has a block for every layer, for any number of layers. */
static void draw_space(const char *folder, const char *file, int columns)
{
    sq_space *space;
    char *text;
    size_t bytes;
    int path[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, source_path(file), 0, 0));
    draw_path(space, 3, path);
    const sq_picture picture = {.space = space, .path = path, .title = "<a>", .columns = columns};
    char *svg = path_in(folder, "net.svg");
    MUST(sq_picture_write(svg, &picture));
    MUST(sq_file_read(svg, 1 << 24, &text, &bytes));
    cr_assert_eq(count_of(text, "rx=\"2\""), space->layer_count, "%s", file);
    cr_assert_eq(count_of(text, "fill=\"#e69f00\""), space->layer_count, "%s", file);
    cr_assert_eq(count_of(text, "<a>"), 0);
    free(text);
    sq_space_free(space);
}

Test(report, every_space_can_be_drawn_in_both_widths)
{
    static const char *const spaces[] = {"/configs/spaces/spos.yaml", "/configs/spaces/proxyless.yaml",
                                         "/configs/spaces/hurricane-pool.yaml", "/configs/spaces/tiny.yaml"};
    char *folder = make_folder();
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        for (int columns = 1; columns <= 2; columns++)
            draw_space(folder, spaces[i], columns);
    drop_folder(folder);
}

Test(report, labels_say_kind_expansion_kernel_and_gate)
{
    char text[64];
    sq_choice choice = {.kind = SQ_BLOCK_MB, .kernel = 5, .expansion = 6, .has_se = true};
    sq_picture_label(&choice, text, sizeof text);
    cr_assert_str_eq(text, "MB6 5\xc3\x97"
                           "5 SE");
    choice = (sq_choice){.kind = SQ_BLOCK_SHUFFLE, .kernel = 7, .expansion = 1};
    sq_picture_label(&choice, text, sizeof text);
    cr_assert_str_eq(text, "Shuffle 7\xc3\x97"
                           "7");
    choice = (sq_choice){.kind = SQ_BLOCK_SKIP};
    sq_picture_label(&choice, text, sizeof text);
    cr_assert_str_eq(text, "Skip");
}

static char *sparkline(const char *json, int width)
{
    char *text = NULL;
    size_t bytes = 0;
    json_t *values = json_loads(json, 0, NULL);
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(file && values);
    sq_watch_sparkline(file, values, width);
    cr_assert_eq(fclose(file), 0);
    json_decref(values);
    return text;
}

Test(watch, sparklines_span_least_to_greatest)
{
    char *full = sparkline("[0, 1, null, 7]", 10), *means = sparkline("[0, 0, 4, 4]", 2),
         *flat = sparkline("[5, 5]", 9);
    cr_assert_str_eq(full, "\xe2\x96\x81\xe2\x96\x82 \xe2\x96\x88");
    cr_assert_str_eq(means, "\xe2\x96\x81\xe2\x96\x88");
    cr_assert_str_eq(flat, "\xe2\x96\x81\xe2\x96\x81");
    free(full);
    free(means);
    free(flat);
}

Test(watch, a_view_keeps_to_its_height_and_knows_the_end)
{
    char *text = NULL, line[256];
    size_t bytes = 0;
    json_t *run = json_loads("{\"folder\": \"r\", \"settings\": {\"train.steps\": \"20\"}, \"notes\": [\"a\", \"b\"],"
                             " \"training\": {\"step\": [10, 20], \"loss\": [2, 1], \"top1_acc\": [0.1, 0.5]}}",
                             0, NULL);
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(file && run);
    cr_assert(sq_watch_view(file, run, 40, 3), "trained, and nothing is searched");
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(count_of(text, "\n"), 3);
    cr_assert(sq_watch_line(line, sizeof line, run));
    cr_assert_str_eq(line, "step 20/20  loss 1.0000  top-1 50.00 %");
    free(text);
    json_decref(run);
}

Test(watch, a_run_that_cannot_be_read_is_not_read_again_at_once)
{
    char *folder = make_folder();
    const char *const devices[] = {NULL};
    sq_live live = {.run = folder, .devices = devices};
    put_text(folder, "log.jsonl", "");
    MUST(sq_live_read(&live));
    cr_assert_eq(live.readings, 1);
    cr_assert_eq(json_array_size(json_object_get(live.data, "runs")), 1);
    MUST(sq_path_remove(path_in(folder, "log.jsonl")));
    live.next_seconds = INFINITY;
    sq_live_refresh(&live);
    cr_assert_eq(live.readings, 1, "it is not yet time");
    live.next_seconds = 0;
    sq_live_refresh(&live);
    cr_assert_gt(live.next_seconds, 0, "the next reading is delayed as after a successful one");
    cr_assert_eq(live.readings, 1);
    cr_assert_not_null(live.data, "the last reading is kept");
    cr_assert_eq(sq_live_read(&live), SQ_INVALID);
    sq_live_clear(&live);
    drop_folder(folder);
}

/* Returns the watch view of a running search with 3 candidates, with the given settings and state. */
static char *searching(const char *settings, const char *state)
{
    char json[1024], *text = NULL;
    size_t bytes = 0;
    (void)snprintf(
        json, sizeof json,
        "{\"folder\": \"r\", \"search_settings\": {%s}, \"search\": {\"is_finished\": false%s, \"candidates\": "
        "{\"arch\": [[0], [1], [2]], \"top1\": [0.1, 0.3, 0.2]}}}",
        settings, state);
    json_t *run = json_loads(json, 0, NULL);
    FILE *file = open_memstream(&text, &bytes);
    cr_assert(file && run, "%s", json);
    cr_assert_not(sq_watch_view(file, run, 60, 0));
    cr_assert_eq(fclose(file), 0);
    json_decref(run);
    return text;
}

Test(watch, a_search_shows_how_many_candidates_there_will_be_where_that_is_known)
{
#define BUDGET "\"search.population\": \"6\", \"search.generations\": \"3\", \"search.random_paths\": \"3\""
    static const struct {
        const char *settings, *state, *wanted;
    } cases[] = {
        {BUDGET ", \"search.searcher\": \"halving\"", ", \"limit\": 31", "  3/31 candidates\n"},
        {BUDGET ", \"search.searcher\": \"evolution\"", "", "  3/27 candidates\n"}, /* state of an early release */
        {BUDGET ", \"search.searcher\": \"halving\"", "", "  3 candidates\n"},
        {"\"search.population\": \"6\"", "", "  3 candidates\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = searching(cases[i].settings, cases[i].state);
        cr_expect_not_null(strstr(text, cases[i].wanted), "%zu: %s", i, text);
        cr_expect_null(strstr(text, "nan"), "%zu: %s", i, text);
        free(text);
    }
}

Test(events, crc32c_is_that_of_rfc_3720)
{
    unsigned char zeros[32] = {0}, rising[32];
    for (int i = 0; i < 32; i++)
        rising[i] = (unsigned char)i;
    cr_assert_eq(sq_crc32c("123456789", 9), 0xe3069283u);
    cr_assert_eq(sq_crc32c(zeros, sizeof zeros), 0x8a9136aau);
    cr_assert_eq(sq_crc32c(rising, sizeof rising), 0x46dd794eu);
    cr_assert_eq(sq_crc32c("", 0), 0);
}

Test(events, records_follow_each_other_without_a_gap)
{
    char *folder = make_folder(), *text;
    size_t bytes, at = 0;
    int records = 0;
    sq_events *events;
    MUST(sq_events_create(&events, path_in(folder, "e")));
    sq_events_scalar(events, "a", 1, 0.5);
    sq_events_text(events, "b", 2, "words");
    sq_events_close(events);
    MUST(sq_file_read(path_in(folder, "e"), 1 << 20, &text, &bytes));
    for (; at + 16 <= bytes; records++)
        at += 16 + (size_t)(unsigned char)text[at];
    cr_assert_eq(at, bytes);
    cr_assert_eq(records, 3);
    cr_assert_eq(sq_events_create(&events, "/nowhere/e"), SQ_IO);
    free(text);
    drop_folder(folder);
}
