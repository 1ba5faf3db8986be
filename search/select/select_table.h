#ifndef SQ_SELECT_TABLE_H
#define SQ_SELECT_TABLE_H

#include "search/select/select.h"

/* Writes the files of a selection. */

/* Writes the selected space as a space file. Comments at the beginning of the file name the device and the formula of
 * the score. */
SQ_MUST_USE sq_status sq_select_write(const sq_selection *selection, const char *path);

/* Writes the reason why an operator was kept or not: "rank 2", "one of its family", "rule: no se", "rank 9 of 32", or
 * "no operator" for a skip block. */
void sq_select_explain(const sq_selection *selection, const sq_select_operator *o, char *text, size_t bytes);

/* Writes every operator of every searched layer as CSV with the columns
 * layer,operator,family,macs_m,parameters_k,latency_ms,capacity,score,rank,kept,why. Operators that are not scored have
 * empty fields. */
SQ_MUST_USE sq_status sq_select_write_table(const sq_selection *selection, const char *path);

#endif
