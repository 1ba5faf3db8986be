/* Tests the latency tables of other projects: a small made-up file in each dialect, the files that are refused, and
 * squall lut import. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/dialects/dialect.h"
#include "tests/support/support.h"
#include "tools/run/device_import.h"

enum { PATH_BYTES = 1200 };

TestSuite(dialect, .init = open_test_folder, .fini = close_test_folder);

/* Writes a file in the test's folder. The returned path is valid until the next call. */
static const char *write_text(const char *name, const char *text)
{
    static char path[PATH_BYTES];
    put_text(test_folder, name, text);
    (void)snprintf(path, sizeof path, "%s/%s", test_folder, name);
    return path;
}

static sq_latency *read_table(const char *text, const sq_dialect_options *options, sq_dialect_report *report)
{
    sq_latency *latency = NULL;
    MUST(sq_dialect_read(&latency, report, write_text("mine.txt", text), options));
    return latency;
}

/* Returns the milliseconds of a key, written as in table.csv, or 0 if the key is missing. */
static double ms_of(const sq_latency *latency, const char *key)
{
    for (size_t i = 0; i < latency->count; i++) {
        char text[SQ_BLOCK_KEY_BYTES];
        (void)sq_block_key_print(&latency->entries[i].key, text, sizeof text);
        if (strcmp(text, key) == 0)
            return latency->entries[i].time.mean;
    }
    return 0;
}

static void expect_refused(const char *text, const sq_dialect_options *options, const char *wanted)
{
    sq_latency *latency = NULL;
    sq_dialect_report report = {.rows = -1};
    cr_expect_eq(sq_dialect_read(&latency, &report, write_text("mine.txt", text), options), SQ_INVALID, "%s", text);
    cr_expect_not_null(strstr(sq_error_text(), wanted), "'%s' tells '%s', expected '%s'", text, sq_error_text(),
                       wanted);
    cr_expect(!strchr(sq_error_text(), '\n') && latency == NULL && report.rows == -1);
}

/* ---- Made-up files ---- */

static const char proxyless[] = "Conv-input:224x224x3-output:112x112x32: {count: 4, mean: 4.5, var: 0.25}\n"
                                "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:5-stride:2-idskip:0:\n"
                                "  count: 5\n  mean: 2\n  var: 0\n"
                                "expanded_conv-input:56x56x24-output:56x56x24-expand:6-kernel:7-stride:1-idskip:1:\n"
                                "  mean: 3\n"
                                "Conv_1-input:7x7x320-output:7x7x1280: {mean: 1, big: 7}\n"
                                "Logits-input:7x7x1280-output:1000: {mean: 0.5}\n";

Test(dialect, proxyless_keys_become_ours)
{
    sq_dialect_report report;
    sq_latency *latency = read_table(proxyless, NULL, &report);
    cr_expect_str_eq(report.dialect, "proxyless");
    cr_expect(report.rows == 5 && report.read == 5 && latency->count == 5);
    cr_expect_float_eq(ms_of(latency, "conv,224,224,3,32,0,3,2,0,relu6"), 4.5, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,112,112,16,24,48,5,2,0,relu6"), 2, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,56,56,24,24,144,7,1,0,relu6"), 3, 1e-12);
    cr_expect_float_eq(ms_of(latency, "conv,7,7,320,1280,0,1,1,0,relu6"), 1, 1e-12);
    cr_expect_float_eq(ms_of(latency, "classifier,7,7,1280,1000,0,1,1,0,linear"), 0.5, 1e-12);
    const sq_block_key stem = {.kind = SQ_BLOCK_CONV,
                               .h = 224,
                               .w = 224,
                               .c_in = 3,
                               .c_out = 32,
                               .kernel = 3,
                               .stride = 2,
                               .activation = SQ_RELU6};
    const sq_latency_entry *entry = sq_latency_find(latency, &stem);
    cr_assert_not_null(entry);
    cr_expect(entry->time.deviation == 0.5 && entry->time.count == 4);
    cr_expect_str_eq(latency->info.name, "mine");
    sq_latency_close(latency);
}

