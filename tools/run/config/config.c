/* Reads configurations: defaults, files, overrides, checks. */
#include "tools/run/config/config.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/run/config/reader.h"
#include "tools/run/config/value.h"
#include "tools/run/share_folder.h"

/* ---- Paths ---- */

static bool try_path(char **value, const char *candidate)
{
    char resolved[PATH_MAX];
    if (!realpath(candidate, resolved))
        return false;
    return sq_value_set_text(value, resolved) == SQ_OK;
}

/* Makes relative paths absolute. A relative path is searched in the working folder, the configuration's folder and the
 * share folder. A path that is not found stays unchanged, and opening the file later fails. */
static void resolve_paths(sq_config *config, const char *path)
{
    char folder[SQ_PATH_BYTES], candidate[SQ_PATH_BYTES];
    sq_path_parent(folder, sizeof folder, path ? path : "");
    for (int i = 0; i < sq_key_count; i++)
        for (int device = 0; device < sq_key_devices(&sq_keys[i]); device++) {
            char **value = sq_value_at(config, &sq_keys[i], device);
            if (sq_keys[i].type != SQ_KEY_FILE_PATH || !**value || try_path(value, *value))
                continue;
            if (sq_text_path(candidate, sizeof candidate, folder, *value) == SQ_OK && try_path(value, candidate))
                continue;
            if (sq_share_path(candidate, sizeof candidate, *value))
                (void)try_path(value, candidate);
        }
}

/* ---- Checks ---- */

static sq_status check(const sq_config *config)
{
    const sq_transform *t = &config->data.transform;
    if (t->area_min > t->area_max || t->aspect_min > t->aspect_max)
        return sq_fail(SQ_INVALID, "data: area %g..%g, aspect %g..%g: a minimum exceeds its maximum", t->area_min,
                       t->area_max, t->aspect_min, t->aspect_max);
    const int devices = sq_config_device_count(config);
    for (int i = 0; i < SQ_MAX_DEVICES; i++)
        if (i >= devices && (*config->latency[i].device || config->latency[i].limit_ms > 0 ||
                             config->latency[i].limit_energy_mj > 0 || config->latency[i].limit_area_mm2 > 0))
            return sq_fail(SQ_INVALID, "latency: found %s without a device; give --latency",
                           *config->latency[i].device ? "a device after an empty device" : "a limit");
    if (config->search.temperature < config->search.final_temperature)
        return sq_fail(SQ_INVALID, "search.final_temperature: found %g, expected at most search.temperature (%g)",
                       config->search.final_temperature, config->search.temperature);
    if (config->train.schedule.warmup_steps > config->train.steps)
        return sq_fail(SQ_INVALID, "train.warmup_steps: found %lld, expected at most train.steps (%lld)",
                       (long long)config->train.schedule.warmup_steps, (long long)config->train.steps);
    return SQ_OK;
}

/* Scales the learning rates from lr_batch to train.batch. Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD",
 * section 2.1 (linear, with a warm-up); Krizhevsky 2014, "One weird trick for parallelizing convolutional neural
 * networks" (sqrt, which keeps the gradient's variance). */
static void scale_rates(sq_config *config)
{
    const double ratio = config->lr_batch ? (double)config->train.batch / config->lr_batch : 1;
    const double factor = config->lr_rule ? sqrt(ratio) : ratio;
    config->train.schedule.base = factor * config->lr;
    config->train.schedule.final = factor * config->final_lr;
}

static sq_status set_defaults(sq_config *config)
{
    for (int i = 0; i < sq_key_count; i++)
        for (int device = 0; device < sq_key_devices(&sq_keys[i]); device++)
            SQ_TRY(sq_value_set(config, &sq_keys[i], device, sq_keys[i].initial, "default"));
    return SQ_OK;
}

static sq_status read_all(sq_config *config, const char *path, const char *const *overrides, int override_count)
{
    SQ_TRY(set_defaults(config));
    if (path)
        SQ_TRY(sq_config_read_file(config, path));
    for (int i = 0; i < override_count; i++)
        SQ_TRY(sq_config_read_override(config, overrides[i]));
    return check(config);
}

sq_status sq_config_read(sq_config **out, const char *path, const char *const *overrides, int override_count)
{
    char shared[SQ_PATH_BYTES];
    sq_config *config = calloc(1, sizeof *config);
    if (!config)
        return sq_fail(SQ_NO_MEMORY, "configuration");
    path = path ? sq_share_find(shared, sizeof shared, path) : NULL;
    const sq_status status = read_all(config, path, overrides, override_count);
    if (status != SQ_OK) {
        sq_config_free(config);
        return status;
    }
    resolve_paths(config, path);
    config->train.seed = config->search.seed = (uint64_t)config->seed;
    config->search.write_retries = config->train.write_retries;
    config->train.schedule.steps = config->train.steps;
    scale_rates(config);
    *out = config;
    return SQ_OK;
}

void sq_config_free(sq_config *config)
{
    if (!config)
        return;
    for (int i = 0; i < sq_key_count; i++)
        for (int device = 0; device < sq_key_devices(&sq_keys[i]); device++)
            if (sq_value_is_text(&sq_keys[i]))
                free(*(char **)sq_value_at(config, &sq_keys[i], device));
    free(config);
}

int sq_config_device_count(const sq_config *config)
{
    int count = 0;
    while (count < SQ_MAX_DEVICES && *config->latency[count].device)
        count++;
    return count;
}

const char *sq_config_difference(const sq_config *a, const sq_config *b)
{
    for (int i = 0; i < sq_key_count; i++)
        if (sq_keys[i].decides_training && !sq_value_is_same(a, b, &sq_keys[i]))
            return sq_keys[i].key;
    return NULL;
}
