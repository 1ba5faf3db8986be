#ifndef SQ_LAUNCHER_H
#define SQ_LAUNCHER_H

/* Reads the environment that mpirun or srun gives to the processes that they start. */

int sq_launcher_rank_count(void); /* 1 without a launcher; 2 if a launcher is known but not the number */
int sq_launcher_rank(void);       /* 0 if unknown */
/* Number of this process among those of its host; `fallback` if unknown. source: the order of variables in timm's
 * init_distributed_device, after MPI's own */
int sq_launcher_local_rank(int fallback);

#endif
