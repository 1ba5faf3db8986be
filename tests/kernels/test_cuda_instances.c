/* Tests that the list of the backend's kernels is complete, that all kernels are loaded before the first capture, and
 * that lowering assumes the number of blocks that fit on a multiprocessor. The emulator records loads and launches
 * (emulation/emu_control.h). */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/instances.h"
#include "tests/emulation/runtime/emu_control.h"
#include "tests/support/support.h"

enum { MOST_ROWS = 1024, EMULATED_MULTIPROCESSORS = 4 };

typedef struct {
    char architecture[16], kernel[80];
    int registers, spill_bytes, shared_bytes;
} compiled;

static char *take_field(char **line)
{
    char *begin = *line, *end;
    if (*begin == '"') {
        end = strchr(++begin, '"');
        cr_assert_not_null(end);
        *end++ = '\0';
    } else {
        end = begin + strcspn(begin, ",\n");
    }
    *line = *end ? end + 1 : end;
    *end = '\0';
    return begin;
}

/* Reads ptxas's report of every kernel from fixtures/cuda_resources.csv, which check_resources.py writes. */
static int read_compiled(compiled *rows)
{
    FILE *file = fopen(SOURCE("tests/fixtures/cuda_resources.csv"), "r");
    char text[256];
    int count = 0;
    cr_assert_not_null(file);
    while (fgets(text, sizeof text, file) != NULL) {
        char *line = text;
        if (strncmp(text, "sm_", 3) != 0)
            continue;
        cr_assert_lt(count, MOST_ROWS);
        compiled *row = &rows[count++];
        (void)snprintf(row->architecture, sizeof row->architecture, "%s", take_field(&line));
        (void)snprintf(row->kernel, sizeof row->kernel, "%s", take_field(&line));
        row->registers = atoi(take_field(&line));
        row->spill_bytes = atoi(take_field(&line));
        row->shared_bytes = atoi(take_field(&line));
    }
    fclose(file);
    return count;
}

static const sq_cuda_instance *find_instance(const char *name)
{
    const sq_cuda_instance *instance;
    for (int i = 0; (instance = sq_cuda_instance_at(i)) != NULL; i++)
        if (strcmp(instance->name, name) == 0)
            return instance;
    return NULL;
}

Test(cuda_instances, every_compiled_kernel_is_listed_once)
{
    static compiled rows[MOST_ROWS];
    const int count = read_compiled(rows);
    const sq_cuda_instance *instance;
    cr_assert_gt(count, 0);
    for (int k = 0; k < count; k++)
        cr_expect_not_null(find_instance(rows[k].kernel), "%s is compiled, but not listed in its .cu file",
                           rows[k].kernel);
    for (int i = 0; (instance = sq_cuda_instance_at(i)) != NULL; i++) {
        int compilations = 0;
        for (int k = 0; k < count; k++)
            compilations += strcmp(rows[k].kernel, instance->name) == 0;
        cr_expect_gt(compilations, 0, "%s is listed, but not in cuda_resources.csv", instance->name);
        cr_expect_eq(find_instance(instance->name), instance, "%s is listed twice", instance->name);
    }
}

/* Returns the number of blocks that fit on a multiprocessor. Source: CUDA C++ Programming Guide, "Compute
 * Capabilities". Warps get registers in units of 256 and are divided among four schedulers. A block uses 1 KiB more
 * shared memory than it requests. */
static int resident_blocks(const sq_cuda_instance *instance, const compiled *row)
{
    const int warps = (instance->threads + 31) / 32, per_warp = (row->registers * 32 + 255) / 256 * 256;
    const int shared = (row->shared_bytes + instance->shared_bytes + 1024 + 127) / 128 * 128;
    const int most_shared = (strcmp(row->architecture, "sm_80") == 0 ? 164 : 228) << 10;
    const int limits[] = {65536 / per_warp / 4 * 4 / warps, most_shared / shared, 2048 / instance->threads, 32};
    int least = INT_MAX;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        least = limits[i] < least ? limits[i] : least;
    return least;
}

Test(cuda_instances, assumed_blocks_fit_on_a_multiprocessor)
{
    static compiled rows[MOST_ROWS];
    const int count = read_compiled(rows);
    for (int k = 0; k < count; k++) {
        const sq_cuda_instance *instance = find_instance(rows[k].kernel);
        cr_assert_not_null(instance);
        cr_expect_leq(instance->blocks, resident_blocks(instance, &rows[k]), "%s, %s: %d blocks planned, %d fit",
                      rows[k].kernel, rows[k].architecture, instance->blocks, resident_blocks(instance, &rows[k]));
    }
}

Test(cuda_instances, opening_a_device_loads_every_kernel)
{
    sq_backend *backend = NULL;
    const sq_cuda_instance *instance;
    int count = 0;
    emu_unload();
    MUST(sq_backend_open("cuda", 1, &backend));
    for (; (instance = sq_cuda_instance_at(count)) != NULL; count++)
        cr_expect(emu_is_loaded(instance->function), "%s", instance->name);
    cr_expect_gt(count, 50);
    sq_backend_close(backend);
}

/* On the emulator, capturing a kernel that was not loaded fails. */
Test(cuda_instances, programs_are_captured_without_loading)
{
    emu_unload();
    subject s = open_subject_with(SOURCE("tests/fixtures/cuda_wide.yaml"), "cuda", NULL, 2);
    MUST(sq_model_compile(s.model, (1u << SQ_MODES) - 1));
    close_subject(&s);
}

/* A grid with more blocks than can be resident at once would run in several waves, and the last wave would be
 * partial. */
Test(cuda_instances, grids_are_one_wave)
{
    const sq_cuda_instance *instance;
    subject s = open_subject_with(SOURCE("configs/spaces/tiny.yaml"), "cuda", NULL, 8);
    double losses[4];
    train_drawn(&s, 4, losses);
    for (int i = 0; (instance = sq_cuda_instance_at(i)) != NULL; i++)
        if (instance->blocks > 0)
            cr_expect_leq(emu_largest_grid(instance->function), EMULATED_MULTIPROCESSORS * instance->blocks,
                          "%s: %llu blocks launched, %d on a multiprocessor", instance->name,
                          emu_largest_grid(instance->function), instance->blocks);
    instance = find_instance("join_kernel");
    cr_assert_not_null(instance);
    cr_expect_eq(emu_largest_grid(instance->function), EMULATED_MULTIPROCESSORS * instance->blocks);
    close_subject(&s);
}
