/* squall search */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"

typedef struct {
    const char *config, *resume;
    bool on_val, is_quiet;
} arguments;

static void print_result(const sq_run *r, const sq_search_result *result, const char *run, bool on_val)
{
    const sq_candidate *best = &result->candidates[result->best];
    char arch[1024];
    (void)sq_arch_print(r->space, best->path, arch, sizeof arch);
    (void)printf("found after %d candidates\n", result->candidate_count);
    sq_print_row("path", "%s", arch);
    sq_print_row(on_val ? "test accuracy" : "held-out accuracy", "%.2f %% top-1, %.2f %% top-5 (%zu images)",
                 100 * best->top1, 100 * best->top5, r->validation.count);
    if (isfinite(result->random_mean_top1))
        sq_print_row("random paths", "%.2f %% top-1, mean of %d", 100 * result->random_mean_top1,
                     r->session.config->search.random_paths);
    sq_print_row("multiply-adds", "%.2f M", best->macs);
    sq_print_row("parameters", "%.3f M", best->parameters);
    if (best->latency_ms > 0)
        sq_print_row("predicted latency", "%.3f ms", best->latency_ms);
    sq_print_row("files", "%s/search/search.json, %s/search/arch.json", run, run);
    (void)printf("next: squall export %s\n", run);
}

static sq_status search(sq_run *r, const char *run, const arguments *a)
{
    const sq_search_options *options = &r->session.config->search;
    sq_search_result result = {0};
    sq_latency *latency = NULL;
    sq_latency_cache cache = {0};
    const char *device = r->session.config->latency;
    const sq_search_run how = {run, strcmp(a->resume, "auto") == 0, a->is_quiet, r->weights ^ (uint64_t)a->on_val};
    sq_status status = SQ_OK;
    if (*device)
        status = sq_latency_open(&latency, device);
    if (status == SQ_OK && latency)
        status = sq_latency_prepare(&cache, latency, r->space);
    if (status == SQ_OK)
        status = sq_search(options, r->space, r->evaluator, latency ? &cache : NULL, &how, &result);
    if (status == SQ_OK)
        print_result(r, &result, run, a->on_val);
    sq_search_result_clear(&result);
    sq_latency_cache_clear(&cache);
    sq_latency_close(latency);
    return status;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.resume = "auto"};
    const sq_option options[] = {{"--config", &a.config, NULL, NULL},
                                 {"--resume", &a.resume, NULL, NULL},
                                 {"--on-val", NULL, &a.on_val, NULL},
                                 {"--quiet", NULL, &a.is_quiet, NULL},
                                 {"--limit-macs", NULL, NULL, "search.limit_macs"},
                                 {"--limit-parameters", NULL, NULL, "search.limit_parameters"},
                                 {"--limit-latency", NULL, NULL, "search.limit_latency_ms"},
                                 {"--latency", NULL, NULL, "latency"},
                                 {"--searcher", NULL, NULL, "search.searcher"},
                                 {NULL, NULL, NULL, NULL}};
    sq_run r;
    bool is_help;
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1)
        return sq_command_usage("search", "wanted one run");
    if (strcmp(a.resume, "auto") != 0 && strcmp(a.resume, "never") != 0)
        return sq_command_usage("search", "--resume %s: wanted auto or never", a.resume);
    sq_status status = sq_run_open(&r, read.arguments[0], a.config, &read, a.on_val);
    if (status == SQ_OK && r.space->searched_count == 0)
        status = sq_fail(SQ_INVALID, "%s: trained one path; there is nothing to search", read.arguments[0]);
    if (status == SQ_OK)
        status = search(&r, read.arguments[0], &a);
    sq_run_close(&r);
    return status == SQ_OK ? 0 : sq_command_fail("search", status);
}

const sq_command sq_command_search = {
    .name = "search",
    .summary = "find the most accurate path under limits",
    .usage = "squall search RUN [--limit-macs M] [--limit-latency MS --latency DEVICE] [--set key=value]...",
    .help = "Scores paths of the supernet in RUN on images held out from training, each after calibrating its batch "
            "norm, and keeps\n"
            "to the limits. State is saved after every candidate; a killed search goes on where it was, to the same "
            "result.\n\n"
            "  --limit-macs M        most multiply-adds, millions\n"
            "  --limit-parameters M  most parameters, millions\n"
            "  --limit-latency MS    highest predicted latency, milliseconds; needs --latency\n"
            "  --latency DEVICE      device folder (device.yaml, table.csv) or a ProxylessNAS YAML\n"
            "  --searcher S          evolution (default) or random\n"
            "  --config FILE         another configuration than RUN/config.yaml\n"
            "  --resume never        begin anew (default: auto)\n"
            "  --on-val              score on the test split instead of the held-out images\n"
            "  --set key=value       replace one key; --device, --graphs, --engine, --threads, --seed as in train\n"
            "  --quiet               no progress line\n\n"
            "Writes RUN/search/search.json (every candidate) and RUN/search/arch.json (the best).\n",
    .run = run,
};
