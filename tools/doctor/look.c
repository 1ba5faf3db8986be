/* Collects the facts of one rank and its host. */
#include "tools/doctor/doctor.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "data/loader/cores.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"

/* Returns the number of ranks according to the environment variables of the launcher; 0: unknown. Also works in a build
 * without MPI. */
static int launched(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                        "SLURM_STEP_NUM_TASKS"};
    int most = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        int64_t value;
        if (text && sq_text_int(text, 1, 1 << 20, &value) && value > most)
            most = (int)value;
    }
    return most;
}

/* Returns the free bytes in a folder; -1: not writable. */
static double free_bytes(const char *folder)
{
    struct statvfs system;
    if (access(folder, W_OK) != 0 || statvfs(folder, &system) != 0)
        return -1;
    return (double)system.f_bavail * (double)system.f_frsize;
}

static bool has_interface(void)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return true; /* unknown, so no problem is reported */
    for (const struct ifaddrs *i = all; i; i = i->ifa_next)
        found = found || (i->ifa_addr && i->ifa_flags & IFF_UP && !(i->ifa_flags & IFF_LOOPBACK));
    freeifaddrs(all);
    return found;
}

/* Returns the hash of the running program's file; 0 if the file cannot be read. */
static uint64_t build_of_program(void)
{
    char *bytes = NULL;
    size_t count = 0;
    if (sq_file_read("/proc/self/exe", (size_t)1 << 30, &bytes, &count) != SQ_OK)
        return 0;
    const uint64_t hash = sq_hash(SQ_HASH_START, bytes, count);
    free(bytes);
    return hash;
}

void sq_doctor_look(sq_doctor_rank *out, const sq_session *session, const char *folder)
{
    const char *temporary = getenv("TMPDIR"), *network = getenv("OMPI_MCA_btl_tcp_if_include");
    sq_cores cores;
    *out = (sq_doctor_rank){.local = sq_ranks_local(session->ranks),
                            .launched = launched(),
                            .online = (int)sysconf(_SC_NPROCESSORS_ONLN),
                            .has_interface = has_interface(),
                            .build = build_of_program(),
                            .shared_free = free_bytes("/dev/shm"),
                            .temporary_free = free_bytes(temporary && *temporary ? temporary : "/tmp"),
                            .folder_free = free_bytes(folder)};
    (void)gethostname(out->host, sizeof out->host - 1); /* the buffer is large enough */
    (void)snprintf(out->version, sizeof out->version, "%s", SQUALL_VERSION);
    (void)snprintf(out->network, sizeof out->network, "%s", network ? network : "");
    sq_cores_find(&cores, NULL);
    for (int i = 0; i < cores.count; i++)
        if (cores.core[i] >= 0 && cores.core[i] < SQ_DOCTOR_CORES)
            out->cores[cores.core[i] / 64] |= UINT64_C(1) << (cores.core[i] % 64);
    const int threads = sq_session_threads(session);
    out->threads = threads > 0 ? threads : cores.count;
}
