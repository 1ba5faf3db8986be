/* Reads runners from YAML. */
#include "search/cost/measure/runner_yaml.h"

#include <stdio.h>

#define OPTIONAL          (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define TEXT(name, flags) CYAML_FIELD_STRING_PTR(#name, flags, sq_runner_raw, name, 0, sizeof((sq_runner *)0)->name - 1)

const cyaml_schema_field_t sq_runner_fields[] = {
    TEXT(runtime, OPTIONAL),
    TEXT(dtype, OPTIONAL),
    TEXT(info, OPTIONAL),
    TEXT(command, CYAML_FLAG_POINTER),
    TEXT(pattern, CYAML_FLAG_POINTER),
    TEXT(unit, CYAML_FLAG_POINTER),
    CYAML_FIELD_INT_PTR("warmup", OPTIONAL, sq_runner_raw, warmup),
    CYAML_FIELD_INT_PTR("repeats", OPTIONAL, sq_runner_raw, repeats),
    CYAML_FIELD_INT_PTR("rounds", OPTIONAL, sq_runner_raw, rounds),
    CYAML_FIELD_INT_PTR("threads", OPTIONAL, sq_runner_raw, threads),
    CYAML_FIELD_INT_PTR("batch", OPTIONAL, sq_runner_raw, batch),
    CYAML_FIELD_FLOAT_PTR("time_limit_seconds", OPTIONAL, sq_runner_raw, time_limit_seconds),
    CYAML_FIELD_END,
};

const sq_runner sq_runner_defaults = {
    .warmup = 5, .repeats = 50, .rounds = 5, .threads = 1, .batch = 1, .time_limit_seconds = 600};

static const cyaml_schema_value_t runner_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, sq_runner_raw, sq_runner_fields)};

static void copy(char *to, size_t bytes, const char *from)
{
    (void)snprintf(to, bytes, "%s", from ? from : ""); /* the schema limits the length */
}

sq_status sq_runner_from_raw(sq_runner *out, const sq_runner_raw *raw, const char *where)
{
    sq_runner runner = sq_runner_defaults;
    copy(runner.runtime, sizeof runner.runtime, raw->runtime);
    copy(runner.dtype, sizeof runner.dtype, raw->dtype);
    copy(runner.info, sizeof runner.info, raw->info);
    copy(runner.command, sizeof runner.command, raw->command);
    copy(runner.pattern, sizeof runner.pattern, raw->pattern);
    copy(runner.unit, sizeof runner.unit, raw->unit);
    runner.warmup = raw->warmup ? *raw->warmup : runner.warmup;
    runner.repeats = raw->repeats ? *raw->repeats : runner.repeats;
    runner.rounds = raw->rounds ? *raw->rounds : runner.rounds;
    runner.threads = raw->threads ? *raw->threads : runner.threads;
    runner.batch = raw->batch ? *raw->batch : runner.batch;
    if (raw->time_limit_seconds)
        runner.time_limit_seconds = *raw->time_limit_seconds;
    SQ_TRY(sq_runner_check(&runner, where));
    *out = runner;
    return SQ_OK;
}

sq_status sq_runner_read(sq_runner *out, const char *path)
{
    void *data = NULL;
    SQ_TRY(sq_yaml_load(&data, path, &runner_schema));
    const sq_status status = sq_runner_from_raw(out, data, path);
    sq_yaml_free(data, &runner_schema);
    return status;
}
