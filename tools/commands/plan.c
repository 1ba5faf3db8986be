/* squall plan: what a training step would take on many ranks. */
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "tools/commands/bench/bench.h"
#include "tools/run/step_times.h"

/* Between two ranks of a node where nothing is given: NVLink of a current GPU; shared memory of a host. */
static const sq_link gpu_within = {5e-6, 150e9}, host_within = {2e-6, 4e9};

enum { MOST_ROWS = 20, MOST_RANKS = 65536, EAGER_BYTES = 65536 /* Open MPI's btl_tcp_eager_limit */ };
#define POLL_PAUSE 1e-4 /* supernet/ranks/ranks.c sleeps 50 us between two looks, Linux as long again before it wakes */

typedef struct {
    const char *gpus, *nodes, *batch, *steps, *step_ms, *algorithm;
    const char *bandwidth, *latency, *local_bandwidth, *local_latency;
    bool is_measured, is_json;
} arguments;

typedef struct {
    int gpus, nodes, batch, steps; /* batch 0: the configuration's, in equal parts */
    double step_seconds;           /* 0: measured */
    const char *algorithm;
    sq_link within, between; /* bandwidth 0: not given */
    bool is_json;
} wanted;

typedef struct {
    sq_network network;
    sq_step_forecast forecast;
} row;

typedef struct {
    const wanted *wanted;
    const sq_session *session;
    bool is_host; /* gradients go over MPI */
    sq_reduce_kind kind;
    sq_step_times times;
    row rows[MOST_ROWS];
    int row_count;
    double faster, sooner; /* seconds of the last row's step with twice the bandwidth, with half the latency */
} plan;

/* ---- Options ---- */

static int read_real(const char *name, const char *text, double minimum, double maximum, double scale, double *out)
{
    double value;
    if (!text)
        return 0;
    if (!sq_text_double(text, minimum, maximum, &value))
        return sq_command_usage("plan", "%s: '%s', wanted a number from %g to %g", name, text, minimum, maximum);
    *out = value * scale;
    return 0;
}

static int read_counts(const arguments *a, wanted *w)
{
    int code = 0;
    if (a->gpus)
        code = sq_options_number("plan", "--gpus", a->gpus, 1, MOST_RANKS, &w->gpus);
    if (code == 0)
        code = sq_options_number("plan", "--nodes", a->nodes, 1, MOST_RANKS, &w->nodes);
    if (code == 0 && a->batch)
        code = sq_options_number("plan", "--batch", a->batch, 2, 65536, &w->batch); /* batch norm needs two */
    if (code == 0)
        code = sq_options_number("plan", "--steps", a->steps, 1, 100000, &w->steps);
    return code;
}

static int read_links(const arguments *a, wanted *w)
{
    int code = read_real("--bandwidth", a->bandwidth, 1e-6, 1e6, 1e9, &w->between.bandwidth);
    if (code == 0)
        code = read_real("--latency", a->latency, 0, 1e7, 1e-6, &w->between.latency);
    if (code == 0)
        code = read_real("--local-bandwidth", a->local_bandwidth, 1e-6, 1e6, 1e9, &w->within.bandwidth);
    w->within.latency = -1;
    if (code == 0)
        code = read_real("--local-latency", a->local_latency, 0, 1e7, 1e-6, &w->within.latency);
    if (code == 0)
        code = read_real("--step-ms", a->step_ms, 1e-3, 1e9, 1e-3, &w->step_seconds);
    return code;
}

static int check(const arguments *a, const wanted *w)
{
    if (a->step_ms && a->is_measured)
        return sq_command_usage("plan", "--step-ms and --measure: wanted one of them");
    if (w->nodes > 1 && !a->gpus)
        return sq_command_usage("plan", "--nodes %d: wanted --gpus, their ranks in all", w->nodes);
    if (w->gpus % w->nodes != 0)
        return sq_command_usage("plan", "--gpus %d on --nodes %d: wanted the same number on each", w->gpus, w->nodes);
    if (w->nodes > 1 && (!a->bandwidth || !a->latency))
        return sq_command_usage("plan", "%d nodes: wanted --bandwidth (GB/s) and --latency (us) between them",
                                w->nodes);
    if (w->nodes == 1 && (a->bandwidth || a->latency))
        return sq_command_usage("plan",
                                "--bandwidth and --latency are between nodes, and there is one; wanted --nodes, "
                                "or --local-bandwidth and --local-latency");
    return 0;
}

/* ---- The network ---- */

