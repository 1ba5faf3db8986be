#ifndef SQ_INFO_COSTS_H
#define SQ_INFO_COSTS_H

#include "supernet/space/space.h"

/* Two tables, operator by layer: multiply-adds and parameters (norms' too) of every operator in every searched layer;
 * layers that are alike share a column. */
void sq_info_print_costs(const sq_space *space);

#endif
