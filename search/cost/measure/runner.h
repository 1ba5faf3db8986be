#ifndef SQ_RUNNER_H
#define SQ_RUNNER_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Times models with another runtime. A runner is described by data (configs/runners/NAME.yaml, or `runner:` in a
 * device.yaml): a command line, and a pattern that finds the times in the command's output.
 *
 * The command line is split into arguments, then these names are replaced: {model} (path of a model), {stem} (path of a
 * model without the file name extension, for converted models) or {list} (path of a file with one model path per line);
 * {threads}, {batch}, {warmup}, {repeats} (numbers); {folder} (a scratch folder), {share} (the folder of Squall's data
 * files). Commands run without a shell. A command that requires a shell starts one and passes paths as arguments:
 *
 *     sh -c 'push "$1" && run "$2"' sh {model} {threads} */

enum { SQ_RUNNER_TEXT = 2048 };

typedef struct {
    char runtime[128], dtype[16]; /* written to the table's device.yaml; may be empty */
    char info[SQ_RUNNER_TEXT];    /* command that prints lines "runtime: ", "version: " and "device: "; may be empty */
    char command[SQ_RUNNER_TEXT]; /* with {model} or {stem}: runs once per model and round; with {list}: once per
                                   * round */
    /* POSIX extended regular expression, compiled with REG_NEWLINE: . and [^x] do not match a newline, and ^ and $
     * match at the begin and end of every line. If the command has {model} or {stem}, the pattern has one group, which
     * matches the time. If it has {list}, the pattern has two groups: the model's file name and the time. Every match
     * is one sample. */
    char pattern[256];
    char unit[4];              /* of the time: "ns", "us", "ms", "s" */
    int warmup, repeats;       /* values of {warmup} (>= 0) and {repeats} (>= 1) */
    int rounds;                /* >= 2, because the spread is computed from the rounds' medians */
    int threads;               /* value of {threads}, and number of cores that the program is pinned to; 0: the program
                                * is not pinned */
    int batch;                 /* >= 1 */
    double time_limit_seconds; /* of one run of the command */
} sq_runner;

/* Checks a runner. SQ_INVALID "<where>: ...": an open quote, an unknown or missing placeholder, the placeholder of a
 * path inside a shell script, an invalid pattern or number of groups, an unknown unit, a number out of range. */
SQ_MUST_USE sq_status sq_runner_check(const sq_runner *runner, const char *where);

typedef struct {
    double median_ms;    /* median of the rounds' medians, after sq_samples_level_rounds (runner_samples.h) */
    double deviation_ms; /* standard deviation of the rounds' medians (divisor rounds - 1) */
    int count;           /* number of samples in all rounds */
    /* Number of samples whose distance from the median exceeds both 3 * 1.4826 * (median absolute deviation) and 1 % of
     * the median. The second bound is for coarse clocks, with which the median absolute deviation can be 0. Outliers
     * are not removed, because medians are robust. Source: Hampel 1974, "The influence curve and its role in robust
     * estimation" */
    int outlier_count;
} sq_runner_time;

typedef struct {
    sq_runner_time *times; /* [count], allocated by the caller */
    /* Relative change of the times from the first round to the end, for example by heat or clock changes. With {model}
     * or {stem}, the first model runs once more at the end, and this time is compared with the model's first round.
     * With {list}, drift is the median over all models of (time in the last round / time in the first round), minus
     * 1. */
    double drift;
    int cores; /* cores that each run was pinned to: `threads`, or fewer if fewer are allowed; 0: not pinned */
} sq_runner_report;

typedef struct {
    const char *share;  /* value of {share}; NULL: commands with {share} are rejected */
    const char *folder; /* value of {folder}, for lists and the command's files; NULL: a new folder, which is removed at
                         * the end */
    void (*progress)(void *context, int done, int total); /* after each run; may be NULL */
    void *context;
} sq_runner_options;

/* Measures `count` models. The outer loop runs over rounds, and every second round measures the models in reverse
 * order, so that neither the order of the models nor a change of the machine over time favours a model.
 *
 * models    paths; with {list}, no two of them may have the same file name
 * options   may be NULL
 * returns   SQ_INVALID: invalid runner or models; SQ_IO: the command was not found or not started; SQ_DEVICE: the
 *           command failed, exceeded the time limit, or printed no valid time; SQ_INTERRUPTED: this process received a
 *           signal
 * cost      blocks until the last run ends; rounds * count + 1 runs with {model} or {stem}, `rounds` runs with
 *           {list} */
SQ_MUST_USE sq_status sq_runner_run(const sq_runner *runner, const char *const *models, int count,
                                    const sq_runner_options *options, sq_runner_report *out);

/* Writes "<runtime> <version>, <device>" as printed by the info command. If the runner has no info command, writes the
 * runner's runtime. */
SQ_MUST_USE sq_status sq_runner_describe(const sq_runner *runner, const sq_runner_options *options, char *text,
                                         size_t bytes);

#endif
