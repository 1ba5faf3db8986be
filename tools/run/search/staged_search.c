/* squall search --two-stage. Each stage fixes all layers except its own, trains the supernet from the weights of the
 * previous stage, and searches its own layers. A stage is an ordinary run with a complete config.yaml, so that it can
 * be reported, resumed and exported alone. */
#include "tools/run/search/staged_search.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/json_file.h"
#include "search/select/select.h"
#include "search/stages.h"
#include "tools/run/messages.h"
#include "tools/run/trained_run.h"
#include "tools/run/training.h"

enum { ARCH_BYTES = 1024 };

typedef struct {
    const char *config, *run;
    const sq_search_request *searching;
    sq_options options; /* the user's overrides, followed by the overrides of the stage */
    int user_count;
    sq_space *space;
    sq_stages stages;
    int path[SQ_MAX_LAYERS]; /* the current choice of each layer */
    int64_t spos_steps;      /* train.steps of the configuration: the cost of a search without stages */
} job;

/* Returns whether this is rank 0, which alone writes files and prints. */
static bool is_first(const job *j)
{
    return sq_ranks_rank(j->searching->ranks) == 0;
}

static sq_status stage_folder(const job *j, int stage, char *out)
{
    char name[32];
    (void)snprintf(name, sizeof name, "stage-%d", stage + 1);
    return sq_text_path(out, SQ_PATH_BYTES, j->run, name);
}

/* ---- Options of a stage ---- */

static sq_status set(job *j, const char *key, const char *value)
{
    return sq_options_add(&j->options, key, value);
}

static sq_status set_stage(job *j, int stage)
{
    const sq_stage *s = &j->stages.list[stage];
    char free_layers[32], arch[ARCH_BYTES], steps[32], lr[32], from[SQ_PATH_BYTES];
    sq_options_truncate(&j->options, j->user_count);
    (void)snprintf(free_layers, sizeof free_layers, "%d-%d", s->first + 1, s->last + 1);
    (void)sq_arch_print(j->space, j->path, arch, sizeof arch);
    (void)snprintf(steps, sizeof steps, "%" PRId64, s->steps);
    (void)snprintf(lr, sizeof lr, "%.17g", s->lr);
    SQ_TRY(set(j, "layers.search", free_layers));
    SQ_TRY(set(j, "layers.fixed", arch));
    SQ_TRY(set(j, "train.steps", steps));
    SQ_TRY(set(j, "train.lr", lr));
    if (stage == 0)
        return SQ_OK;
    SQ_TRY(stage_folder(j, stage - 1, from));
    return set(j, "train.from", from);
}

/* ---- One stage ---- */

static sq_status train_stage(job *j, const char *folder)
{
    sq_session s = {.ranks = j->searching->ranks};
    const sq_training_request training = {
        .run = folder, .is_resumed = j->searching->is_resumed, .is_quiet = j->searching->is_quiet, .has_start = true};
    SQ_TRY(sq_ranks_agree(s.ranks, sq_session_open(&s, j->config, &j->options, SQ_OPEN_DATA | SQ_OPEN_TRAINING)));
    const sq_status status = sq_training_run(&s, &training);
    sq_session_close(&s);
    return sq_ranks_agree(j->searching->ranks, status);
}

/* Trains the supernet of a stage and searches the stage's layers. If the stage is finished, nothing is computed again,
 * but training refuses a different seed or batch, and the search refuses different options, limits or weights. */
static sq_status run_stage(job *j, int stage)
{
    char folder[SQ_PATH_BYTES], arch[SQ_PATH_BYTES];
    SQ_TRY(stage_folder(j, stage, folder));
    SQ_TRY(sq_text_path(arch, sizeof arch, folder, "search/arch.json"));
    SQ_TRY(set_stage(j, stage));
    if (is_first(j)) {
        (void)printf("stage %d of %d: layers %d to %d are searched\n", stage + 1, j->stages.count,
                     j->stages.list[stage].first + 1, j->stages.list[stage].last + 1);
        (void)fflush(stdout); /* the line must precede the progress line on stderr */
    }
    SQ_TRY(train_stage(j, folder));
    SQ_TRY(sq_search_trained_run(folder, &j->options, j->searching));
    SQ_TRY(sq_ranks_agree(j->searching->ranks, is_first(j) ? sq_arch_read(j->space, arch, j->path) : SQ_OK));
    return sq_ranks_broadcast(j->searching->ranks, j->path, sizeof j->path);
}

/* With --resume never, removes the folders of all older stages. An older search can have had more stages than the
 * configuration has now. */
static sq_status forget(const job *j)
{
    char path[SQ_PATH_BYTES];
    if (j->searching->is_resumed || !is_first(j))
        return SQ_OK;
    for (int i = 0; i < SQ_MAX_STAGES; i++) {
        SQ_TRY(stage_folder(j, i, path));
        SQ_TRY(sq_path_remove(path));
    }
    SQ_TRY(sq_text_path(path, sizeof path, j->run, "stages.json"));
    return sq_path_remove(path);
}

/* ---- Start and summary ---- */

/* Chooses one operator of each layer by its score on the first device (search/select/select.h). */
static sq_status choose_operators(const sq_session *s, void (*choose)(const sq_selection *, int *), int *path)
{
    const sq_latency_config *device = &s->config->latency[0];
    sq_select_options options = SQ_SELECT_OPTIONS;
    sq_latency_cache cache = {0};
    sq_selection selection = {0};
    options.keep = 1;
    if (!*device->device)
        return sq_fail(SQ_INVALID, "stages.start: %s needs a device (--latency); else give an architecture",
                       s->config->stages.start);
    sq_status status = sq_latency_load(&cache, device->device, s->space, (sq_fill)device->fill);
    if (status == SQ_OK)
        status = sq_select_run(&selection, s->space, &cache, &options);
    if (status == SQ_OK)
        choose(&selection, path);
    sq_select_clear(&selection);
    sq_latency_cache_clear(&cache);
    return status;
}

