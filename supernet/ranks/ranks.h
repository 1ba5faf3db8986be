#ifndef SQ_RANKS_H
#define SQ_RANKS_H

#include <stdbool.h>

#include "kernels/backend.h"

/* The processes of one run, called ranks. A launcher (mpirun, srun) starts the processes. MPI connects them, reduces
 * the gradients of host backends, and carries the agreements of the ranks. Without a launcher, or in a build without
 * MPI, there is one rank and every call returns at once. Unless stated otherwise, calls are collective, which means
 * that each rank makes the same calls in the same order.
 *
 * If a rank exits or hangs, ranks that wait for it return SQ_COMMUNICATION (exit 5). The error text names the ranks of
 * this host whose process exited, or the time limit. No collective call may follow. */

typedef struct sq_ranks sq_ranks;

/* Connects the launcher's processes. Each process calls it once. time_limit: a rank that does not answer for this
 * number of seconds counts as lost; 0: 600. SQ_UNSUPPORTED: a launcher started several processes, and this build has no
 * MPI. */
SQ_MUST_USE sq_status sq_ranks_open(sq_ranks **out, double time_limit);
/* Disconnects. Waits for the other ranks, unless a rank was lost or sq_ranks_abandon was called. If another rank does
 * not finish in time, this process exits inside the call with `exit_code` (0: the exit code of SQ_COMMUNICATION), so
 * the caller must print and flush all messages before. Accepts NULL. */
void sq_ranks_close(sq_ranks *ranks, int exit_code);

/* Not collective. NULL counts as one rank. */
int sq_ranks_rank(const sq_ranks *ranks);
int sq_ranks_count(const sq_ranks *ranks);
/* This rank's number among the ranks of its host. The number determines the GPU and the cores of the rank. source:
 * timm's init_distributed_device, for the order of the launcher's variables */
int sq_ranks_local(const sq_ranks *ranks);
int sq_ranks_local_count(const sq_ranks *ranks);

/* Sums over all ranks, in place; every rank gets the same bits. */
SQ_MUST_USE sq_status sq_ranks_sum(sq_ranks *ranks, double *values, int count);
/* Sends rank 0's bytes to all ranks. */
SQ_MUST_USE sq_status sq_ranks_broadcast(sq_ranks *ranks, void *bytes, size_t count);
/* Sends `count` bytes of every rank to all ranks. The bytes of rank r are at offset r * count of `all`. */
SQ_MUST_USE sq_status sq_ranks_gather(sq_ranks *ranks, const void *bytes, size_t count, void *all);
/* Waits until all ranks have called it. */
SQ_MUST_USE sq_status sq_ranks_barrier(sq_ranks *ranks);

/* Returns the worst status of all ranks, so that all ranks fail together. Healthy ranks return the failing rank's error
 * with the text "rank 2: <text>", and sq_error_is_reported is true on them. Every later collective call returns the
 * same failure at once, because the ranks may be at different places in the program. */
SQ_MUST_USE sq_status sq_ranks_agree(sq_ranks *ranks, sq_status status);
/* Like sq_ranks_agree, for a failure from which the ranks recover. Later collective calls work. */
SQ_MUST_USE sq_status sq_ranks_reduce_status(sq_ranks *ranks, sq_status status);

/* Makes a backend's reduce_mean and join work over the ranks, with MPI on host backends and with NCCL on GPUs.
 * Reductions overlap the programs that run after them. The ranks must outlive the backend. SQ_UNSUPPORTED: there is no
 * NCCL. SQ_INVALID: two ranks have the same GPU, or only some ranks have a GPU. */
SQ_MUST_USE sq_status sq_ranks_attach(sq_ranks *ranks, sq_backend *backend);

/* Makes the norms of training on the cpu backend use the images of all ranks (synchronised batch norm: Peng et al.
 * 2018, MegDet, section 3.3). R ranks with B images each then train like one rank with R * B images. Each norm needs
 * two more exchanges per step. SQ_UNSUPPORTED: any other backend. Must be called before programs are compiled. The
 * ranks must outlive the backend's last step. */
SQ_MUST_USE sq_status sq_ranks_share_norms(sq_ranks *ranks, sq_backend *backend);

/* ---- Not collective ---- */

/* Bytes of gradients and statistics that this rank has reduced since sq_ranks_open. */
int64_t sq_ranks_reduced_bytes(const sq_ranks *ranks);

enum { SQ_ANY_RANK = -1 };
/* Whether the process of `rank` (SQ_ANY_RANK: of any rank) has exited. Only ranks of this host are checked. text: "rank
 * 2 (process 4711 on a) exited" for each exited process. */
bool sq_ranks_find_dead(const sq_ranks *ranks, int rank, char *text, size_t bytes);
/* After this call, no call waits for other ranks, not even sq_ranks_close. Accepts NULL. */
void sq_ranks_abandon(sq_ranks *ranks);
double sq_ranks_time_limit(const sq_ranks *ranks);                /* seconds */
void sq_ranks_set_time_limit(sq_ranks *ranks, double time_limit); /* accepts NULL */

/* Writes a description such as "2 ranks on 1 host, Open MPI v4.1.4". */
void sq_ranks_describe(const sq_ranks *ranks, char *text, size_t bytes);

#endif
