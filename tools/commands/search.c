/* squall search */
#include <stdio.h>
#include <string.h>

#include "tools/commands/commands.h"
#include "tools/run/search/staged_search.h"

typedef struct {
    const char *config, *out;
    int is_resumed; /* index in "never auto" */
    bool has_stages, on_val, is_quiet;
} arguments;

/* Copies the overrides. Latency options after the second --latency belong to the second device, so latency.limit_ms
 * becomes latency.2.limit_ms. */
static sq_status number_devices(const sq_options *given, sq_options *out)
{
    static const char section[] = "latency.";
    const size_t length = sizeof section - 1;
    int device = 0;
    for (int i = 0; i < given->override_count; i++) {
        const char *text = given->overrides[i];
        char key[32] = "", joined[4096];
        if (strncmp(text, section, length) == 0 && !(text[length] >= '0' && text[length] <= '9')) {
            device += strncmp(text + length, "device=", 7) == 0;
            if (device > 1)
                (void)snprintf(key, sizeof key, "%s%d.", section, device);
            text += *key ? length : 0;
        }
        if ((size_t)snprintf(joined, sizeof joined, "%s%s", key, text) >= sizeof joined)
            return sq_fail(SQ_INVALID, "%.200s: more than %zu characters", text, sizeof joined - 1);
        SQ_TRY(sq_options_add(out, "", joined));
    }
    return SQ_OK;
}

static sq_status search(const sq_options *options, const arguments *a, sq_search_request *request)
{
    sq_options numbered = {0};
    sq_status status = number_devices(options, &numbered);
    if (status == SQ_OK)
        status = sq_session_join(&request->ranks, &numbered);
    if (status == SQ_OK)
        status = a->has_stages ? sq_search_in_stages(options->arguments[0], a->out, &numbered, request)
                               : sq_search_trained_run(options->arguments[0], &numbered, request);
    sq_options_clear(&numbered);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    sq_search_request request = {
        .config = a->config, .is_resumed = a->is_resumed, .on_val = a->on_val, .is_quiet = a->is_quiet};
    if (a->has_stages != (a->out != NULL))
        return sq_command_usage("search", "expected one configuration, --two-stage and -o RUN");
    return sq_session_leave("search", request.ranks, search(options, a, &request));
}

static const sq_option options[] = {SQ_TEXT("--config", config),
                                    SQ_WORD("--resume", is_resumed, "never auto"),
                                    SQ_FLAG("--two-stage", has_stages),
                                    SQ_TEXT("-o", out),
                                    SQ_TEXT("--out", out),
                                    SQ_FLAG("--on-val", on_val),
                                    SQ_FLAG("--quiet", is_quiet),
                                    SQ_KEY("--limit-macs", "search.limit_macs"),
                                    SQ_KEY("--limit-parameters", "search.limit_parameters"),
                                    SQ_KEY("--limit-memory", "search.limit_memory_mb"),
                                    SQ_KEY("--latency", "latency.device"),
                                    SQ_KEY("--limit-latency", "latency.limit_ms"),
                                    SQ_KEY("--limit-energy", "latency.limit_energy_mj"),
                                    SQ_KEY("--limit-area", "latency.limit_area_mm2"),
                                    SQ_KEY("--margin", "latency.margin"),
                                    SQ_KEY("--fill", "latency.fill"),
                                    SQ_KEY("--searcher", "search.searcher"),
                                    SQ_KEY("--objectives", "search.objectives"),
                                    SQ_OPTIONS_END};

const sq_command sq_command_search = {.name = "search",
                                      SQ_ARGUMENTS(.is_resumed = true),
                                      .has_config = true,
                                      .argument_min = 1,
                                      .argument_max = 1,
                                      .expected = "one run, or one configuration with --two-stage and -o RUN",
                                      .run = run,
                                      .works_on_ranks = true};
