/* Tests runners in YAML: the shipped files, and files with errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "search/cost/measure/argument_vector.h"
#include "search/cost/measure/runner_yaml.h"
#include "tests/support/support.h"

enum { PATH = 512 };

/* Each shipped runner must find the expected time in the recorded output of its runtime. */
Test(runner_yaml, patterns_find_the_time_in_recorded_output)
{
    static const struct {
        const char *runner, *output;
        double ms, second_ms; /* second_ms: time of model b, for runners that measure a list */
    } cases[] = {
        {"configs/runners/onnxruntime.yaml", "tests/fixtures/runners/onnxruntime.txt", 0.004257, 0.004026},
        {"configs/runners/openvino.yaml", "tests/fixtures/runners/openvino.txt", 0.014371, 0.014311},
        {"configs/runners/openvino-myriad.yaml", "tests/fixtures/runners/openvino-myriad.txt", 10.45, 0},
        {"configs/runners/trtexec.yaml", "tests/fixtures/runners/trtexec.txt", 7.14139, 0},
        {"configs/runners/trtexec.yaml", "tests/fixtures/runners/trtexec-8.txt", 30.333, 0},
        {"configs/runners/tflite-adb.yaml", "tests/fixtures/runners/tflite-adb.txt", 33.2094, 0},
        {"configs/runners/snpe.yaml", "tests/fixtures/runners/snpe.txt", 26.458, 0},
        {"configs/runners/snpe.yaml", "tests/fixtures/runners/snpe-2.37.txt", 0.069, 0},
        {"configs/runners/qnn.yaml", "tests/fixtures/runners/qnn.txt", 2.952, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[PATH], output[PATH];
        sq_runner runner;
        sq_runner_time times[2];
        sq_runner_report report = {.times = times};
        const bool is_list = cases[i].second_ms > 0;
        (void)snprintf(path, sizeof path, "/%s", cases[i].runner);
        (void)snprintf(output, sizeof output, "/%s", cases[i].output);
        MUST(sq_runner_read(&runner, source_path(path)));
        (void)snprintf(runner.command, sizeof runner.command, "cat '%s' %s", source_path(output),
                       is_list ? "{list}" : "{model}");
        const char *const models[] = {is_list ? "x/a.onnx" : "/dev/null", "b.onnx"};
        MUST(sq_runner_run(&runner, models, is_list ? 2 : 1, NULL, &report));
        cr_assert_float_eq(times[0].median_ms, cases[i].ms, 1e-9 * cases[i].ms, "%s: %g", cases[i].output,
                           times[0].median_ms);
        cr_assert_eq(times[0].count, runner.rounds * (is_list ? 3 : 1), "%s: %d times", cases[i].output,
                     times[0].count);
        if (is_list)
            cr_assert_float_eq(times[1].median_ms, cases[i].second_ms, 1e-9, "%s", cases[i].output);
    }
}

/* Writes a program that logs its arguments and prints a recorded output. If the program is adb, it prints the output
 * only for benchmark_model. */
static void write_fake(const char *folder, const char *name, const char *output)
{
    char text[4 * PATH], path[PATH];
    const char *when = strcmp(name, "adb") == 0 ? "*/benchmark_model*" : "*";
    (void)snprintf(text, sizeof text, "#!/bin/sh\necho %s \"$*\" >> '%s/log'\ncase \"$*\" in %s) cat '%s';; esac\n",
                   name, folder, when, source_path(output));
    put_text(folder, name, text);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(chmod(path, 0755), 0);
}

Test(runner_yaml, commands_call_their_tools_with_whole_paths)
{
    static const struct {
        const char *runner, *program, *output, *noted;
        double ms;
    } cases[] = {
        {"trtexec", "trtexec", "trtexec", "trtexec --onnx=/m/a b.onnx --fp16 ", 7.14139},
        {"openvino-myriad", "benchmark_app", "openvino-myriad",
         "benchmark_app -m /m/a b.onnx -d MYRIAD -api sync -nireq 1 -niter 100 -b 1\n", 10.45},
        {"tflite-adb", "adb", "tflite-adb",
         "adb push /m/a b.tflite /data/local/tmp/squall.tflite\nadb shell taskset f0 ", 33.2094},
        {"tflite-adb", "adb", "tflite-adb", "--num_threads=1 --warmup_runs=5 --num_runs=50 ", 33.2094},
        {"snpe", "snpe-diagview", "snpe", "adb push /m/a b.dlc /data/local/tmp/squall/block.dlc\n", 26.458},
        {"snpe", "snpe-diagview", "snpe", "./snpe-net-run --container block.dlc --input_list list.txt ", 26.458},
        {"qnn", "qnn-profile-viewer", "qnn", "adb push /m/a b.bin /data/local/tmp/squall/block.bin\n", 2.952},
        {"qnn", "qnn-profile-viewer", "qnn", "--input_list list.txt --output_dir out --num_inferences 50 ", 2.952},
    };
    char path[2 * PATH];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = make_folder(), yaml[PATH], output[PATH], *log;
        sq_runner runner;
        sq_runner_time time;
        sq_runner_report report = {.times = &time};
        (void)snprintf(yaml, sizeof yaml, "/configs/runners/%s.yaml", cases[i].runner);
        (void)snprintf(output, sizeof output, "/tests/fixtures/runners/%s.txt", cases[i].output);
        write_fake(folder, "adb", output);
        write_fake(folder, cases[i].program, output);
        (void)snprintf(path, sizeof path, "%s:/usr/bin:/bin", folder);
        cr_assert_eq(setenv("PATH", path, 1), 0);
        MUST(sq_runner_read(&runner, source_path(yaml)));
        MUST(sq_runner_run(&runner, (const char *[]){"/m/a b.onnx"}, 1, NULL, &report));
        cr_assert_float_eq(time.median_ms, cases[i].ms, 1e-9 * cases[i].ms, "%s: %g", cases[i].runner, time.median_ms);
        log = read_text(folder, "log");
        cr_assert_not_null(strstr(log, cases[i].noted), "%s, expected %s", log, cases[i].noted);
        free(log);
        drop_folder(folder);
    }
}

Test(runner_yaml, reads_and_names_mistakes)
{
    char *folder = make_folder(), path[PATH];
    sq_runner runner;
    (void)snprintf(path, sizeof path, "%s/runner.yaml", folder);
    put_text(folder, "runner.yaml", "command: run {model}\npattern: 'a\\(([0-9.]+)'\nunit: us\nwarmup: 0\n");
    MUST(sq_runner_read(&runner, path));
    cr_assert(runner.warmup == 0 && runner.repeats == 50 && runner.rounds == 5 && runner.threads == 1 &&
              runner.batch == 1);
    cr_assert_str_eq(runner.pattern, "a\\(([0-9.]+)");
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"command: run {model}\npattern: (a)\nunit: us\nround: 3\n", "unknown key 'round', did you mean 'rounds'?"},
        {"command: run {model}\npattern: (a)\n", "unit"},
        {"command: run\npattern: (a)\nunit: us\n", "runner.yaml: no {model}"},
        {"command: run {model}\npattern: (a)\nunit: us\nrepeats: many\n", "repeats"},
        {"", "empty"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(folder, "runner.yaml", bad[i].text);
        cr_assert_eq(sq_runner_read(&runner, path), SQ_INVALID, "%s", bad[i].text);
        cr_assert_not_null(strstr(sq_error_text(), bad[i].why), "'%s', expected '%s'", sq_error_text(), bad[i].why);
    }
    drop_folder(folder);
}