Test(dialect, proxyless_rows_stand_in_csv_too)
{
    const sq_dialect_options gpu = {.column = "gpu"};
    sq_dialect_report report;
    sq_latency *latency = read_table(",block_name,cpu,gpu\n0,Conv-input:32x32x3-output:16x16x32,1,2\n"
                                     "1,Logits-input:2x2x512-output:10,3,4\n",
                                     &gpu, &report);
    cr_expect_float_eq(ms_of(latency, "conv,32,32,3,32,0,3,2,0,relu6"), 2, 1e-12);
    cr_expect_str_eq(latency->info.name, "mine gpu");
    sq_latency_close(latency);
    latency = read_table("block_name,latency(us)\nLogits-input:2x2x512-output:10,1500\n", NULL, &report);
    cr_expect_float_eq(ms_of(latency, "classifier,2,2,512,10,0,1,1,0,linear"), 1.5, 1e-12);
    sq_latency_close(latency);
}

Test(dialect, another_column_of_a_yaml_table_has_no_deviation)
{
    const sq_dialect_options big = {.column = "big"};
    sq_dialect_report report;
    sq_latency *latency =
        read_table("Logits-input:7x7x1280-output:1000: {mean: 0.5, var: 4, count: 9, big: 7}\n", &big, &report);
    cr_expect(latency->entries[0].time.mean == 7 && latency->entries[0].time.deviation == 0 &&
              latency->entries[0].time.count == 1);
    sq_latency_close(latency);
    expect_refused(proxyless, &big, "mine.txt:1: 'Conv-input:224x224x3-output:112x112x32': no big");
}

#define OFA_BLOCK "expanded_conv-input:28x28x40-output:28x28x40-expand:120-kernel:5-stride:1-idskip:1-se:1-hs:1"
static const char ofa[] = "Conv-input:224x224x3-output:112x112x16: {count: 1, mean: 1, std: 0.1}\n"
                          "expanded_conv-input:112x112x16-output:112x112x16-expand:16-kernel:3-stride:1-idskip:1-se:0-"
                          "hs:0: {mean: 2, std: 0.2}\n" OFA_BLOCK ": {mean: 3, std: 0.3, count: 12}\n"
                          "Conv_1-input:7x7x160-output:7x7x960: {mean: 4, std: 0}\n"
                          "AvgPool2D-input:7x7x960-output:960: {mean: 5, std: 0}\n"
                          "Conv_2-input:1x1x960-output:1x1x1280: {mean: 6, std: 0}\n"
                          "Logits-input:1x1x1280-output:1000: {mean: 7, std: 0}\n";