static sq_status begin(job *j)
{
    sq_session s = {0};
    SQ_TRY(sq_session_open(&s, j->config, &j->options, SQ_OPEN_DATA));
    const sq_config *c = s.config;
    sq_status status = sq_stages_read(
        &j->stages, s.space, &(sq_stages_text){c->stages.groups, c->stages.steps, c->stages.lr, c->train.steps, c->lr});
    if (status == SQ_OK && (*c->layers_search || *c->layers_fixed || *c->train_from))
        status =
            sq_fail(SQ_INVALID, "layers.search, layers.fixed, train.from: expected none of them; each stage sets them");
    if (status == SQ_OK && strcmp(c->stages.start, "score") == 0)
        status = choose_operators(&s, sq_select_best, j->path);
    else if (status == SQ_OK && strcmp(c->stages.start, "middle") == 0)
        status = choose_operators(&s, sq_select_middle, j->path);
    else if (status == SQ_OK)
        status = sq_arch_read(s.space, c->stages.start, j->path);
    j->spos_steps = c->train.steps;
    j->space = s.space; /* the space is kept, because its number of classes comes from the data */
    s.space = NULL;
    sq_session_close(&s);
    return status;
}

/* Writes stages.json, without times, so that a resumed search writes the same bytes. */
static sq_status write_summary(const job *j)
{
    char path[SQ_PATH_BYTES], arch[ARCH_BYTES];
    json_t *list = json_array();
    (void)sq_arch_print(j->space, j->path, arch, sizeof arch);
    for (int i = 0; i < j->stages.count; i++) {
        const sq_stage *s = &j->stages.list[i];
        json_array_append_new(list, json_pack("{s:i, s:i, s:I, s:f}", "first", s->first + 1, "last", s->last + 1,
                                              "steps", (json_int_t)s->steps, "lr", s->lr));
    }
    json_t *whole =
        json_pack("{s:s, s:s, s:o, s:I, s:I}", "space", j->space->name, "tuple", arch, "stages", list, "steps",
                  (json_int_t)sq_stages_steps(&j->stages), "steps_of_one_group", (json_int_t)j->spos_steps);
    const sq_status status = sq_text_path(path, sizeof path, j->run, "stages.json");
    if (status != SQ_OK) {
        json_decref(whole);
        return status;
    }
    return sq_json_write(path, whole);
}

/* Returns the seconds of training according to the run's timing.jsonl; 0 without this file. Skips incomplete lines. */
static double trained_seconds(const char *folder)
{
    char path[SQ_PATH_BYTES], line[1024];
    double seconds = 0;
    FILE *file = sq_text_path(path, sizeof path, folder, "timing.jsonl") == SQ_OK ? fopen(path, "r") : NULL;
    while (file && fgets(line, sizeof line, file)) {
        json_t *object = json_loads(line, 0, NULL);
        seconds += json_number_value(json_object_get(object, "seconds"));
        json_decref(object);
    }
    if (file)
        (void)fclose(file);
    return seconds;
}

/* Prints the training time of all stages, and the time of a single group of all layers (as in SPOS) at the same
 * speed. */
static void print_seconds(const job *j, int64_t steps)
{
    char folder[SQ_PATH_BYTES], text[2][64];
    double seconds = 0;
    for (int i = 0; i < j->stages.count; i++)
        if (stage_folder(j, i, folder) == SQ_OK)
            seconds += trained_seconds(folder);
    if (seconds > 0)
        sq_print_row("time of training", "%s; one group at this speed %s",
                     sq_text_duration(text[0], sizeof *text, seconds),
                     sq_text_duration(text[1], sizeof *text, seconds * (double)j->spos_steps / (double)steps));
}

static void print_summary(const job *j)
{
    const int64_t steps = sq_stages_steps(&j->stages);
    char arch[ARCH_BYTES];
    (void)sq_arch_print(j->space, j->path, arch, sizeof arch);
    (void)printf("found in %d stages\n", j->stages.count);
    sq_print_row("path", "%s", arch);
    sq_print_row("training", "%" PRId64 " steps; one group takes %" PRId64 " (train.steps): %+.1f %%", steps,
                 j->spos_steps, 100.0 * ((double)steps / (double)j->spos_steps - 1));
    print_seconds(j, steps);
    sq_print_row("file", "%s/stages.json", j->run);
    (void)printf("next: squall export %s/stage-%d\n", j->run, j->stages.count);
}

sq_status sq_search_in_stages(const char *config, const char *run, const sq_options *options,
                              const sq_search_request *searching)
{
    job *j = calloc(1, sizeof *j);
    if (!j)
        return sq_fail(SQ_NO_MEMORY, "%s: stages", run);
    j->config = config;
    j->run = run;
    j->searching = searching;
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < options->override_count; i++)
        status = sq_options_add(&j->options, "", options->overrides[i]);
    j->user_count = options->override_count;
    status = sq_ranks_agree(searching->ranks, status == SQ_OK ? begin(j) : status);
    if (status == SQ_OK)
        status = sq_ranks_agree(searching->ranks, forget(j));
    for (int i = 0; status == SQ_OK && i < j->stages.count; i++)
        status = run_stage(j, i);
    if (status == SQ_OK && is_first(j)) {
        status = write_summary(j);
        if (status == SQ_OK)
            print_summary(j);
    }
    status = sq_ranks_agree(searching->ranks, status);
    sq_space_free(j->space);
    sq_options_clear(&j->options);
    free(j);
    return status;
}
