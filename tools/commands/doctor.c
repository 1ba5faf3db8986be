/* squall doctor: prints facts about the ranks, the speed of their reductions, and problems. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/clock.h"
#include "kernels/base/text.h"
#include "kernels/cpu/processor.h"
#include "supernet/ranks/step_model.h"
#include "tools/commands/commands.h"
#include "tools/doctor/doctor.h"

enum { SIZES = 4, MOST_REPEATS = 200 };
#define SECONDS_A_SIZE 0.3 /* seconds of measurement for each message size */
#define TIME_LIMIT     60.0

static const size_t sizes[SIZES] = {4096, 65536, 1 << 20, 16 << 20};

typedef struct {
    double latency;        /* seconds to sum one number over all ranks */
    double seconds[SIZES]; /* seconds of a mean over all ranks, by size */
} network;

typedef struct {
    const sq_session *session;
    bool is_json;
    sq_backend *backend; /* NULL: not usable; own.problem has the reason */
    sq_doctor_rank own;
    sq_doctor_rank *all;   /* the facts of every rank */
    sq_doctor_facts facts; /* input of sq_doctor_judge: the facts of all ranks */
    bool is_measured;
    network network;
    sq_doctor_wrong wrong;
} doctor;

/* ---- Gathering facts ---- */

/* Opens the device. If the device cannot be opened or connected to the ranks, writes the reason to own.problem and does
 * not fail. */
static void open_device(doctor *d)
{
    const sq_session *s = d->session;
    const sq_backend_options options = {.threads = sq_session_threads(s), .device = sq_ranks_local(s->ranks)};
    sq_status status = sq_backend_open_with(s->config->device, &options, &d->backend);
    if (status == SQ_OK)
        status = sq_ranks_attach(s->ranks, d->backend);
    if (status != SQ_OK) {
        (void)snprintf(d->own.problem, sizeof d->own.problem, "%s", sq_error_text());
        (void)snprintf(d->own.device, sizeof d->own.device, "none");
        sq_backend_close(d->backend);
        d->backend = NULL;
        return;
    }
    char about[SQ_DOCTOR_TEXT - 16];
    const char *name = d->backend->ops->name;
    if (d->backend->ops->available)
        sq_cuda_describe(about, sizeof about);
    else
        sq_cpu_describe(about, sizeof about); /* such as "avx512, OpenBLAS SkylakeX, 2 cores" */
    char *last = d->backend->ops->available ? NULL : strrchr(about, ',');
    if (last)
        *last = 0; /* the number of cores is shown in its own column */
    (void)snprintf(d->own.device, sizeof d->own.device, "%.12s: %s", name, about);
}

static sq_status gather(doctor *d)
{
    sq_ranks *ranks = d->session->ranks;
    struct timespec now;
    sq_doctor_look(&d->own, d->session, d->facts.folder);
    open_device(d);
    SQ_TRY(sq_ranks_barrier(ranks));
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    d->own.clock = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    return sq_ranks_gather(ranks, &d->own, sizeof d->own, d->all);
}

/* ---- Measuring ---- */

static sq_status reduce(doctor *d, sq_device_ptr at, size_t bytes, int repeats, double *seconds)
{
    const struct sq_backend_ops *ops = d->backend->ops;
    SQ_TRY(ops->wait(d->backend));
    SQ_TRY(sq_ranks_barrier(d->session->ranks));
    const double begin = sq_seconds_now();
    for (int i = 0; i < repeats; i++) {
        SQ_TRY(ops->reduce_mean(d->backend, at, bytes / sizeof(float), SQ_F32));
        SQ_TRY(ops->join(d->backend));
    }
    SQ_TRY(ops->wait(d->backend));
    *seconds = (sq_seconds_now() - begin) / repeats;
    return sq_ranks_broadcast(d->session->ranks, seconds, sizeof *seconds);
}

/* Measures a mean of sizes[i] bytes over all ranks, repeated for about SECONDS_A_SIZE but at most MOST_REPEATS
 * times. */
static sq_status time_size(doctor *d, sq_device_ptr at, int i)
{
    double once;
    SQ_TRY(reduce(d, at, sizes[i], 1, &once)); /* opens the connections; this time is ignored */
    SQ_TRY(reduce(d, at, sizes[i], 1, &once));
    const double fits = SECONDS_A_SIZE / (once > 0 ? once : 1e-9);
    const int repeats = fits < 1 ? 1 : fits > MOST_REPEATS ? MOST_REPEATS : (int)fits;
    return reduce(d, at, sizes[i], repeats, &d->network.seconds[i]);
}

