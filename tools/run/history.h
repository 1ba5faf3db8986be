#ifndef SQ_HISTORY_H
#define SQ_HISTORY_H

/* Appends this program's command line to <run>/commands.txt, quoted for a shell, unless the last line is the same. If
 * several processes run ("mpirun -n 4 squall ..."), only one of them calls this function. The folder must exist.
 * Failures to write are ignored. */
void sq_history_add(const char *run, int processes);

#endif
