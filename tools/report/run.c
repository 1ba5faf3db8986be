/* Reads the contents of a run's folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/json_file.h"
#include "search/search.h"
#include "search/stages.h"
#include "tools/report/report.h"
#include "tools/run/share_folder.h"

enum { MOST_BAD = 200, MOST_COMMANDS = 50, LARGEST_TEXT = 1 << 28 };

/* ---- Plain lines ---- */

/* Returns the first `most` lines of a file, and writes the number of all lines to `count`. */
static json_t *lines_of(const char *folder, const char *name, size_t most, size_t *count)
{
    char path[SQ_PATH_BYTES], *text = NULL;
    size_t bytes = 0;
    json_t *list = json_array();
    *count = 0;
    if (!sq_path_find(path, sizeof path, folder, name) || sq_file_read(path, LARGEST_TEXT, &text, &bytes) != SQ_OK)
        return list;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        if (++*count <= most)
            json_array_append_new(list, sq_report_text(line));
    }
    free(text);
    return list;
}

/* ---- Devices ---- */

typedef struct {
    const sq_space *space;
    json_t *list, *notes;
} device_list;

static bool has_device(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(name, json_string_value(json_object_get(json_array_get(list, i), "name"))) == 0)
            return true;
    return false;
}

/* Adds the device in a folder, unless the list already has a device of the same name. */
static void add_device(device_list *d, const char *folder)
{
    json_t *device = sq_report_device(d->space, folder, d->notes);
    const char *name = json_string_value(json_object_get(device, "name"));
    if (name && !has_device(d->list, name))
        json_array_append(d->list, device);
    json_decref(device);
}

/* Adds the devices that the search's configuration names: latency.device, latency.2.device, ... */
static void add_configured(device_list *d, const json_t *settings)
{
    char key[64], shared[SQ_PATH_BYTES];
    for (int i = 1; i <= SQ_MAX_DEVICES; i++) {
        (void)snprintf(key, sizeof key, i == 1 ? "latency.device" : "latency.%d.device", i);
        const char *folder = sq_report_setting(settings, key);
        if (*folder)
            add_device(d, sq_share_find(shared, sizeof shared, folder));
    }
}

/* Adds the devices that only the search's result names. Their folders are in configs/devices. If no device is known
 * yet, also tries <folder>/../device, where quickstart stores its device. */
static void add_named(device_list *d, const char *folder, const json_t *search)
{
    char name[512], path[SQ_PATH_BYTES];
    const json_t *names = json_object_get(search, "devices");
    const bool has_latency =
        json_is_number(json_array_get(json_object_get(json_object_get(search, "candidates"), "latency"), 0));
    (void)snprintf(path, sizeof path, "%.4000s/../device", folder);
    if (has_latency && json_array_size(d->list) == 0 && sq_path_exists(path))
        add_device(d, path);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *device = json_string_value(json_array_get(names, i));
        if (!device || has_device(d->list, device) || strchr(device, '/'))
            continue;
        (void)snprintf(name, sizeof name, "configs/devices/%.400s", device);
        if (sq_share_path(path, sizeof path, name))
            add_device(d, path);
        else
            sq_report_note(d->notes,
                           "device %s: its folder is missing, so there is no latency by layer; give --latency FOLDER",
                           device);
    }
}

/* ---- A run ---- */

static bool is_run(const char *folder)
{
    static const char *const marks[] = {"config.yaml", "log.jsonl", "search/search.json", "search/state.json"};
    char path[SQ_PATH_BYTES];
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (sq_path_find(path, sizeof path, folder, marks[i]))
            return true;
    return false;
}

/* Returns the settings of the search if search/config.yaml exists, else the settings of the run. */
static json_t *search_settings(const char *folder, json_t *settings, json_t *notes)
{
    json_t *own = sq_report_settings(folder, "search/config.yaml", notes);
    if (json_object_size(own))
        return own;
    json_decref(own);
    return json_incref(settings);
}

static void add_curves(json_t *run, const char *folder, json_t *notes)
{
    static const char *const log[] = {"loss", "top1_acc", "lr", NULL}, *const clock[] = {"images_per_second",
                                                                                         "wait_seconds", "seconds",
                                                                                         NULL};
    json_t *events = json_array();
    json_t *training = sq_report_curves(folder, "log.jsonl", log, events, notes);
    json_t *timing = sq_report_curves(folder, "timing.jsonl", clock, events, notes);
    if (training)
        json_object_set_new(run, "training", training);
    if (timing)
        json_object_set_new(run, "timing", timing);
    json_object_set_new(run, "events", events);
}

/* Returns the step in the name of the newest checkpoint; 0 if there is no checkpoint. */
static int64_t saved_step(const char *folder)
{
    char link[SQ_PATH_BYTES], name[SQ_PATH_BYTES];
    int64_t step = 0;
    const ssize_t length =
        sq_text_path(link, sizeof link, folder, "last") == SQ_OK ? readlink(link, name, sizeof name - 1) : -1;
    if (length < 0)
        return 0;
    name[length] = 0;
    const char *number = strrchr(name, '-');
    return number && sq_text_int(number + 1, 0, INT64_MAX, &step) ? step : 0;
}

/* Adds the step of the training, which is the last step of the log or, if later, the step of the newest checkpoint.
 * Adds a note if the training is unfinished. */
