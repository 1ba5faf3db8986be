/* What commands share: options, the configured data sets, and a trained run. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/loader/cores.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/stages.h"
#include "supernet/train/checkpoint.h"
#include "supernet/ranks/launcher.h"
#include "supernet/export/safetensors.h"
#include "tools/run/session.h"

enum { PATH_BYTES = 4096 };
#define LEAST_JOIN 30.0 /* seconds: processes that a launcher starts do not begin together */

int sq_command_fail(const char *name, sq_status status)
{
    if (!sq_ranks_is_told())
        (void)fprintf(stderr, "squall %s: %s\n", name, sq_error_text());
    return sq_exit_code(status);
}

bool sq_command_is_silent(void)
{
    if (sq_launcher_rank() == 0)
        return false;
    (void)sleep(1); /* the launcher ends all when one has failed: the first one shall have said why */
    return true;
}

int sq_command_usage(const char *name, const char *format, ...)
{
    va_list arguments;
    if (sq_command_is_silent())
        return 2;
    va_start(arguments, format);
    (void)fprintf(stderr, "squall %s: ", name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "; see squall help %s\n", name);
    va_end(arguments);
    return 2;
}

void sq_print_row(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)printf("  %-24s ", name);
    (void)vprintf(format, arguments);
    (void)putchar('\n');
    va_end(arguments);
}

/* ---- Options ---- */

static const sq_option common[] = {{"--device", NULL, NULL, "device"},
                                   {"--seed", NULL, NULL, "seed"},
                                   {"--threads", NULL, NULL, "threads"},
                                   {"--graphs", NULL, NULL, "graphs"},
                                   {"--engine", NULL, NULL, "engine"},
                                   {"--set", NULL, NULL, ""},
                                   {NULL, NULL, NULL, NULL}};

static const sq_option *find_option(const sq_option *options, const char *name, size_t length)
{
    for (; options->name; options++)
        if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
            return options;
    return NULL;
}

static bool add_override(sq_options *out, const char *key, const char *value)
{
    if (out->override_count == SQ_MAX_OVERRIDES)
        return false;
    char *text = out->storage[out->override_count];
    const int needed = *key ? snprintf(text, sizeof *out->storage, "%s=%s", key, value)
                            : snprintf(text, sizeof *out->storage, "%s", value);
    out->overrides[out->override_count++] = text;
    return needed >= 0 && (size_t)needed < sizeof *out->storage;
}

static int unknown_option(const char *command, const sq_option *options, const char *name)
{
    char hint[SQ_TEXT_SUGGESTION];
    const char *names[2 * SQ_MAX_OPTIONS];
    int count = 0;
    for (const sq_option *o = options; o->name; o++)
        names[count++] = o->name;
    for (const sq_option *o = common; o->name; o++)
        names[count++] = o->name;
    return sq_command_usage(command, "unknown option '%s'%s", name,
                            sq_text_suggestion(hint, sizeof hint, name, names, count));
}

int sq_options_read(sq_options *out, const sq_option *options, int argc, char **argv, bool *is_help)
{
    memset(out, 0, sizeof *out);
    *is_help = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        const size_t length = equals && word[0] == '-' ? (size_t)(equals - word) : strlen(word);
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *is_help = true;
            return 0;
        }
        if (word[0] != '-' || !word[1]) {
            if (out->argument_count == 8)
                return sq_command_usage(argv[0], "'%s' is one argument too many", word);
            out->arguments[out->argument_count++] = word;
            continue;
        }
        const sq_option *o = find_option(options, word, length);
        o = o ? o : find_option(common, word, length);
        if (!o)
            return unknown_option(argv[0], options, word);
        if (o->flag) {
            *o->flag = true;
            continue;
        }
        const char *value = length < strlen(word) ? word + length + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return sq_command_usage(argv[0], "%s needs a value", o->name);
        if (o->value)
            *o->value = value;
        if (o->key && !add_override(out, o->key, value))
            return sq_command_usage(argv[0], "%s %s: too long, or too many", o->name, value);
    }
    return 0;
}

int sq_options_number(const char *command, const char *name, const char *text, int64_t minimum, int64_t maximum,
                      int *out)
{
    int64_t value;
    if (!sq_text_int(text, minimum, maximum, &value))
        return sq_command_usage(command, "%s: '%s', wanted a whole number from %lld to %lld", name, text,
                                (long long)minimum, (long long)maximum);
    *out = (int)value;
    return 0;
}

