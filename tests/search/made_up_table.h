#ifndef SQ_TESTS_MADE_UP_TABLE_H
#define SQ_TESTS_MADE_UP_TABLE_H

#include "search/cost/latency_table.h"
#include "tests/support/support.h"

/* A space of configs/spaces by its name; resolution 0: the space's own. Free with sq_space_free. */
sq_space *open_at(const char *name, int resolution);

/* A table with every block of the space. Times grow with the work; energy is twice the time; there is no area. Close
 * with sq_latency_close. */
sq_latency *make_table(const sq_space *space);

#endif
