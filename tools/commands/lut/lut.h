#ifndef SQ_LUT_H
#define SQ_LUT_H

#include "search/cost/latency.h"
#include "tools/commands/command.h"

/* squall lut: each file of this folder implements one subcommand or a pair of subcommands. */

extern const sq_command sq_lut_template, sq_lut_measure, sq_lut_networks, sq_lut_check, sq_lut_predict,
    sq_lut_calibrate, sq_lut_compare, sq_lut_import;

typedef struct {
    int resolution, classes; /* 0: the space's own */
} sq_lut_shape;
#define SQ_LUT_SHAPE_OPTIONS(shape)                                                                                    \
    SQ_INT("--resolution", shape.resolution, 0, 4096), SQ_INT("--classes", shape.classes, 0, 1e6)

#define SQ_LUT_FILL_WORDS SQ_FILL_WORDS

/* Opens a space file, which can also be in the share folder. */
SQ_MUST_USE sq_status sq_lut_space(sq_space **out, const char *file, const sq_lut_shape *shape);

/* Opens a device, which can also be in the share folder. */
SQ_MUST_USE sq_status sq_lut_device(sq_latency **out, const char *device);

/* Writes ", 4 threads", or ", all 4 threads" if is_all is true, or "" if `threads` is 0 (unknown). Returns out. */
const char *sq_lut_threads(char *out, size_t bytes, int threads, bool is_all);

#endif