/* ---- Session ---- */

static sq_status limit_classes(sq_dataset **out, sq_dataset *whole, int classes)
{
    if (classes == 0) {
        *out = whole;
        return SQ_OK;
    }
    return sq_dataset_limit_classes(out, whole, classes);
}

static sq_status open_val(sq_session *s)
{
    const sq_data_config *data = &s->config->data;
    const char *source = *data->val ? data->val : data->train;
    SQ_TRY(sq_dataset_open(&s->whole_val, source, "val"));
    if (s->whole)
        SQ_TRY(sq_dataset_same_classes(s->whole, s->whole_val));
    return limit_classes(&s->val, s->whole_val, data->classes);
}

static sq_status open_data(sq_session *s)
{
    const sq_data_config *data = &s->config->data;
    if (!*data->train)
        return sq_fail(SQ_INVALID, "data.train: empty, wanted a folder or tar with train/<class>/<image>");
    if (data->cache == SQ_DATA_CACHE_DEVICE && data->decode != SQ_DECODE_EXACT)
        return sq_fail(SQ_INVALID, "data.cache: device: keeps whole images, wanted data.decode: exact");
    SQ_TRY(sq_dataset_open(&s->whole, data->train, "train"));
    SQ_TRY(limit_classes(&s->all, s->whole, data->classes));
    if (data->held_out > 0)
        SQ_TRY(sq_dataset_hold_out(&s->held_out, s->all, data->held_out, (uint64_t)s->config->seed, true));
    return sq_dataset_hold_out(&s->train, s->all, data->held_out, (uint64_t)s->config->seed, false);
}

/* scope.free and scope.fixed: what the sampler and a searcher may draw. */
static sq_status make_scope(sq_session *s)
{
    int path[SQ_MAX_LAYERS] = {0};
    sq_config *config = s->config;
    if (!*config->scope_free && !*config->scope_fixed)
        return SQ_OK;
    if (!*config->scope_free || !*config->scope_fixed)
        return sq_fail(SQ_INVALID, "scope: free '%s', fixed '%s': wanted both, or neither", config->scope_free,
                       config->scope_fixed);
    SQ_TRY(sq_arch_read(s->space, config->scope_fixed, path));
    s->search_mask = calloc(1, sizeof *s->search_mask);
    if (!s->search_mask)
        return sq_fail(SQ_NO_MEMORY, "scope");
    SQ_TRY(sq_search_mask_read(s->search_mask, s->space, config->scope_free, path));
    config->train.sampler.search_mask = config->search.search_mask = s->search_mask;
    return SQ_OK;
}

int sq_session_threads(const sq_session *s)
{
    const int local = sq_ranks_local_count(s->ranks);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    sq_cores cores;
    sq_cores_find(&cores, NULL);
    if (s->config->threads > 0 || local == 1 || cores.count < online)
        return s->config->threads;
    return cores.count > local ? cores.count / local : 1;
}

static sq_status open_backend(sq_session *s, bool is_training)
{
    const sq_backend_options options = {.threads = sq_session_threads(s),
                                        .no_graphs = s->config->graphs == 0,
                                        .engine = (sq_engine)s->config->engine,
                                        .device = sq_ranks_local(s->ranks),
                                        .is_dealt = sq_ranks_count(s->ranks) > 1};
    SQ_TRY(sq_backend_open_with(s->config->device, &options, &s->backend));
    if (!is_training)
        return SQ_OK; /* nothing is reduced */
    SQ_TRY(sq_ranks_attach(s->ranks, s->backend));
    return s->config->sync_batch_norm ? sq_ranks_share_norms(s->ranks, s->backend) : SQ_OK;
}

sq_status sq_session_join(sq_ranks **out, const sq_options *options)
{
    static const char key[] = "ranks.time_limit=";
    double seconds = 0; /* the default; so it is for a text that reading the configuration will refuse */
    for (int i = 0; i < options->override_count; i++)
        if (strncmp(options->overrides[i], key, strlen(key)) == 0)
            (void)sq_text_double(options->overrides[i] + strlen(key), 0, 1e9, &seconds);
    return sq_ranks_open(out, seconds > 0 && seconds < LEAST_JOIN ? LEAST_JOIN : seconds);
}