static sq_status time_latency(doctor *d)
{
    const int repeats = 50;
    sq_ranks *ranks = d->session->ranks;
    double one = 1;
    SQ_TRY(sq_ranks_sum(ranks, &one, 1)); /* opens the connections; this time is ignored */
    SQ_TRY(sq_ranks_barrier(ranks));
    const double begin = sq_seconds_now();
    for (int i = 0; i < repeats; i++) {
        one = 1;
        SQ_TRY(sq_ranks_sum(ranks, &one, 1));
    }
    d->network.latency = (sq_seconds_now() - begin) / repeats;
    return sq_ranks_broadcast(ranks, &d->network.latency, sizeof d->network.latency);
}

static sq_status measure(doctor *d)
{
    sq_device_ptr at;
    for (int i = 0; i < d->facts.count; i++)
        if (*d->all[i].problem || d->facts.count == 1)
            return SQ_OK; /* one rank has no device, or there is only one rank */
    SQ_TRY(d->backend->ops->allocate(d->backend, sizes[SIZES - 1], &at));
    sq_status status = time_latency(d);
    for (int i = 0; status == SQ_OK && i < SIZES; i++)
        status = time_size(d, at, i);
    d->backend->ops->release(d->backend, at);
    d->is_measured = status == SQ_OK;
    return status;
}

/* ---- Showing ---- */

static void print_list(const sq_doctor_rank *r, char *text, size_t bytes)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < SQ_DOCTOR_CORES && used < bytes; i++) {
        int last = i;
        if (!(r->cores[i / 64] >> (i % 64) & 1))
            continue;
        while (last + 1 < SQ_DOCTOR_CORES && r->cores[(last + 1) / 64] >> ((last + 1) % 64) & 1)
            last++;
        used += (size_t)snprintf(text + used, bytes - used, last > i ? "%s%d-%d" : "%s%d", used ? "," : "", i, last);
        i = last;
    }
}

static void print_ranks(const doctor *d)
{
    char cores[256], free_space[32];
    (void)printf("rank  local  host                  cores  of   threads  free        device\n");
    for (int i = 0; i < d->facts.count; i++) {
        const sq_doctor_rank *r = &d->facts.ranks[i];
        print_list(r, cores, sizeof cores);
        (void)printf("%4d  %5d  %-20s  %-5s  %-3d  %7d  %-10s  %s\n", i, r->local, r->host, cores, r->online,
                     r->threads, sq_text_si(free_space, sizeof free_space, r->folder_free, "B"), r->device);
    }
}

/* Computes the link options of `squall forecast` for this network. An MPI sum takes log2(ranks) rounds to rank 0 and
 * the same number of rounds back. Returns false if nothing was measured, if the ranks use NCCL instead of MPI, or if
 * the sums used links both within and between hosts. */
static bool find_link(const doctor *d, sq_link *out)
{
    const int count = d->facts.count, hosts = sq_doctor_hosts(&d->facts), last = SIZES - 1;
    int rounds = 0;
    while (1 << rounds < count)
        rounds++;
    if (!d->is_measured || d->backend->ops->available || (hosts != 1 && hosts != count))
        return false;
    *out = (sq_link){d->network.latency / (2 * rounds), 2 * rounds * (double)sizes[last] / d->network.seconds[last]};
    return true;
}

static void print_link(const doctor *d)
{
    const char *prefix = sq_doctor_hosts(&d->facts) == 1 ? "local-" : "";
    sq_link link;
    if (find_link(d, &link))
        sq_print_row("for squall forecast", "--%sbandwidth %.4g --%slatency %.1f", prefix, 1e-9 * link.bandwidth,
                     prefix, 1e6 * link.latency);
}

static void print_network(const doctor *d)
{
    char bytes[32];
    if (!d->is_measured) {
        sq_print_row("reduction", "%s", d->facts.count == 1 ? "not measured: one rank" : "not measured: see below");
        return;
    }
    sq_print_row("agreement", "%.1f us for one number of all ranks", 1e6 * d->network.latency);
    for (int i = 0; i < SIZES; i++)
        sq_print_row(i ? "" : "reduction", "%8s in %10.1f us, %8.4f GB/s",
                     sq_text_si(bytes, sizeof bytes, (double)sizes[i], "B"), 1e6 * d->network.seconds[i],
                     1e-9 * (double)sizes[i] / d->network.seconds[i]);
    print_link(d);
}

static void print_all(const doctor *d)
{
    char line[SQ_DOCTOR_TEXT];
    sq_ranks_describe(d->session->ranks, line, sizeof line);
    (void)printf("squall %s, %s\n", SQUALL_VERSION, line);
    print_ranks(d);
    for (int i = 0; sq_backend_describe(i, line, sizeof line); i++)
        sq_print_row(i ? "" : "backends", "%s", line);
    sq_cuda_describe_peers(line, sizeof line);
    sq_print_row("GPUs among themselves", "%s", line);
    print_network(d);
    for (int i = 0; i < d->wrong.count; i++)
        (void)printf("wrong: %s\n", d->wrong.lines[i]);
    if (d->wrong.count == 0)
        (void)printf("nothing looks wrong\n");
}

