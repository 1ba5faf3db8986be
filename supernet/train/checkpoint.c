/* A checkpoint is complete or absent, and reading it verifies the checksums. model.safetensors has the tensors
 * "<name>". optim.safetensors has "<name>.momentum", and "<name>.average" for the moving average. */
#include "supernet/train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/all_finite.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/export/safetensors.h"

enum { LARGEST_STATE = 1 << 20 };

/* ---- Tensors ---- */

typedef struct {
    sq_tensor *tensors;
    char (*names)[160];
    float *values;
    int count;
    size_t value_count;
} tensor_list;

static void clear_list(tensor_list *list)
{
    free(list->tensors);
    free(list->names);
    free(list->values);
}

static size_t values_in(const sq_memory_plan *plan)
{
    size_t count = 0;
    for (int i = 0; i < plan->parameter_count; i++)
        count += plan->parameters[i].count;
    return count;
}

static sq_status open_list(tensor_list *list, const sq_memory_plan *plan, int copies)
{
    const size_t limit = (size_t)plan->parameter_count * (size_t)copies;
    *list = (tensor_list){calloc(limit, sizeof *list->tensors), calloc(limit, sizeof *list->names),
                          malloc(values_in(plan) * (size_t)copies * sizeof(float)), 0, 0};
    if (list->tensors && list->names && list->values)
        return SQ_OK;
    clear_list(list);
    return sq_fail(SQ_NO_MEMORY, "checkpoint: %zu tensors", limit);
}

/* One tensor of a checkpoint: the values of a parameter in a role. The suffix is appended to the parameter's name. */
typedef struct {
    const sq_parameter *parameter;
    sq_role role;
    const char *suffix;
} source;

static sq_status add_tensor(void *context, sq_model *model, const source *from)
{
    tensor_list *list = context;
    const sq_parameter *p = from->parameter;
    sq_tensor *t = &list->tensors[list->count];
    float *values = list->values + list->value_count;
    (void)snprintf(list->names[list->count], sizeof *list->names, "%s%s", p->name, from->suffix);
    *t = (sq_tensor){.name = list->names[list->count], .dim_count = p->dim_count, .data = values, .count = p->count};
    memcpy(t->dims, p->dims, sizeof t->dims);
    list->count++;
    list->value_count += p->count;
    SQ_TRY(sq_model_read(model, from->role, p->offset, values, p->count * sizeof *values));
    return sq_all_finite(values, p->count) ? SQ_OK : sq_fail(SQ_NONFINITE, "checkpoint: %s is not finite", t->name);
}

/* Lists the tensors of model.safetensors, or (is_optimiser) of optim.safetensors. Returns the number of tensors. */
static int list_sources(const sq_memory_plan *plan, bool is_optimiser, source *out)
{
    const bool has_average = plan->role_bytes[SQ_ROLE_AVERAGE] > 0;
    int count = 0;
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        if (!is_optimiser)
            out[count++] = (source){p, p->role, ""};
        if (is_optimiser && p->role == SQ_ROLE_WEIGHT)
            out[count++] = (source){p, SQ_ROLE_MOMENTUM, ".momentum"};
        if (is_optimiser && p->role == SQ_ROLE_WEIGHT && has_average)
            out[count++] = (source){p, SQ_ROLE_AVERAGE, ".average"};
    }
    return count;
}

/* Calls `use` for each tensor of model.safetensors, or (is_optimiser) of optim.safetensors. */
static sq_status visit(sq_model *model, bool is_optimiser, void *context,
                       sq_status (*use)(void *context, sq_model *model, const source *from))
{
    const sq_memory_plan *plan = sq_model_plan(model);
    source *sources = calloc(2 * (size_t)plan->parameter_count, sizeof *sources);
    if (!sources)
        return sq_fail(SQ_NO_MEMORY, "checkpoint: list of tensors");
    const int count = list_sources(plan, is_optimiser, sources);
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < count; i++)
        status = use(context, model, &sources[i]);
    free(sources);
    return status;
}

