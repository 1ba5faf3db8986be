/* Reads and writes device.yaml. */
#include "search/cost/device.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/yaml.h"
#include "search/cost/measure/runner_yaml.h"

typedef struct {
    char **drop;
    unsigned drop_count;
} raw_constraints;

typedef struct {
    char *name, *runtime, *dtype, *clocks, *date, *source, *licence, *space, *unit, *doubt;
    int batch, threads, resolution;
    double base_ms, scale, residual_ms, base_energy_mj, base_area_mm2;
    bool measured;
    raw_constraints rules;
    sq_runner_raw *runner;
} raw_device;

#define POINTER_OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
static const cyaml_schema_value_t property_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 31)};
static const cyaml_schema_field_t rules_fields[] = {
    CYAML_FIELD_SEQUENCE("drop", CYAML_FLAG_POINTER, raw_constraints, drop, &property_value, 0, SQ_PROPERTIES),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t device_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, raw_device, name, 1, SQ_NAME_BYTES - 1),
    CYAML_FIELD_STRING_PTR("runtime", POINTER_OPTIONAL, raw_device, runtime, 0, 127),
    CYAML_FIELD_STRING_PTR("dtype", POINTER_OPTIONAL, raw_device, dtype, 0, 15),
    CYAML_FIELD_INT("batch", CYAML_FLAG_OPTIONAL, raw_device, batch),
    CYAML_FIELD_INT("threads", CYAML_FLAG_OPTIONAL, raw_device, threads),
    CYAML_FIELD_STRING_PTR("clocks", POINTER_OPTIONAL, raw_device, clocks, 0, 63),
    CYAML_FIELD_STRING_PTR("date", POINTER_OPTIONAL, raw_device, date, 0, 31),
    CYAML_FIELD_STRING_PTR("source", POINTER_OPTIONAL, raw_device, source, 0, 255),
    CYAML_FIELD_STRING_PTR("licence", POINTER_OPTIONAL, raw_device, licence, 0, 63),
    CYAML_FIELD_STRING_PTR("space", POINTER_OPTIONAL, raw_device, space, 0, SQ_NAME_BYTES - 1),
    CYAML_FIELD_INT("resolution", CYAML_FLAG_OPTIONAL, raw_device, resolution),
    CYAML_FIELD_STRING_PTR("unit", POINTER_OPTIONAL, raw_device, unit, 0, 7),
    CYAML_FIELD_FLOAT("base_ms", CYAML_FLAG_OPTIONAL, raw_device, base_ms),
    CYAML_FIELD_FLOAT("scale", CYAML_FLAG_OPTIONAL, raw_device, scale),
    CYAML_FIELD_FLOAT("residual_ms", CYAML_FLAG_OPTIONAL, raw_device, residual_ms),
    CYAML_FIELD_STRING_PTR("doubt", POINTER_OPTIONAL, raw_device, doubt, 0, 127),
    CYAML_FIELD_FLOAT("base_energy_mj", CYAML_FLAG_OPTIONAL, raw_device, base_energy_mj),
    CYAML_FIELD_FLOAT("base_area_mm2", CYAML_FLAG_OPTIONAL, raw_device, base_area_mm2),
    CYAML_FIELD_BOOL("measured", CYAML_FLAG_DEFAULT, raw_device, measured),
    CYAML_FIELD_MAPPING("rules", CYAML_FLAG_OPTIONAL, raw_device, rules, rules_fields),
    CYAML_FIELD_MAPPING_PTR("runner", POINTER_OPTIONAL, raw_device, runner, sq_runner_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t device_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, raw_device, device_fields)};

static void copy(char *to, size_t bytes, const char *from)
{
    (void)snprintf(to, bytes, "%s", from ? from : "");
}

static sq_status check(const raw_device *d, const char *path)
{
    if (d->unit && strcmp(d->unit, "ms") != 0)
        return sq_fail(SQ_INVALID, "%s: unit '%s', expected ms; the header of a table says its unit (mean_us, mean_s)",
                       path, d->unit);
    if (!isfinite(d->base_ms) || !isfinite(d->scale) || d->scale < 0 || !(d->residual_ms >= 0) ||
        !isfinite(d->residual_ms) || !isfinite(d->base_energy_mj) || !isfinite(d->base_area_mm2))
        return sq_fail(SQ_INVALID,
                       "%s: base_ms %g, scale %g, residual_ms %g: expected finite numbers, the last two >= 0", path,
                       d->base_ms, d->scale, d->residual_ms);
    if (d->batch < 0 || d->threads < 0 || d->resolution < 0)
        return sq_fail(SQ_INVALID, "%s: batch %d, threads %d, resolution %d: expected none below 0", path, d->batch,
                       d->threads, d->resolution);
    return SQ_OK;
}