int sq_session_leave(const char *command, sq_ranks *ranks, sq_status status)
{
    const int code = status == SQ_OK ? 0 : sq_command_fail(command, status);
    (void)fflush(stdout); /* a failure is main's to find */
    sq_ranks_close(ranks, code);
    return code;
}

sq_status sq_session_open(sq_session *out, const char *config_path, const char *const *overrides, int override_count,
                          unsigned flags)
{
    sq_session s = {.ranks = out->ranks};
    sq_status status = sq_config_read(&s.config, config_path, overrides, override_count);
    if (status == SQ_OK)
        sq_ranks_set_time_limit(s.ranks, s.config->ranks_time_limit);
    if (status == SQ_OK && flags & SQ_OPEN_DATA)
        status = open_data(&s);
    if (status == SQ_OK && flags & SQ_OPEN_VAL)
        status = open_val(&s);
    if (status == SQ_OK)
        status = sq_space_read(&s.space, s.config->space, s.config->data.resolution,
                               s.all ? sq_dataset_class_count(s.all) : 0);
    if (status == SQ_OK)
        status = make_scope(&s);
    if (status == SQ_OK && flags & (SQ_OPEN_BACKEND | SQ_OPEN_TRAINING))
        status = open_backend(&s, flags & SQ_OPEN_TRAINING);
    if (status == SQ_OK)
        *out = s;
    else
        sq_session_close(&s);
    return status;
}

void sq_session_close(sq_session *s)
{
    if (s->val != s->whole_val)
        sq_dataset_close(s->val);
    sq_dataset_close(s->whole_val);
    sq_dataset_close(s->train);
    sq_dataset_close(s->held_out);
    if (s->all != s->whole)
        sq_dataset_close(s->all);
    sq_dataset_close(s->whole);
    sq_space_free(s->space);
    sq_backend_close(s->backend);
    free(s->search_mask);
    sq_config_free(s->config);
    memset(s, 0, sizeof *s);
}

sq_loader_options sq_session_loader(const sq_session *s, bool is_training)
{
    sq_loader_options options = {
        .transform = s->config->data.transform,
        .batch = is_training ? s->config->train.batch / sq_ranks_count(s->ranks) : 256,
        .is_shuffled = is_training,
        .seed = (uint64_t)s->config->seed,
        .threads = s->config->data.threads,
        .ring = s->config->data.ring,
        .max_bad = s->config->data.max_bad,
        .decode = (sq_decode)s->config->data.decode,
    };
    options.transform.is_augmented = is_training;
    options.transform.resolution = s->space->resolution;
    return options;
}

sq_status sq_session_cache(const sq_session *s, const sq_dataset *dataset, sq_cache_plan *out)
{
    const sq_data_config *data = &s->config->data;
    *out = (sq_cache_plan){.form = SQ_CACHE_NONE};
    if (data->cache == SQ_DATA_CACHE_NONE)
        return SQ_OK;
    const int processes = sq_ranks_local_count(s->ranks);
    if (data->cache == SQ_DATA_CACHE_RAM)
        return sq_cache_plan_make(out, dataset, sq_cache_budget(data->cache_mb, processes),
                                  data->decode == SQ_DECODE_EXACT);
    if (!s->backend)
        return sq_fail(SQ_INVALID, "data.cache: device: nothing trains here, wanted none or ram");
    return sq_device_cache_plan(out, dataset, s->backend, data->cache_mb, processes);
}

void sq_print_cache(const sq_cache_plan *plan)
{
    char wanted[32], taken[32];
    if (plan->form == SQ_CACHE_NONE)
        return;
    (void)sq_text_si(wanted, sizeof wanted, (double)plan->wanted_bytes, "B");
    (void)sq_text_si(taken, sizeof taken, (double)plan->bytes, "B");
    const char *form = plan->form == SQ_CACHE_ENCODED ? "encoded" : "decoded";
    if (plan->form == SQ_CACHE_DEVICE)
        sq_print_row("cache", "device: all %zu images, decoded, about %s", plan->image_count, wanted);
    else if (plan->cached_count == plan->image_count)
        sq_print_row("cache", "ram: all %zu images, %s, about %s", plan->image_count, form, wanted);
    else
        sq_print_row("cache", "ram: about %zu of %zu images, %s, in %s; all would take about %s", plan->cached_count,
                     plan->image_count, form, taken, wanted);
}