static sq_status collect(tensor_list *list, sq_model *model, bool is_optimiser)
{
    SQ_TRY(open_list(list, sq_model_plan(model), is_optimiser ? 2 : 1));
    const sq_status status = visit(model, is_optimiser, list, add_tensor);
    if (status != SQ_OK)
        clear_list(list);
    return status;
}

static sq_status write_tensors(const char *path, sq_model *model, bool is_optimiser, const sq_training_state *state)
{
    tensor_list list;
    char step[32], space[32];
    (void)snprintf(step, sizeof step, "%" PRId64, state->step);
    (void)snprintf(space, sizeof space, "%016" PRIx64, state->space_hash);
    const sq_metadata metadata[] = {{"format", "pt"}, {"producer", "squall"}, {"step", step}, {"space_hash", space}};
    SQ_TRY(collect(&list, model, is_optimiser));
    const sq_status status = sq_safetensors_write(path, list.tensors, list.count, metadata, 4);
    clear_list(&list);
    return status;
}

typedef struct {
    const sq_safetensors *file;
    const char *path;
} input;

static sq_status load_tensor(void *context, sq_model *model, const source *from)
{
    const input *in = context;
    const sq_parameter *p = from->parameter;
    char name[160];
    (void)snprintf(name, sizeof name, "%s%s", p->name, from->suffix);
    const sq_tensor *t = sq_safetensors_find(in->file, name);
    if (!t)
        return sq_fail(SQ_INVALID, "%s: no tensor '%s'; the checkpoint belongs to a different space", in->path, name);
    if (t->count != p->count || t->dim_count != p->dim_count || memcmp(t->dims, p->dims, sizeof t->dims) != 0)
        return sq_fail(SQ_INVALID, "%s: tensor '%s' has %zu values, expected %zu", in->path, name, t->count, p->count);
    return sq_model_write(model, from->role, p->offset, t->data, t->count * sizeof(float));
}

static sq_status read_tensors(const char *path, sq_model *model, bool is_optimiser)
{
    sq_safetensors *file = NULL;
    SQ_TRY(sq_safetensors_open(&file, path));
    input in = {file, path};
    const sq_status status = visit(model, is_optimiser, &in, load_tensor);
    sq_safetensors_close(file);
    return status;
}

/* ---- State ---- */

/* Writes state.json. The sum of the losses is written as a hexadecimal float, which is exact and has the same text
 * everywhere. The last line contains a checksum of the value of "state". */
static sq_status write_state(const char *path, const sq_training_state *s)
{
    char text[1024], whole[1200], search_mask[64] = "", odd[96] = "";
    if (s->search_mask_hash)
        (void)snprintf(search_mask, sizeof search_mask, ", \"scope_hash\": \"%016" PRIx64 "\"", s->search_mask_hash);
    if (s->nonfinite)
        (void)snprintf(odd, sizeof odd, ", \"nonfinite\": %" PRId64 ", \"lost\": %" PRId64, s->nonfinite, s->lost);
    const int length =
        snprintf(text, sizeof text,
                 "{\"version\": 1, \"step\": %" PRId64 ", \"seed\": \"%" PRIu64 "\", \"space_hash\": \"%016" PRIx64
                 "\"%s, \"batch\": %d, \"loss_sum\": \"%a\", \"top1\": %" PRId64 ", \"images\": %" PRId64 "%s}",
                 s->step, s->seed, s->space_hash, search_mask, s->batch, s->loss_sum, s->top1, s->images, odd);
    const int bytes = snprintf(whole, sizeof whole, "{\"state\": %s,\n\"checksum_fnv1a64\": \"%016" PRIx64 "\"}\n",
                               text, sq_hash(SQ_HASH_START, text, (size_t)length));
    const sq_piece piece = {whole, (size_t)bytes};
    return sq_file_replace(path, &piece, 1);
}

