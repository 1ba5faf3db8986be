#ifndef SQ_ARGUMENT_VECTOR_H
#define SQ_ARGUMENT_VECTOR_H

#include <stddef.h>

#include "kernels/base/status.h"

/* A command line as the words of a program's start. Quotes are a shell's ('literal', "with \" and \\", \ before one
 * character); nothing else is: no variables, no patterns, no shell. */

/* Splits at blanks and line ends; the words end with a NULL. SQ_INVALID "<where>: ...": no word, a quote without end.
 */
SQ_MUST_USE sq_status sq_argument_vector_split(char ***out, const char *text, const char *where);

typedef struct {
    const char *name; /* "model" for {model}; NULL ends a list of values */
    const char *value;
} sq_argument_value;

/* Every {name} in every word replaced, once: a value stays one word and is not looked at again. An unknown {name}
 * stays.
 */
SQ_MUST_USE sq_status sq_argument_vector_fill(char ***out, char *const *words, const sq_argument_value *values);
void sq_argument_vector_free(char **words); /* accepts NULL */

/* The next {name} (small letters, no $ before it) in a word, with its length, or NULL. */
const char *sq_argument_vector_placeholder(const char *word, size_t *length);

#endif
