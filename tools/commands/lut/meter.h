#ifndef SQ_LUT_METER_H
#define SQ_LUT_METER_H

#include "search/cost/measure/block_models.h"
#include "search/cost/measure/runner.h"
#include "tools/commands/lut/lut.h"

/* Measures blocks and whole paths with Squall's own programs ("squall") or with another runtime. */

typedef struct {
    const char *runner; /* "squall", a name in configs/runners, or a file; NULL: the device's runner, or else squall */
    const char *keep;   /* folder that keeps the ONNX files; NULL: a temporary folder */
    int batch, threads, repeats, rounds, warmup, opset; /* SQ_UNSET: the runner's */
    sq_lut_shape shape;
} sq_meter_options;
#define SQ_METER_OPTIONS(o)                                                                                            \
    SQ_TEXT("--runner", o.runner), SQ_TEXT("--keep", o.keep), SQ_KEY("--threads", "threads"),                          \
        SQ_INT("--batch", o.batch, 1, 65536), SQ_INT("--repeats", o.repeats, 1, 1e6),                                  \
        SQ_INT("--rounds", o.rounds, 2, 10000), SQ_INT("--warmup", o.warmup, 0, 1e6),                                  \
        SQ_INT("--opset", o.opset, 13, 21), SQ_LUT_SHAPE_OPTIONS(o.shape)
#define SQ_METER_DEFAULTS                                                                                              \
    {                                                                                                                  \
        .batch = SQ_UNSET, .threads = SQ_UNSET, .repeats = SQ_UNSET, .rounds = SQ_UNSET, .warmup = SQ_UNSET,           \
        .opset = SQ_UNSET                                                                                              \
    }

/* Conditions of a measurement, for device.yaml. */
typedef struct {
    char name[SQ_NAME_BYTES], runtime[128], dtype[16];
    int batch, threads, rounds;
    bool is_all_threads; /* no number was given, so all cores were used */
    double drift;        /* relative change from the first round to the last; NaN: unknown */
    bool has_runner;
    sq_runner runner;
} sq_meter_facts;

typedef struct {
    const sq_space *space;
    const sq_block_list *blocks;     /* may be empty */
    const sq_path_list *paths;       /* may be empty */
    const char *model;               /* an ONNX file that a runner measures instead of blocks and paths; or NULL */
    const sq_runner *default_runner; /* the device's runner, used if the options name no runner; or NULL */
} sq_meter_job;

/* Checks the runner of `options` before anything is measured. Returns SQ_INVALID for an unknown runner; the message
 * lists the known runners. */
SQ_MUST_USE sq_status sq_lut_meter_check(const sq_meter_job *job, const sq_meter_options *options);

/* Measures the blocks and the paths of a job. times: blocks, then paths. sq_lut_meter_check must have succeeded
 * before. */
SQ_MUST_USE sq_status sq_lut_meter(const sq_meter_job *job, const sq_meter_options *options, const sq_options *config,
                                   sq_runner_time *times, sq_meter_facts *facts);

#endif