static sq_status parse_state(const char *path, char *text, sq_training_state *out)
{
    char *begin = strstr(text, "{\"version\""), *end = strstr(text, ",\n\"checksum_fnv1a64\": \"");
    if (!begin || !end || end < begin)
        return sq_fail(SQ_INVALID, "%s: not a checkpoint's state", path);
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%016" PRIx64 "\"}\n", sq_hash(SQ_HASH_START, begin, (size_t)(end - begin)));
    if (strcmp(end + 23, digits) != 0 || strncmp(text, "{\"state\": {", 11) != 0)
        return sq_fail(SQ_INVALID, "%s: wrong checksum", path);
    json_error_t error;
    json_t *state = json_loadb(begin, (size_t)(end - begin), 0, &error);
    if (!state)
        return sq_fail(SQ_INVALID, "%s:%d: %s", path, error.line, error.text);
    const char *seed = json_string_value(json_object_get(state, "seed")),
               *hash = json_string_value(json_object_get(state, "space_hash")),
               *search_mask = json_string_value(json_object_get(state, "scope_hash"));
    const char *sum = json_string_value(json_object_get(state, "loss_sum"));
    const bool is_whole = seed && hash && sum;
    if (is_whole)
        *out = (sq_training_state){
            .step = json_integer_value(json_object_get(state, "step")),
            .seed = strtoull(seed, NULL, 10),
            .space_hash = strtoull(hash, NULL, 16),
            .search_mask_hash = search_mask ? strtoull(search_mask, NULL, 16) : 0,
            .batch = (int)json_integer_value(json_object_get(state, "batch")),
            .loss_sum = strtod(sum, NULL),
            .top1 = json_integer_value(json_object_get(state, "top1")),
            .images = json_integer_value(json_object_get(state, "images")),
            .nonfinite = json_integer_value(json_object_get(state, "nonfinite")), /* 0 if absent */
            .lost = json_integer_value(json_object_get(state, "lost")),
        };
    json_decref(state);
    return is_whole ? SQ_OK : sq_fail(SQ_INVALID, "%s: incomplete", path);
}

static sq_status read_state(const char *folder, sq_training_state *out)
{
    char path[SQ_PATH_BYTES], *text = NULL;
    size_t bytes = 0;
    SQ_TRY(sq_text_path(path, sizeof path, folder, "state.json"));
    SQ_TRY(sq_file_read(path, LARGEST_STATE, &text, &bytes));
    const sq_status status = strlen(text) == bytes ? parse_state(path, text, out)
                                                   : sq_fail(SQ_INVALID, "%s: not a checkpoint's state", path);
    free(text);
    return status;
}

/* ---- Folders ---- */

static int is_checkpoint(const struct dirent *entry)
{
    int64_t step;
    return strncmp(entry->d_name, "ckpt-", 5) == 0 && sq_text_int(entry->d_name + 5, 0, INT64_MAX, &step);
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    const long long x = atoll((*a)->d_name + 5), y = atoll((*b)->d_name + 5);
    return (y > x) - (y < x);
}

static void free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* Whether the checkpoint of `step` is kept. newer: number of newer checkpoints. *has_anchor: whether one of the
 * checkpoints so far is kept because of keep->anchor. */
static bool is_kept(const sq_retention *keep, int64_t step, int newer, bool *has_anchor)
{
    const bool is_anchor = keep->anchor > 0 && step % keep->anchor == 0 && !*has_anchor;
    *has_anchor = *has_anchor || is_anchor;
    return is_anchor || newer < (keep->newest < 1 ? 1 : keep->newest) || (keep->every > 0 && step % keep->every == 0);
}

