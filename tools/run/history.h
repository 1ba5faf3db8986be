#ifndef SQ_HISTORY_H
#define SQ_HISTORY_H

/* Appends this program's command line to <run>/commands.txt, quoted for a shell, unless its last line says the same: so
 * a run knows what made it. Of several processes ("mpirun -n 4 squall ...") one calls it. The folder must be there; a
 * line that cannot be written stops nothing. */
void sq_history_add(const char *run, int processes);

#endif
