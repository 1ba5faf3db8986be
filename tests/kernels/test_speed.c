/* Compares the speed model with launches computed by hand. Also reads valid and invalid descriptions of GPUs and tables
 * of counts. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/speed/model.h"
#include "tests/support/support.h"

/* The results are sums of a few terms in doubles, so a small relative tolerance is enough. */
#define NEAR(a, b) cr_expect_float_eq((a), (b), 1e-9 * (b), "%.12g, expected %.12g", (double)(a), (double)(b))

/* Returns a GPU with simple numbers: 10 multiprocessors of 1 GHz. Every efficiency is 0.5, except the memory
 * efficiency. */
static sq_gpu round_gpu(void)
{
    return (sq_gpu){.name = "round",
                    .architecture = "sm_90",
                    .multiprocessors = 10,
                    .clock_ghz = 1,
                    .schedulers = 4,
                    .issue_per_clock = 1,
                    .fma_per_clock = 4,
                    .alu_per_clock = 2,
                    .special_per_clock = 0.5,
                    .wavefronts_per_clock = 1,
                    .mma_per_clock = 2048,
                    .registers = 65536,
                    .shared_kib = 228,
                    .shared_reserved_kib = 1,
                    .warps = 64,
                    .blocks = 32,
                    .l2_mib = 1,
                    .l2_gb_per_s = 2000,
                    .dram_gb_per_s = 1000,
                    .copy_gb_per_s = 1000,
                    .latency_ns = 1000,
                    .node_us = 1,
                    .graph_us = 2,
                    .efficiency_low = 0.5,
                    .efficiency_high = 0.5,
                    .warps_low = 4,
                    .warps_high = 24,
                    .pipe_efficiency = 0.5,
                    .memory_efficiency = 1,
                    .error = 0.25};
}

/* Returns a launch of 20 blocks of 8 warps, two blocks per multiprocessor, without instructions or memory accesses. */
static sq_launch_count idle_launch(void)
{
    return (sq_launch_count){
        .kernel = "k", .instance = "k", .grid = 20, .block = 256, .registers = {64, 64, 64}, .longest_block = 1};
}

static sq_launch_time predict(const sq_gpu *gpu, const sq_launch_count *launch, double bytes)
{
    sq_sass_factor sass[SQ_COUNT_CLASSES] = {
        [SQ_COUNT_FP32] = {1, 1, 0, 0}, [SQ_COUNT_INT] = {1, 0.25, 0.75, 0}, [SQ_COUNT_SPECIAL] = {1, 0, 0, 1}};
    sq_launch_time t;
    for (int i = 0; i < SQ_COUNT_CLASSES; i++)
        sass[i].factor = 1;
    sq_launch_predict(gpu, &(sq_launch_load){launch, bytes, 1, 1}, sass, &t);
    return t;
}

/* ---- One launch for each bound ---- */

Test(speed, bytes_bind)
{
    const sq_gpu gpu = round_gpu();
    const sq_launch_count launch = idle_launch();
    const sq_launch_time t = predict(&gpu, &launch, 1e9);
    NEAR(t.seconds[SQ_BOUND_MEMORY], 1e-3); /* 1 GB at 1,000 GB/s */
    NEAR(t.expected, 1e-3 + 1e-6);
    cr_expect_eq(t.binds, SQ_BOUND_MEMORY);
}

Test(speed, bytes_that_fit_into_half_of_l2_come_from_there)
{
    const sq_gpu gpu = round_gpu();
    const sq_launch_count launch = idle_launch();
    NEAR(predict(&gpu, &launch, 500e3).seconds[SQ_BOUND_MEMORY], 0.25e-6); /* at 2,000 GB/s */
    NEAR(predict(&gpu, &launch, 600e3).seconds[SQ_BOUND_MEMORY], 0.6e-6);
}

