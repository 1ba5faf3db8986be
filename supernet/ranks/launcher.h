#ifndef SQ_LAUNCHER_H
#define SQ_LAUNCHER_H

/* What mpirun or srun say of the processes that they start. */

int sq_launcher_rank_count(void); /* 1: nobody started several; where only that several were started is known, 2 */
int sq_launcher_rank(void);       /* number of this process among all; 0 where that is not known */
/* Number of this process among those of its host. source: the order of variables that timm's init_distributed_device
 * looks at, behind MPI's own */
int sq_launcher_local_rank(int otherwise);

#endif