static sq_status find_algorithm(const plan *p, sq_reduce_kind *out)
{
    static const char *const names[SQ_REDUCE_KINDS + 1] = {"ring", "tree", "fastest", "binomial", "doubling", "auto"};
    char hint[SQ_TEXT_SUGGESTION];
    for (int i = 0; i < SQ_REDUCE_KINDS; i++)
        if (strcmp(p->wanted->algorithm, names[i]) == 0) {
            *out = (sq_reduce_kind)i;
            return SQ_OK;
        }
    if (strcmp(p->wanted->algorithm, "auto") == 0) {
        *out = p->is_host ? SQ_REDUCE_BINOMIAL : SQ_REDUCE_FASTEST;
        return SQ_OK;
    }
    return sq_fail(SQ_INVALID, "--algorithm '%s'%s: wanted auto, fastest, ring, tree, binomial or doubling",
                   p->wanted->algorithm,
                   sq_text_suggestion(hint, sizeof hint, p->wanted->algorithm, names, SQ_REDUCE_KINDS + 1));
}

static sq_network network_of(const plan *p, int ranks)
{
    const wanted *w = p->wanted;
    const sq_link assumed = p->is_host ? host_within : gpu_within;
    sq_network network = {.kind = p->kind,
                          .ranks = ranks,
                          .per_node = w->gpus / w->nodes,
                          .within = {w->within.latency >= 0 ? w->within.latency : assumed.latency,
                                     w->within.bandwidth > 0 ? w->within.bandwidth : assumed.bandwidth},
                          .is_polled = p->is_host,
                          .eager_bytes = p->is_host ? EAGER_BYTES : 0,
                          .pause = p->is_host ? POLL_PAUSE : 0};
    network.between = w->nodes > 1 ? w->between : network.within;
    return network;
}

static sq_status add_row(plan *p, int ranks)
{
    row *r = &p->rows[p->row_count];
    r->network = network_of(p, ranks);
    SQ_TRY(sq_step_times_predict(&p->times, &r->network, &r->forecast));
    p->row_count++;
    return SQ_OK;
}

/* Powers of two below the number asked for, and that. */
static sq_status fill_rows(plan *p)
{
    sq_step_forecast changed;
    for (int ranks = 1; ranks < p->wanted->gpus; ranks *= 2)
        SQ_TRY(add_row(p, ranks));
    SQ_TRY(add_row(p, p->wanted->gpus));
    sq_network network = p->rows[p->row_count - 1].network;
    sq_link *link = p->wanted->nodes > 1 ? &network.between : &network.within;
    link->bandwidth *= 2;
    SQ_TRY(sq_step_times_predict(&p->times, &network, &changed));
    p->faster = changed.mean.seconds;
    link->bandwidth /= 2;
    link->latency /= 2;
    SQ_TRY(sq_step_times_predict(&p->times, &network, &changed));
    p->sooner = changed.mean.seconds;
    return SQ_OK;
}

/* ---- Showing ---- */

static double images_of(const plan *p, const row *r)
{
    return (double)r->network.ranks * p->times.batch * sq_sampler_paths(p->times.sampler) / r->forecast.mean.seconds;
}

static double efficiency_of(const plan *p, const row *r)
{
    return p->rows[0].forecast.mean.seconds / r->forecast.mean.seconds;
}

static const row *last_of(const plan *p)
{
    return &p->rows[p->row_count - 1];
}

static void print_share(const row *r, const char *name, double seconds)
{
    sq_print_row(name, "%10.3f ms  %5.1f %%", 1e3 * seconds, 100 * seconds / r->forecast.mean.seconds);
}

