/* squall report */
#include <stdio.h>

#include "kernels/base/file.h"
#include "tools/commands/command.h"
#include "tools/report/report.h"

/* Written as a whole or not at all. */
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

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    const char *out = NULL, *latency = NULL;
    bool is_help;
    const sq_option options[] = {{"-o", &out, NULL, NULL},
                                 {"--out", &out, NULL, NULL},
                                 {"--latency", &latency, NULL, NULL},
                                 {NULL, NULL, NULL, NULL}};
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count < 1 || !out)
        return sq_command_usage("report", "wanted runs, and -o FILE.html");
    const char *const devices[] = {latency, NULL};
    json_t *data = json_pack("{s:s, s:[], s:[]}", "version", SQUALL_VERSION, "runs", "stages");
    sq_status status = data ? SQ_OK : sq_fail(SQ_NO_MEMORY, "report");
    for (int i = 0; status == SQ_OK && i < read.argument_count; i++)
        status =
            sq_report_run(read.arguments[i], devices, json_object_get(data, "runs"), json_object_get(data, "stages"));
    if (status == SQ_OK)
        status = write_page(out, data);
    if (status == SQ_OK) {
        print_notes(data);
        (void)printf("wrote %s\n", out);
    }
    json_decref(data);
    return status == SQ_OK ? 0 : sq_command_fail("report", status);
}

const sq_command sq_command_report = {
    .name = "report",
    .summary = "one page that shows what runs did and found",
    .usage = "squall report RUN [RUN...] -o report.html [--latency DEVICE]",
    .help =
        "Writes one HTML file that needs nothing else and asks nothing of a network: summary, training curves, every\n"
        "candidate against its costs, the found network layer by layer, which operators each generation used, "
        "predicted\n"
        "against measured latency, bad images. Several runs are compared; of a search in stages every stage is shown. "
        "A run\n"
        "that still goes on, was killed or has no search is shown as far as it goes.\n\n"
        "  -o FILE               the page\n"
        "  --latency DEVICE      a device's folder, where the run does not say where it lies\n\n"
        "Light, dark and in print; every chart has its table below it. Where Squall was built without Debian's\n"
        "libjs-chart.js, the page has tables only.\n",
    .run = run,
};
