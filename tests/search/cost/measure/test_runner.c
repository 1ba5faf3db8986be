/* Tests runners: checks of their fields, statistics, and small scripts that behave and misbehave. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "search/cost/measure/runner_yaml.h"
#include "supernet/train/signals.h"
#include "tests/support/support.h"

enum { MODELS = 3, PATH = 512 };

/* ---- Checks ---- */

static sq_runner make(const char *command)
{
    sq_runner runner = sq_runner_defaults;
    (void)snprintf(runner.runtime, sizeof runner.runtime, "fake");
    (void)snprintf(runner.command, sizeof runner.command, "%s", command);
    (void)snprintf(runner.pattern, sizeof runner.pattern, "time ([^ ]+)");
    (void)snprintf(runner.unit, sizeof runner.unit, "ms");
    runner.rounds = 2;
    runner.threads = 0;
    runner.time_limit_seconds = 100;
    return runner;
}

static void expect_invalid(const sq_runner *runner, const char *why)
{
    cr_assert_eq(sq_runner_check(runner, "my.yaml"), SQ_INVALID, "expected: %s", why);
    cr_assert(strncmp(sq_error_text(), "my.yaml: ", 9) == 0 && strstr(sq_error_text(), why), "'%s', expected '%s'",
              sq_error_text(), why);
}

Test(runner, accepts_valid_runners)
{
    sq_runner runner = make("run {model} {threads} {batch} {warmup} {repeats} {folder} {share}/x");
    MUST(sq_runner_check(&runner, "my.yaml"));
    runner = make("run --in={stem}.tflite");
    MUST(sq_runner_check(&runner, "my.yaml"));
    runner = make("sh -c 'f() { run \"$1\"; }; f \"${1}\" {threads}' sh {model}");
    MUST(sq_runner_check(&runner, "my.yaml"));
}