static sq_status remove_old(const char *run, int64_t newest, const sq_retention *keep)
{
    struct dirent **names = NULL;
    const int count = scandir(run, &names, is_checkpoint, newest_first);
    sq_status status = count < 0 ? sq_fail(SQ_IO, "%s: %s", run, strerror(errno)) : SQ_OK;
    bool has_anchor = false;
    for (int i = 0, newer = 0; status == SQ_OK && i < count; i++) {
        char path[SQ_PATH_BYTES];
        const int64_t step = atoll(names[i]->d_name + 5);
        if (step <= newest && !is_kept(keep, step, newer++, &has_anchor) &&
            sq_text_path(path, sizeof path, run, names[i]->d_name) == SQ_OK)
            status = sq_path_remove(path);
    }
    free_names(names, count);
    return status;
}

static int is_half_written(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return strncmp(entry->d_name, "ckpt-", 5) == 0 && strcmp(entry->d_name + length - 4, ".tmp") == 0;
}

sq_status sq_checkpoint_tidy(const char *run, int64_t step, const sq_retention *keep)
{
    struct dirent **names = NULL;
    const int count = scandir(run, &names, is_half_written, alphasort);
    sq_status status = count < 0 ? sq_fail(SQ_IO, "%s: %s", run, strerror(errno)) : SQ_OK;
    for (int i = 0; status == SQ_OK && i < count; i++) {
        char path[SQ_PATH_BYTES];
        if (sq_text_path(path, sizeof path, run, names[i]->d_name) == SQ_OK)
            status = sq_path_remove(path);
    }
    free_names(names, count);
    return status == SQ_OK ? remove_old(run, step, keep) : status;
}

static sq_status write_files(const char *folder, sq_model *model, const sq_training_state *state)
{
    char path[SQ_PATH_BYTES];
    SQ_TRY(sq_folder_make(folder));
    (void)snprintf(path, sizeof path, "%.4000s/model.safetensors", folder);
    SQ_TRY(write_tensors(path, model, false, state));
    (void)snprintf(path, sizeof path, "%.4000s/optim.safetensors", folder);
    SQ_TRY(write_tensors(path, model, true, state));
    (void)snprintf(path, sizeof path, "%.4000s/state.json", folder);
    SQ_TRY(write_state(path, state));
    return sq_folder_sync(folder);
}

/* The name, path and temporary path of a checkpoint's folder, and the path of the link `last`. */
typedef struct {
    char name[64], final[SQ_PATH_BYTES], temporary[SQ_PATH_BYTES], link[SQ_PATH_BYTES];
} paths;

static sq_status make_paths(paths *p, const char *run, int64_t step)
{
    if (strlen(run) > SQ_PATH_BYTES - 128)
        return sq_fail(SQ_INVALID, "%.200s...: the path is too long", run);
    (void)snprintf(p->name, sizeof p->name, "ckpt-%08" PRId64, step);
    (void)snprintf(p->final, sizeof p->final, "%.3900s/%s", run, p->name);
    (void)snprintf(p->temporary, sizeof p->temporary, "%.3900s/%s.tmp", run, p->name);
    (void)snprintf(p->link, sizeof p->link, "%.3900s/last", run);
    return SQ_OK;
}

sq_status sq_checkpoint_write(const char *run, sq_model *model, const sq_training_state *state,
                              const sq_retention *keep)
{
    paths p;
    SQ_TRY(make_paths(&p, run, state->step));
    SQ_TRY(sq_path_remove(p.temporary));
    sq_status status = write_files(p.temporary, model, state);
    if (status == SQ_OK)
        status = sq_path_remove(p.final); /* removes a damaged checkpoint of the same step */
    if (status == SQ_OK && rename(p.temporary, p.final) != 0)
        status = sq_fail(SQ_IO, "%s: %s", p.final, strerror(errno));
    if (status != SQ_OK) {
        char text[1024];
        const int why = errno;
        (void)snprintf(text, sizeof text, "%s", sq_error_text());
        const bool is_clean = sq_path_remove(p.temporary) == SQ_OK;
        errno = why;
        return sq_fail(status, "%s%s", text, is_clean ? "" : " (and the partial files cannot be removed)");
    }
    SQ_TRY(sq_folder_sync(run));
    SQ_TRY(sq_link_replace(p.link, p.name));
    return remove_old(run, state->step, keep);
}