static json_t *rank_json(const sq_doctor_rank *r)
{
    char cores[256];
    print_list(r, cores, sizeof cores);
    return json_pack("{s:s, s:i, s:s, s:i, s:i, s:s, s:s, s:f}", "host", r->host, "local", r->local, "cores", cores,
                     "cores_of_host", r->online, "threads", r->threads, "device", r->device, "problem", r->problem,
                     "free_bytes", r->folder_free);
}

static json_t *network_json(const doctor *d)
{
    json_t *list = json_array();
    for (int i = 0; list && d->is_measured && i < SIZES; i++)
        (void)json_array_append_new(list, json_pack("{s:I, s:f, s:f}", "bytes", (json_int_t)sizes[i], "us",
                                                    1e6 * d->network.seconds[i], "gbps",
                                                    1e-9 * (double)sizes[i] / d->network.seconds[i]));
    return json_pack("{s:o, s:o}", "agreement_us", d->is_measured ? json_real(1e6 * d->network.latency) : json_null(),
                     "reductions", list);
}

static sq_status print_json(const doctor *d)
{
    char mpi[SQ_DOCTOR_TEXT], peers[SQ_DOCTOR_TEXT];
    json_t *ranks = json_array(), *wrong = json_array();
    for (int i = 0; ranks && i < d->facts.count; i++)
        (void)json_array_append_new(ranks, rank_json(&d->facts.ranks[i])); /* on failure the rank is missing */
    for (int i = 0; wrong && i < d->wrong.count; i++)
        (void)json_array_append_new(wrong, json_string(d->wrong.lines[i]));
    sq_ranks_describe(d->session->ranks, mpi, sizeof mpi);
    sq_cuda_describe_peers(peers, sizeof peers);
    return sq_print_json(json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "version", SQUALL_VERSION, "mpi", mpi, "peers",
                                   peers, "ranks", ranks, "network", network_json(d), "wrong", wrong));
}

/* ---- The command ---- */

static sq_status examine(doctor *d)
{
    const int count = sq_ranks_count(d->session->ranks);
    d->all = calloc((size_t)count, sizeof *d->all);
    if (!d->all)
        return sq_fail(SQ_NO_MEMORY, "doctor: %d ranks", count);
    d->facts.ranks = d->all;
    d->facts.count = count;
    SQ_TRY(gather(d));
    SQ_TRY(measure(d));
    sq_doctor_judge(&d->facts, &d->wrong);
    if (sq_ranks_rank(d->session->ranks) != 0)
        return SQ_OK;
    if (d->is_json)
        return print_json(d);
    print_all(d);
    return SQ_OK;
}

/* Returns the exit code, which is 1 if there are problems. */
static int run_doctor(const sq_options *options, doctor *d)
{
    sq_ranks *ranks = NULL;
    sq_session s = {0};
    sq_status status = sq_ranks_open(&ranks, 0); /* the default time limit, because a cluster can start slowly */
    if (status != SQ_OK)
        return sq_command_fail("doctor", status);
    sq_ranks_set_time_limit(ranks, TIME_LIMIT); /* after the start, ranks must answer soon */
    s.ranks = ranks;
    status = sq_session_open(&s, NULL, options, 0);
    if (status == SQ_OK) {
        d->session = &s;
        status = examine(d);
        sq_backend_close(d->backend);
        free(d->all);
        sq_session_close(&s);
    }
    const int code = sq_session_leave("doctor", ranks, status);
    return code ? code : d->wrong.count > 0;
}

typedef struct {
    const char *folder;
    bool is_json;
} arguments;

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    doctor *d = calloc(1, sizeof *d);
    if (!d)
        return sq_command_fail("doctor", sq_fail(SQ_NO_MEMORY, "doctor"));
    d->facts.folder = a->folder;
    d->is_json = a->is_json;
    const int code = run_doctor(options, d);
    free(d);
    return code;
}

static const sq_option options[] = {SQ_TEXT("-o", folder), SQ_TEXT("--out", folder), SQ_FLAG("--json", is_json),
                                    SQ_OPTIONS_END};

const sq_command sq_command_doctor = {.name = "doctor",
                                      SQ_ARGUMENTS(.folder = "."),
                                      .has_config = true,
                                      .expected = "no argument",
                                      .run = run,
                                      .works_on_ranks = true};
