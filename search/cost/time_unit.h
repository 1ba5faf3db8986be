#ifndef SQ_TIME_UNIT_H
#define SQ_TIME_UNIT_H

/* Defines the units of time in tables and runners. time_unit.c has one row per unit. */

#define SQ_TIME_UNIT_WORDS "ns, us, ms or s" /* for error messages */

/* Returns the milliseconds of one unit ("us": 0.001); 0: unknown name. */
double sq_time_unit_ms(const char *name);

/* Returns the name of the unit at the end of a column's name ("delay_us" or "delay(us)": "us"); NULL: there is none.
 * Seconds are recognised only in parentheses, because many other names end with "_s". */
const char *sq_time_unit_of_column(const char *column);

#endif
