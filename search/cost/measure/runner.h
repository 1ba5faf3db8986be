#ifndef SQ_RUNNER_H
#define SQ_RUNNER_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Another runtime that times models: a command line and a pattern that finds the times in what it prints, so that a new
 * runtime is data (configs/runners/NAME.yaml, or `runner:` in a device.yaml), not code.
 *
 * In the command these are replaced, after it was split into words: {model} (path), {stem} (that path without what
 * follows its last dot, for models that were converted beside it) or {list} (path of a file with a model's path a
 * line); {threads}, {batch}, {warmup}, {repeats} (numbers); {folder} (a scratch folder), {share} (Squall's data files).
 * No shell is started. A command that needs one says so, and takes paths as arguments:
 *
 *     sh -c 'push "$1" && run "$2"' sh {model} {threads} */

enum { SQ_RUNNER_TEXT = 2048 };

typedef struct {
    char runtime[128], dtype[16]; /* what the table's device.yaml says of it; may be empty */
    char info[SQ_RUNNER_TEXT];    /* command that prints "runtime: ", "version: ", "device: " lines; may be empty */
    char command[SQ_RUNNER_TEXT]; /* with {model} (or {stem}): one start per model; with {list}: one for all */
    /* POSIX extended regular expression; . and [^x] end with the line, ^ and $ are a line's. With {model} one group:
     * the time. With {list} two: the model's file name, the time. Every match is one sample. */
    char pattern[256];
    char unit[4];              /* of the time: "ns", "us", "ms", "s" */
    int warmup, repeats;       /* numbers for the command; >= 0, >= 1 */
    int rounds;                /* >= 2: a spread needs two */
    int threads;               /* 0: the runtime's choice, on any core; else it is pinned to as many cores */
    int batch;                 /* >= 1 */
    double time_limit_seconds; /* of one start of the command */
} sq_runner;

/* SQ_INVALID "<where>: ..." names what is wrong: quotes, an unknown or missing placeholder, a path inside a shell's
 * script, the pattern or its groups, the unit, a range. */
SQ_MUST_USE sq_status sq_runner_check(const sq_runner *runner, const char *where);

typedef struct {
    double median_ms;    /* of the rounds' medians, once each round was levelled (runner_samples.h) */
    double deviation_ms; /* standard deviation of the rounds' medians (rounds - 1), as `squall lut measure` has it */
    int count;           /* samples in all rounds */
    /* Samples farther from the median of all samples than 3 * 1.4826 * (median absolute deviation), and than 1 % of
     * that median: clocks that tick coarsely make no outliers. They stay in the medians, which do not mind. source:
     * Hampel 1974, "The influence curve and its role in robust estimation" */
    int outlier_count;
} sq_runner_time;

typedef struct {
    sq_runner_time *times; /* [count], caller's */
    /* What heat and clocks did meanwhile, end / first round - 1. {model}: of the first model, which is started once
     * more, last. {list}: the median over all models of the last round / the first, as each start measures all. */
    double drift;
    int cores; /* that each start was pinned to; fewer than threads where fewer are allowed; 0: not pinned */
} sq_runner_report;

typedef struct {
    const char *share; /* what {share} becomes; NULL: a command that has it is refused */
    const char
        *folder; /* what {folder} becomes, for lists and the command's files; NULL: a new one, removed at the end */
    void (*progress)(void *context, int done, int total); /* after each start; may be NULL */
    void *context;
} sq_runner_options;

/* Measures `count` models: rounds outermost, every second round in reverse order, so that neither place nor time
 * favours a model.
 *
 * models    paths; with {list} their file names differ
 * options   may be NULL
 * returns   SQ_INVALID: the runner or the models; SQ_IO: not found, not started; SQ_DEVICE: it failed, was killed at
 * the time limit, or printed no time, or one that is no number above 0; SQ_INTERRUPTED: a signal asked cost blocks;
 * rounds * count + 1 starts with {model}, rounds with {list} */
SQ_MUST_USE sq_status sq_runner_run(const sq_runner *runner, const char *const *models, int count,
                                    const sq_runner_options *options, sq_runner_report *out);

/* "<runtime> <version>, <device>" as the info command says it, or the runner's runtime where it has none. */
SQ_MUST_USE sq_status sq_runner_describe(const sq_runner *runner, const sq_runner_options *options, char *text,
                                         size_t bytes);

#endif