Test(dialect, ofa_expands_to_channels_and_says_se_and_hswish)
{
    sq_dialect_report report;
    sq_latency *latency = read_table(ofa, NULL, &report);
    cr_expect_str_eq(report.dialect, "ofa");
    cr_expect(report.rows == 7 && report.read == 6 && report.left_out == 1 && report.kind_count == 1);
    cr_expect_str_eq(report.kinds[0].text, "AvgPool2D");
    cr_expect_float_eq(ms_of(latency, "conv,224,224,3,16,0,3,2,0,hswish"), 1, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,112,112,16,16,16,3,1,0,relu"), 2, 1e-12);
    /* 120 / 4 = 30 is rounded up to 32 */
    cr_expect_float_eq(ms_of(latency, "mb,28,28,40,40,120,5,1,32,hswish"), 3, 1e-12);
    cr_expect_float_eq(ms_of(latency, "conv,7,7,160,960,0,1,1,0,hswish"), 4, 1e-12);
    cr_expect_float_eq(ms_of(latency, "conv,1,1,960,1280,0,1,1,0,hswish"), 6, 1e-12);
    cr_expect_float_eq(ms_of(latency, "classifier,1,1,1280,1000,0,1,1,0,linear"), 7, 1e-12);
    sq_latency_close(latency);
}

Test(dialect, a_file_says_by_its_largest_expand_whether_it_is_a_ratio)
{
    sq_dialect_report report;
    sq_latency *latency = read_table(
        "expanded_conv-input:14x14x80-output:14x14x100-expand:5-kernel:3-stride:1-idskip:0: {mean: 1, std: 0}\n", NULL,
        &report);
    cr_expect_str_eq(report.dialect, "ofa");
    cr_expect_float_eq(ms_of(latency, "mb,14,14,80,100,400,3,1,0,relu6"), 1, 1e-12);
    sq_latency_close(latency);
    expect_refused(
        "expanded_conv-input:14x14x80-output:14x14x100-expand:5-kernel:3-stride:1-idskip:0: {mean: 1}\n" OFA_BLOCK
        ": {mean: 1}\n",
        NULL, "expand 5 is a number of channels in this file, but the input has 80 channels");
}

Test(dialect, a_block_without_its_shortcut_is_not_ours)
{
    sq_dialect_report report;
    sq_latency *latency =
        read_table("expanded_conv-input:8x8x24-output:8x8x24-expand:3-kernel:3-stride:1-idskip:0: {mean: 1}\n"
                   "expanded_conv-input:8x8x24-output:8x8x24-expand:3-kernel:3-stride:1-idskip:1: {mean: 2}\n",
                   NULL, &report);
    cr_expect_float_eq(ms_of(latency, "mb,8,8,24,24,72,3,1,0,relu6"), 2, 1e-12);
    cr_expect(report.left_out == 1 && report.duplicates == 0);
    sq_latency_close(latency);
}

static const char blocks[] =
    "{\n \"firstconv_224_3_16_2_3\": 0.5,\n \"conv_28_48_56_6_2_hard_swish_5_se\": 2,\n"
    " \"conv_28_48_48_1_1_relu_3_nose\": 1,\n \"conv_28_48_48_1_1_swish_3_nose\": 1,\n"
    " \"transds_16_16_48_2_4\": 1,\n \"transds_16_16_48_2_6\": 1,\n \"mbpool_2_160_1984_6_hard_swish\": 1\n}\n";

Test(dialect, nnmeter_blocks_are_read_and_other_kinds_counted)
{
    sq_dialect_report report;
    sq_latency *latency = read_table(blocks, NULL, &report);
    cr_expect_str_eq(report.dialect, "nnmeter");
    cr_expect(report.rows == 7 && report.read == 3 && report.left_out == 4 && report.kind_count == 3);
    cr_expect(strcmp(report.kinds[1].text, "transds") == 0 && report.kinds[1].count == 2);
    cr_expect_str_eq(report.kinds[0].text, "conv: activation swish");
    cr_expect_float_eq(ms_of(latency, "conv,224,224,3,16,0,3,2,0,hswish"), 0.5, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,28,28,48,56,288,5,2,72,hswish"), 2, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,28,28,48,48,48,3,1,0,relu"), 1, 1e-12);
    sq_latency_close(latency);
}

Test(dialect, reports_skipped_rows_in_one_line)
{
    char *text = NULL;
    size_t bytes = 0;
    sq_dialect_report report = {.rows = 12116, .read = 1800, .left_out = 10316, .kind_count = 1};
    FILE *file = open_memstream(&text, &bytes);
    (void)strcpy(report.kinds[0].text, "transds");
    report.kinds[0].count = 10316;
    sq_dialect_print(&report, file);
    cr_assert_eq(fclose(file), 0);
    cr_expect_str_eq(text,
                     "12,116 rows: 1,800 read, 10,316 left out, blocks that no Squall space has: 10,316 transds\n");
    free(text);
}

static const char int8[] =
    "{\"FirstConvBlock_224_3_16_3_None_2_relu\": 1, \"FinalExpandBlock_7_320_1280_1_None_1_hswish\": 2,"
    "\"FeatureMixBlock_7_1280_1920_1_None_1_hswish\": 3, \"LogitsBlock_1_1920_1000_0_None_0_relu\": 4,"
    "\"MobileNetV1DualBlock_56_16_32_5_0_2_relu\": 5, \"MobileNetV2ResBlock_56_32_32_3_4_1_relu6\": 6,"
    "\"MobileNetV2ResBlock_56_32_48_3_4_2_relu6\": 7, \"MobileNetV3ResBlock_56_32_32_7_8_1_hswish\": 8,"
    "\"ResNetBlock_56_32_32_3_0.5_1_relu\": 9}";

Test(dialect, reads_int8_blocks_with_another_shortcut_only_on_request)
{
    const sq_dialect_options near = {.takes_near = true};
    sq_dialect_report report;
    sq_latency *latency = read_table(int8, NULL, &report);
    cr_expect(report.rows == 9 && report.read == 5 && report.left_out == 4 && report.near == 0);
    cr_expect_float_eq(ms_of(latency, "conv,7,7,320,1280,0,1,1,0,hswish"), 2, 1e-12);
    cr_expect_float_eq(ms_of(latency, "classifier,1,1,1920,1000,0,1,1,0,linear"), 4, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,56,56,32,32,128,3,1,0,relu6"), 6, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,56,56,32,32,256,7,1,64,hswish"), 8, 1e-12);
    sq_latency_close(latency);
    latency = read_table(int8, &near, &report);
    cr_expect(report.read == 7 && report.left_out == 2 && report.near == 2);
    cr_expect_float_eq(ms_of(latency, "sep,56,56,16,32,0,5,2,0,relu"), 5, 1e-12);
    cr_expect_float_eq(ms_of(latency, "mb,56,56,32,48,128,3,2,0,relu6"), 7, 1e-12);
    sq_latency_close(latency);
}

