/* Tests device.yaml. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/latency_table.h"
#include "tests/search/made_up_table.h"

#define HEADER SQ_BLOCK_KEY_COLUMNS ",mean_ms,std_ms,count"

Test(device, bad_devices_are_refused)
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
    cr_expect_neq(sq_latency_open(&latency, folder), SQ_OK, "a folder without device.yaml is not a device");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_text(folder, "device.yaml", rows[i].yaml);
        cr_expect_eq(sq_latency_open(&latency, folder), SQ_INVALID, "row %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "row %zu: %s", i, sq_error_text());
    }
    drop_folder(folder);
}

static const sq_device_info described = {.name = "a \"quoted\" \\ name: #1",
                                         .runtime = "onnxruntime 1.17, CPU\twith a tab",
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
                                         .has_runner = true,
                                         .runner = {.runtime = "mine",
                                                    .command = "sh -c 'run \"$1\"' sh {model}",
                                                    .pattern = "^time: ([0-9.]+) ms \\\\$",
                                                    .unit = "us",
                                                    .warmup = 1,
                                                    .repeats = 2,
                                                    .rounds = 3,
                                                    .threads = 4,
                                                    .batch = 5,
                                                    .time_limit_seconds = 0.5}};

Test(device, reads_back_as_it_was_written_with_its_runner)
{
    const sq_device_info a = described;
    sq_device_info b;
    char *folder = make_folder(), path[600];
    (void)snprintf(path, sizeof path, "%s/device.yaml", folder);
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
