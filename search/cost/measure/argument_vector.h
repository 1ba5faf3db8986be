#ifndef SQ_ARGUMENT_VECTOR_H
#define SQ_ARGUMENT_VECTOR_H

#include <stddef.h>

#include "kernels/base/status.h"

/* Splits a command line into an argument vector. Quotes work as in a shell: 'literal', "with \" and \\", \ before one
 * character. No shell runs, so there are no variables and no file name patterns. */

/* Splits the text at blanks and line ends. The vector ends with NULL. SQ_INVALID "<where>: ...": no argument, or an
 * open quote. */
SQ_MUST_USE sq_status sq_argument_vector_split(char ***out, const char *text, const char *where);

typedef struct {
    const char *name; /* "model" for {model}; NULL: end of the list of values */
    const char *value;
} sq_argument_value;

/* Copies the vector and replaces every {name} by its value. A value stays within one argument, even if the value has
 * blanks. A {name} inside a value is not replaced. An unknown {name} is copied unchanged. */
SQ_MUST_USE sq_status sq_argument_vector_fill(char ***out, char *const *arguments, const sq_argument_value *values);
void sq_argument_vector_free(char **arguments); /* accepts NULL */

/* Returns the first {name} in an argument, and sets *length to its length with the braces; NULL: there is none. A name
 * has lower-case letters only; ${name} does not count. */
const char *sq_argument_vector_placeholder(const char *argument, size_t *length);

#endif