#define FBNET "layer,h_in,c_in,c_out,stride,op,phone,board\n-1,0,0,0,0,base,7,70\n"

Test(dialect, fbnet_choices_stand_in_the_order_of_the_rows)
{
    const sq_dialect_options board = {.column = "board", .info = {.batch = 4, .name = "b", .licence = "MIT"}};
    sq_dialect_report report;
    sq_latency *latency = read_table(
        FBNET "0,32,16,16,1,k3_e1,1,10\n0,32,16,16,1,skip,0,0\n1,32,16,24,1,k3_e1,2,-0.5\n", &board, &report);
    cr_expect_str_eq(report.dialect, "fbnet");
    cr_expect(report.rows == 4 && latency->layer_count == 3 && latency->info.base_ms == 70);
    cr_expect(sq_latency_find_layer(latency, 0, 0)->time.mean == 10 &&
              sq_latency_find_layer(latency, 0, 1)->time.mean == 0 &&
              sq_latency_find_layer(latency, 1, 0)->time.mean == -0.5);
    cr_expect(latency->info.batch == 4 && strcmp(latency->info.name, "b") == 0 &&
              strcmp(latency->info.space, "fbnet") == 0 && latency->info.is_measured);
    sq_latency_close(latency);
    expect_refused(FBNET, NULL, ":1: found several columns (phone, board); name the one to read");
    expect_refused(FBNET, &(sq_dialect_options){.column = "fone"},
                   ":1: no column 'fone', did you mean 'phone'?; found phone, board");
}

Test(dialect, tunas_is_a_bias_and_shares)
{
    sq_dialect_report report;
    sq_latency *latency = read_table(
        "layer,op,kernel,expand,delta_ms\n-1,bias,0,0,92\n0,sepconv,3,1,-1.5\n0,sepconv,5,1,2\n", NULL, &report);
    cr_expect_str_eq(report.dialect, "tunas");
    cr_expect(latency->info.base_ms == 92 && latency->layer_count == 2 && !latency->info.is_measured);
    cr_expect_str_eq(latency->info.space, "tunas_proxyless");
    sq_latency_close(latency);
}

#define TFNAS                                                                                                          \
    "key,mid_channels,latency_ms\nbase,0,9.5\nMBInvertedResBlock_112_16_0_24_k3_s2_relu,48,3\n"                        \
    "MBInvertedResBlock_14_80_160_112_k5_s1_swish,480,4\n"

Test(dialect, reads_tfnas_blocks_with_swish_only_on_request)
{
    sq_dialect_report report;
    sq_latency *latency = read_table(TFNAS, NULL, &report);
    cr_expect_str_eq(report.dialect, "tfnas");
    cr_expect(report.rows == 3 && report.read == 2 && report.left_out == 1 && latency->info.base_ms == 9.5);
    cr_expect_str_eq(report.kinds[0].text, "MBInvertedResBlock: activation swish");
    cr_expect_float_eq(ms_of(latency, "mb,112,112,16,24,48,3,2,0,relu"), 3, 1e-12);
    sq_latency_close(latency);
    latency = read_table(TFNAS, &(sq_dialect_options){.takes_near = true}, &report);
    cr_expect_float_eq(ms_of(latency, "mb,14,14,80,112,480,5,1,160,hswish"), 4, 1e-12);
    sq_latency_close(latency);
}