Test(speed, issue_binds)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    launch.instructions[SQ_COUNT_BRANCH] = 4e6;
    launch.instructions[SQ_COUNT_FP32] = 4e6;
    const sq_launch_time t = predict(&gpu, &launch, 1e6);
    NEAR(t.seconds[SQ_BOUND_ISSUE], 8e6 / 40e9); /* 10 multiprocessors of 4 schedulers */
    NEAR(t.seconds[SQ_BOUND_FMA], 4e6 / 40e9);
    NEAR(t.expected, 0.2e-3 / 0.5 + 1e-6);
    cr_expect_eq(t.binds, SQ_BOUND_ISSUE);
    NEAR(t.warps, 16);
}

Test(speed, integers_bind_the_alu)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    launch.instructions[SQ_COUNT_INT] = 4e6;
    launch.instructions[SQ_COUNT_SPECIAL] = 1e4;
    const sq_launch_time t = predict(&gpu, &launch, 0);
    NEAR(t.seconds[SQ_BOUND_ALU], 3e6 / 20e9);
    NEAR(t.seconds[SQ_BOUND_FMA], 1e6 / 40e9);
    NEAR(t.seconds[SQ_BOUND_SPECIAL], 1e4 / 5e9);
    NEAR(t.expected, 0.15e-3 / 0.5 + 1e-6);
    cr_expect_eq(t.binds, SQ_BOUND_ALU);
}

Test(speed, wavefronts_bind)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    launch.load_shared.moved = 6e6;
    launch.store_shared.moved = 1e6;
    launch.load_global = (sq_traffic){.requests = 1e6, .moved = 8e6, .ideal = 8e6};  /* 2 wavefronts per request */
    launch.store_global = (sq_traffic){.requests = 1e6, .moved = 2e6, .ideal = 1e6}; /* at least one per request */
    const sq_launch_time t = predict(&gpu, &launch, 0);
    NEAR(t.seconds[SQ_BOUND_LSU], 10e6 / 10e9);
    cr_expect_eq(t.binds, SQ_BOUND_LSU);
}

Test(speed, matrix_products_bind)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    launch.instructions[SQ_COUNT_MMA] = 1e7;
    const sq_launch_time t = predict(&gpu, &launch, 1e6);
    NEAR(t.seconds[SQ_BOUND_MMA], 1e7 / 10e9); /* m16n8k16: 2,048 multiply-adds, one per clock */
    NEAR(t.expected, 1e-3 / 0.5 + 1e-6);
    cr_expect_eq(t.binds, SQ_BOUND_MMA);
}

Test(speed, latency_binds)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    launch.load_global = (sq_traffic){.requests = 1e6, .moved = 1e6, .ideal = 1e6}; /* 32 MB */
    launch.bytes_in_flight = 128;
    const sq_launch_time t = predict(&gpu, &launch, 32e6);
    /* 10 multiprocessors with 16 warps each have 20,480 bytes in flight. Each load takes 1 us. */
    NEAR(t.seconds[SQ_BOUND_LATENCY], 32e6 / 20480 * 1e-6);
    cr_expect_eq(t.binds, SQ_BOUND_LATENCY);
}

Test(speed, launch_binds)
{
    const sq_gpu gpu = round_gpu();
    const sq_launch_count launch = idle_launch();
    const sq_launch_time t = predict(&gpu, &launch, 1e3);
    NEAR(t.expected, 1e-6 + 1e3 / 2e12);
    cr_expect_eq(t.binds, SQ_BOUND_LAUNCH);
}

/* ---- Occupancy and the grid ---- */

