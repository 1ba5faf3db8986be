/* squall report */
#include <stdio.h>

#include "kernels/base/file.h"
#include "tools/commands/commands.h"
#include "tools/report/report.h"

typedef struct {
    const char *out, *latency;
} arguments;

static const char expected[] = "one to 8 runs and -o FILE.html";

/* Writes the whole page or nothing. */
static sq_status write_page(const char *path, const json_t *data)
{
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    const sq_status status = sq_report_page(w.stream, data, false);
    if (status == SQ_OK)
        return sq_file_finish(&w, path);
    sq_file_discard(&w);
    return status;
}

static void print_notes(const json_t *data)
{
    const json_t *runs = json_object_get(data, "runs"), *stages = json_object_get(data, "stages");
    for (size_t i = 0; i < json_array_size(runs) + json_array_size(stages); i++) {
        const json_t *item =
            i < json_array_size(runs) ? json_array_get(runs, i) : json_array_get(stages, i - json_array_size(runs));
        const json_t *notes = json_object_get(item, "notes");
        for (size_t n = 0; n < json_array_size(notes); n++)
            (void)fprintf(stderr, "%s: %s\n", json_string_value(json_object_get(item, "folder")),
                          json_string_value(json_array_get(notes, n)));
    }
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->out)
        return sq_command_usage("report", "expected %s", expected);
    const char *const devices[] = {a->latency, NULL};
    json_t *data = json_pack("{s:s, s:[], s:[]}", "version", SQUALL_VERSION, "runs", "stages");
    sq_status status = data ? SQ_OK : sq_fail(SQ_NO_MEMORY, "report");
    for (int i = 0; status == SQ_OK && i < options->argument_count; i++)
        status = sq_report_run(options->arguments[i], devices, json_object_get(data, "runs"),
                               json_object_get(data, "stages"));
    if (status == SQ_OK)
        status = write_page(a->out, data);
    if (status == SQ_OK) {
        print_notes(data);
        (void)printf("wrote %s\n", a->out);
    }
    json_decref(data);
    return status == SQ_OK ? 0 : sq_command_fail("report", status);
}

static const sq_option options[] = {SQ_TEXT("-o", out), SQ_TEXT("--out", out), SQ_TEXT("--latency", latency),
                                    SQ_OPTIONS_END};

const sq_command sq_command_report = {.name = "report",
                                      SQ_ARGUMENTS(.out = NULL),
                                      .argument_min = 1,
                                      .argument_max = SQ_MAX_ARGUMENTS,
                                      .expected = expected,
                                      .run = run};