Test(dialect, single_path_has_its_constants)
{
    char text[4096] = "{";
    sq_dialect_report report;
    for (int l = 0; l < 22; l++)
        (void)sprintf(text + strlen(text), "%s\"%d\": {\"1\": 2, \"0\": %d, \"3\": 4, \"2\": 3}", l ? ", " : "", l, l);
    sq_latency *latency = read_table(strcat(text, "}"), NULL, &report);
    cr_expect_str_eq(report.dialect, "singlepath");
    cr_expect(report.rows == 88 && report.read == 80 && report.left_out == 8 && latency->layer_count == 100);
    cr_expect(sq_latency_find_layer(latency, 0, 0)->time.mean == 1 &&
              sq_latency_find_layer(latency, 19, 0)->time.mean == 20);
    cr_expect_float_eq(sq_latency_find_layer(latency, 3, 4)->time.mean, 0.7, 1e-12);
    cr_expect_float_eq(latency->info.base_ms, 19.5999, 1e-12);
    sq_latency_close(latency);
}

Test(dialect, merges_and_reports_repeated_blocks)
{
    sq_dialect_report report;
    sq_latency *latency =
        read_table("block_name,latency(ms)\nLogits-input:2x2x512-output:10,1\nLogits-input:2x2x512-output:10,3\n"
                   "Logits-input:2x2x256-output:10,1\nLogits-input:2x2x256-output:10,1\n",
                   NULL, &report);
    cr_expect(report.read == 4 && latency->count == 2 && report.duplicates == 2 && report.conflicts == 1);
    cr_expect_float_eq(report.worst_conflict, 3, 1e-12);
    cr_expect_str_eq(report.conflict, "classifier,2,2,512,10,0,1,1,0,linear");
    cr_expect_float_eq(ms_of(latency, report.conflict), 2, 1e-12);
    cr_expect_float_eq(latency->entries[1].time.deviation + latency->entries[0].time.deviation, 1, 1e-12);
    sq_latency_close(latency);
}

/* ---- Refused files ---- */

#define LOGITS "Logits-input:7x7x8-output:10"
#define MB(expand, kernel, idskip)                                                                                     \
    "expanded_conv-input:8x8x16-output:8x8x24-expand:" expand "-kernel:" kernel "-stride:1-idskip:" idskip             \
    ": {mean: 1}\n"