Test(speed, resident_blocks_follow_from_what_is_scarce)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    cr_expect_eq(sq_resident_blocks(&gpu, &launch), 4); /* 65,536 / (64 * 256) */
    launch.registers[1] = 100;                          /* rounded to 104, in units of 8 per thread */
    cr_expect_eq(sq_resident_blocks(&gpu, &launch), 2);
    launch.registers[1] = 16;
    cr_expect_eq(sq_resident_blocks(&gpu, &launch), 8); /* 64 warps */
    launch.shared_bytes = 47 << 10;
    cr_expect_eq(sq_resident_blocks(&gpu, &launch), 4); /* 228 / 48 */
    launch.shared_bytes = 300 << 10;
    cr_expect_eq(sq_resident_blocks(&gpu, &launch), 1);
    launch = idle_launch();
    launch.block = 32;
    launch.registers[1] = 32;
    cr_expect_eq(sq_resident_blocks(&gpu, &launch), 32);
}

Test(speed, an_uneven_grid_waits_for_the_busiest_multiprocessor)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    launch.instructions[SQ_COUNT_BRANCH] = 4e6;
    launch.grid = 21; /* so the busiest multiprocessor has three blocks */
    NEAR(predict(&gpu, &launch, 0).seconds[SQ_BOUND_ISSUE], 1e-4 * 3 * 10 / 21);
    launch.grid = 5;
    NEAR(predict(&gpu, &launch, 0).seconds[SQ_BOUND_ISSUE], 1e-4 * 2);
    launch.grid = 20;
    launch.longest_block = 1.5; /* relative to the mean block */
    NEAR(predict(&gpu, &launch, 0).seconds[SQ_BOUND_ISSUE], 1e-4 * 1.25);
}

Test(speed, efficiency_grows_with_resident_warps)
{
    sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    gpu.efficiency_low = 0.2;
    gpu.efficiency_high = 0.6;
    NEAR(predict(&gpu, &launch, 0).efficiency, 0.2 + 0.4 * 12 / 20); /* 16 warps, on the ramp from 4 to 24 warps */
    launch.grid = 40;
    NEAR(predict(&gpu, &launch, 0).efficiency, 0.6); /* 32 warps */
    launch.grid = 10;
    launch.block = 64;
    NEAR(predict(&gpu, &launch, 0).efficiency, 0.2); /* 2 warps */
}

/* ---- Monotonicity ---- */

/* The bandwidth drops if the bytes exceed the L2 cache, but more bytes never take less time. */
Test(speed, more_bytes_are_never_faster)
{
    const sq_gpu gpu = round_gpu();
    const sq_launch_count launch = idle_launch();
    double before = 0;
    for (double bytes = 0; bytes < 1e10; bytes = 1.3 * bytes + 1000) {
        const double now = predict(&gpu, &launch, bytes).expected;
        cr_expect_geq(now, before, "%g bytes", bytes);
        before = now;
    }
}

Test(speed, a_better_gpu_is_never_slower)
{
    static const size_t better[] = {
        offsetof(sq_gpu, copy_gb_per_s),   offsetof(sq_gpu, l2_gb_per_s),
        offsetof(sq_gpu, clock_ghz),       offsetof(sq_gpu, fma_per_clock),
        offsetof(sq_gpu, alu_per_clock),   offsetof(sq_gpu, wavefronts_per_clock),
        offsetof(sq_gpu, mma_per_clock),   offsetof(sq_gpu, special_per_clock),
        offsetof(sq_gpu, efficiency_high), offsetof(sq_gpu, memory_efficiency),
        offsetof(sq_gpu, pipe_efficiency),
    };
    sq_launch_count launch = idle_launch();
    for (int i = 0; i < SQ_COUNT_CLASSES; i++)
        launch.instructions[i] = 1e5 * (i + 1);
    launch.load_global = (sq_traffic){.requests = 1e5, .moved = 4e5, .ideal = 4e5};
    launch.bytes_in_flight = 512;
    for (size_t i = 0; i < sizeof better / sizeof *better; i++)
        for (double bytes = 1e5; bytes < 1e10; bytes *= 10) {
            sq_gpu gpu = round_gpu();
            const double before = predict(&gpu, &launch, bytes).expected;
            *(double *)(void *)((char *)&gpu + better[i]) *= 1.5;
            cr_expect_leq(predict(&gpu, &launch, bytes).expected, before, "number %zu, %g bytes", i, bytes);
        }
}

