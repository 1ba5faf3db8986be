/* Finds problems in the facts of all ranks. The checks read nothing else, so that tests can simulate any cluster. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "tools/doctor/doctor.h"

#define CLOCK_LIMIT 2.0 /* seconds; up to this clock difference, file times in a shared folder keep their order */
#define SHARED_LIMIT                                                                                                   \
    (16.0 * (1 << 20)) /* bytes of /dev/shm per rank that Open MPI needs; containers have 64 MiB in total */
#define TEMPORARY_LIMIT (64.0 * (1 << 20)) /* bytes for the launcher's session folder, sockets and logs */
#define FOLDER_LIMIT    (1.0 * (1 << 30))  /* bytes for a few checkpoints of a small supernet */

static void add(sq_doctor_wrong *wrong, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(sq_doctor_wrong *wrong, const char *format, ...)
{
    va_list arguments;
    if (wrong->count == SQ_DOCTOR_MOST_WRONG)
        return;
    va_start(arguments, format);
    (void)vsnprintf(wrong->lines[wrong->count++], sizeof *wrong->lines, format, arguments);
    va_end(arguments);
}

static int core_count(const sq_doctor_rank *rank)
{
    int count = 0;
    for (int i = 0; i < SQ_DOCTOR_CORES; i++)
        count += (int)(rank->cores[i / 64] >> (i % 64) & 1);
    return count;
}

static bool is_same_host(const sq_doctor_facts *f, int a, int b)
{
    return strcmp(f->ranks[a].host, f->ranks[b].host) == 0;
}

/* Returns whether rank `index` is the first rank of its host. */
static bool is_first(const sq_doctor_facts *f, int index)
{
    for (int i = 0; i < index; i++)
        if (is_same_host(f, i, index))
            return false;
    return true;
}

int sq_doctor_hosts(const sq_doctor_facts *f)
{
    int hosts = 0;
    for (int i = 0; i < f->count; i++)
        hosts += is_first(f, i);
    return hosts;
}

/* ---- One host ---- */

typedef struct {
    const char *name;
    int ranks, threads, online;
    sq_doctor_rank together; /* .cores: those that at least one rank of the host may use */
} host;

static host host_of(const sq_doctor_facts *f, int first)
{
    host h = {.name = f->ranks[first].host, .online = f->ranks[first].online};
    for (int i = first; i < f->count; i++)
        if (is_same_host(f, i, first)) {
            h.ranks++;
            h.threads += f->ranks[i].threads;
            for (int k = 0; k < SQ_DOCTOR_CORES / 64; k++)
                h.together.cores[k] |= f->ranks[i].cores[k];
        }
    return h;
}

static void judge_cores(const host *h, sq_doctor_wrong *wrong)
{
    const int cores = core_count(&h->together);
    if (cores < h->ranks && cores < h->online)
        add(wrong,
            "%s: %d ranks are bound to %d of %d cores: mpirun --bind-to none, or --map-by slot:PE=%d; srun "
            "--cpus-per-task=%d",
            h->name, h->ranks, cores, h->online, h->online / h->ranks > 0 ? h->online / h->ranks : 1,
            h->online / h->ranks > 0 ? h->online / h->ranks : 1);
    else if (cores < h->ranks)
        add(wrong, "%s: %d ranks on %d cores: start at most %d ranks there", h->name, h->ranks, cores, cores);
    else if (h->threads > cores)
        add(wrong, "%s: %d threads of %d ranks on %d cores: use --threads %d", h->name, h->threads, h->ranks, cores,
            cores / h->ranks);
}

static void judge_disks(const sq_doctor_facts *f, int first, const host *h, sq_doctor_wrong *wrong)
{
    const sq_doctor_rank *r = &f->ranks[first];
    char text[32];
    if (h->ranks > 1 && r->shared_free < SHARED_LIMIT * h->ranks)
        add(wrong, "%s: /dev/shm has %s free for %d ranks, MPI needs %.0f MB: make it larger (docker --shm-size)",
            r->host, r->shared_free < 0 ? "nothing" : sq_text_si(text, sizeof text, r->shared_free, "B"), h->ranks,
            1e-6 * SHARED_LIMIT * h->ranks);
    if (r->temporary_free < TEMPORARY_LIMIT)
        add(wrong, "%s: the folder for temporary files has %s free, expected %.0f MB: set TMPDIR to another folder",
            r->host, r->temporary_free < 0 ? "nothing" : sq_text_si(text, sizeof text, r->temporary_free, "B"),
            1e-6 * TEMPORARY_LIMIT);
    if (r->folder_free < 0)
        add(wrong, "%s: %s is not writable: choose another folder for runs", r->host, f->folder);
    else if (r->folder_free < FOLDER_LIMIT)
        add(wrong,
            "%s: %s has %s free, expected 1 GB for checkpoints: free some space, or choose another folder for runs",
            r->host, f->folder, sq_text_si(text, sizeof text, r->folder_free, "B"));
}

/* Reports two ranks of a host that have the same local number and therefore would use the same GPU. */
static void judge_locals(const sq_doctor_facts *f, int first, sq_doctor_wrong *wrong)
{
    for (int i = first; i < f->count; i++)
        for (int k = first; k < i && is_same_host(f, i, first); k++)
            if (is_same_host(f, k, first) && f->ranks[i].local == f->ranks[k].local) {
                add(wrong,
                    "%s: ranks %d and %d have the same local number %d and would share a GPU: unset "
                    "LOCAL_RANK, or give each rank its own",
                    f->ranks[i].host, k, i, f->ranks[i].local);
                return;
            }
}

static void judge_hosts(const sq_doctor_facts *f, sq_doctor_wrong *wrong)
{
    for (int i = 0; i < f->count; i++) {
        if (!is_first(f, i))
            continue;
        const host h = host_of(f, i);
        judge_cores(&h, wrong);
        judge_disks(f, i, &h, wrong);
        judge_locals(f, i, wrong);
    }
}

/* ---- Between ranks ---- */

static void judge_launcher(const sq_doctor_facts *f, sq_doctor_wrong *wrong)
{
    const sq_doctor_rank *r = &f->ranks[0];
    if (r->launched > f->count)
        add(wrong,
            "the launcher started %d ranks, but %s: it belongs to a different MPI from the one that squall was built "
            "with; "
            "use the mpirun of that MPI, or srun --mpi=pmix",
            r->launched, f->count == 1 ? "each rank is alone" : "fewer are connected");
}

static void judge_differences(const sq_doctor_facts *f, sq_doctor_wrong *wrong)
{
    const sq_doctor_rank *a = &f->ranks[0];
    bool version = false, device = false, clock = false;
    for (int i = 1; i < f->count; i++) {
        const sq_doctor_rank *b = &f->ranks[i];
        if (!version && (strcmp(a->version, b->version) != 0 || a->build != b->build)) {
            add(wrong,
                "rank %d on %s runs a different build of squall (%s) from rank 0 on %s (%s): install the same build on "
                "all hosts",
                i, b->host, b->version, a->host, a->version);
            version = true;
        }
        if (!device && strcmp(a->device, b->device) != 0) {
            add(wrong, "rank %d on %s computes on '%s', rank 0 on '%s': the slowest sets the pace; use equal nodes", i,
                b->host, b->device, a->device);
            device = true;
        }
        if (!clock && fabs(a->clock - b->clock) > CLOCK_LIMIT) {
            add(wrong, "the clock of %s is %.0f s off from that of %s: synchronize them (chrony, ntpd)", b->host,
                b->clock - a->clock, a->host);
            clock = true;
        }
    }
}

/* Returns whether a list of interfaces contains the loopback ("lo", "lo,eth0") or a loopback address. */
static bool is_loopback(const char *list)
{
    return strcmp(list, "lo") == 0 || strncmp(list, "lo,", 3) == 0 || strstr(list, ",lo") || strstr(list, "127.");
}

static void judge_network(const sq_doctor_facts *f, sq_doctor_wrong *wrong)
{
    if (sq_doctor_hosts(f) == 1)
        return;
    for (int i = 0; i < f->count; i++) {
        if (!is_first(f, i))
            continue;
        if (is_loopback(f->ranks[i].network))
            add(wrong,
                "%s: Open MPI's settings select '%s' between hosts, which is the loopback: use --mca "
                "btl_tcp_if_include with "
                "the interface that connects the hosts",
                f->ranks[i].host, f->ranks[i].network);
        else if (!f->ranks[i].has_interface)
            add(wrong, "%s: only the loopback interface is up: check the cable and the container's network",
                f->ranks[i].host);
    }
}

/* Returns whether OPENBLAS_CORETYPE makes OpenBLAS use the kernels of an older processor, which halves the speed
 * (kernels/cpu/processor.h). */
static bool is_pinned(const char *device)
{
    return strstr(device, "avx512") && strstr(device, "OpenBLAS ") && !strstr(device, "SkylakeX") &&
           !strstr(device, "Cooperlake") && !strstr(device, "SapphireRapids");
}

static void judge_devices(const sq_doctor_facts *f, sq_doctor_wrong *wrong)
{
    for (int i = 0; i < f->count; i++)
        if (*f->ranks[i].problem)
            add(wrong, "rank %d on %s: %s", i, f->ranks[i].host, f->ranks[i].problem);
        else if (is_first(f, i) && is_pinned(f->ranks[i].device))
            add(wrong,
                "%s: '%s': the processor has AVX-512, and OPENBLAS_CORETYPE disables it in OpenBLAS: unset "
                "OPENBLAS_CORETYPE",
                f->ranks[i].host, f->ranks[i].device);
}

void sq_doctor_judge(const sq_doctor_facts *facts, sq_doctor_wrong *out)
{
    out->count = 0;
    judge_launcher(facts, out);
    judge_devices(facts, out);
    judge_hosts(facts, out);
    judge_differences(facts, out);
    judge_network(facts, out);
}
