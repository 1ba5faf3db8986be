#ifndef SQ_LUT_H
#define SQ_LUT_H

#include "search/cost/latency.h"
#include "tools/commands/command.h"

/* squall lut: one file a subcommand. */

extern const sq_command sq_lut_template, sq_lut_measure, sq_lut_networks, sq_lut_check, sq_lut_predict,
    sq_lut_calibrate, sq_lut_compare, sq_lut_import;

typedef struct {
    const char *resolution, *classes; /* "0": the space's own */
} sq_lut_shape;
#define SQ_LUT_SHAPE {"0", "0"}
#define SQ_LUT_SHAPE_OPTIONS(shape) \
    {"--resolution", &(shape).resolution, NULL, NULL}, {"--classes", &(shape).classes, NULL, NULL}
#define SQ_LUT_SHAPE_HELP "  --resolution R, --classes C   instead of the space's\n"

/* Opens the space that an argument names, also in the share folder. */
SQ_MUST_USE sq_status sq_lut_space(sq_space **out, const char *file, const sq_lut_shape *shape);

/* Opens the device that an argument names, also in the share folder. */
SQ_MUST_USE sq_status sq_lut_device(sq_latency **out, const char *device);

/* ", 4 threads", ", all 4 threads" (is_all), nothing where the number is not known (0). Returns out. */
const char *sq_lut_threads(char *out, size_t bytes, int threads, bool is_all);

/* "none", "interpolate", "roofline". SQ_INVALID names what was found. */
SQ_MUST_USE sq_status sq_lut_fill(const char *text, sq_fill *out);

#endif
