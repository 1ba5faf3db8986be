/* Tests published latency tables of other projects. The tables are in the folder that SQ_LUTS names, or in
 * ../shared/luts relative to the source tree. The folder of each table has a SOURCE.txt with the table's origin. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/coverage.h"
#include "search/cost/dialects/dialect.h"
#include "tests/support/support.h"

enum { PATH_BYTES = 1200 };

TestSuite(published, .init = open_test_folder, .fini = close_test_folder);

/* Returns the path of a published table, or NULL if the table is missing. The repository does not contain these tables,
 * so the tests are skipped without them. */
static const char *published(const char *file)
{
    static char path[PATH_BYTES];
    const char *root = getenv("SQ_LUTS");
    (void)snprintf(path, sizeof path, "%s/%s", root ? root : SOURCE("../shared/luts"), file);
    return sq_path_exists(path) ? path : NULL;
}

#define PUBLISHED(path, file)                                                                                          \
    const char *const path = published(file);                                                                          \
    if (!path)                                                                                                         \
    cr_skip_test("the published table " file " is not here")

static void check_device(const sq_latency *a, int number)
{
    char path[PATH_BYTES];
    sq_latency *b = NULL;
    (void)snprintf(path, sizeof path, "%s/device%d", test_folder, number);
    MUST(sq_latency_write(a, path));
    MUST(sq_latency_open(&b, path));
    cr_expect(a->count == b->count && a->layer_count == b->layer_count);
    cr_expect_float_eq(a->info.base_ms, b->info.base_ms, 1e-8);
    for (size_t i = 0; i < a->count && i < b->count; i++)
        cr_assert(sq_block_key_compare(&a->entries[i].key, &b->entries[i].key) == 0 &&
                  fabs(a->entries[i].time.mean - b->entries[i].time.mean) < 1e-8 * a->entries[i].time.mean);
    for (size_t i = 0; i < a->layer_count && i < b->layer_count; i++)
        cr_assert_float_eq(a->layers[i].time.mean, b->layers[i].time.mean, 1e-8);
    sq_latency_close(b);
}

static const struct {
    const char *file, *column, *dialect;
    bool near;
    int rows, read;
} published_files[] = {
    {"proxylessnas-pixel/pixel_trim.yaml", NULL, "proxyless", false, 72, 72},
    {"proxylessnas-biglittle/latency.yaml", NULL, "proxyless", false, 76, 76},
    {"proxylessnas-biglittle/latency.yaml", "big", "proxyless", false, 76, 76},
    {"proxylessnas-biglittle/latency.yaml", "gpu", "proxyless", false, 76, 76},
    {"proxylessnas-biglittle/blocks_cpu_b.csv", NULL, "proxyless", false, 72, 72},
    {"proxylessnas-biglittle/blocks_cpu_s.csv", NULL, "proxyless", false, 72, 72},
    {"proxylessnas-biglittle/blocks_gpu.csv", NULL, "proxyless", false, 72, 72},
    {"proxylessnas-biglittle/latency_32px_multires.csv", "gpu", "proxyless", false, 1505, 1309},
    {"ofa-proxyless-examples/128_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"ofa-proxyless-examples/144_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"ofa-proxyless-examples/160_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"ofa-proxyless-examples/176_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"ofa-proxyless-examples/192_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"ofa-proxyless-examples/208_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"ofa-proxyless-examples/224_lookup_table.yaml", NULL, "ofa", false, 103, 103},
    {"nnmeter-blocklut/pixel1_lut_ln_v3.json", NULL, "nnmeter", false, 12116, 1800},
    {"nnmeter-blocklut/pixel4_lut_ln_v3.json", NULL, "nnmeter", false, 12116, 1800},
    {"nnmeter-blocklut/pixel6_lut_ln_v3.json", NULL, "nnmeter", false, 12116, 1800},
    {"nnmeter-blocklut/xiaomi11_lut_ln_v3.json", NULL, "nnmeter", false, 12116, 1800},
    {"nnmeter-int8-onnx/onnx_lut.json", NULL, "nnmeter", false, 62886, 1823},
    {"nnmeter-int8-onnx/onnx_lut.json", NULL, "nnmeter", true, 62886, 10 + 24 + 1 + 3928 + 2 * 11784},
    {"hwnasbench-fbnet-cifar100/fbnet_cifar100_lut_ms.csv", "fpga", "fbnet", false, 199, 199},
    {"help-fbnet/fbnet_cifar100_fitted_lut_ms.csv", "titanxp_64", "fbnet", false, 199, 199},
    {"tfnas/latency_gpu.csv", NULL, "tfnas", true, 4555, 4555},
    {"tfnas/latency_cpu.csv", NULL, "tfnas", true, 4552, 4552},
    {"tfnas/latency_gpu.csv", NULL, "tfnas", false, 4555, 198},
    {"tunas-pixel1/tunas_pixel1_proxylessnas_search.csv", NULL, "tunas", false, 145, 145},
    {"singlepath-pixel1/pixel1_runtime_model.json", NULL, "singlepath", false, 88, 80},
};

