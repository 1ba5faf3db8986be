#ifndef SQ_TIME_UNIT_H
#define SQ_TIME_UNIT_H

/* Units of time in tables and runners: one row per unit in time_unit.c. */

#define SQ_TIME_UNIT_WORDS "ns, us, ms or s" /* for error messages */

/* Milliseconds of one unit by its name, "us": 0.001. Returns 0 when the name is unknown. */
double sq_time_unit_ms(const char *name);

/* The unit at the end of a column's name, "delay_us" or "delay(us)", as its name; NULL when there is none. Seconds
 * count only in parentheses, because many other names end with "_s". */
const char *sq_time_unit_of_column(const char *column);

#endif
