/* Compares the vendor engine of the cuda backend with the reference, and tests engine "auto", which stores its timings.
 * The file is built twice: for the emulator, where plain loops replace NVIDIA's libraries, and for a GPU with the
 * libraries. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "tests/kernels/op_table.h"
#include "tests/support/support.h"

enum { BATCH = 5 };

static sq_status open_engine(sq_engine engine, sq_backend **out)
{
    return sq_backend_open_with("cuda", &(sq_backend_options){.engine = engine}, out);
}

static void need_libraries(void)
{
    sq_backend *b = NULL;
    if (open_engine(SQ_ENGINE_VENDOR, &b) == SQ_UNSUPPORTED)
        cr_skip_test("%s", sq_error_text());
    sq_backend_close(b);
}

Test(cuda_vendor, operations_agree_with_reference)
{
    need_libraries();
    const op_table table = {SOURCE("configs/spaces/tiny.yaml"), "cuda", BATCH, SQ_ENGINE_VENDOR};
    cr_expect_gt(run_op_table(&table), 100);
}

Test(cuda_vendor, operations_agree_on_wide_and_odd_shapes)
{
    need_libraries();
    const op_table table = {SOURCE("tests/fixtures/cuda_wide.yaml"), "cuda", 2, SQ_ENGINE_VENDOR};
    cr_expect_gt(run_op_table(&table), 100);
}

Test(cuda_vendor, operations_agree_on_more_channels_than_a_block_has)
{
    need_libraries();
    const op_table table = {SOURCE("tests/fixtures/cuda_dense.yaml"), "cuda", 1, SQ_ENGINE_VENDOR};
    cr_expect_gt(run_op_table(&table), 40);
}

Test(cuda_vendor, operations_agree_on_padded_widths)
{
    need_libraries();
    const op_table pad = {SOURCE("tests/fixtures/odd_widths_pad.yaml"), "cuda", 2, SQ_ENGINE_VENDOR};
    const op_table keep = {SOURCE("tests/fixtures/odd_widths_keep.yaml"), "cuda", 1, SQ_ENGINE_VENDOR};
    cr_expect_gt(run_op_table(&pad), 30);
    cr_expect_gt(run_op_table(&keep), 30);
}

/* The tolerance is derived in tests/kernels/test_cuda.c; the vendor engine rounds each value as often as engine
 * "squall". */
Test(cuda_vendor, five_steps_follow_the_reference_with_graphs_and_without)
{
    need_libraries();
    enum { STEPS = 5 };
    double wanted[STEPS], found[2][STEPS];
    subject a = open_subject(SOURCE("configs/spaces/tiny.yaml"), "reference", 0, 12);
    train_drawn(&a, STEPS, wanted);
    close_subject(&a);
    for (int k = 0; k < 2; k++) {
        subject b = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda",
                                      &(sq_backend_options){.engine = SQ_ENGINE_VENDOR, .no_graphs = k == 1}, 12);
        train_drawn(&b, STEPS, found[k]);
        close_subject(&b);
    }
    for (int i = 0; i < STEPS; i++)
        cr_expect_float_eq(wanted[i], found[0][i], 0.028, "step %d: loss %.5f, reference %.5f", i, found[0][i],
                           wanted[i]);
    cr_expect_eq(memcmp(found[0], found[1], sizeof found[0]), 0, "graphs off: the bits differ");
}

/* ---- Engine auto ---- */

typedef struct {
    char key[512];
    double squall_us, vendor_us;
} line;

/* Returns a graph with one forward convolution of 16 channels: 3 x 3 depthwise or 1 x 1. All roles are in one
 * allocation, which starts with the sq_step. */
