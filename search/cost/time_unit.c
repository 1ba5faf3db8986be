/* Defines the units of time. */
#include "search/cost/time_unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    double ms;
    bool needs_parentheses; /* a column's name must have the unit in parentheses */
} units[] = {{"ns", 1e-6, false}, {"us", 1e-3, false}, {"ms", 1, false}, {"s", 1e3, true}};
enum { UNITS = sizeof units / sizeof *units };

double sq_time_unit_ms(const char *name)
{
    for (int i = 0; i < UNITS; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].ms;
    return 0;
}

static bool ends_with(const char *text, const char *ending)
{
    const size_t length = strlen(text), wanted = strlen(ending);
    return length >= wanted && strcmp(text + length - wanted, ending) == 0;
}

const char *sq_time_unit_of_column(const char *column)
{
    for (int i = 0; i < UNITS; i++) {
        char plain[8], enclosed[8];
        (void)snprintf(plain, sizeof plain, "_%s", units[i].name);
        (void)snprintf(enclosed, sizeof enclosed, "(%s)", units[i].name);
        if (ends_with(column, enclosed) || (!units[i].needs_parentheses && ends_with(column, plain)))
            return units[i].name;
    }
    return NULL;
}