Test(published, every_published_file_imports)
{
    for (int i = 0; i < (int)(sizeof published_files / sizeof *published_files); i++) {
        sq_dialect_report report;
        sq_latency *latency = NULL;
        const sq_dialect_options options = {.column = published_files[i].column, .takes_near = published_files[i].near};
        const char *const path = published(published_files[i].file);
        if (!path)
            cr_skip_test("the published table %s is not here", published_files[i].file);
        MUST(sq_dialect_read(&latency, &report, path, &options));
        cr_expect_str_eq(report.dialect, published_files[i].dialect, "%s", published_files[i].file);
        cr_expect(report.rows == published_files[i].rows && report.read == published_files[i].read &&
                      report.rows == report.read + report.left_out,
                  "%s: %lld rows, %lld read", published_files[i].file, (long long)report.rows, (long long)report.read);
        cr_expect_eq(report.duplicates, report.rows == 1505 ? 32 : 0, "%s", published_files[i].file);
        check_device(latency, i);
        sq_latency_close(latency);
    }
}

Test(published, hw_nas_bench_sums_are_those_of_its_notebook)
{
    static const struct {
        const char *column;
        double ms;
    } devices[] = {{"raspi4", 17.618579}, {"pixel3", 7.788973}, {"eyeriss", 3.940896}, {"fpga", 10.739520}};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        PUBLISHED(path, "hwnasbench-fbnet-cifar100/fbnet_cifar100_lut_ms.csv");
        sq_latency *latency = NULL;
        MUST(sq_dialect_read(&latency, NULL, path, &(sq_dialect_options){.column = devices[i].column}));
        double sum = latency->info.base_ms;
        for (int l = 0; l < 22; l++)
            sum += sq_latency_find_layer(latency, l, 0)->time.mean; /* choice k3_e1 */
        cr_expect_float_eq(sum, devices[i].ms, 1e-6, "%s: %.7f", devices[i].column, sum);
        sq_latency_close(latency);
    }
}

Test(published, single_path_sums_are_those_of_its_code)
{
    static const double sums[] = {65.6914, 110.6524}; /* for all choices k3 e3, and for all choices k3 e6 */
    PUBLISHED(path, "singlepath-pixel1/pixel1_runtime_model.json");
    sq_latency *latency = NULL;
    MUST(sq_dialect_read(&latency, NULL, path, NULL));
    for (int c = 0; c < 2; c++) {
        double sum = latency->info.base_ms;
        for (int l = 0; l < 20; l++)
            sum += sq_latency_find_layer(latency, l, c)->time.mean;
        cr_expect_float_eq(sum, sums[c], 1e-4);
    }
    sq_latency_close(latency);
}

static double predict(const sq_latency *latency, const sq_space *space, const char *arch)
{
    int path[SQ_MAX_LAYERS] = {0};
    sq_latency_cache cache;
    if (arch)
        MUST(sq_arch_read(space, arch, path));
    MUST(sq_latency_prepare(&cache, latency, space, SQ_FILL_NONE));
    const double ms = sq_latency_predict(&cache, space, path).ms;
    sq_latency_cache_clear(&cache);
    return ms;
}

/* google-research's tunas/mobile_cost_model_test.py has the first architecture and expects 84.0 +- 1.0. Its 73 indices
 * are decoded: the kernel, expansion and operator of each layer, and a width for each block. The second architecture is
 * the released ProxylessNAS-mobile. */