static const struct {
    const char *text, *wanted;
} broken[] = {
    {LOGITS ": {mean: 1}\n" LOGITS "x: {mean: 1}\n",
     "mine.txt:2: '" LOGITS "x': expected '<layer>: {count, mean, var}'"},
    {LOGITS ": 3\n", ":1: '" LOGITS "': expected '<layer>"},
    {LOGITS ": {mean: -1}\n", ":1: '" LOGITS "': mean '-1', expected a number of milliseconds above 0"},
    {LOGITS ": {mean: nan}\n", "mean 'nan'"},
    {LOGITS ": {mean: 1, var: -2}\n", "var '-2', expected a number from 0"},
    {LOGITS ": {mean: 1, count: 0}\n", "count '0', expected a number from 1"},
    {LOGITS ": {count: 1}\n", "no mean"},
    {LOGITS ": {mean: 1\n", "mine.txt:2: "},
    {MB("3", "3", "1"), "idskip 1, but stride 1 and 16 to 24 channels"},
    {MB("0.5", "3", "0"), "expand 0.5 is a ratio in this file, but the input has 16 channels"},
    {MB("3", "x", "0"), "expected '<layer>"},
    {MB("3", "99999999999", "0"), "expected '<layer>"},
    {"expanded_conv-input:8x8x16-output:8x8x24: {mean: 1}\n", "expected '<layer>"},
    {"Conv-input:99999999999x8x16-output:8x8x24: {mean: 1}\n", "expected '<layer>"},
    {"AvgPool2D-input:7x7x8-output:8: {mean: 1}\n",
     "1 rows of dialect proxyless, none of them a block of a Squall space, but AvgPool2D"},
    {"block_name,latency(ms)\n" LOGITS ",1,2\n", ":2: 3 columns, expected 2"},
    {"block_name,latency(ms)\n" LOGITS ",fast\n", ":2: 'fast', expected a number"},
    {"block_name,latency(ms)\n" LOGITS ",0\n", ":2: 0, expected a finite number above 0"},
    {"block_name,latency(ms)\n" LOGITS "-x,1\n", ":2: '" LOGITS "-x', expected a layer"},
    {"block_name,a,b\n" LOGITS ",1,2\n", "name the one to read"},
    {"{\"conv_28_48_48_6_1_hard_swish_3_se\": \"1\"}",
     "'conv_28_48_48_6_1_hard_swish_3_se': expected a number of milliseconds"},
    {"{\"conv_28_48_48_6_1_hard_swish_3_so\": 1}", "'conv_28_48_48_6_1_hard_swish_3_so': expected a block's kind"},
    {"{\"conv_28_48_48_6_1\": 1}", "expected a block's kind"},
    {"{\"conv_28_48_48_6_1_hard_swish_3_se\": 0}", "0, expected a finite number above 0"},
    {"{\"conv_28_0_48_6_1_hard_swish_3_se\": 1}", "expected a block's kind"},
    {"{\"firstconv_224_3_16_0_3\": 1}", "'firstconv_224_3_16_0_3': expected a block's kind"},
    {"{\"firstconv_224_3_16_2\": 1}", "'firstconv_224_3_16_2': expected a block's kind"},
    {"{\"MobileNetV2ResBlock_56_32_32_3_4_1\": 1}", "expected a block's kind"},
    {"{\"MobileNetV2ResBlock_56_32_32_3_None_1_relu6\": 1}", "expected a block's kind"},
    {"{\"a_1\": 1,\n\"a_1\": 2}", "mine.txt:2: "},
    {"{\"a_1\": 1,\n", "mine.txt:2: "},
    {"{\"transds_16_16_48_2_4\": 1}", "1 rows of dialect nnmeter, none of them a block of a Squall space, but transds"},
    {"{\"0\": {\"0\": 1}}", "layer '0', choice '1': expected a number"},
    {"{\"1\": {\"0\": 1}}", "no layer '0', expected 0 to 21"},
    {"layer,h_in,c_in,c_out,stride,op,phone\n0,32,16\n", ":2: 3 columns, expected 7"},
    {"layer,h_in,c_in,c_out,stride,op,phone\nx,32,16,16,1,k3_e1,1\n",
     ":2: layer 'x', expected a whole number from 0 to 95, or op base"},
    {"layer,h_in,c_in,c_out,stride,op,phone\n-1,32,16,16,1,k3_e1,1\n", ":2: layer '-1'"},
    {"layer,h_in,c_in,c_out,stride,op,phone\n0,32,16,16,1,k3_e1,inf\n", ":2: 'inf', expected a number"},
    {"layer,h_in,c_in,c_out,stride,op,phone\n", "0 rows of dialect fbnet"},
    {"layer,op,kernel,expand,delta_ms\n0,sepconv,3,1,x\n", ":2: 'x', expected a number"},
    {"key,mid_channels,latency_ms\nMBInvertedResBlock_112_16_0_24_k3_s2,48,3\n",
     ":2: 'MBInvertedResBlock_112_16_0_24_k3_s2', expected base or"},
    {"key,mid_channels,latency_ms\nMBInvertedResBlock_112_16_0_24_k3_s2_relu,0,3\n", ":2: mid_channels '0'"},
    {"key,mid_channels,latency_ms\nMBInvertedResBlock_112_16_0_24_k3_s2_relu,8,-3\n",
     ":2: -3, expected a finite number above 0"},
};

Test(dialect, broken_files_are_refused_with_their_line)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        expect_refused(broken[i].text, NULL, broken[i].wanted);
}

Test(dialect, lists_all_dialects_for_an_unknown_file)
{
    expect_refused("hello\nworld\n", NULL,
                   "begins with 'hello', which fits none of the dialects proxyless, ofa, nnmeter, fbnet, tfnas, tunas, "
                   "singlepath;");
    expect_refused("", NULL, "begins with ''");
    expect_refused(SQ_BLOCK_KEY_COLUMNS ",mean_ms\n", NULL, "found a table in Squall's own format; name its folder");
    expect_refused("layer,choice,mean_ms\n", NULL, "a table in Squall's own format");
    expect_refused("hello", &(sq_dialect_options){.dialect = "fbnt"},
                   "dialect 'fbnt', did you mean 'fbnet'?: expected one of proxyless");
    expect_refused("hello", &(sq_dialect_options){.dialect = "fbnet"}, "mine.txt:1: expected the header 'layer,h_in");
    expect_refused("hello", &(sq_dialect_options){.dialect = "nnmeter"}, "mine.txt:1: ");
    expect_refused("hello", &(sq_dialect_options){.dialect = "ofa"}, "expected a YAML mapping");
}