static void print_table(const plan *p)
{
    char bytes[32], each[32];
    const row *r = last_of(p);
    const sq_step_time *t = &r->forecast.mean;
    (void)printf("%s, %d images on each rank, %s step of one rank %.3f ms, %d drawn steps\n", p->session->space->name,
                 p->times.batch, p->wanted->step_seconds > 0 ? "given" : "measured", 1e3 * p->times.measured,
                 p->times.steps);
    if (p->session->config->train.rank_paths && sq_sampler_paths(p->times.sampler) > 1)
        (void)printf("train.rank_paths: own is not in the model: each rank walks all paths here\n");
    if (p->session->config->sync_batch_norm)
        (void)printf("train.sync_batch_norm is not in the model: add two exchanges for each norm\n");
    (void)printf("ranks  nodes   images/step      step ms     images/s  efficiency  waits for network\n");
    for (int i = 0; i < p->row_count; i++) {
        const row *k = &p->rows[i];
        const int per_node = k->network.per_node;
        (void)printf("%5d  %5d  %12d %12.3f %12.1f %10.1f%% %17.1f%%\n", k->network.ranks,
                     (k->network.ranks + per_node - 1) / per_node, k->network.ranks * p->times.batch,
                     1e3 * k->forecast.mean.seconds, images_of(p, k), 100 * efficiency_of(p, k),
                     100 * (k->forecast.mean.exposed + k->forecast.mean.agreement) / k->forecast.mean.seconds);
    }
    (void)printf("a step of %d ranks\n", r->network.ranks);
    print_share(r, "forward", r->forecast.forward);
    print_share(r, "backward", r->forecast.backward);
    print_share(r, "update", r->forecast.update);
    print_share(r, "waits for gradients", t->exposed);
    print_share(r, "waits for agreement", t->agreement);
    sq_print_row("gradients on their way", "%10.3f ms, of which %.3f behind the backward", 1e3 * t->network,
                 1e3 * (t->network - t->exposed));
    sq_print_row("messages", "%d a step, %s, %s on average", t->messages,
                 sq_text_si(bytes, sizeof bytes, (double)t->bytes, "B"),
                 sq_text_si(each, sizeof each, (double)t->bytes / (t->messages ? t->messages : 1), "B"));
    if (r->network.ranks == 1)
        return;
    sq_print_row("with twice the bandwidth", "%10.3f ms, efficiency %.1f %%", 1e3 * p->faster,
                 100 * p->rows[0].forecast.mean.seconds / p->faster);
    sq_print_row("with half the latency", "%10.3f ms, efficiency %.1f %%", 1e3 * p->sooner,
                 100 * p->rows[0].forecast.mean.seconds / p->sooner);
}

static json_t *row_json(const plan *p, const row *r)
{
    const sq_step_time *t = &r->forecast.mean;
    return json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "ranks", r->network.ranks, "step_ms", 1e3 * t->seconds,
                     "images_per_second", images_of(p, r), "efficiency", efficiency_of(p, r), "programs_ms",
                     1e3 * t->programs, "network_ms", 1e3 * t->network, "exposed_ms", 1e3 * t->exposed, "agreement_ms",
                     1e3 * t->agreement);
}

static sq_status print_json(const plan *p)
{
    const row *r = last_of(p);
    json_t *rows = json_array(), *object;
    for (int i = 0; rows && i < p->row_count; i++)
        (void)json_array_append_new(rows, row_json(p, &p->rows[i])); /* a missing row shows */
    object = json_pack("{s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:i, s:I, s:f, s:f, s:o}", "space",
                       p->session->space->name, "gpus", p->wanted->gpus, "nodes", p->wanted->nodes, "batch",
                       p->times.batch, "paths", sq_sampler_paths(p->times.sampler), "measured_ms",
                       1e3 * p->times.measured, "forward_ms", 1e3 * r->forecast.forward, "backward_ms",
                       1e3 * r->forecast.backward, "update_ms", 1e3 * r->forecast.update, "messages",
                       r->forecast.mean.messages, "bytes", (json_int_t)r->forecast.mean.bytes, "double_bandwidth_ms",
                       1e3 * p->faster, "half_latency_ms", 1e3 * p->sooner, "rows", rows);
    return sq_print_json(object);
}

/* ---- The command ---- */

static sq_status find_batch(const plan *p, int *out)
{
    const int batch = p->session->config->train.batch, ranks = p->wanted->gpus;
    if (p->wanted->batch == 0 && (batch % ranks != 0 || batch / ranks < 2))
        return sq_fail(SQ_INVALID,
                       "train.batch: %d images, %d ranks: wanted the same number for each, at least 2; --batch gives "
                       "the images of each",
                       batch, ranks);
    *out = p->wanted->batch ? p->wanted->batch : batch / ranks;
    return SQ_OK;
}

static sq_status make_plan(plan *p)
{
    const wanted *w = p->wanted;
    int batch = 0;
    SQ_TRY(find_batch(p, &batch));
    SQ_TRY(find_algorithm(p, &p->kind));
    SQ_TRY(w->step_seconds > 0 ? sq_step_times_spread(&p->times, p->session, batch, w->steps, w->step_seconds)
                               : sq_step_times_measure(&p->times, p->session, batch, w->steps));
    SQ_TRY(fill_rows(p));
    if (sq_ranks_rank(p->session->ranks) != 0)
        return SQ_OK;
    if (w->is_json)
        return print_json(p);
    print_table(p);
    return SQ_OK;
}

/* Programs are measured without what attaches the ranks to the backend. */
static sq_status plan_session(plan *p, sq_session *s)
{
    const char *device = s->config->device;
    p->session = s;
    p->is_host = strcmp(device, "cpu") == 0 || strcmp(device, "reference") == 0;
    if (s->backend) {
        p->is_host = s->backend->ops->available == NULL;
        s->backend->reduction = NULL;
    }
    return make_plan(p);
}