Test(runner, rejects_invalid_commands)
{
    static const struct {
        const char *command, *why;
    } cases[] = {
        {"run", "no {model} and no {list}"},
        {"run {model} {list}", "{list} and {model}"},
        {"run {model} {thread}", "unknown {thread}"},
        {"run '{model}", "an open quote"},
        {"", "empty"},
        {"sh -c 'run {model}'", "{model} inside a script"},
        {"sh -c 'x;{stem}'", "{stem} inside a script"},
        {"sh -c 'x>{folder}/y' {model}", "{folder} inside a script"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sq_runner runner = make(cases[i].command);
        expect_invalid(&runner, cases[i].why);
    }
}

Test(runner, rejects_invalid_patterns_units_and_ranges)
{
    const sq_runner good = make("run {model}");
    sq_runner bad = good;
    (void)snprintf(bad.pattern, sizeof bad.pattern, "time ([0-9]+");
    expect_invalid(&bad, "pattern 'time ([0-9]+'");
    (void)snprintf(bad.pattern, sizeof bad.pattern, "time");
    expect_invalid(&bad, "has 0 groups, expected 1");
    (void)snprintf(bad.pattern, sizeof bad.pattern, "(a) (b)");
    expect_invalid(&bad, "has 2 groups, expected 1");
    bad = make("run {list}");
    expect_invalid(&bad, "has 1 groups, expected 2");
    bad = good;
    (void)snprintf(bad.unit, sizeof bad.unit, "min");
    expect_invalid(&bad, "unit 'min'");
    (void)snprintf(bad.info, sizeof bad.info, "run {model}");
    expect_invalid(&bad, "only describes the runtime");
    const struct {
        size_t offset;
        int value;
        const char *why;
    } numbers[] = {
        {offsetof(sq_runner, warmup), -1, "warmup -1"},       {offsetof(sq_runner, repeats), 0, "repeats 0"},
        {offsetof(sq_runner, rounds), 1, "rounds 1"},         {offsetof(sq_runner, threads), -1, "threads -1"},
        {offsetof(sq_runner, threads), 5000, "threads 5000"}, {offsetof(sq_runner, batch), 0, "batch 0"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        bad = good;
        memcpy((char *)&bad + numbers[i].offset, &numbers[i].value, sizeof(int));
        expect_invalid(&bad, numbers[i].why);
    }
    const double limits[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        bad = good;
        bad.time_limit_seconds = limits[i];
        expect_invalid(&bad, "time_limit_seconds");
    }
}

/* ---- Fake runners ---- */

typedef struct {
    char *folder;
    char paths[MODELS][PATH];
    const char *models[MODELS];
    sq_runner_time times[MODELS];
    sq_runner_report report;
    int last_done, total;
} bench;

static void expect_text(const char *folder, const char *name, const char *wanted)
{
    char *text = read_text(folder, name);
    cr_assert_str_eq(text, wanted);
    free(text);
}

/* Writes three models and the script run.sh, a fake runner. A model's file has one line per start of the runner, with
 * the times that the runner prints for the model in this start. */
static bench open_bench(const char *a, const char *b, const char *c)
{
    static const char script[] = "name=$(basename \"$1\")\n"
                                 "echo $name >> \"$2/log\"\n"
                                 "for t in $(sed -n \"$(grep -cx $name \"$2/log\")p\" \"$1\"); do echo time $t; done\n";
    static const char *const names[] = {"a", "b", "c"};
    const char *const texts[] = {a, b, c};
    bench made = {.folder = make_folder()};
    for (int i = 0; i < MODELS; i++) {
        put_text(made.folder, names[i], texts[i]);
        (void)snprintf(made.paths[i], PATH, "%s/%s", made.folder, names[i]);
    }
    put_text(made.folder, "run.sh", script);
    return made;
}

static void count_progress(void *context, int done, int total)
{
    bench *b = context;
    cr_assert_eq(done, b->last_done + 1);
    b->last_done = done;
    b->total = total;
}

/* Runs the command with each @ replaced by the bench's folder. */
static sq_status run_on(bench *b, sq_runner *runner, int count)
{
    char command[SQ_RUNNER_TEXT];
    size_t used = 0;
    for (const char *p = runner->command; *p; p++)
        used += (size_t)snprintf(command + used, sizeof command - used, *p == '@' ? "%s" : "%.1s",
                                 *p == '@' ? b->folder : p);
    (void)snprintf(runner->command, sizeof runner->command, "%s", command);
    for (int i = 0; i < MODELS; i++)
        b->models[i] = b->paths[i];
    b->report.times = b->times;
    return sq_runner_run(runner, b->models, count, &(sq_runner_options){.progress = count_progress, .context = b},
                         &b->report);
}

/* Runs the command for one model. Expects a failure with this status, and one line of text that contains `words`. */
static void expect_failure(const char *command, sq_status wanted, const char *words)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make(command);
    runner.time_limit_seconds = 60;
    b.times[0].count = -5;
    const sq_status status = run_on(&b, &runner, 1);
    cr_assert_eq(status, wanted, "%s: %d '%s'", command, status, sq_error_text());
    cr_assert_not_null(strstr(sq_error_text(), words), "%s: '%s', expected '%s'", command, sq_error_text(), words);
    cr_assert_not_null(strstr(sq_error_text(), "fake: "), "%s", sq_error_text());
    cr_assert_null(strchr(sq_error_text(), '\n'));
    cr_assert_eq(b.times[0].count, -5);
    drop_folder(b.folder);
}

Test(runner, takes_medians_of_rounds_in_turned_order_and_sees_drift)
{
    bench b = open_bench("2 1 90\n4 4 4\n3 3 3\n2.5 2.6 2.4\n", "10\n10\n10\n", "7 8\n7 8\n7 8\n");
    sq_runner runner = make("sh @/run.sh {model} @");
    runner.rounds = 3;
    MUST(run_on(&b, &runner, 3));
    expect_text(b.folder, "log", "a\nb\nc\nc\nb\na\na\nb\nc\na\n");
    cr_assert_eq(b.times[0].median_ms, 3);
    cr_assert_float_eq(b.times[0].deviation_ms, 1, 1e-12);
    cr_assert_eq(b.times[0].count, 9); /* without the last start, which only measures the drift */
    cr_assert_eq(b.times[0].outlier_count, 1);
    cr_assert_eq(b.times[1].median_ms, 10);
    cr_assert_eq(b.times[1].deviation_ms, 0);
    cr_assert_eq(b.times[2].median_ms, 7.5);
    cr_assert_float_eq(b.report.drift, 0.25, 1e-12);
    cr_assert_eq(b.report.cores, 0);
    cr_assert(b.last_done == 10 && b.total == 10);
    drop_folder(b.folder);
}

static const char list_script[] = "cat \"$1\" >> \"$2/order\"\n"
                                  "echo start >> \"$2/starts\"\n"
                                  "n=$(grep -c . \"$2/starts\")\n"
                                  "while read m; do echo loading $m; done < \"$1\"\n"
                                  "for i in 1 2; do while read m; do\n"
                                  "    printf '%s\\t%s us\\n' $(basename $m) $(sed -n ${n}p $m)\n"
                                  "done < \"$1\"; done\n";

Test(runner, starts_a_list_once_a_round)
{
    bench b = open_bench("1000\n1000\n1500\n", "2000\n2000\n2200\n", "3000\n3001\n3003\n");
    put_text(b.folder, "list.sh", list_script);
    sq_runner runner = make("sh @/list.sh {list} @");
    char wanted[10 * PATH];
    (void)snprintf(runner.pattern, sizeof runner.pattern, "^([^\t]+)\t([0-9.]+) us$");
    (void)snprintf(runner.unit, sizeof runner.unit, "us");
    runner.rounds = 3;
    MUST(run_on(&b, &runner, 3));
    (void)snprintf(wanted, sizeof wanted, "%1$s\n%2$s\n%3$s\n%3$s\n%2$s\n%1$s\n%1$s\n%2$s\n%3$s\n", b.paths[0],
                   b.paths[1], b.paths[2]);
    expect_text(b.folder, "order", wanted);
    cr_assert_float_eq(b.times[0].median_ms, 1, 1e-12);
    cr_assert_float_eq(b.times[2].median_ms, 3.001, 1e-12);
    cr_assert_eq(b.times[1].count, 6);
    cr_assert_float_eq(b.report.drift, 0.1, 1e-12);
    cr_assert(b.last_done == 3 && b.total == 3);
    drop_folder(b.folder);
}

Test(runner, wants_every_model_of_the_list_once)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("printf 'a 1\\nb 2\\n' {list}");
    (void)snprintf(runner.pattern, sizeof runner.pattern, "^([a-z]+) ([0-9]+)");
    cr_assert_eq(run_on(&b, &runner, 3), SQ_DEVICE);
    cr_assert_not_null(strstr(sq_error_text(), "no time of c"), "%s", sq_error_text());
    cr_assert_eq(run_on(&b, &runner, 1), SQ_DEVICE);
    cr_assert_not_null(strstr(sq_error_text(), "a time for 'b', which is not in the list"), "%s", sq_error_text());
    (void)snprintf(b.paths[1], PATH, "elsewhere/a");
    cr_assert_eq(run_on(&b, &runner, 2), SQ_INVALID);
    cr_assert_not_null(strstr(sq_error_text(), "two models are called 'a'"), "%s", sq_error_text());
    cr_assert_eq(run_on(&b, &runner, 0), SQ_INVALID);
    drop_folder(b.folder);
}

