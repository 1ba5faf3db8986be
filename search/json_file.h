#ifndef SQ_JSON_FILE_H
#define SQ_JSON_FILE_H

#include <jansson.h>

#include "supernet/space/space.h"

/* Writes an indented object and a newline, completely or not at all. Floats have 17 digits, so that they are read back
 * exactly. Releases the object. SQ_NO_MEMORY: the object is NULL. */
SQ_MUST_USE sq_status sq_json_write(const char *path, json_t *object);

/* Returns a JSON number, or JSON null if the value is not finite. */
json_t *sq_json_real(double value);
/* Returns the value of a JSON number; NAN: the JSON value is not a number. */
double sq_json_number(const json_t *value);
/* Returns the choices of a path in the searched layers: [2, 1, 0, ...]. */
json_t *sq_json_path(const sq_space *space, const int *path);

#endif
