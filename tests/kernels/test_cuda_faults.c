/* Tests device failures, which the emulator simulates (emu_control.h). Each failure gives one line with the found and
 * the expected value, and leaks no memory. */
#include <stdlib.h>
#include <string.h>

#include "supernet/model/initialize.h"
#include "supernet/model/walk.h"
#include "tests/emulation/runtime/emu_control.h"
#include "tests/support/support.h"

enum { RUNTIME = 13000, OLD_RUNTIME = 11080, STEPS = 20, ALL_MODES = (1u << SQ_MODES) - 1 };

static sq_status open_named(const char *name, bool no_graphs, sq_backend **out)
{
    const sq_backend_options options = {.no_graphs = no_graphs, .threads = 1};
    return sq_backend_open_with(name, &options, out);
}

/* Expects that opening the backend fails with this status and a one-line text that contains `words`, and leaves no
 * memory allocated. */
static void expect_refused(const char *name, sq_status wanted, const char *words)
{
    sq_backend *backend = NULL;
    const sq_status status = open_named(name, false, &backend);
    cr_assert_eq(status, wanted, "status %d, expected %d: %s", (int)status, (int)wanted, sq_error_text());
    cr_expect(strstr(sq_error_text(), words) != NULL && !strchr(sq_error_text(), '\n'), "'%s', wanted '%s'",
              sq_error_text(), words);
    cr_expect_null(backend);
    cr_expect_eq(emu_live_bytes(), 0);
}

static sq_space *tiny(void)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    return space;
}

static sq_model_options training(int batch)
{
    return (sq_model_options){
        .block = {.batch = batch, .is_supernet = true, .label_smoothing = 0.1f, .has_average = true},
        .is_training = true};
}

static subject open_tiny(bool no_graphs, int batch)
{
    subject s = {.space = tiny()};
    const sq_model_options options = training(batch);
    MUST(open_named("cuda", no_graphs, &s.backend));
    MUST(sq_model_create(&s.model, s.backend, s.space, &options));
    MUST(sq_model_initialize(s.model, 1));
    MUST(sq_model_compile(s.model, ALL_MODES));
    return s;
}

static void train(const subject *s, int steps)
{
    for (int i = 0; i < steps; i++) {
        int path[SQ_MAX_LAYERS];
        sq_result result;
        draw_path(s->space, (uint64_t)i, path);
        run_drawn_step(s->model, (uint64_t)i, path);
        MUST(sq_model_update(s->model, path));
        MUST(sq_model_result(s->model, &result));
    }
}

/* ---- No usable device ---- */

Test(cuda_faults, no_driver)
{
    emu_set_device(0, 0, 0, 0);
    expect_refused("cuda", SQ_DEVICE, "emulated: no NVIDIA driver on this machine");
    char line[512];
    cr_assert(sq_backend_describe(0, line, sizeof line));
    cr_expect(strstr(line, "not used: emulated: no NVIDIA driver on this machine") != NULL, "%s", line);
}

Test(cuda_faults, driver_too_old)
{
    emu_set_device(1, 9, 0, OLD_RUNTIME);
    expect_refused("cuda", SQ_DEVICE, "emulated: found a driver for CUDA 11.8, expected ");
}

Test(cuda_faults, no_gpu)
{
    emu_set_device(0, 0, 0, RUNTIME);
    expect_refused("cuda", SQ_DEVICE, "the driver shows no GPU; check CUDA_VISIBLE_DEVICES");
}

Test(cuda_faults, gpu_too_old)
{
    emu_set_device(1, 7, 5, RUNTIME);
    expect_refused("cuda", SQ_UNSUPPORTED, "found compute capability 7.5, expected 8.0 (Ampere) or newer");
}

Test(cuda_faults, missing_device)
{
    expect_refused("cuda:3", SQ_INVALID, "emulated:3: no such device; this machine has devices 0 to 0");
    expect_refused("cuda:x", SQ_INVALID, "device cuda:x: expected a name like cuda:0");
}

Test(cuda_faults, auto_takes_the_cpu_where_there_is_no_gpu)
{
    sq_backend *backend = NULL;
    emu_set_device(0, 0, 0, 0);
    MUST(open_named("auto", false, &backend));
    cr_expect_str_eq(backend->ops->name, "cpu");
    sq_backend_close(backend);
    emu_reset();
    MUST(open_named("auto", false, &backend));
    cr_expect_str_eq(backend->ops->name, "emulated");
    char line[512];
    cr_assert(sq_backend_describe(0, line, sizeof line));
    cr_expect(strstr(line, "emulated, compute ") != NULL, "%s", line);
    sq_backend_close(backend);
    cr_expect_eq(emu_live_bytes(), 0);
}