sq_status sq_checkpoint_folder(const char *run, int64_t step, char *out, size_t bytes)
{
    const int needed = snprintf(out, bytes, "%s/ckpt-%08" PRId64, run, step);
    return needed >= 0 && (size_t)needed < bytes ? SQ_OK : sq_fail(SQ_INVALID, "%.200s...: the path is too long", run);
}

sq_status sq_checkpoint_read(const char *folder, sq_model *model, bool has_optimiser, sq_training_state *out)
{
    char path[SQ_PATH_BYTES];
    sq_training_state state;
    SQ_TRY(read_state(folder, &state));
    if (out->space_hash && state.space_hash != out->space_hash)
        return sq_fail(SQ_INVALID,
                       "%s: the checkpoint belongs to a different space (hash %016" PRIx64 ", expected %016" PRIx64 ")",
                       folder, state.space_hash, out->space_hash);
    SQ_TRY(sq_text_path(path, sizeof path, folder, "model.safetensors"));
    SQ_TRY(read_tensors(path, model, false));
    if (has_optimiser && sq_text_path(path, sizeof path, folder, "optim.safetensors") == SQ_OK)
        SQ_TRY(read_tensors(path, model, true));
    *out = state;
    return SQ_OK;
}

sq_status sq_checkpoint_read_average(const char *folder, sq_model *model)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    char path[SQ_PATH_BYTES];
    sq_safetensors *file = NULL;
    SQ_TRY(sq_text_path(path, sizeof path, folder, "optim.safetensors"));
    SQ_TRY(sq_safetensors_open(&file, path));
    input in = {file, path};
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < plan->parameter_count; i++)
        if (plan->parameters[i].role == SQ_ROLE_WEIGHT)
            status = load_tensor(&in, model, &(source){&plan->parameters[i], SQ_ROLE_WEIGHT, ".average"});
    sq_safetensors_close(file);
    return status;
}

/* Verifies every file of a checkpoint's folder, and reads the step. */
static sq_status inspect(const char *folder, int64_t *step)
{
    static const char *const files[] = {"model.safetensors", "optim.safetensors"};
    sq_training_state state;
    SQ_TRY(read_state(folder, &state));
    for (int i = 0; i < 2; i++) {
        char path[SQ_PATH_BYTES], step_text[32];
        sq_safetensors *file = NULL;
        SQ_TRY(sq_text_path(path, sizeof path, folder, files[i]));
        SQ_TRY(sq_safetensors_open(&file, path));
        const char *written = sq_safetensors_metadata(file, "step");
        (void)snprintf(step_text, sizeof step_text, "%" PRId64, state.step);
        const bool is_same = written && strcmp(written, step_text) == 0;
        sq_safetensors_close(file);
        if (!is_same)
            return sq_fail(SQ_INVALID, "%s: its step differs from state.json", path);
    }
    *step = state.step;
    return SQ_OK;
}

sq_status sq_checkpoint_find(const char *run, char *out, size_t bytes, int64_t *step, void (*note)(const char *line))
{
    struct dirent **names = NULL;
    const int count = scandir(run, &names, is_checkpoint, newest_first);
    bool is_found = false;
    for (int i = 0; i < count && !is_found; i++) {
        char path[SQ_PATH_BYTES];
        is_found = sq_text_path(path, sizeof path, run, names[i]->d_name) == SQ_OK && strlen(path) < bytes &&
                   inspect(path, step) == SQ_OK;
        if (is_found)
            (void)snprintf(out, bytes, "%s", path);
        else if (note)
            note(sq_error_text());
    }
    if (count >= 0)
        free_names(names, count);
    return is_found ? SQ_OK : sq_fail(SQ_DATA, "%s: no usable checkpoint in it", run);
}