Test(runner, converts_units)
{
    static const struct {
        const char *unit;
        double ms;
    } cases[] = {{"ns", 5e-6}, {"us", 5e-3}, {"ms", 5}, {"s", 5e3}};
    for (size_t i = 0; i < 4; i++) {
        bench b = open_bench("", "", "");
        sq_runner runner = make("echo time 5 {model}");
        (void)snprintf(runner.unit, sizeof runner.unit, "%s", cases[i].unit);
        MUST(run_on(&b, &runner, 1));
        cr_assert_float_eq(b.times[0].median_ms, cases[i].ms, 1e-9 * cases[i].ms);
        drop_folder(b.folder);
    }
}

Test(runner, hands_paths_over_as_they_are_and_cleans_up)
{
    bench b = open_bench("", "", "");
    char scratch[PATH], *text;
    (void)snprintf(scratch, sizeof scratch, "%s/scratch", b.folder);
    MUST(sq_folder_make(scratch));
    cr_assert_eq(setenv("TMPDIR", scratch, 1), 0);
    (void)snprintf(b.paths[0], PATH, "a b'\"$(touch x);{threads}.v1/m.x.onnx");
    sq_runner runner = make(
        "sh -c 'for w; do echo \"$w\"; done > @/words; touch \"$2/used\"; echo time 1' sh {model} {folder} {stem}.dlc "
        "{threads} {batch} {warmup} {repeats}");
    runner.batch = 3;
    MUST(run_on(&b, &runner, 1));
    text = read_text(b.folder, "words");
    cr_assert_eq(strstr(text, "a b'\"$(touch x);{threads}.v1/m.x.onnx\n"), text, "%s", text);
    cr_assert_not_null(strstr(text, "/scratch/squall-runner-"), "%s", text);
    cr_assert_not_null(strstr(text, "\na b'\"$(touch x);{threads}.v1/m.x.dlc\n0\n3\n5\n50\n"), "%s", text);
    free(text);
    cr_assert_eq(rmdir(scratch), 0); /* rmdir fails if the folder is not empty */
    drop_folder(b.folder);
}