/* Fails the allocation of each pinned buffer in turn. The buffers that were allocated before the failure are
 * released. */
Test(cuda_faults, pinned_memory_fails_at_open)
{
    for (int n = 1; n <= 4; n++) {
        emu_fail_host_malloc(n);
        expect_refused("cuda", SQ_NO_MEMORY, "emulated: pinned memory: out of memory");
        emu_reset();
    }
}

/* ---- Memory ---- */

static size_t device_bytes(const sq_memory_plan *plan)
{
    size_t bytes = 0;
    for (int role = 0; role < SQ_ROLES; role++)
        bytes += plan->role_bytes[role];
    return bytes;
}

static int batch_after(const char *words)
{
    const char *found = strstr(sq_error_text(), words);
    cr_assert_not_null(found, "%s", sq_error_text());
    return atoi(found + strlen(words));
}

Test(cuda_faults, names_the_batch_that_fits)
{
    sq_space *space = tiny();
    sq_backend *backend = NULL;
    sq_model *model = NULL;
    emu_set_memory((size_t)256 << 20);
    MUST(open_named("cuda", false, &backend));
    const size_t idle = emu_live_bytes();
    sq_model_options options = training(1 << 14);
    cr_assert_eq(sq_model_create(&model, backend, space, &options), SQ_NO_MEMORY, "%s", sq_error_text());
    cr_expect_null(model);
    cr_expect_eq(emu_live_bytes(), idle);
    cr_expect(strstr(sq_error_text(), "model of tiny: batch 16384 needs ") &&
                  strstr(sq_error_text(), " are free; batch "),
              "%s", sq_error_text());
    /* The batch size that the text names fits, and a batch 25 % larger does not. The estimate rounds each role up to 2
     * MiB pages. */
    const int batch = batch_after("free; batch ");
    cr_expect(batch > 2 && batch < 1 << 14, "%d", batch);
    options.block.batch = batch + batch / 4;
    cr_assert_eq(sq_model_create(&model, backend, space, &options), SQ_NO_MEMORY, "%d", batch);
    cr_expect_eq(batch_after("free; batch "), batch);
    options.block.batch = batch;
    MUST(sq_model_create(&model, backend, space, &options));
    cr_expect_gt(device_bytes(sq_model_plan(model)), (size_t)192 << 20);
    sq_model_destroy(model);
    sq_backend_close(backend);
    sq_space_free(space);
    cr_expect_eq(emu_live_bytes(), 0);
}

Test(cuda_faults, no_batch_fits)
{
    sq_space *space = tiny();
    sq_backend *backend = NULL;
    sq_model *model = NULL;
    const sq_model_options options = training(64);
    emu_set_memory((size_t)2 << 20);
    MUST(open_named("cuda", false, &backend));
    cr_assert_eq(sq_model_create(&model, backend, space, &options), SQ_NO_MEMORY);
    cr_expect(strstr(sq_error_text(), "model of tiny: batch 64 needs ") && strstr(sq_error_text(), "; no batch fits"),
              "%s", sq_error_text());
    sq_backend_close(backend);
    sq_space_free(space);
    cr_expect_eq(emu_live_bytes(), 0);
}

/* Fails each allocation of a model in turn, although enough memory is free. The text reports the device's error. */
Test(cuda_faults, any_allocation_may_fail)
{
    sq_space *space = tiny();
    sq_backend *backend = NULL;
    sq_model *model = NULL;
    const sq_model_options options = training(4);
    MUST(open_named("cuda", false, &backend));
    const size_t idle = emu_live_bytes();
    int failures = 0;
    for (;; failures++) {
        emu_fail_malloc(failures + 1);
        if (sq_model_create(&model, backend, space, &options) == SQ_OK)
            break;
        cr_expect(strstr(sq_error_text(), "GiB of device memory; ") != NULL, "%s", sq_error_text());
        cr_expect_eq(emu_live_bytes(), idle, "after failure %d", failures);
    }
    cr_expect_gt(failures, 8);
    sq_model_destroy(model);
    sq_backend_close(backend);
    sq_space_free(space);
    cr_expect_eq(emu_live_bytes(), 0);
}

