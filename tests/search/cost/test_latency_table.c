/* Tests the files of latency tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/block_list.h"
#include "search/cost/latency_table.h"
#include "tests/search/made_up_table.h"

#define HEADER SQ_BLOCK_KEY_COLUMNS ",mean_ms,std_ms,count"

Test(latency_table, table_reads_back_with_all_its_columns)
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

Test(latency_table, units_of_the_header_become_milliseconds)
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

Test(latency_table, bad_tables_are_refused_with_the_line_and_the_reason)
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
        {SQ_BLOCK_KEY_COLUMNS ",mean_us,std_ms,count\n", "different units"},
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
