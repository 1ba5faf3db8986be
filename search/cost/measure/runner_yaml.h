#ifndef SQ_RUNNER_YAML_H
#define SQ_RUNNER_YAML_H

#include "kernels/base/yaml.h"
#include "search/cost/measure/runner.h"

/* Reads runners from YAML. A runner is a separate file (configs/runners), or a mapping in another file. The schema of
 * such a file has a field
 *
 *     CYAML_FIELD_MAPPING_PTR("runner", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, raw_device, runner, sq_runner_fields)
 *
 * and the struct raw_device has a member `sq_runner_raw *runner`. command, pattern and unit are required; other missing
 * keys have the values of sq_runner_defaults. */

typedef struct {
    char *runtime, *dtype, *info, *command, *pattern, *unit;
    int *warmup, *repeats, *rounds, *threads, *batch;
    double *time_limit_seconds;
} sq_runner_raw;

extern const cyaml_schema_field_t sq_runner_fields[];
/* The defaults are 5 rounds, each with 5 warm-ups and 50 repeats, 1 thread, batch 1, 600 seconds per run, and empty
 * texts. */
extern const sq_runner sq_runner_defaults;

/* Convert the raw values, or read a file, and check the runner. SQ_INVALID: as sq_runner_check, with `where` or `path`
 * at the beginning. */
SQ_MUST_USE sq_status sq_runner_from_raw(sq_runner *out, const sq_runner_raw *raw, const char *where);
SQ_MUST_USE sq_status sq_runner_read(sq_runner *out, const char *path);

#endif
