#ifndef SQ_RANKS_H
#define SQ_RANKS_H

#include <stdbool.h>

#include "kernels/backend.h"

/* The processes of one run. MPI starts and connects them (mpirun, srun), reduces the gradients of host backends, and
 * lets ranks decide together. Without a launcher, or in a build without MPI, there is one rank and every call returns
 * at once. Unless stated otherwise, calls are collective: each rank makes the same calls in the same order.
 *
 * A rank that exits or hangs is detected while the others wait for it: SQ_COMMUNICATION (exit 5) names the ranks of
 * this host whose process exited, or the time limit. No collective call may follow. */

typedef struct sq_ranks sq_ranks;

/* Connects the launcher's processes. time_limit: seconds without an answer until a rank counts as lost; 0: 600.
 * SQ_UNSUPPORTED: a launcher started several processes, and this build has no MPI. Call it once per process. */
SQ_MUST_USE sq_status sq_ranks_open(sq_ranks **out, double time_limit);
/* Disconnects; after a failure without waiting for other ranks. If the others do not finish in time, this process exits
 * here with `exit_code` (0: the exit code of SQ_COMMUNICATION), so print and flush all messages before. Accepts NULL.
 */
void sq_ranks_close(sq_ranks *ranks, int exit_code);

/* Not collective. NULL counts as one rank. */
int sq_ranks_rank(const sq_ranks *ranks);
int sq_ranks_count(const sq_ranks *ranks);
/* This rank's number among those of its host, which determines GPU and cores. source: the order of variables in timm's
 * init_distributed_device, after MPI's own */
int sq_ranks_local(const sq_ranks *ranks);
int sq_ranks_local_count(const sq_ranks *ranks);

/* Sums over all ranks, in place; every rank gets the same bits. */
SQ_MUST_USE sq_status sq_ranks_sum(sq_ranks *ranks, double *values, int count);
/* Sends rank 0's bytes to all ranks. */
SQ_MUST_USE sq_status sq_ranks_broadcast(sq_ranks *ranks, void *bytes, size_t count);
/* Sends every rank's bytes to all ranks: all[rank * count]. */
SQ_MUST_USE sq_status sq_ranks_gather(sq_ranks *ranks, const void *bytes, size_t count, void *all);
/* Waits until all ranks call it. */
SQ_MUST_USE sq_status sq_ranks_barrier(sq_ranks *ranks);

/* The worst status of all ranks, so that they fail together: healthy ranks return the failing rank's error, "rank 2:
 * <text>", and sq_error_is_reported is true for them. Every later collective call returns the same failure at once,
 * because the ranks may be at different places in the program. */
SQ_MUST_USE sq_status sq_ranks_agree(sq_ranks *ranks, sq_status status);
/* The same for a failure from which the ranks recover: later collective calls work. */
SQ_MUST_USE sq_status sq_ranks_reduce_status(sq_ranks *ranks, sq_status status);

/* Connects a backend's reduce_mean and join to the ranks: MPI for host backends, NCCL for GPUs. Reductions overlap the
 * programs that run after them. The ranks must outlive the backend. SQ_UNSUPPORTED: no NCCL. SQ_INVALID: two ranks have
 * the same GPU, or some ranks have none. */
SQ_MUST_USE sq_status sq_ranks_attach(sq_ranks *ranks, sq_backend *backend);

/* Makes the norms of training on the cpu backend use the images of all ranks (synchronised batch norm: Peng et al.
 * 2018, MegDet, section 3.3): R ranks of B images train like one of R * B. It adds two exchanges per norm and step.
 * Other backends: SQ_UNSUPPORTED. Call it before programs are compiled; the ranks must outlive the backend's last step.
 */
SQ_MUST_USE sq_status sq_ranks_share_norms(sq_ranks *ranks, sq_backend *backend);

/* ---- Not collective ---- */

/* Bytes of gradients and statistics that this rank gave to reductions since sq_ranks_open. */
int64_t sq_ranks_reduced_bytes(const sq_ranks *ranks);

enum { SQ_ANY_RANK = -1 };
/* Whether the process of a rank of this host (SQ_ANY_RANK: of any) exited. text: "rank 2 (process 4711 on a) exited",
 * for each of them. */
bool sq_ranks_find_dead(const sq_ranks *ranks, int rank, char *text, size_t bytes);
/* From now on no call waits for other ranks, not even sq_ranks_close. Accepts NULL. */
void sq_ranks_abandon(sq_ranks *ranks);
double sq_ranks_time_limit(const sq_ranks *ranks);                /* seconds */
void sq_ranks_set_time_limit(sq_ranks *ranks, double time_limit); /* accepts NULL */

/* "2 ranks on 1 host, Open MPI v4.1.4" */
void sq_ranks_describe(const sq_ranks *ranks, char *text, size_t bytes);

#endif
