/* squall forecast: predicts the time of a training step on many ranks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "tools/commands/commands.h"
#include "tools/run/step_times.h"

/* Default links between two ranks of a node: NVLink of a current GPU for GPUs, shared memory for hosts. */
static const sq_link gpu_within = {5e-6, 150e9}, host_within = {2e-6, 4e9};

enum { MOST_ROWS = 20, MOST_RANKS = 65536, EAGER_BYTES = 65536 /* Open MPI's btl_tcp_eager_limit */ };
#define POLL_PAUSE                                                                                                     \
    1e-4 /* seconds: supernet/ranks/ranks.c sleeps 50 us between two polls, and Linux wakes it about 50 us late */

typedef enum { AUTO, RING, TREE } algorithm;
#define ALGORITHM_WORDS "auto ring tree"

typedef struct {
    int gpus; /* SQ_UNSET: the number of ranks of the launcher */
    int nodes, steps, algorithm;
    int batch;                                                 /* SQ_UNSET: train.batch divided by the ranks */
    double step_ms;                                            /* SQ_UNSET: measured */
    double bandwidth, latency, local_bandwidth, local_latency; /* GB/s, microseconds; SQ_UNSET: not given */
    bool is_json;
} arguments;

typedef struct {
    sq_network network;
    sq_step_forecast forecast;
} row;

typedef struct {
    const arguments *a;
    int gpus; /* a->gpus, or the number of ranks of the launcher */
    const sq_session *session;
    bool is_host; /* MPI reduces the gradients */
    sq_step_times times;
    row rows[MOST_ROWS];
    int row_count;
    double faster, sooner; /* seconds of the last row's step: with twice the bandwidth; with half the latency */
} forecast;

/* ---- Options ---- */

static int check(const arguments *a)
{
    if (a->nodes > 1 && a->gpus == SQ_UNSET)
        return sq_command_usage("forecast", "--nodes %d: expected --gpus, the number of all ranks", a->nodes);
    if (a->gpus > 0 && a->gpus % a->nodes != 0)
        return sq_command_usage("forecast", "--gpus %d on --nodes %d: expected the same number on each node", a->gpus,
                                a->nodes);
    if (a->nodes > 1 && (a->bandwidth < 0 || a->latency < 0))
        return sq_command_usage("forecast",
                                "%d nodes: expected --bandwidth (GB/s) and --latency (us) between the nodes", a->nodes);
    if (a->nodes == 1 && (a->bandwidth > 0 || a->latency >= 0))
        return sq_command_usage("forecast", "--bandwidth and --latency apply between nodes, and there is one; expected "
                                            "--nodes, or --local-bandwidth and --local-latency");
    return 0;
}

static sq_link given_link(double gb_per_second, double us)
{
    return (sq_link){.latency = 1e-6 * us, .bandwidth = 1e9 * gb_per_second};
}

/* ---- The network ---- */

/* Returns the algorithm. The default is the faster of ring and tree for NCCL, and a binomial tree for Open MPI. */
static sq_reduce_kind reduce_kind(const forecast *p)
{
    static const sq_reduce_kind kinds[] = {[RING] = SQ_REDUCE_RING, [TREE] = SQ_REDUCE_TREE};
    if (p->a->algorithm == AUTO)
        return p->is_host ? SQ_REDUCE_BINOMIAL : SQ_REDUCE_FASTEST;
    return kinds[p->a->algorithm];
}

static sq_network network_of(const forecast *p, int ranks)
{
    const arguments *a = p->a;
    const sq_link assumed = p->is_host ? host_within : gpu_within,
                  local = given_link(a->local_bandwidth, a->local_latency);
    sq_network network = {.kind = reduce_kind(p),
                          .ranks = ranks,
                          .per_node = p->gpus / a->nodes,
                          .within = {local.latency >= 0 ? local.latency : assumed.latency,
                                     local.bandwidth > 0 ? local.bandwidth : assumed.bandwidth},
                          .is_polled = p->is_host,
                          .eager_bytes = p->is_host ? EAGER_BYTES : 0,
                          .pause = p->is_host ? POLL_PAUSE : 0};
    network.between = a->nodes > 1 ? given_link(a->bandwidth, a->latency) : network.within;
    return network;
}

