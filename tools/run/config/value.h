#ifndef SQ_VALUE_H
#define SQ_VALUE_H

#include <stdio.h>

#include "tools/run/config/keys.h"

/* These functions access the value of one key in a configuration. device: the index of the device for a per-device key,
 * else 0. */

/* Returns the address of a value. The type of the value depends on the type of the key. */
void *sq_value_at(sq_config *config, const sq_key *key, int device);
bool sq_value_is_text(const sq_key *key); /* whether the value is an owned char * */

/* Parses a value. where: "file:line" for messages. Returns SQ_INVALID with a message that names the key, the found and
 * the expected value, or SQ_NO_MEMORY. */
SQ_MUST_USE sq_status sq_value_set(sq_config *config, const sq_key *key, int device, const char *value,
                                   const char *where);
/* Replaces an owned string by a copy of value. */
SQ_MUST_USE sq_status sq_value_set_text(char **out, const char *value);

/* Writes a value as YAML. */
void sq_value_print(FILE *file, const sq_config *config, const sq_key *key, int device);

/* Returns whether a and b have the same value. Of a per-device key, only the value of the first device is compared. */
bool sq_value_is_same(const sq_config *a, const sq_config *b, const sq_key *key);

#endif