static sq_graph one_convolution(bool is_depthwise)
{
    enum { CHANNELS = 16, PLACE = 16384 };
    sq_graph g = {.name = "one convolution"};
    const int k = is_depthwise ? 3 : 1;
    const sq_slot map = {.role = SQ_ROLE_BOUNDARY,
                         .dtype = SQ_BF16,
                         .n = 2,
                         .h = 6,
                         .w = 6,
                         .c = CHANNELS,
                         .pitch = CHANNELS,
                         .offset = PLACE};
    sq_slot vector = {
        .role = SQ_ROLE_STATISTICS, .dtype = SQ_F32, .n = 1, .h = 1, .w = 1, .c = CHANNELS, .pitch = CHANNELS};
    sq_slot z = map, live = vector, weight = vector;
    z.role = live.role = SQ_ROLE_SAVED;
    z.offset = 2 * PLACE;
    live.w = SQ_LIVE_ROWS;
    live.offset = 3 * PLACE;
    weight.role = SQ_ROLE_WEIGHT;
    weight.offset = 4 * PLACE;
    weight.n = CHANNELS;
    weight.h = is_depthwise ? 1 : CHANNELS;
    weight.w = weight.c = weight.pitch = k;
    vector.offset = 5 * PLACE;
    sq_op op = sq_op_make(SQ_OP_CONV);
    op.x = sq_view_plain(sq_graph_slot(&g, map), SQ_ALL);
    op.out = sq_graph_slot(&g, z);
    op.weight = sq_graph_slot(&g, weight);
    const int mean = sq_graph_slot(&g, vector);
    vector.offset = 6 * PLACE;
    const int variance = sq_graph_slot(&g, vector);
    op.out_norm = sq_graph_norm(&g, (sq_norm){.c = CHANNELS,
                                              .gamma = SQ_NONE,
                                              .beta = SQ_NONE,
                                              .gamma_grad = SQ_NONE,
                                              .beta_grad = SQ_NONE,
                                              .running_mean = mean,
                                              .running_variance = variance,
                                              .live = sq_graph_slot(&g, live),
                                              .epsilon = 1e-5f});
    op.kernel = k;
    op.stride = 1;
    op.is_depthwise = is_depthwise;
    sq_graph_op(&g, op);
    return g;
}

/* Compiles and runs the convolution. Returns whether NVIDIA's library computes it. */
static bool is_theirs(sq_backend *b, const sq_graph *g)
{
    sq_binding at;
    sq_device_ptr memory = {NULL};
    sq_program *program = NULL;
    sq_program_part part;
    size_t bytes = 0;
    bool found = false;
    MUST(b->ops->workspace(b, g, &bytes));
    MUST(b->ops->allocate(b, (1 << 18) + bytes, &memory));
    for (int i = 0; i < SQ_ROLES; i++)
        at.base[i] = memory;
    at.base[SQ_ROLE_WORKSPACE].address += 1 << 18;
    MUST(b->ops->compile(b, g, &at, &program));
    MUST(b->ops->run(b, program));
    MUST(b->ops->wait(b));
    for (int i = 0; b->ops->part(program, i, &part); i++)
        found = found || strncmp(part.kernel, "vendor", 6) == 0;
    b->ops->discard(b, program);
    b->ops->release(b, memory);
    return found;
}