Test(runner, share_must_be_known)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("echo {share} {model}");
    cr_assert_eq(run_on(&b, &runner, 1), SQ_INVALID);
    cr_assert_not_null(strstr(sq_error_text(), "{share}"), "%s", sq_error_text());
    (void)snprintf(runner.command, sizeof runner.command, "echo {share}{model}");
    MUST(sq_runner_run(&runner, (const char *[]){" 3"}, 1, &(sq_runner_options){.share = "time", .folder = b.folder},
                       &b.report));
    cr_assert_eq(b.times[0].median_ms, 3);
    drop_folder(b.folder);
}

Test(runner, tells_commands_that_fail)
{
    expect_failure("no-such-program {model}", SQ_IO, "command 'no-such-program' not found");
    expect_failure("/tmp {model}", SQ_IO, "command '/tmp': ");
    expect_failure("sh -c 'echo one; echo two >&2; echo; exit 3' sh {model}", SQ_DEVICE,
                   "a: exit status 3: last line 'two'");
    expect_failure("sh -c 'exit 1' sh {model}", SQ_DEVICE, "exit status 1: it printed nothing");
    expect_failure("sh -c 'kill -9 $$' sh {model}", SQ_DEVICE, "ended by signal 9");
}

Test(runner, tells_output_without_a_usable_time)
{
    expect_failure("echo hello {threads}", SQ_INVALID, "no {model}");
    expect_failure("sh -c 'echo hello' sh {model}", SQ_DEVICE,
                   "no time in its output; pattern 'time ([^ ]+)', last line 'hello'");
    expect_failure("sh -c 'true' sh {model}", SQ_DEVICE, "no time in its output");
    expect_failure("sh -c 'echo time fast' sh {model}", SQ_DEVICE, "found 'fast' as the time");
    expect_failure("sh -c 'echo time 1.2.3' sh {model}", SQ_DEVICE, "found '1.2.3' as the time");
    expect_failure("sh -c 'echo time 0.000' sh {model}", SQ_DEVICE, "a time of 0.000 ms");
    expect_failure("sh -c 'echo time -4' sh {model}", SQ_DEVICE, "a time of -4 ms");
    expect_failure("sh -c 'echo time nan' sh {model}", SQ_DEVICE, "a time of nan ms");
    expect_failure("sh -c 'echo time inf' sh {model}", SQ_DEVICE, "a time of inf ms");
    expect_failure("sh -c 'echo time 1e999' sh {model}", SQ_DEVICE, "a time of 1e999 ms");
    expect_failure("sh -c 'echo time 3; echo time 0' sh {model}", SQ_DEVICE, "a time of 0 ms");
    expect_failure("head -c 100000 /dev/urandom {model}", SQ_DEVICE, "no time in its output");
}

Test(runner, reads_no_input_and_takes_binary_output)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("sh -c 'cat; printf \"\\000\\377\\nx\\000time 4 \\000\\n\"' sh {model}");
    MUST(run_on(&b, &runner, 1));
    cr_assert_eq(b.times[0].median_ms, 4);
    drop_folder(b.folder);
}

Test(runner, keeps_the_end_of_much_output)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("sh -c 'echo time 9; head -c 50000000 /dev/zero; echo; echo time 5' sh {model}");
    MUST(run_on(&b, &runner, 1));
    cr_assert_eq(b.times[0].median_ms, 5);
    cr_assert_eq(b.times[0].count, 2);
    drop_folder(b.folder);
}