static int run_plan(const sq_options *read, wanted *w)
{
    static plan p; /* large; the program runs one command */
    sq_session s = {0};
    sq_ranks *ranks = NULL;
    sq_status status = sq_session_join(&ranks, read);
    if (status != SQ_OK)
        return sq_command_fail("plan", status);
    s.ranks = ranks;
    w->gpus = w->gpus ? w->gpus : sq_ranks_count(ranks);
    p.wanted = w;
    status = sq_ranks_agree(ranks, sq_session_open(&s, read->arguments[0], read->overrides, read->override_count,
                                                   w->step_seconds > 0 ? 0 : SQ_OPEN_BACKEND));
    if (status == SQ_OK) {
        status = sq_ranks_agree(ranks, plan_session(&p, &s));
        sq_step_times_clear(&p.times);
        sq_session_close(&s);
    }
    return sq_session_leave("plan", ranks, status);
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.nodes = "1", .steps = "50", .algorithm = "auto"};
    bool is_help;
    const sq_option options[] = {{"--gpus", &a.gpus, NULL, NULL},
                                 {"--nodes", &a.nodes, NULL, NULL},
                                 {"--bandwidth", &a.bandwidth, NULL, NULL},
                                 {"--latency", &a.latency, NULL, NULL},
                                 {"--local-bandwidth", &a.local_bandwidth, NULL, NULL},
                                 {"--local-latency", &a.local_latency, NULL, NULL},
                                 {"--algorithm", &a.algorithm, NULL, NULL},
                                 {"--batch", &a.batch, NULL, NULL},
                                 {"--steps", &a.steps, NULL, NULL},
                                 {"--step-ms", &a.step_ms, NULL, NULL},
                                 {"--measure", NULL, &a.is_measured, NULL},
                                 {"--json", NULL, &a.is_json, NULL},
                                 {NULL, NULL, NULL, NULL}};
    int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code)
        return code;
    if (read.argument_count != 1)
        return sq_command_usage("plan", "wanted one configuration");
    wanted w = {.algorithm = a.algorithm, .is_json = a.is_json};
    code = read_counts(&a, &w);
    if (code == 0)
        code = read_links(&a, &w);
    if (code == 0)
        code = check(&a, &w);
    if (code)
        return code;
    return run_plan(&read, &w);
}

const sq_command sq_command_plan = {
    .name = "plan",
    .summary = "what a training step would take on many ranks, before there are any",
    .usage = "squall plan CONFIG --gpus N [--nodes N --bandwidth GBPS --latency US] [--step-ms MS] [--json]",
    .help =
        "Measures the programs of CONFIG's space on this machine, for the images that each of N ranks would have, and "
        "models\n"
        "a training step: forward, backward with each block's gradients and statistics on their way behind it, the "
        "wait for\n"
        "them, the update. Prints the step's time, images/s and efficiency (one rank's time over theirs, with the same "
        "images\n"
        "on each) for 1, 2, 4, ... N ranks, where the time goes, and what a better network would bring. Needs no data "
        "set;\n"
        "classes are the space's. Loading images is not modelled (squall bench loader).\n\n"
        "  --gpus N             ranks in all (default: those that a launcher started)\n"
        "  --nodes N            machines that they are spread over (default 1)\n"
        "  --bandwidth GBPS     GB/s of a node's network in each direction, all its cables together (100 Gbit/s: "
        "12.5)\n"
        "  --latency US         microseconds from a rank to one of another node\n"
        "  --local-bandwidth GBPS, --local-latency US   the same between two ranks of a node (default: 150 and 5 for "
        "GPUs,\n"
        "                       4 and 2 for CPUs); squall doctor tells what it finds\n"
        "  --algorithm A        fastest: of ring and tree, as NCCL does; ring, tree, binomial (Open MPI's), doubling; "
        "auto:\n"
        "                       fastest for GPUs, binomial for CPUs\n"
        "  --batch N            images of each rank (default: train.batch in N equal parts)\n"
        "  --steps N            steps whose paths are drawn and averaged (default 50)\n"
        "  --measure            program times are measured here: the default\n"
        "  --step-ms MS         instead: a step of one rank takes so long; no device is opened, and --device only says "
        "what\n"
        "                       is planned for (cpu or reference, or else GPUs)\n"
        "  --json               one line of JSON\n"
        "  --device D, --graphs on|off, --engine E, --threads N, --seed N, --set key=value   as in train\n\n"
        "mpirun -n N squall plan CONFIG ...: N processes measure at the same time, as they would train on one "
        "machine.\n",
    .run = run,
    .works_in_several = true,
};