static int read_table(const char *path, line *lines, int limit)
{
    char *text = NULL, *rest = NULL;
    size_t bytes = 0;
    int count = 0;
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    for (char *at = strtok_r(text, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
        line found;
        if (sscanf(at, "%*[^,],%*[^,],%*[^,],%*[^,],%511[^,],%lf,%lf", found.key, &found.squall_us, &found.vendor_us) ==
                3 &&
            count < limit)
            lines[count++] = found;
    }
    free(text);
    return count;
}

/* Returns in `path` the only table in <folder>/squall. */
static void find_table(const char *folder, char *path, size_t bytes)
{
    char command[512];
    (void)snprintf(command, sizeof command, "ls %s/squall/engines-*.csv", folder);
    FILE *listed = popen(command, "r");
    cr_assert(listed && fgets(path, (int)bytes, listed), "no table in %s", folder);
    path[strcspn(path, "\n")] = '\0';
    (void)pclose(listed);
}

/* Rewrites the table so that every row has these two times. */
static void set_times(const char *path, double squall_us, double vendor_us)
{
    char *text = NULL, *rest = NULL, changed[8192] = "";
    size_t bytes = 0;
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    for (char *at = strtok_r(text, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
        const size_t used = strlen(changed);
        char *last = strrchr(at, ',');
        if (strncmp(at, "gpu,", 4) == 0) {
            (void)snprintf(changed + used, sizeof changed - used, "%s\n", at);
            continue;
        }
        *last = '\0';
        *strrchr(at, ',') = '\0';
        (void)snprintf(changed + used, sizeof changed - used, "%s,%.1f,%.1f\n", at, squall_us, vendor_us);
    }
    MUST(sq_file_replace(path, &(sq_piece){changed, strlen(changed)}, 1));
    free(text);
}

Test(cuda_vendor, auto_measures_once_and_saves_the_timings)
{
    char *folder = make_folder(), path[512];
    sq_backend *b = NULL;
    sq_graph depthwise = one_convolution(true), pointwise = one_convolution(false);
    line lines[8];
    need_libraries();
    (void)setenv("XDG_CACHE_HOME", folder, 1);
    MUST(open_engine(SQ_ENGINE_AUTO, &b));
    const bool first = is_theirs(b, &depthwise), second = is_theirs(b, &pointwise);
    cr_expect_eq(first, is_theirs(b, &depthwise), "second compilation");
    sq_backend_close(b);
    find_table(folder, path, sizeof path);
    cr_assert_eq(read_table(path, lines, 8), 2);
    cr_expect_eq(first, lines[0].vendor_us < lines[0].squall_us);
    cr_expect_eq(second, lines[1].vendor_us < lines[1].squall_us);
    cr_expect(strstr(lines[0].key, "conv 3x3 depthwise stride 1 batch x 2x6x6x16/16") != NULL, "%s", lines[0].key);
    for (int k = 0; k < 2; k++) { /* the engine follows the table and measures nothing */
        set_times(path, k ? 9 : 2, k ? 2 : 9);
        MUST(open_engine(SQ_ENGINE_AUTO, &b));
        cr_expect_eq(is_theirs(b, &depthwise), k == 1);
        cr_expect_eq(is_theirs(b, &pointwise), k == 1);
        sq_backend_close(b);
        cr_assert_eq(read_table(path, lines, 8), 2);
        cr_expect_eq(lines[0].vendor_us, k ? 2 : 9);
    }
    sq_graph_clear(&depthwise);
    sq_graph_clear(&pointwise);
    drop_folder(folder);
}

Test(cuda_vendor, auto_ignores_an_unreadable_table)
{
    static const char garbage[] = "gpu,driver\n,,,,,,\nx,1,y,z,conv,1,1\n\xff\xfe";
    char *folder = make_folder(), path[512];
    sq_backend *b = NULL;
    sq_graph g = one_convolution(false);
    line lines[8];
    need_libraries();
    (void)setenv("XDG_CACHE_HOME", folder, 1);
    for (int k = 0; k < 2; k++) {
        MUST(open_engine(SQ_ENGINE_AUTO, &b));
        (void)is_theirs(b, &g);
        sq_backend_close(b);
        find_table(folder, path, sizeof path);
        cr_expect_eq(read_table(path, lines, 8), 1, "only measured rows of this version");
        MUST(sq_file_replace(path, &(sq_piece){garbage, sizeof garbage - 1}, 1));
    }
    sq_graph_clear(&g);
    drop_folder(folder);
}

Test(cuda_vendor, auto_trains)
{
    char *folder = make_folder();
    double losses[2];
    need_libraries();
    (void)setenv("XDG_CACHE_HOME", folder, 1);
    subject s = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda",
                                  &(sq_backend_options){.engine = SQ_ENGINE_AUTO}, 4);
    train_drawn(&s, 2, losses);
    cr_expect(isfinite(losses[0]) && isfinite(losses[1]));
    close_subject(&s);
    drop_folder(folder);
}