static void add_progress(json_t *run, const char *folder, json_t *notes)
{
    const json_t *steps = json_object_get(json_object_get(run, "training"), "step");
    const int64_t saved = saved_step(folder), count = (int64_t)json_array_size(steps),
                  logged = count ? json_integer_value(json_array_get(steps, (size_t)count - 1)) : 0,
                  last = logged > saved ? logged : saved;
    json_object_set_new(run, "step", json_integer(last));
    const int64_t wanted = (int64_t)sq_report_number(json_object_get(run, "settings"), "train.steps", 0);
    if (last < wanted)
        sq_report_note(notes, "training is at step %lld of %lld: it is running or was stopped", (long long)last,
                       (long long)wanted);
}

/* Returns the path of a run that trained only one path, as choices of the searched layers; NULL for other runs. */
static json_t *single_path(const char *folder, const sq_space *space)
{
    char file[SQ_PATH_BYTES];
    int path[SQ_MAX_LAYERS];
    if (!space || !sq_path_find(file, sizeof file, folder, "arch.json") || sq_arch_read(space, file, path) != SQ_OK)
        return NULL;
    return sq_json_path(space, path);
}

static void add_network(json_t *run, const char *folder, const char *const *devices, json_t *notes)
{
    json_t *settings = json_object_get(run, "settings"), *searched = search_settings(folder, settings, notes);
    sq_space *space = sq_report_space(folder, settings, notes);
    json_t *search = sq_report_search(folder, searched, space, notes);
    json_t *single = search ? NULL : single_path(folder, space);
    if (single)
        json_object_set_new(run, "single", single);
    else if (!search)
        sq_report_note(notes, "no search yet: squall search %s", folder);
    if (search)
        json_object_set_new(run, "search", search);
    if (space) {
        device_list d = {space, json_array(), notes};
        for (; *devices; devices++)
            add_device(&d, *devices);
        add_configured(&d, searched);
        if (search)
            add_named(&d, folder, search);
        json_object_set_new(run, "network", sq_report_network(space));
        json_object_set_new(run, "devices", d.list);
    }
    json_object_set_new(run, "search_settings", searched);
    sq_space_free(space);
}

/* Returns a short name with two folders, "quickstart/run" for ".../quickstart/run/", because many folders are called
 * run. A parent folder called "..", "." or "runs" is omitted. */
static const char *name_of(const char *folder, char *text, size_t bytes)
{
    (void)snprintf(text, bytes, "%s", folder);
    size_t length = strlen(text);
    while (length > 1 && text[length - 1] == '/')
        text[--length] = 0;
    char *slash = strrchr(text, '/');
    if (!slash || slash == text)
        return text;
    *slash = 0;
    char *before = strrchr(text, '/');
    *slash = '/';
    const char *start = before ? before + 1 : text;
    return strncmp(start, "../", 3) == 0 || strncmp(start, "./", 2) == 0 || strncmp(start, "runs/", 5) == 0 ? slash + 1
                                                                                                            : start;
}

static json_t *read_run(const char *folder, const char *const *devices)
{
    char name[SQ_PATH_BYTES];
    size_t bad = 0, commands = 0;
    json_t *notes = json_array(), *run = json_object();
    json_object_set_new(run, "name", sq_report_text(name_of(folder, name, sizeof name)));
    json_object_set_new(run, "folder", sq_report_text(folder));
    json_object_set_new(run, "settings", sq_report_settings(folder, "config.yaml", notes));
    json_object_set_new(run, "commands", lines_of(folder, "commands.txt", MOST_COMMANDS, &commands));
    add_curves(run, folder, notes);
    add_progress(run, folder, notes);
    add_network(run, folder, devices, notes);
    json_object_set_new(run, "bad", lines_of(folder, "bad-images.txt", MOST_BAD, &bad));
    json_object_set_new(run, "bad_count", json_integer((json_int_t)bad));
    json_object_set_new(run, "notes", notes);
    return run;
}

/* ---- Stages ---- */

/* Appends RUN/stage-1, RUN/stage-2, ...; returns the number of stages. */
static int add_stages(const char *folder, const char *const *devices, json_t *runs)
{
    char name[32], path[SQ_PATH_BYTES];
    int count = 0;
    for (; count < SQ_MAX_STAGES; count++) {
        (void)snprintf(name, sizeof name, "stage-%d", count + 1);
        if (sq_text_path(path, sizeof path, folder, name) != SQ_OK || !is_run(path))
            break;
        json_t *run = read_run(path, devices);
        json_object_set_new(run, "group", sq_report_text(folder));
        json_object_set_new(run, "stage", json_integer(count + 1));
        json_array_append_new(runs, run);
    }
    return count;
}

sq_status sq_report_run(const char *folder, const char *const *devices, json_t *runs, json_t *stages)
{
    if (is_run(folder)) {
        json_array_append_new(runs, read_run(folder, devices));
        return SQ_OK;
    }
    const int count = add_stages(folder, devices, runs);
    if (count == 0)
        return sq_fail(SQ_INVALID, "%s: not a run: found no config.yaml, log.jsonl, search or stage-1", folder);
    json_t *notes = json_array(), *summary = sq_report_json(folder, "stages.json", notes);
    if (!summary)
        sq_report_note(notes, "no stages.json: the search in stages is unfinished");
    json_array_append_new(stages, json_pack("{s:o, s:i, s:o, s:o}", "folder", sq_report_text(folder), "count", count,
                                            "summary", summary ? summary : json_null(), "notes", notes));
    return SQ_OK;
}
