#ifndef SQ_RUNNER_H
#define SQ_RUNNER_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Timing models with another runtime. A runner is data (configs/runners/NAME.yaml, or `runner:` in a device.yaml): a
 * command line, and a pattern that finds the times in its output.
 *
 * The command line is split into arguments, then these names are replaced: {model} (path of a model), {stem} (that path
 * without its extension, for converted models) or {list} (path of a file with one model path per line); {threads},
 * {batch}, {warmup}, {repeats} (numbers); {folder} (a scratch folder), {share} (Squall's data files). There is no
 * shell. A command that needs one starts it and passes paths as arguments:
 *
 *     sh -c 'push "$1" && run "$2"' sh {model} {threads} */

enum { SQ_RUNNER_TEXT = 2048 };

typedef struct {
    char runtime[128], dtype[16]; /* for the table's device.yaml; may be empty */
    char info[SQ_RUNNER_TEXT];    /* a command that prints lines "runtime: ", "version: ", "device: "; may be empty */
    char command[SQ_RUNNER_TEXT]; /* with {model} or {stem}: run once per model; with {list}: once per round */
    /* POSIX extended regular expression on single lines. With {model} it has one group, the time. With {list} it has
     * two: the model's file name, the time. Every match is one sample. */
    char pattern[256];
    char unit[4];              /* of the time: "ns", "us", "ms", "s" */
    int warmup, repeats;       /* values for the command; >= 0, >= 1 */
    int rounds;                /* >= 2: a spread needs two */
    int threads;               /* the program is pinned to as many cores; 0: the runtime chooses, not pinned */
    int batch;                 /* >= 1 */
    double time_limit_seconds; /* of one run of the command */
} sq_runner;

/* SQ_INVALID "<where>: ...": quotes, an unknown or missing placeholder, a path inside a shell script, the pattern or
 * its groups, the unit, a range. */
SQ_MUST_USE sq_status sq_runner_check(const sq_runner *runner, const char *where);

typedef struct {
    double median_ms;    /* of the rounds' medians, after the rounds are levelled (runner_samples.h) */
    double deviation_ms; /* standard deviation of the rounds' medians (divisor rounds - 1) */
    int count;           /* samples in all rounds */
    /* Samples whose distance from the median exceeds 3 * 1.4826 * (median absolute deviation) and 1 % of the median;
     * the latter because of coarse clocks. They stay in the medians, which are robust. Source: Hampel 1974, "The
     * influence curve and its role in robust estimation" */
    int outlier_count;
} sq_runner_time;

typedef struct {
    sq_runner_time *times; /* [count], memory of the caller */
    /* Relative change from the first round to the end, by heat and clocks. {model}: of the first model, which runs once
     * more at the end. {list}: the median over all models of last round / first round, minus 1. */
    double drift;
    int cores; /* number of cores that each run was pinned to; fewer than threads if fewer are allowed; 0: not pinned */
} sq_runner_report;

typedef struct {
    const char *share;  /* value of {share}; NULL: commands with {share} are refused */
    const char *folder; /* value of {folder}, for lists and the command's files; NULL: a new one, removed at the end */
    void (*progress)(void *context, int done, int total); /* after each run; may be NULL */
    void *context;
} sq_runner_options;

/* Measures `count` models. The outer loop is over rounds, and every second round is in reverse order, so that neither
 * order nor time favours a model.
 *
 * models    paths; with {list} their file names differ
 * options   may be NULL
 * returns   SQ_INVALID: the runner or the models; SQ_IO: not found, not started; SQ_DEVICE: it failed, hit the
 *           time limit, or printed no valid time; SQ_INTERRUPTED: this process got a signal
 * cost      blocks; rounds * count + 1 runs with {model}, rounds with {list} */
SQ_MUST_USE sq_status sq_runner_run(const sq_runner *runner, const char *const *models, int count,
                                    const sq_runner_options *options, sq_runner_report *out);

/* Writes "<runtime> <version>, <device>" from the info command, or the runner's runtime when it has no such command. */
SQ_MUST_USE sq_status sq_runner_describe(const sq_runner *runner, const sq_runner_options *options, char *text,
                                         size_t bytes);

#endif