/* If the staging buffer cannot be allocated, a large write goes directly to its destination. */
Test(cuda_faults, a_write_needs_no_memory)
{
    enum { BYTES = (3 << 20) + 1 };
    unsigned char *sent = malloc(BYTES), *got = calloc(1, BYTES);
    sq_backend *backend = NULL;
    sq_device_ptr at;
    for (size_t i = 0; i < BYTES; i++)
        sent[i] = (unsigned char)(i * 7 + i / 253);
    MUST(open_named("cuda", false, &backend));
    MUST(backend->ops->allocate(backend, BYTES, &at));
    const size_t before = emu_live_bytes();
    emu_fail_malloc(1);
    MUST(backend->ops->write(backend, at, sent, BYTES));
    cr_expect_eq(emu_live_bytes(), before);
    MUST(backend->ops->read(backend, got, at, BYTES));
    cr_expect_eq(memcmp(sent, got, BYTES), 0);
    MUST(backend->ops->write(backend, at, sent, BYTES - 1)); /* now the staging buffer can be allocated */
    cr_expect_gt(emu_live_bytes(), before);
    backend->ops->release(backend, at);
    sq_backend_close(backend);
    cr_expect_eq(emu_live_bytes(), 0);
    free(sent);
    free(got);
}

/* ---- A kernel that fails ---- */

static void expect_failed_step(bool no_graphs)
{
    subject s = open_tiny(no_graphs, 4);
    int path[SQ_MAX_LAYERS];
    sq_result result;
    float weight;
    train(&s, 2);
    draw_path(s.space, 7, path);
    emu_fail_launch(30);
    const sq_step step = drawn_step(7);
    sq_status status = sq_model_set_step(s.model, &step);
    status = status == SQ_OK ? sq_model_forward(s.model, path) : status;
    status = status == SQ_OK ? sq_model_backward(s.model, path) : status;
    status = status == SQ_OK ? sq_model_result(s.model, &result) : status;
    cr_expect_eq(status, SQ_DEVICE);
    cr_expect(strstr(sq_error_text(), "unspecified launch failure, in \"") && strstr(sq_error_text(), "up to \"") &&
                  !strchr(sq_error_text(), '\n'),
              "%s", sq_error_text());
    /* The failed launch makes the device unusable for this process, so every later call fails. */
    const sq_model_batch batch = {(const uint8_t[1 << 16]){0}, (const int32_t[4]){0}, NULL, 4};
    cr_expect_eq(sq_model_read(s.model, SQ_ROLE_WEIGHT, 0, &weight, sizeof weight), SQ_DEVICE);
    cr_expect_eq(sq_model_set_step(s.model, &step), SQ_DEVICE);
    cr_expect_eq(sq_model_load(s.model, &batch), SQ_DEVICE);
    cr_expect_eq(s.backend->ops->wait(s.backend), SQ_DEVICE);
    cr_expect_neq(sq_model_forward(s.model, path), SQ_OK);
    close_subject(&s);
    emu_reset();
}

Test(cuda_faults, a_failing_launch_names_the_programs_and_all_later_calls_fail)
{
    expect_failed_step(false);
    expect_failed_step(true);
}

/* ---- Unsupported graphs ---- */

static void expect_unsupported(const subject *s, const sq_graph *graph, const char *words)
{
    size_t bytes = 0;
    cr_assert_eq(s->backend->ops->workspace(s->backend, graph, &bytes), SQ_UNSUPPORTED, "%s", words);
    cr_expect(strstr(sq_error_text(), words) != NULL, "'%s', wanted '%s'", sq_error_text(), words);
}

Test(cuda_faults, rejects_unsupported_graphs)
{
    enum { OPERATIONS = 1000 };
    subject s = open_tiny(false, 4);
    const sq_memory_plan *plan = sq_model_plan(s.model);
    sq_region region = plan->regions[1][0];
    sq_graph graph = {0};
    MUST(sq_block_build(&(sq_block_id){s.space, 1, 0}, SQ_FORWARD, &plan->options, &region, &graph));
    sq_slot *input = &graph.slots[graph.ops[0].x.slot];
    const sq_slot kept = *input;
    cr_assert(input->dtype == SQ_BF16 && input->role == SQ_ROLE_BOUNDARY);
    input->pitch++;
    expect_unsupported(&s, &graph, "expected a multiple of 8");
    *input = kept;
    input->dtype = SQ_F32;
    expect_unsupported(&s, &graph, "found a feature map in FP32, expected BF16");
    *input = kept;
    sq_graph many = graph;
    many.ops = malloc(OPERATIONS * sizeof *many.ops);
    many.op_count = OPERATIONS;
    for (int i = 0; i < OPERATIONS; i++)
        many.ops[i] = graph.ops[0];
    expect_unsupported(&s, &many, "found 1000 operations, expected at most ");
    free(many.ops);
    sq_graph_clear(&graph);
    close_subject(&s);
}

/* ---- Resources of a step ---- */

