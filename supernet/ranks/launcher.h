#ifndef SQ_LAUNCHER_H
#define SQ_LAUNCHER_H

/* Reads the environment variables that mpirun or srun sets for each process. */

int sq_launcher_rank_count(void); /* 1 without a launcher; 2 if there is a launcher but the number is unknown */
int sq_launcher_rank(void);       /* 0 if unknown */
/* Returns the number of this process among the processes of its host; `fallback` if unknown. source: timm's
 * init_distributed_device, for the order of the variables */
int sq_launcher_local_rank(int fallback);

#endif
