#ifndef SQ_RANKS_H
#define SQ_RANKS_H

#include <stdbool.h>

#include "kernels/backend.h"

/* The processes of one run: MPI starts and joins them (mpirun, srun), moves what host backends reduce, and lets them
 * decide together. Without a launcher, or in a build without MPI, there is one rank and every call returns at once. All
 * calls are collective: each rank makes the same ones in the same order.
 *
 * A rank that dies or hangs is noticed while the others wait for it: SQ_COMMUNICATION (exit 5), naming the ranks of
 * this host whose process is gone, or that nothing came for the time limit. Nothing collective may follow. */

typedef struct sq_ranks sq_ranks;

/* Joins the launcher's processes; `time_limit` seconds without an answer count as a death, 0: 600. SQ_UNSUPPORTED: a
 * launcher started several processes, and this build has no MPI. Once a process. */
SQ_MUST_USE sq_status sq_ranks_open(sq_ranks **out, double time_limit);
/* Leaves; after a failure without waiting for anyone. What is to be said should be said and flushed before: if others do
 * not come to their end, this process ends here, with `exit_code` (0: that of SQ_COMMUNICATION). Accepts NULL. */
void sq_ranks_close(sq_ranks *ranks, int exit_code);

/* NULL counts as one rank. */
int sq_ranks_rank(const sq_ranks *ranks);
int sq_ranks_count(const sq_ranks *ranks);
/* This rank among those of its host, which decides GPU and cores. source: the order of variables that timm's
 * init_distributed_device looks at, behind MPI's own */
int sq_ranks_local(const sq_ranks *ranks);
int sq_ranks_local_count(const sq_ranks *ranks);

/* Sums over all ranks, in place; every rank gets the same bits. */
SQ_MUST_USE sq_status sq_ranks_sum(sq_ranks *ranks, double *values, int count);
/* Rank 0's bytes to all. */
SQ_MUST_USE sq_status sq_ranks_broadcast(sq_ranks *ranks, void *bytes, size_t count);
/* Every rank's bytes to all: all[rank * count]. */
SQ_MUST_USE sq_status sq_ranks_gather(sq_ranks *ranks, const void *bytes, size_t count, void *all);
/* Waits until all are here. */
SQ_MUST_USE sq_status sq_ranks_barrier(sq_ranks *ranks);
/* Whether the last failure that ranks agreed on is another rank's, which tells it to the user. */
bool sq_ranks_is_told(void);
/* The worst status of all ranks, so that they fail together: who is well fails with "rank 2: <its text>". A failure ends
 * what is collective: from then on every collective call returns it at once, because who failed alone is at another
 * place than the others. */
SQ_MUST_USE sq_status sq_ranks_agree(sq_ranks *ranks, sq_status status);
/* The same of a failure that can be got over: all ranks are at the same place, and go on. */
SQ_MUST_USE sq_status sq_ranks_worst(sq_ranks *ranks, sq_status status);

/* Makes a backend's reduce_mean and join work over the ranks, in the background of what runs next: by MPI on the host,
 * by NCCL on GPUs. The ranks must outlive the backend. SQ_UNSUPPORTED: no NCCL; SQ_INVALID: two ranks were dealt one
 * GPU, or some have none. */
SQ_MUST_USE sq_status sq_ranks_attach(sq_ranks *ranks, sq_backend *backend);

/* Makes training's norms on the cpu backend see the images of all ranks (synchronised batch norm: Peng et al. 2018,
 * MegDet, section 3.3): R ranks of B images then train as one of R * B. Two exchanges for each norm and step. Other
 * backends are SQ_UNSUPPORTED. Before programs are compiled; the ranks must outlive the backend's last step. */
SQ_MUST_USE sq_status sq_ranks_share_norms(sq_ranks *ranks, sq_backend *backend);

/* Bytes of gradients and statistics that this rank gave to be reduced since the ranks were opened. */
int64_t sq_ranks_reduced_bytes(const sq_ranks *ranks);

/* ---- For what is not collective (messages.h) ---- */

enum { SQ_ANY_RANK = -1 };
/* Whether a rank's process is gone (SQ_ANY_RANK: any one's), as far as it can be seen: on this host. text: "rank 2
 * (process 4711 on a) is gone", of each of them. */
bool sq_ranks_find_dead(const sq_ranks *ranks, int rank, char *text, size_t bytes);
/* From now on nothing is collective: the others are not waited for, not even at the end. */
void sq_ranks_break(sq_ranks *ranks);
/* The same, where another rank tells the user why. */
void sq_ranks_leave_reported(sq_ranks *ranks);
double sq_ranks_time_limit(const sq_ranks *ranks);                /* seconds */
void sq_ranks_set_time_limit(sq_ranks *ranks, double time_limit); /* accepts NULL */

/* "2 ranks on 1 host, Open MPI v4.1.4" */
void sq_ranks_describe(const sq_ranks *ranks, char *text, size_t bytes);

#endif
