#ifndef SQ_TESTS_MADE_UP_TABLE_H
#define SQ_TESTS_MADE_UP_TABLE_H

#include "search/cost/latency_table.h"
#include "tests/support/support.h"

/* Opens configs/spaces/<name>.yaml. Resolution 0 keeps the space's own resolution. Free the space with
 * sq_space_free. */
sq_space *open_at(const char *name, int resolution);

/* Returns a table with every block of the space. Times grow with the work, energy is twice the time, and area is
 * missing. Close the table with sq_latency_close. */
sq_latency *make_table(const sq_space *space);

#endif
