#ifndef SQ_VALUE_H
#define SQ_VALUE_H

#include <stdio.h>

#include "tools/run/config/keys.h"

/* The value of one key in a configuration. device: the index of the device of a per-device key, else 0. */

/* The address of a value; its type follows from the key's. */
void *sq_value_at(sq_config *config, const sq_key *key, int device);
bool sq_value_is_text(const sq_key *key); /* the value is an owned char * */

/* Parses a value. where: "file:line" for messages. SQ_INVALID names key, found and expected value; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_value_set(sq_config *config, const sq_key *key, int device, const char *value,
                                   const char *where);
/* Replaces an owned string by a copy of value. */
SQ_MUST_USE sq_status sq_value_set_text(char **out, const char *value);

/* Writes a value as YAML. */
void sq_value_print(FILE *file, const sq_config *config, const sq_key *key, int device);

/* Compares the values of the first device. */
bool sq_value_is_same(const sq_config *a, const sq_config *b, const sq_key *key);

#endif