Test(published, tunas_predicts_its_own_test_and_proxyless_mobile)
{
    static const char tested[] = "0,2,6,6,6,3,2,2,0,5,3,5,5,3,0,2,2,3,4,0,2,5",
                      mobile[] = "0,2,0,6,6,4,0,2,2,5,2,2,2,3,2,2,2,5,5,4,4,5";
    PUBLISHED(file, "tunas-pixel1/tunas_pixel1_proxylessnas_search.csv");
    sq_space *space = open_space(SOURCE("configs/spaces/tunas-proxyless.yaml"));
    sq_latency *a = NULL, *b = NULL;
    char path[PATH_BYTES];
    MUST(sq_latency_open(&a, file));
    cr_expect_float_eq(predict(a, space, tested), 84.0167, 1e-3);
    cr_expect_float_eq(predict(a, space, mobile), 84.4162, 1e-3);
    (void)snprintf(path, sizeof path, "%s/written", test_folder);
    MUST(sq_latency_write(a, path));
    MUST(sq_latency_open(&b, path));
    cr_expect_float_eq(predict(b, space, tested), predict(a, space, tested), 1e-6);
    sq_latency_close(a);
    sq_latency_close(b);
    sq_space_free(space);
}

static void replace_width(char *text, const char *row)
{
    char *width = strstr(text, row);
    cr_assert_not_null(width, "%s", row);
    memcpy(width, "width: 24", strlen("width: 24"));
}

/* Opens ProxylessNAS-mobile with 24 instead of 32 channels at 56 x 56. */
static sq_space *open_narrow_space(void)
{
    char *text = NULL, path[PATH_BYTES];
    size_t bytes;
    MUST(sq_file_read(SOURCE("configs/spaces/networks/proxyless-mobile.yaml"), 1 << 16, &text, &bytes));
    replace_width(text, "width: 32, stride: 2, choices: [mb_5x5_e3]");
    replace_width(text, "width: 32, choices: [mb_3x3_e3]");
    put_text(test_folder, "narrow.yaml", text);
    (void)snprintf(path, sizeof path, "%s/narrow.yaml", test_folder);
    free(text);
    return open_space(path);
}

Test(published, proxyless_mobile_lacks_three_blocks_of_the_published_tables)
{
    static const struct {
        const char *file;
        double ms; /* prediction with 24 channels at 56 x 56 */
    } tables[] = {{"proxylessnas-pixel/pixel_trim.yaml", 86.3766}, {"proxylessnas-biglittle/latency.yaml", 82.5239}};
    static const char *const keys[] = {"mb,112,112,16,32,48,5,2,0,relu6", "mb,56,56,32,32,96,3,1,0,relu6",
                                       "mb,56,56,32,40,96,7,2,0,relu6"};
    PUBLISHED(pixel, "proxylessnas-pixel/pixel_trim.yaml");
    PUBLISHED(board, "proxylessnas-biglittle/latency.yaml");
    sq_space *released = open_space(SOURCE("configs/spaces/networks/proxyless-mobile.yaml"));
    sq_space *narrow = open_narrow_space();
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        sq_latency *latency = NULL;
        sq_latency_cache cache;
        sq_coverage coverage;
        MUST(sq_latency_open(&latency, published(tables[t].file)));
        MUST(sq_coverage_find(&coverage, latency, released, NULL));
        cr_expect_eq(coverage.missing_count, 3);
        cr_expect_eq(sq_latency_prepare(&cache, latency, released, SQ_FILL_NONE), SQ_DATA);
        for (int i = 0; i < coverage.missing_count && i < 3; i++) {
            char key[SQ_BLOCK_KEY_BYTES];
            (void)sq_block_key_print(&coverage.missing[i].key, key, sizeof key);
            cr_expect_str_eq(key, keys[i]);
            cr_expect_not_null(strstr(sq_error_text(), keys[i]), "%s", sq_error_text());
        }
        sq_coverage_clear(&coverage);
        cr_expect_float_eq(predict(latency, narrow, NULL), tables[t].ms, 1e-3);
        sq_latency_close(latency);
    }
    sq_space_free(released);
    sq_space_free(narrow);
}