/* ---- The end of a command ---- */

/* Waits up to 10 s until the process does not exist or is a zombie that its new parent has not reaped. The wait is
 * necessary because a killed process exits a moment after the kill. */
static void expect_dead(const char *folder, const char *name)
{
    char *text = read_text(folder, name), path[PATH], stat[256] = "";
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/stat", atoi(text));
        FILE *file = fopen(path, "r");
        const char *end = file && fgets(stat, sizeof stat, file) ? strrchr(stat, ')') : NULL;
        if (file)
            (void)fclose(file);
        if (!end || strncmp(end, ") Z", 3) == 0) {
            free(text);
            return;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    cr_assert_fail("%s: process %s still runs", name, text);
}

Test(runner, kills_a_hanging_command_and_its_children)
{
    bench b = open_bench("", "", "");
    sq_runner runner =
        make("sh -c 'sh -c \"echo \\$\\$ > @/grandchild; sleep 1000; true\" & echo $$ > @/child; echo started; "
             "trap : TERM INT; while :; do sleep 1000; done' sh {model}");
    runner.time_limit_seconds = 2;
    cr_assert_eq(run_on(&b, &runner, 1), SQ_DEVICE);
    cr_assert_not_null(strstr(sq_error_text(), "still running after 2 seconds, the time limit: last line 'started'"),
                       "%s", sq_error_text());
    expect_dead(b.folder, "child");
    expect_dead(b.folder, "grandchild");
    drop_folder(b.folder);
}

Test(runner, does_not_wait_for_background_processes)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("sh -c 'sleep 1000 & echo $! > @/left; echo time 5' sh {model}");
    MUST(run_on(&b, &runner, 1));
    expect_dead(b.folder, "left");
    drop_folder(b.folder);
}

Test(runner, waits_for_a_command_that_closes_its_output)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("sh -c 'echo time 5; exec >&- 2>&-; sleep 0.2; echo x > @/done' sh {model}");
    MUST(run_on(&b, &runner, 1));
    expect_text(b.folder, "done", "x\n");
    drop_folder(b.folder);
}

Test(runner, stops_on_a_signal)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("sh -c 'echo $$ > @/child; kill -TERM $PPID; sleep 1000' sh {model}");
    sq_signals_listen();
    cr_assert_eq(run_on(&b, &runner, 1), SQ_INTERRUPTED);
    cr_assert_not_null(strstr(sq_error_text(), "stopped by SIGTERM"), "%s", sq_error_text());
    expect_dead(b.folder, "child");
    drop_folder(b.folder);
}

Test(runner, pins_to_as_many_cores_as_threads)
{
    bench b = open_bench("", "", "");
    sq_runner runner = make("sh -c 'echo time $(env -u OMP_NUM_THREADS nproc)' sh {model}");
    runner.threads = 1;
    MUST(run_on(&b, &runner, 1));
    cr_assert_eq(b.times[0].median_ms, 1);
    cr_assert_eq(b.report.cores, 1);
    runner.threads = 4096; /* more than the machine has, so all allowed cores are used */
    b.last_done = 0;
    MUST(run_on(&b, &runner, 1));
    cr_assert_eq(b.report.cores, (int)b.times[0].median_ms);
    drop_folder(b.folder);
}

Test(runner, describes_the_runtime)
{
    char text[128] = "";
    sq_runner runner = make("run {model}");
    MUST(sq_runner_describe(&runner, NULL, text, sizeof text));
    cr_assert_str_eq(text, "fake");
    (void)snprintf(runner.info, sizeof runner.info,
                   "printf 'noise\\nruntime: other\\nversion: 1.2\\ndevice: a chip\\n'");
    MUST(sq_runner_describe(&runner, NULL, text, sizeof text));
    cr_assert_str_eq(text, "other 1.2, a chip");
    (void)snprintf(runner.info, sizeof runner.info, "sh -c 'echo is not installed; exit 1'");
    cr_assert_eq(sq_runner_describe(&runner, NULL, text, sizeof text), SQ_DEVICE);
    cr_assert_not_null(strstr(sq_error_text(), "is not installed"), "%s", sq_error_text());
}
