#ifndef SQ_CHOICE_H
#define SQ_CHOICE_H

#include <cyaml/cyaml.h>
#include <stdio.h>

#include "supernet/space/space.h"

/* The text form of one operator of a space: "{name: mb_3x3_e3, kind: mb, kernel: 3, expansion: 3}". To add a parameter,
 * add a field to sq_choice (space.h), and a line to each of the two tables of choice.c. */

/* An operator as libcyaml reads it. Parameters that the file leaves out are 0 or NULL. */
typedef struct {
    char *name;
    sq_choice value; /* kind, numbers and flags */
    sq_activation *gate, *activation;
} sq_raw_choice;

extern const cyaml_schema_value_t sq_choice_schema;

/* The words of activations, which space_yaml.c uses too. */
enum { SQ_CHOICE_ACTIVATIONS = 4 };
extern const cyaml_strval_t sq_choice_activations[SQ_CHOICE_ACTIVATIONS];

/* Fills in defaults and checks all parameters. SQ_INVALID names `file`, operator and parameter, with the found and the
 * expected value. */
SQ_MUST_USE sq_status sq_choice_read(const sq_raw_choice *raw, const char *file, sq_choice *out);
/* Writes one line of the list `choices`, which reads back as the same operator. */
void sq_choice_write(const sq_choice *choice, FILE *file);
/* Continues a hash over all fields that change the block. */
uint64_t sq_choice_hash(uint64_t hash, const sq_choice *choice);

#endif
