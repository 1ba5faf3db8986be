#ifndef SQ_LUT_METER_H
#define SQ_LUT_METER_H

#include "search/cost/measure/block_models.h"
#include "search/cost/measure/runner.h"
#include "tools/commands/lut/lut.h"

/* Times of blocks and of whole paths, by Squall's own evaluate programs ("squall") or by another runtime. */

typedef struct {
    const char *runner; /* "squall", a name in configs/runners, or a file */
    int rounds_again; /* of another try; 0: as said by `rounds` */
    const char *batch, *threads, *repeats, *rounds, *warmup, *opset, *keep; /* NULL: the runner's; keep: no folder */
    sq_lut_shape shape;
} sq_meter_options;
#define SQ_METER_OPTIONS(o)                                                                                            \
    {"--runner", &(o).runner, NULL, NULL}, {"--batch", &(o).batch, NULL, NULL}, {"--repeats", &(o).repeats, NULL, NULL}, \
        {"--rounds", &(o).rounds, NULL, NULL}, {"--warmup", &(o).warmup, NULL, NULL},                                  \
        {"--opset", &(o).opset, NULL, NULL}, {"--keep", &(o).keep, NULL, NULL}, SQ_LUT_SHAPE_OPTIONS((o).shape)
#define SQ_METER_HELP                                                                                                  \
    "  --runner R         squall (default): this program on cpu or cuda; onnxruntime, openvino, trtexec, ...: a file of\n" \
    "                     configs/runners, or a path\n"                                                               \
    "  --batch N          images at once (default 1)\n"                                                              \
    "  --threads N        of the runtime, pinned to as many cores (default: the runner's)\n"                         \
    "  --rounds N, --repeats N, --warmup N   interleaved rounds, runs in each, runs before them (default: the runner's)\n" \
    "  --keep FOLDER      where the ONNX files stay (default: a temporary folder)\n"                                 \
    "  --opset N          of those (default 13)\n"                                                                   \
    "  --device D, --graphs on|off, --engine E   of the runner squall, as in train\n" SQ_LUT_SHAPE_HELP

/* What was measured with: for device.yaml. */
typedef struct {
    char name[SQ_NAME_BYTES], runtime[128], dtype[16];
    int batch, threads, rounds;
    bool is_all_threads; /* nobody asked for that many */
    double drift; /* from the first round to the last; NaN: not looked at */
    bool has_runner;
    sq_runner runner;
} sq_meter_facts;

typedef struct {
    const sq_space *space;
    const sq_block_list *blocks; /* may be empty */
    const sq_path_list *paths;   /* may be empty */
    const char *model;           /* an ONNX file to measure instead, by a runner; or NULL */
    const sq_runner *remembered; /* a device's own runner, taken when options name none; or NULL */
} sq_meter_job;

/* Whether options name a runner that there is, before anything else is done. SQ_INVALID lists those that there are. */
SQ_MUST_USE sq_status sq_lut_meter_check(const sq_meter_job *job, const sq_meter_options *options);

/* times: blocks, then paths. sq_lut_meter_check comes before. */
SQ_MUST_USE sq_status sq_lut_meter(const sq_meter_job *job, const sq_meter_options *options, const sq_options *read,
                                   sq_runner_time *times, sq_meter_facts *facts);

#endif