Test(dialect, units_are_said_once)
{
    sq_dialect_report report;
    sq_latency *latency = read_table("{\"firstconv_224_3_16_2_3\": 500}", &(sq_dialect_options){.unit = "us"}, &report);
    cr_expect_float_eq(latency->entries[0].time.mean, 0.5, 1e-12);
    sq_latency_close(latency);
    expect_refused(TFNAS, &(sq_dialect_options){.unit = "us"}, ":1: column 'latency_ms' is not in us");
    expect_refused(TFNAS, &(sq_dialect_options){.unit = "min"}, "unit 'min', expected ns, us, ms or s");
}

Test(dialect, a_file_of_a_dialect_opens_as_a_device)
{
    sq_latency *latency = NULL;
    MUST(sq_latency_open(&latency, write_text("phone.yaml", proxyless)));
    cr_expect_eq(latency->count, 5);
    cr_expect_str_eq(sq_latency_info(latency)->name, "phone");
    sq_latency_close(latency);
    cr_expect_eq(sq_latency_open(&latency, "/nowhere/at/all"), SQ_IO);
}

Test(dialect, a_device_of_many_thousand_blocks_reads_back)
{
    enum { BLOCKS = 12000 };
    char *text = malloc(BLOCKS * 64 + 8), name[] = "many";
    char path[PATH_BYTES];
    size_t used = (size_t)sprintf(text, "{");
    for (int i = 0; i < BLOCKS; i++)
        used += (size_t)sprintf(text + used, "%s\"conv_%d_%d_%d_%d_2_hard_swish_%d_nose\": %d", i ? "," : "",
                                1 + i % 50, 8 * (1 + i / 50 % 40), 8, 1 + i / 2000, 3, 1 + i);
    (void)strcpy(text + used, "}");
    sq_dialect_report report;
    sq_latency *a = read_table(text, NULL, &report), *b = NULL;
    cr_expect_eq(report.read, BLOCKS);
    cr_expect_eq(a->count, BLOCKS);
    (void)snprintf(path, sizeof path, "%s/%s", test_folder, name);
    MUST(sq_latency_write(a, path));
    MUST(sq_latency_open(&b, path));
    cr_assert_eq(b->count, BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++) {
        const sq_latency_entry *entry = sq_latency_find(b, &a->entries[i].key);
        cr_assert_not_null(entry);
        cr_assert_float_eq(entry->time.mean, a->entries[i].time.mean, 1e-8 * entry->time.mean);
    }
    sq_latency_close(a);
    sq_latency_close(b);
    free(text);
}

/* ---- Import ---- */

Test(dialect, import_replaces_a_device_only_on_request)
{
    char device[PATH_BYTES], file[PATH_BYTES], table[PATH_BYTES + 16];
    sq_latency *latency = NULL;
    (void)snprintf(device, sizeof device, "%s/phone", test_folder);
    (void)snprintf(table, sizeof table, "%s/table.csv", device);
    (void)snprintf(file, sizeof file, "%s", write_text("mine.yaml", proxyless));
    const sq_dialect_options first = {.info = {.name = "My Phone", .licence = "MIT", .dtype = "float32", .batch = 2}};
    cr_assert_not_null(freopen("/dev/null", "w", stdout)); /* hides the summary */
    MUST(sq_device_import(file, device, false, &first));
    MUST(sq_latency_open(&latency, device));
    const sq_device_info *info = sq_latency_info(latency);
    cr_expect(latency->count == 5 && strcmp(info->name, "My Phone") == 0 && strcmp(info->licence, "MIT") == 0 &&
              info->batch == 2);
    cr_expect_str_eq(info->source, "mine.yaml, dialect proxyless");
    sq_latency_close(latency);
    cr_expect_eq(sq_device_import(file, device, false, &first), SQ_INVALID, "the folder holds a device");
    cr_expect_not_null(strstr(sq_error_text(), "device.yaml: already exists; choose another folder or give --replace"));
    (void)snprintf(file, sizeof file, "%s", write_text("fit.csv", FBNET "0,32,16,16,1,k3_e1,1,10\n"));
    const sq_dialect_options second = {.column = "phone", .is_modelled = true};
    MUST(sq_device_import(file, device, true, &second));
    cr_expect(!sq_path_exists(table), "the table by block is gone");
    MUST(sq_latency_open(&latency, device));
    cr_expect(latency->layer_count == 1 && !sq_latency_info(latency)->is_measured);
    sq_latency_close(latency);
}