Test(speed, counts_scale)
{
    const sq_gpu gpu = round_gpu();
    sq_launch_count launch = idle_launch();
    const sq_sass_factor sass[SQ_COUNT_CLASSES] = {[SQ_COUNT_BRANCH] = {2, 0, 0, 0}};
    sq_launch_time t;
    launch.instructions[SQ_COUNT_BRANCH] = 1e6;
    sq_launch_predict(&gpu, &(sq_launch_load){&launch, 0, 3, 0.5}, sass, &t);
    NEAR(t.seconds[SQ_BOUND_ISSUE], 6e6 / 40e9); /* the grid of 10 blocks is balanced */
    NEAR(t.warps, 8);
}

/* ---- Files ---- */

static void write_file(const char *name, const char *text)
{
    char path[4096];
    const sq_piece piece = {text, strlen(text)};
    (void)snprintf(path, sizeof path, "%s/%s", test_folder, name);
    MUST(sq_file_replace(path, &piece, 1));
}

/* Reads h200.yaml with `from` replaced by `to`, and checks the status and the error text. */
static sq_status read_changed(const char *from, const char *to)
{
    char *text = NULL, path[4096], changed[16384];
    size_t bytes;
    sq_gpu gpu;
    MUST(sq_file_read(SOURCE("configs/gpus/h200.yaml"), 1 << 20, &text, &bytes));
    char *at = strstr(text, from);
    cr_assert_not_null(at, "%s", from);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    write_file("gpu.yaml", changed);
    free(text);
    (void)snprintf(path, sizeof path, "%s/gpu.yaml", test_folder);
    return sq_gpu_read(&gpu, path);
}

TestSuite(speed_files, .init = open_test_folder, .fini = close_test_folder);

Test(speed_files, reads_every_gpu)
{
    static const char *const names[] = {"h200", "h100", "a100", "rtx3090"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sq_gpu gpu;
        MUST(sq_gpu_find(&gpu, SOURCE("configs/gpus"), names[i]));
        cr_expect_gt(gpu.multiprocessors, 80);
    }
}