Test(cuda_faults, steps_allocate_nothing_and_closing_releases_everything)
{
    subject s = open_tiny(false, 4);
    const long before = emu_malloc_count();
    const size_t bytes = emu_live_bytes();
    train(&s, STEPS);
    cr_expect_eq(emu_malloc_count(), before);
    cr_expect_eq(emu_live_bytes(), bytes);
    close_subject(&s);
    cr_expect_eq(emu_live_bytes(), 0);
}

Test(cuda_faults, graphs_are_used_unless_switched_off)
{
    for (int no_graphs = 0; no_graphs < 2; no_graphs++) {
        subject s = open_tiny(no_graphs == 1, 4);
        const long graphs = emu_graph_launch_count(), launches = emu_launch_count();
        const int layers = s.space->layer_count;
        train(&s, 3);
        cr_expect_gt(emu_launch_count() - launches, 3 * layers);
        if (no_graphs)
            cr_expect_eq(emu_graph_launch_count(), graphs);
        else /* one program per layer and mode; programs without launches have no graph */
            cr_expect(emu_graph_launch_count() - graphs > 3 * 2 * (layers - 1) &&
                      emu_graph_launch_count() - graphs <= 3 * 3 * layers);
        close_subject(&s);
    }
}

/* ---- Timing, for latency tables and benchmarks; the emulated times have no meaning ---- */

Test(cuda_faults, programs_and_their_parts_can_be_timed)
{
    subject s = open_tiny(false, 4);
    const struct sq_backend_ops *ops = s.backend->ops;
    const sq_program *program;
    sq_program_part part;
    double milliseconds = -1, seconds = -1;
    MUST(sq_model_measure(s.model, 1, 0, 3, &milliseconds));
    cr_expect_geq(milliseconds, 0);
    MUST(sq_model_program(s.model, 1, 0, SQ_BACKWARD, &program));
    int count = 0;
    for (; ops->part(program, count, &part); count++) {
        cr_expect(part.kernel && part.bytes >= 0 && part.operations >= 0);
        MUST(ops->measure_part(s.backend, program, count, 2, &seconds));
        cr_expect_geq(seconds, 0);
    }
    cr_expect_gt(count, 3);
    close_subject(&s);
    cr_expect_eq(emu_live_bytes(), 0);
}

Test(cuda_faults, the_memory_bandwidth_can_be_timed)
{
    sq_backend *backend = NULL;
    double bandwidth = 0;
    emu_set_memory((size_t)64 << 20);
    MUST(open_named("cuda", false, &backend));
    const size_t idle = emu_live_bytes();
    MUST(backend->ops->copy_bandwidth(backend, &bandwidth));
    cr_expect(bandwidth > 0);
    cr_expect_eq(emu_live_bytes(), idle);
    sq_backend_close(backend);
    cr_expect_eq(emu_live_bytes(), 0);
}

/* A dry run lists the launches for a device with the given number of multiprocessors; the emulated device has 4. */
Test(cuda_faults, a_dry_run_lists_the_launches_of_the_program)
{
    enum { LIMIT = 64, MULTIPROCESSORS = 4 };
    subject s = open_tiny(false, 4);
    const sq_memory_plan *plan = sq_model_plan(s.model);
    for (int mode = SQ_FORWARD; mode <= SQ_BACKWARD; mode++) {
        sq_program_part counted[LIMIT], part;
        sq_region region = plan->regions[1][0];
        sq_graph graph = {0};
        const sq_program *program;
        int count = 0;
        MUST(sq_block_build(&(sq_block_id){s.space, 1, 0}, (sq_mode)mode, &plan->options, &region, &graph));
        MUST(sq_cuda_dry_run(&graph, MULTIPROCESSORS, counted, LIMIT, &count));
        cr_assert(count > 0 && count <= LIMIT);
        MUST(sq_model_program(s.model, 1, 0, (sq_mode)mode, &program));
        for (int i = 0; i < count; i++) {
            cr_assert(s.backend->ops->part(program, i, &part), "launch %d", i);
            cr_expect_str_eq(part.kernel, counted[i].kernel);
            cr_expect_str_eq(part.variant, counted[i].variant);
            cr_expect_str_eq(part.sizes, counted[i].sizes);
            cr_expect_eq(part.parts, counted[i].parts);
            cr_expect_float_eq(part.bytes, counted[i].bytes, 0.5, "launch %d: %g bytes, counted %g", i, part.bytes,
                               counted[i].bytes);
        }
        cr_expect(!s.backend->ops->part(program, count, &part));
        graph.slots[graph.ops[0].x.slot].pitch++; /* an unsupported pitch */
        cr_expect_neq(sq_cuda_dry_run(&graph, MULTIPROCESSORS, counted, LIMIT, &count), SQ_OK);
        sq_graph_clear(&graph);
    }
    close_subject(&s);
}
