#ifndef SQ_ARGUMENT_VECTOR_H
#define SQ_ARGUMENT_VECTOR_H

#include <stddef.h>

#include "kernels/base/status.h"

/* A command line as an argument vector. Quotes work as in a shell: 'literal', "with \" and \\", \ before one character.
 * There are no variables, no patterns, and no shell. */

/* Splits at blanks and line ends; the vector ends with NULL. SQ_INVALID "<where>: ...": no argument, or an open quote.
 */
SQ_MUST_USE sq_status sq_argument_vector_split(char ***out, const char *text, const char *where);

typedef struct {
    const char *name; /* "model" for {model}; NULL ends a list of values */
    const char *value;
} sq_argument_value;

/* Copies the vector with every {name} replaced. A value stays one argument and is not searched for names. An unknown
 * {name} is copied. */
SQ_MUST_USE sq_status sq_argument_vector_fill(char ***out, char *const *arguments, const sq_argument_value *values);
void sq_argument_vector_free(char **arguments); /* accepts NULL */

/* The next {name} (lower-case letters, no $ before it) in an argument, with its length; NULL when there is none. */
const char *sq_argument_vector_placeholder(const char *argument, size_t *length);

#endif