sq_block_options sq_session_block(const sq_session *s, int batch, bool is_supernet)
{
    const sq_data_config *data = &s->config->data;
    sq_block_options options = {
        .batch = batch,
        .label_smoothing = (float)s->config->train.label_smoothing,
        .is_supernet = is_supernet,
        .has_average = s->config->train.average_decay > 0,
        .is_raw = data->range == 1,
        .is_bgr = data->channel_order == 1,
    };
    memcpy(options.mean, data->mean, sizeof options.mean);
    memcpy(options.deviation, data->std, sizeof options.deviation);
    return options;
}

/* ---- Runs ---- */

/* A run that trained one path says so in its arch.json. */
static sq_status open_space(sq_run *r, const char *run)
{
    char path[PATH_BYTES];
    int layers[SQ_MAX_LAYERS];
    r->space = r->session.space;
    if (!sq_text_path(path, sizeof path, run, "arch.json") || !sq_path_exists(path))
        return SQ_OK;
    SQ_TRY(sq_arch_read(r->session.space, path, layers));
    (void)sq_arch_print(r->session.space, layers, r->single_arch, sizeof r->single_arch);
    SQ_TRY(sq_space_single(&r->single, r->session.space, layers));
    r->space = r->single;
    return SQ_OK;
}

sq_status sq_run_read_arch(const sq_run *run, const char *arch, int *path)
{
    char asked[1024];
    SQ_TRY(sq_arch_read(run->session.space, arch, path));
    (void)sq_arch_print(run->session.space, path, asked, sizeof asked);
    if (run->single && strcmp(asked, run->single_arch) != 0)
        return sq_fail(SQ_INVALID, "--arch %s: this run trained only %s", asked, run->single_arch);
    return SQ_OK;
}

static void warn(const char *line)
{
    (void)fprintf(stderr, "passed over: %s\n", line);
}

static sq_status load_weights(sq_run *r, const char *run)
{
    char folder[PATH_BYTES];
    int64_t step = 0;
    sq_training_state state = {.space_hash = sq_space_hash(r->space)};
    const sq_model_options options = {.block = sq_session_block(&r->session, 1, r->single == NULL)};
    SQ_TRY(sq_checkpoint_find(run, folder, sizeof folder, &step, warn));
    SQ_TRY(sq_model_create(&r->model, r->session.backend, r->space, &options));
    SQ_TRY(sq_checkpoint_read(folder, r->model, false, &state));
    if (options.block.has_average)
        SQ_TRY(sq_checkpoint_read_average(folder, r->model));
    r->step = state.step;
    r->weights = sq_hash(SQ_HASH_START, &state.step, sizeof state.step);
    r->weights = sq_hash(r->weights, &state.seed, sizeof state.seed);
    r->weights = sq_hash(r->weights, &state.space_hash, sizeof state.space_hash);
    return SQ_OK;
}

/* Brings `wanted` of the indices to the front, drawn by seed. */
static void draw_indices(size_t *indices, size_t wanted, size_t all, sq_rng *rng)
{
    for (size_t i = 0; i < wanted; i++) {
        const size_t j = i + sq_rng_below(rng, (uint32_t)(all - i)), swap = indices[i];
        indices[i] = indices[j];
        indices[j] = swap;
    }
}

/* `count` images of the training part, spread over it by seed. */
static sq_status load_calibration(sq_run *r)
{
    const sq_loader_options options = sq_session_loader(&r->session, false);
    const size_t all = sq_dataset_count(r->session.train);
    size_t wanted = (size_t)r->session.config->search.calibration_images;
    wanted = wanted < all ? wanted : all;
    size_t *indices = malloc(all * sizeof *indices);
    if (!indices)
        return sq_fail(SQ_NO_MEMORY, "calibration images");
    sq_rng rng = sq_rng_open((uint64_t)r->session.config->seed, SQ_RNG_CALIBRATE, 0);
    for (size_t i = 0; i < all; i++)
        indices[i] = i;
    draw_indices(indices, wanted, all, &rng);
    const sq_status status = sq_image_set_load(&r->calibration, r->session.train, &options, indices, wanted);
    free(indices);
    return status;
}

