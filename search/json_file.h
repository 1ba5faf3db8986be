#ifndef SQ_JSON_FILE_H
#define SQ_JSON_FILE_H

#include <jansson.h>

#include "kernels/base/status.h"

/* Writes an object with indents and a newline behind it, whole or not at all; floats with 17 digits read back as what
 * they were. Takes the object; NULL: it could not be made, SQ_NO_MEMORY. */
SQ_MUST_USE sq_status sq_json_write(const char *path, json_t *object);

#endif
