/* squall search */
#include <string.h>

#include "tools/commands/command.h"
#include "tools/run/staged_search.h"

/* What follows a second --latency is about the second device: latency.limit_ms becomes latency.2.limit_ms. */
static void number_devices(sq_options *read)
{
    int device = 0;
    for (int i = 0; i < read->override_count; i++) {
        char *text = read->storage[i];
        const size_t length = strlen(text);
        if (strncmp(text, "latency.", 8) != 0 || (text[8] >= '0' && text[8] <= '9'))
            continue;
        device += strncmp(text + 8, "device=", 7) == 0;
        if (device < 2 || length + 3 > sizeof read->storage[i])
            continue;
        memmove(text + 10, text + 8, length - 8 + 1);
        text[8] = (char)('0' + (device < 9 ? device : 9));
        text[9] = '.';
    }
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    const char *resume = "auto", *out = NULL;
    bool has_stages = false;
    sq_search_request a = {.is_resumed = true};
    const sq_option options[] = {{"--config", &a.config, NULL, NULL},
                                 {"--resume", &resume, NULL, NULL},
                                 {"--two-stage", NULL, &has_stages, NULL},
                                 {"-o", &out, NULL, NULL},
                                 {"--out", &out, NULL, NULL},
                                 {"--on-val", NULL, &a.on_val, NULL},
                                 {"--quiet", NULL, &a.is_quiet, NULL},
                                 {"--limit-macs", NULL, NULL, "search.limit_macs"},
                                 {"--limit-parameters", NULL, NULL, "search.limit_parameters"},
                                 {"--limit-memory", NULL, NULL, "search.limit_memory_mb"},
                                 {"--latency", NULL, NULL, "latency.device"},
                                 {"--limit-latency", NULL, NULL, "latency.limit_ms"},
                                 {"--limit-energy", NULL, NULL, "latency.limit_energy_mj"},
                                 {"--limit-area", NULL, NULL, "latency.limit_area_mm2"},
                                 {"--margin", NULL, NULL, "latency.margin"},
                                 {"--fill", NULL, NULL, "latency.fill"},
                                 {"--searcher", NULL, NULL, "search.searcher"},
                                 {"--objectives", NULL, NULL, "search.objectives"},
                                 {NULL, NULL, NULL, NULL}};
    bool is_help;
    const int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1 || has_stages != (out != NULL))
        return sq_command_usage("search", has_stages || out ? "wanted one configuration, --two-stage and -o RUN"
                                                            : "wanted one run");
    if (strcmp(resume, "auto") != 0 && strcmp(resume, "never") != 0)
        return sq_command_usage("search", "--resume %s: wanted auto or never", resume);
    a.is_resumed = strcmp(resume, "auto") == 0;
    number_devices(&read);
    sq_status status = sq_session_join(&a.ranks, &read);
    if (status == SQ_OK)
        status = has_stages ? sq_search_in_stages(read.arguments[0], out, &read, &a)
                            : sq_search_trained_run(read.arguments[0], &read, &a);
    return sq_session_leave("search", a.ranks, status);
}

const sq_command sq_command_search = {
    .name = "search",
    .summary = "find the most accurate path under limits",
    .usage = "squall search RUN [--limit-macs M] [--limit-latency MS --latency DEVICE] [--set key=value]...\n"
             "       squall search CONFIG --two-stage -o RUN [options]",
    .help =
        "Scores paths of the supernet in RUN on images held out from training, each after calibrating its batch "
        "norm, and keeps\n"
        "to the limits. State is saved after each batch of candidates (search.together); a killed search goes on where "
        "it was,\nto the same result.\n\n"
        "  --limit-macs M        most multiply-adds, millions\n"
        "  --limit-parameters M  most parameters, millions\n"
        "  --limit-memory MB     most live activations of one FP32 image, 10^6 bytes\n"
        "  --latency DEVICE      device folder (device.yaml, table.csv) or a ProxylessNAS YAML; may be given again:\n"
        "                        the next five then belong to the second device\n"
        "  --limit-latency MS    highest predicted latency, milliseconds\n"
        "  --margin K            K deviations of the prediction must fit below the limit too (default 0)\n"
        "  --limit-energy MJ, --limit-area MM2   the same of the table's other columns\n"
        "  --fill F              missing blocks: none (an error), interpolate or roofline\n"
        "  --searcher S          evolution (default), random, nsga2 (several objectives), annealing or halving (few\n"
        "                        images first); all with the budget of evolution\n"
        "  --objectives LIST     of nsga2 and of the front in search.json: accuracy,macs (default), parameters, "
        "memory,\n"
        "                        latency, energy; latency.2 and energy.2 of the second device\n"
        "  --config FILE         another configuration than RUN/config.yaml\n"
        "  --resume never        begin anew (default: auto)\n"
        "  --two-stage           train and search group after group of layers, as stages.groups of CONFIG says: each "
        "stage\n"
        "                        an ordinary run in RUN/stage-1, RUN/stage-2, ..., with the other layers fixed\n"
        "  --on-val              score on the test split instead of the held-out images\n"
        "  --set key=value       replace one key; --device, --graphs, --engine, --threads, --seed as in train\n"
        "  --quiet               no progress line\n\n"
        "mpirun -n N squall search ..., srun squall search ...: N processes score the candidates, to the same "
        "result.\n\n"
        "Writes RUN/search/search.json (every candidate, which of them make the front) and RUN/search/arch.json (the "
        "best).\n",
    .run = run,
    .works_in_several = true,
};