static sq_status load_validation(sq_run *r, bool on_val)
{
    const sq_loader_options options = sq_session_loader(&r->session, false);
    const sq_dataset *source = on_val ? r->session.val : r->session.held_out;
    if (!source)
        return sq_fail(SQ_INVALID, "data.held_out: 0, so there is nothing to score on; give a share, or --on-val");
    const size_t all = sq_dataset_count(source);
    const size_t asked = (size_t)r->session.config->search.evaluation_images,
                 wanted = asked && asked < all ? asked : all;
    size_t *indices = malloc(wanted * sizeof *indices);
    if (!indices)
        return sq_fail(SQ_NO_MEMORY, "held-out images");
    for (size_t i = 0; i < wanted; i++)
        indices[i] = i * all / wanted;                         /* evenly: images are sorted by class */
    if (r->session.config->search.kind == SQ_SEARCH_HALVING) { /* any first so many are a fair sample */
        sq_rng rng = sq_rng_open((uint64_t)r->session.config->seed, SQ_RNG_CALIBRATE, 1);
        draw_indices(indices, wanted, wanted, &rng);
    }
    const sq_status status = sq_image_set_load(&r->validation, source, &options, indices, wanted);
    free(indices);
    return status;
}

static sq_status load_model(sq_run *r, const char *run)
{
    SQ_TRY(open_space(r, run));
    return load_weights(r, run);
}

static sq_status open_run(sq_run *r, const char *run, const char *other_config, const sq_options *options, bool on_val)
{
    char path[PATH_BYTES];
    const unsigned flags = SQ_OPEN_DATA | SQ_OPEN_BACKEND | (on_val ? SQ_OPEN_VAL : 0);
    if (!sq_text_path(path, sizeof path, run, "config.yaml"))
        return sq_fail(SQ_INVALID, "%s: the path is too long", run);
    if (!other_config && !sq_path_exists(path))
        return sq_fail(SQ_INVALID, "%s: not a run: no config.yaml in it (squall train makes one)", run);
    SQ_TRY(sq_session_open(&r->session, other_config ? other_config : path, options->overrides, options->override_count,
                           flags));
    SQ_TRY(load_model(r, run));
    SQ_TRY(load_calibration(r));
    SQ_TRY(load_validation(r, on_val));
    const sq_search_options *search = &r->session.config->search;
    r->calibration_batch = (size_t)search->calibration_batch < r->calibration.count ? search->calibration_batch
                                                                                    : (int)r->calibration.count;
    return SQ_OK;
}

enum { DEFAULT_BATCH = 200 }; /* where a search would measure: for one path that does not pay */

sq_status sq_run_open_evaluator(sq_run *r)
{
    const int asked = r->session.config->search.evaluation_batch, batch = asked ? asked : DEFAULT_BATCH;
    return sq_evaluator_create(&r->evaluator, r->session.backend, r->space, r->model, false, &r->calibration,
                               r->calibration_batch, &r->validation, batch);
}

sq_status sq_run_open(sq_run *out, const char *run, const char *other_config, const sq_options *options, bool on_val)
{
    *out = (sq_run){.session = {.ranks = out->session.ranks}};
    const sq_status status = open_run(out, run, other_config, options, on_val);
    if (status != SQ_OK)
        sq_run_close(out);
    return status;
}

void sq_run_unload(sq_run *r)
{
    sq_evaluator_destroy(r->evaluator);
    sq_model_destroy(r->model);
    sq_space_free(r->single);
    r->evaluator = NULL;
    r->model = NULL;
    r->single = r->space = NULL;
    r->single_arch[0] = 0;
}

sq_status sq_run_load(sq_run *r, const char *folder)
{
    sq_run_unload(r);
    SQ_TRY(load_model(r, folder));
    return sq_run_open_evaluator(r);
}

void sq_run_close(sq_run *r)
{
    sq_run_unload(r);
    sq_image_set_clear(&r->calibration);
    sq_image_set_clear(&r->validation);
    sq_session_close(&r->session);
    memset(r, 0, sizeof *r);
}
