#ifndef SQ_INFO_COSTS_H
#define SQ_INFO_COSTS_H

#include "supernet/space/space.h"

/* Prints two tables of all operators in all searched layers. The first table has the multiply-adds, the second the
 * parameters, including the parameters of norms. Equal consecutive layers share a column. */
void sq_info_print_costs(const sq_space *space);

#endif
