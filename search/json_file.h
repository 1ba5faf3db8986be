#ifndef SQ_JSON_FILE_H
#define SQ_JSON_FILE_H

#include <jansson.h>

#include "supernet/space/space.h"

/* Writes an object with indents and a newline behind it, whole or not at all; floats with 17 digits read back as what
 * they were. Takes the object; NULL: it could not be made, SQ_NO_MEMORY. */
SQ_MUST_USE sq_status sq_json_write(const char *path, json_t *object);

/* A number, or null for what JSON has no number for. */
json_t *sq_json_real(double value);
/* The other way: NAN for what is no number. */
double sq_json_number(const json_t *value);
/* [2, 1, 0, ...] of the searched layers of a path. */
json_t *sq_json_path(const sq_space *space, const int *path);

#endif