static sq_status read_constraints(sq_device_constraints *constraints, const raw_constraints *raw, const char *path)
{
    char where[1200];
    (void)snprintf(where, sizeof where, "%s: rules: drop", path);
    for (unsigned i = 0; i < raw->drop_count; i++)
        SQ_TRY(sq_device_constraints_add(constraints, raw->drop[i], where));
    return SQ_OK;
}

sq_status sq_device_read(sq_device_info *out, const char *path)
{
    void *data = NULL;
    SQ_TRY(sq_yaml_load(&data, path, &device_schema));
    const raw_device *raw = data;
    sq_runner runner = {.runtime = ""};
    sq_device_constraints constraints = {{false}};
    sq_status status = check(raw, path);
    if (status == SQ_OK)
        status = read_constraints(&constraints, &raw->rules, path);
    if (status == SQ_OK && raw->runner)
        status = sq_runner_from_raw(&runner, raw->runner, path);
    if (status == SQ_OK) {
        *out = (sq_device_info){.batch = raw->batch ? raw->batch : 1,
                                .threads = raw->threads,
                                .resolution = raw->resolution,
                                .base_ms = raw->base_ms,
                                .scale = raw->scale != 0 ? raw->scale : 1,
                                .residual_ms = raw->residual_ms,
                                .base_energy_mj = raw->base_energy_mj,
                                .base_area_mm2 = raw->base_area_mm2,
                                .is_measured = raw->measured,
                                .constraints = constraints,
                                .has_runner = raw->runner != NULL,
                                .runner = runner};
        copy(out->name, sizeof out->name, raw->name);
        copy(out->runtime, sizeof out->runtime, raw->runtime);
        copy(out->dtype, sizeof out->dtype, raw->dtype);
        copy(out->clocks, sizeof out->clocks, raw->clocks);
        copy(out->date, sizeof out->date, raw->date);
        copy(out->source, sizeof out->source, raw->source);
        copy(out->licence, sizeof out->licence, raw->licence);
        copy(out->space, sizeof out->space, raw->space);
        copy(out->doubt, sizeof out->doubt, raw->doubt);
    }
    sq_yaml_free(data, &device_schema);
    return status;
}

/* ---- Writing without libcyaml, which prints numbers as 1.0000000000000000e+00 ---- */

static void put_number(FILE *file, const char *key, double value, double omitted)
{
    if (value != omitted)
        (void)fprintf(file, "%s: %.9g\n", key, value);
}

static void put_runner(FILE *file, const sq_runner *r)
{
    (void)fprintf(file, "runner:\n");
    sq_yaml_put_text(file, "  ", "runtime", r->runtime);
    sq_yaml_put_text(file, "  ", "dtype", r->dtype);
    sq_yaml_put_text(file, "  ", "info", r->info);
    sq_yaml_put_text(file, "  ", "command", r->command);
    sq_yaml_put_text(file, "  ", "pattern", r->pattern);
    sq_yaml_put_text(file, "  ", "unit", r->unit);
    (void)fprintf(file, "  warmup: %d\n  repeats: %d\n  rounds: %d\n  threads: %d\n  batch: %d\n", r->warmup,
                  r->repeats, r->rounds, r->threads, r->batch);
    (void)fprintf(file, "  time_limit_seconds: %.9g\n", r->time_limit_seconds);
}

static void put_device(FILE *file, const sq_device_info *info)
{
    char rules[128];
    sq_yaml_put_text(file, "", "name", info->name);
    sq_yaml_put_text(file, "", "runtime", info->runtime);
    sq_yaml_put_text(file, "", "dtype", info->dtype);
    (void)fprintf(file, "batch: %d\nthreads: %d\n", info->batch, info->threads);
    sq_yaml_put_text(file, "", "clocks", info->clocks);
    sq_yaml_put_text(file, "", "date", info->date);
    sq_yaml_put_text(file, "", "source", info->source);
    sq_yaml_put_text(file, "", "licence", info->licence);
    sq_yaml_put_text(file, "", "space", info->space);
    put_number(file, "resolution", info->resolution, 0);
    (void)fprintf(file, "unit: ms\nbase_ms: %.9g\nscale: %.9g\n", info->base_ms, info->scale);
    put_number(file, "residual_ms", info->residual_ms, 0);
    sq_yaml_put_text(file, "", "doubt", info->doubt);
    put_number(file, "base_energy_mj", info->base_energy_mj, 0);
    put_number(file, "base_area_mm2", info->base_area_mm2, 0);
    (void)fprintf(file, "measured: %s\n", info->is_measured ? "true" : "false");
    sq_device_constraints_print(&info->constraints, rules, sizeof rules);
    if (*rules)
        (void)fprintf(file, "rules: {drop: [%s]}\n", rules);
    if (info->has_runner)
        put_runner(file, &info->runner);
}

sq_status sq_device_write(const sq_device_info *info, const char *path)
{
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    put_device(w.stream, info);
    return sq_file_finish(&w, path);
}