Test(speed_files, rejects_bad_gpus)
{
    static const struct {
        const char *from, *to, *text;
    } cases[] = {
        {"schedulers:", "scheduler:", "unknown key 'scheduler', did you mean 'schedulers'?"},
        {"latency_ns:", "# latency_ns:", "latency_ns"},
        {"clock_ghz: 1.83", "clock_ghz: -1", "clock_ghz: found -1, expected 0.1 to 10"},
        {"clock_ghz: 1.83", "clock_ghz: .nan", "clock_ghz"},
        {"copy_gb_per_s: 4300", "copy_gb_per_s: 5000",
         "copy_gb_per_s: found 5000, expected at most dram_gb_per_s (4800)"},
        {"efficiency_low: 0.30", "efficiency_low: 0.9",
         "efficiency_low: found 0.9, expected at most efficiency_high (0.65)"},
        {"warps_low: 4", "warps_low: 30", "warps_low: found 30, expected less than warps_high (24)"},
        {"l2_gb_per_s: 5500", "l2_gb_per_s: 100", "l2_gb_per_s: found 100, expected at least copy_gb_per_s (4300)"},
        {"multiprocessors: 132", "multiprocessors: many", "multiprocessors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(read_changed(cases[i].from, cases[i].to), SQ_INVALID, "%s", cases[i].to);
        cr_expect_not_null(strstr(sq_error_text(), cases[i].text), "%s", sq_error_text());
        cr_expect_not_null(strstr(sq_error_text(), "gpu.yaml:"), "%s", sq_error_text());
    }
}

Test(speed_files, an_unknown_gpu_lists_the_known_ones)
{
    sq_gpu gpu;
    cr_expect_eq(sq_gpu_find(&gpu, SOURCE("configs/gpus"), "h300"), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(),
                     "GPU: found 'h300', expected one of a100, h100, h200, rtx3090, or a file that describes one");
}

Test(speed_files, reads_the_table_and_finds_launches)
{
    sq_counts counts;
    MUST(sq_counts_read(&counts, SOURCE("configs/gpus"), "sm_90"));
    cr_assert_gt(counts.count, 100);
    for (size_t i = 0; i < counts.count; i++) {
        const sq_launch_count *row = &counts.rows[i];
        sq_program_part part = {.kernel = row->kernel, .bytes = row->bytes, .parts = row->parts};
        (void)snprintf(part.variant, sizeof part.variant, "%s", row->variant);
        (void)snprintf(part.sizes, sizeof part.sizes, "%s", row->sizes);
        const sq_count_match match = sq_counts_find(&counts, &part);
        cr_expect(match.is_exact && match.scale == 1, "%s %s %s", row->kernel, row->variant, row->sizes);
        cr_expect(match.rows <= row && row < match.rows + match.count);
    }
    sq_counts_free(&counts);
}

#define KEYS "kernel,variant,sizes,parts,bytes,instance,grid,block,shared_bytes,"
#define CLASSES                                                                                                        \
    "int,divide,fp32,fp64,convert,special,move,ld.param,ld.global,st.global,ld.shared,st.shared,local,ldmatrix,mma,"   \
    "barrier,warp,branch,"
#define TRAFFIC(m) m " requests," m " moved," m " ideal,"
#define HEADER                                                                                                         \
    KEYS CLASSES TRAFFIC("ld.global") TRAFFIC("st.global") TRAFFIC("ld.shared")                                        \
        TRAFFIC("st.shared") "bytes in flight,longest block,registers sm_80,registers sm_90,registers sm_100\n"
#define NUMBERS "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,1,2,3,4,5,6,7,8,9,10,11,12,512,1.5,40,41,42\n"

Test(speed_files, a_launch_that_is_not_there_takes_the_nearest)
{
    sq_counts counts;
    write_file("counts.csv",
               "# a comment\n" HEADER "k,fwd n,rows=100 c=8,7,1600,\"k<1, 2>\",4,256,0," NUMBERS
               "k,fwd n,rows=100 c=64,7,12800,k,4,256,0," NUMBERS "k,back,rows=90 c=8,7,1600,k,4,256,0," NUMBERS
               "k,back,rows=90 c=8,7,1600,k2,1,32,0," NUMBERS);
    MUST(sq_counts_read(&counts, test_folder, "sm_90"));
    cr_expect_eq(counts.count, 4);
    cr_expect_str_eq(counts.rows[0].instance, "k<1, 2>");
    NEAR(counts.rows[0].instructions[SQ_COUNT_BRANCH], 18);
    NEAR(counts.rows[0].store_shared.ideal, 12);
    cr_expect_eq(sq_count_registers(&counts.rows[0], "sm_86"), 40);
    cr_expect_eq(sq_count_registers(&counts.rows[0], "sm_90"), 41);
    sq_program_part part = {.kernel = "k", .parts = 7, .bytes = 3200, .variant = "fwd n", .sizes = "rows=200 c=8"};
    sq_count_match match = sq_counts_find(&counts, &part);
    cr_expect(match.rows == &counts.rows[0] && match.count == 1 && match.scale == 2 && match.grid_scale == 1);
    cr_expect(!match.is_exact && !match.is_same_shape);
    part = (sq_program_part){.kernel = "k", .parts = 9, .bytes = 1600, .variant = "back", .sizes = "rows=90 c=8"};
    match = sq_counts_find(&counts, &part);
    cr_expect(match.rows == &counts.rows[2] && match.count == 2 && match.scale == 1);
    NEAR(match.grid_scale, 9.0 / 7);
    cr_expect(!match.is_exact && match.is_same_shape);
    part.kernel = "other";
    cr_expect_null(sq_counts_find(&counts, &part).rows);
    sq_counts_free(&counts);
}

Test(speed_files, factors_come_from_a_file)
{
    sq_counts counts;
    write_file("counts.csv", HEADER);
    MUST(sq_counts_read(&counts, test_folder, "sm_90"));
    cr_expect(counts.is_default && counts.sass[SQ_COUNT_LOAD_PARAM].factor < 1);
    sq_counts_free(&counts);
    write_file("ptx_to_sass.csv", "# a comment\narchitecture,class,factor,spread,pipe shares\nsm_80,int,3\n"
                                  "sm_90,int,0.75,0.05,alu:0.6 fma:0.25 uniform:0.15\nsm_90,local,0.00,0.00,\n"
                                  "sm_100,int,5,0.1,alu:1.00\n");
    MUST(sq_counts_read(&counts, test_folder, "sm_90"));
    const sq_sass_factor integers = counts.sass[SQ_COUNT_INT];
    cr_expect(!counts.is_default && integers.factor == 0.75 && integers.alu == 0.6 && integers.fma == 0.25);
    cr_expect(counts.sass[SQ_COUNT_FP32].factor == 1 && counts.sass[SQ_COUNT_LOCAL].factor == 0);
    sq_counts_free(&counts);
    MUST(sq_counts_read(&counts, test_folder, "sm_86")); /* uses the rows of sm_80 */
    cr_expect(counts.sass[SQ_COUNT_INT].factor == 3 && counts.sass[SQ_COUNT_LOCAL].factor == 1);
    sq_counts_free(&counts);
}

Test(speed_files, rejects_bad_factors)
{
    static const struct {
        const char *row, *text;
    } cases[] = {
        {"sm_90,integer,1\n", "ptx_to_sass.csv:1: found class 'integer'"},
        {"sm_90,int,-1\n", "ptx_to_sass.csv:1: factor: found '-1', expected 0 to 1000"},
        {"sm_90,int\n", "ptx_to_sass.csv:1: found 2 columns"},
        {"sm_90,int,1,0,alu=1\n", "pipe shares: found 'alu=1'"},
        {"sm_90,int,1,0,alu:2\n", "pipe shares: found 'alu:2'"},
    };
    write_file("counts.csv", HEADER);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sq_counts counts;
        write_file("ptx_to_sass.csv", cases[i].row);
        cr_expect_eq(sq_counts_read(&counts, test_folder, "sm_90"), SQ_INVALID, "%s", cases[i].row);
        cr_expect_not_null(strstr(sq_error_text(), cases[i].text), "%s", sq_error_text());
    }
}

Test(speed_files, rejects_bad_tables)
{
    static const struct {
        const char *table, *text;
    } cases[] = {
        {"", "found no header"},
        {"kernel,variants\n", "counts.csv:1: column 2: found 'variants', expected 'variant'"},
        {HEADER "k,v,s,7\n", "counts.csv:2: found 4 columns, expected 44"},
        {HEADER "k,v,s,x,1,k,4,256,0," NUMBERS, "counts.csv:2: parts: found 'x'"},
        {HEADER "k,v,s,7,1,k,0,256,0," NUMBERS, "counts.csv:2: found grid 0 of blocks of 256 threads"},
        {HEADER "k,v,s,7,1,k,4,2048,0," NUMBERS, "counts.csv:2: found grid 4 of blocks of 2048 threads"},
        {HEADER "k,v,s,7,1,k,-4,256,0," NUMBERS, "counts.csv:2: grid: found '-4'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sq_counts counts;
        write_file("counts.csv", cases[i].table);
        cr_expect_eq(sq_counts_read(&counts, test_folder, "sm_90"), SQ_INVALID, "case %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), cases[i].text), "%s", sq_error_text());
    }
}
