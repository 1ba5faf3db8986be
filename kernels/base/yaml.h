#ifndef SQ_YAML_H
#define SQ_YAML_H

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <yaml.h>

#include "kernels/base/status.h"

/* YAML files through libcyaml, with failures in one line: "<file>:<line>: unknown key 'widht', did you mean 'width'?".
 */

/* Loads a whole file by a schema whose top is a mapping with CYAML_FLAG_POINTER. SQ_INVALID for what the file says,
 * SQ_IO when it cannot be read. Free with sq_yaml_free. */
SQ_MUST_USE sq_status sq_yaml_load(void **out, const char *path, const cyaml_schema_value_t *schema);
/* The same from memory; `name` stands for the file in messages. */
SQ_MUST_USE sq_status sq_yaml_parse(void **out, const char *text, const char *name, const cyaml_schema_value_t *schema);
void sq_yaml_free(void *data, const cyaml_schema_value_t *schema); /* accepts NULL */

/* Loads a file as a tree of nodes, for what no schema describes, and hands it to `use` with its root (NULL: an empty
 * file). Lists and mappings in brackets may stand 64 deep, give or take what a kilobyte holds. */
SQ_MUST_USE sq_status sq_yaml_visit(const char *path, void *context,
                                    sq_status (*use)(void *context, const char *path, yaml_document_t *document,
                                                     const yaml_node_t *root));

/* For files written by hand, where numbers and lists stay readable. A JSON string, which is a YAML string too: it reads
 * back as the same text, but for bytes that are no UTF-8, which no YAML can hold: U+FFFD stands for each. */
void sq_yaml_put_string(FILE *file, const char *text);
/* "<indent><key>: "<text>"\n" with such a string; nothing where there is no text. */
void sq_yaml_put_text(FILE *file, const char *indent, const char *key, const char *text);
/* A word as it is where YAML takes it for text, else quoted. */
void sq_yaml_put_word(FILE *file, const char *word);
/* The fewest digits that read back as the same double (or float), with a point in front of an exponent. */
void sq_yaml_put_double(FILE *file, double value);
void sq_yaml_put_float(FILE *file, float value);

/* Line of the first "key:" at or after line `from` (1-based) of a text; 0 when there is none. For messages about values
 * that only a later check finds wrong. */
int sq_yaml_line(const char *text, const char *key, int from);

#endif