static sq_status add_row(forecast *p, int ranks)
{
    row *r = &p->rows[p->row_count];
    r->network = network_of(p, ranks);
    SQ_TRY(sq_step_times_predict(&p->times, &r->network, &r->forecast));
    p->row_count++;
    return SQ_OK;
}

/* Adds a row for each power of two below the requested number of ranks, and a row for that number. Then predicts the
 * last row's step with twice the bandwidth and with half the latency. */
static sq_status fill_rows(forecast *p)
{
    sq_step_forecast changed;
    for (int ranks = 1; ranks < p->gpus; ranks *= 2)
        SQ_TRY(add_row(p, ranks));
    SQ_TRY(add_row(p, p->gpus));
    sq_network network = p->rows[p->row_count - 1].network;
    sq_link *link = p->a->nodes > 1 ? &network.between : &network.within;
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

static double images_of(const forecast *p, const row *r)
{
    return (double)r->network.ranks * p->times.batch * sq_sampler_paths(p->times.sampler) / r->forecast.mean.seconds;
}

static double efficiency_of(const forecast *p, const row *r)
{
    return p->rows[0].forecast.mean.seconds / r->forecast.mean.seconds;
}

static const row *last_of(const forecast *p)
{
    return &p->rows[p->row_count - 1];
}

static void print_share(const row *r, const char *name, double seconds)
{
    sq_print_row(name, "%10.3f ms  %5.1f %%", 1e3 * seconds, 100 * seconds / r->forecast.mean.seconds);
}

static void print_table(const forecast *p)
{
    char bytes[32], each[32];
    const row *r = last_of(p);
    const sq_step_time *t = &r->forecast.mean;
    (void)printf("%s, %d images on each rank, %s step of one rank %.3f ms, %d drawn steps\n", p->session->space->name,
                 p->times.batch, p->a->step_ms > 0 ? "given" : "measured", 1e3 * p->times.measured, p->times.steps);
    if (p->session->config->train.rank_paths && sq_sampler_paths(p->times.sampler) > 1)
        (void)printf("train.rank_paths: own is not in the model: here each rank trains all paths\n");
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
    sq_print_row("gradients in transit", "%10.3f ms, of which %.3f overlap the backward pass", 1e3 * t->network,
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

static json_t *row_json(const forecast *p, const row *r)
{
    const sq_step_time *t = &r->forecast.mean;
    return json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "ranks", r->network.ranks, "step_ms", 1e3 * t->seconds,
                     "images_per_second", images_of(p, r), "efficiency", efficiency_of(p, r), "programs_ms",
                     1e3 * t->programs, "network_ms", 1e3 * t->network, "exposed_ms", 1e3 * t->exposed, "agreement_ms",
                     1e3 * t->agreement);
}

static sq_status print_json(const forecast *p)
{
    const row *r = last_of(p);
    json_t *rows = json_array(), *object;
    for (int i = 0; rows && i < p->row_count; i++)
        (void)json_array_append_new(rows, row_json(p, &p->rows[i])); /* on failure the row is missing */
    object = json_pack("{s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:i, s:I, s:f, s:f, s:o}", "space",
                       p->session->space->name, "gpus", p->gpus, "nodes", p->a->nodes, "batch", p->times.batch, "paths",
                       sq_sampler_paths(p->times.sampler), "measured_ms", 1e3 * p->times.measured, "forward_ms",
                       1e3 * r->forecast.forward, "backward_ms", 1e3 * r->forecast.backward, "update_ms",
                       1e3 * r->forecast.update, "messages", r->forecast.mean.messages, "bytes",
                       (json_int_t)r->forecast.mean.bytes, "double_bandwidth_ms", 1e3 * p->faster, "half_latency_ms",
                       1e3 * p->sooner, "rows", rows);
    return sq_print_json(object);
}

/* ---- The command ---- */

static sq_status find_batch(const forecast *p, int *out)
{
    const int batch = p->session->config->train.batch, ranks = p->gpus;
    if (p->a->batch == SQ_UNSET && (batch % ranks != 0 || batch / ranks < 2))
        return sq_fail(
            SQ_INVALID,
            "train.batch: found %d images for %d ranks, expected an equal number for each, at least 2; --batch gives "
            "the images of each rank",
            batch, ranks);
    *out = p->a->batch == SQ_UNSET ? batch / ranks : p->a->batch;
    return SQ_OK;
}

static sq_status make_forecast(forecast *p)
{
    const arguments *a = p->a;
    int batch = 0;
    SQ_TRY(find_batch(p, &batch));
    SQ_TRY(a->step_ms > 0 ? sq_step_times_spread(&p->times, p->session, batch, a->steps, 1e-3 * a->step_ms)
                          : sq_step_times_measure(&p->times, p->session, batch, a->steps));
    SQ_TRY(fill_rows(p));
    if (sq_ranks_rank(p->session->ranks) != 0)
        return SQ_OK;
    if (a->is_json)
        return print_json(p);
    print_table(p);
    return SQ_OK;
}

/* Makes the forecast. Removes the backend's reductions first, so that programs are measured without the network. */
static sq_status forecast_session(forecast *p, sq_session *s)
{
    const char *device = s->config->device;
    p->session = s;
    p->is_host = strcmp(device, "cpu") == 0 || strcmp(device, "reference") == 0;
    if (s->backend) {
        p->is_host = s->backend->ops->available == NULL;
        s->backend->reduction = NULL;
    }
    return make_forecast(p);
}

static sq_status open_and_forecast(forecast *p, const sq_options *options, sq_ranks *ranks)
{
    sq_session s = {.ranks = ranks};
    p->gpus = p->a->gpus == SQ_UNSET ? sq_ranks_count(ranks) : p->a->gpus;
    SQ_TRY(sq_ranks_agree(
        ranks, sq_session_open(&s, options->arguments[0], options, p->a->step_ms > 0 ? 0 : SQ_OPEN_BACKEND)));
    const sq_status status = sq_ranks_agree(ranks, forecast_session(p, &s));
    sq_step_times_clear(&p->times);
    sq_session_close(&s);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    sq_ranks *ranks = NULL;
    const int code = check(given);
    if (code)
        return code;
    forecast *p = calloc(1, sizeof *p);
    sq_status status = p ? sq_session_join(&ranks, options) : sq_fail(SQ_NO_MEMORY, "forecast");
    if (status == SQ_OK) {
        p->a = given;
        status = open_and_forecast(p, options, ranks);
    }
    free(p);
    return sq_session_leave("forecast", ranks, status);
}

static const sq_option options[] = {SQ_INT("--gpus", gpus, 1, MOST_RANKS),
                                    SQ_INT("--nodes", nodes, 1, MOST_RANKS),
                                    SQ_REAL("--bandwidth", bandwidth, 1e-6, 1e6),
                                    SQ_REAL("--latency", latency, 0, 1e7),
                                    SQ_REAL("--local-bandwidth", local_bandwidth, 1e-6, 1e6),
                                    SQ_REAL("--local-latency", local_latency, 0, 1e7),
                                    SQ_WORD("--algorithm", algorithm, ALGORITHM_WORDS),
                                    SQ_INT("--batch", batch, 2, 65536), /* batch norm needs at least two images */
                                    SQ_INT("--steps", steps, 1, 100000),
                                    SQ_REAL("--step-ms", step_ms, 1e-3, 1e9),
                                    SQ_FLAG("--json", is_json),
                                    SQ_OPTIONS_END};

const sq_command sq_command_forecast = {.name = "forecast",
                                        SQ_ARGUMENTS(.gpus = SQ_UNSET, .nodes = 1, .steps = 50, .batch = SQ_UNSET,
                                                     .step_ms = SQ_UNSET, .bandwidth = SQ_UNSET, .latency = SQ_UNSET,
                                                     .local_bandwidth = SQ_UNSET, .local_latency = SQ_UNSET),
                                        .has_config = true,
                                        .argument_min = 1,
                                        .argument_max = 1,
                                        .expected = "one configuration",
                                        .run = run,
                                        .works_on_ranks = true};
