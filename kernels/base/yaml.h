#ifndef SQ_YAML_H
#define SQ_YAML_H

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <yaml.h>

#include "kernels/base/status.h"

/* Reads and writes YAML with libcyaml and libyaml. An error is one line: "<file>:<line>: unknown key 'widht', did you
 * mean 'width'?". */

/* Loads a file by a schema whose top level is a mapping with CYAML_FLAG_POINTER. Returns SQ_INVALID for invalid
 * content, SQ_IO if the file cannot be read. Free the result with sq_yaml_free. */
SQ_MUST_USE sq_status sq_yaml_load(void **out, const char *path, const cyaml_schema_value_t *schema);
/* Does the same with a text in memory; messages call the text `name`. */
SQ_MUST_USE sq_status sq_yaml_parse(void **out, const char *text, const char *name, const cyaml_schema_value_t *schema);
void sq_yaml_free(void *data, const cyaml_schema_value_t *schema); /* accepts NULL */

/* Loads a file without a schema, as a tree of nodes, and calls `use` with its root (NULL for an empty file). Brackets
 * may be nested about 64 deep. */
SQ_MUST_USE sq_status sq_yaml_visit(const char *path, void *context,
                                    sq_status (*use)(void *context, const char *path, yaml_document_t *document,
                                                     const yaml_node_t *root));

/* The sq_yaml_put functions write YAML without a library, so that numbers and lists are readable. sq_yaml_put_string
 * writes a JSON string, which is also a YAML string with the same text. Bytes that are not UTF-8 are replaced by
 * U+FFFD, because YAML cannot hold them. */
void sq_yaml_put_string(FILE *file, const char *text);
/* Writes "<indent><key>: "<text>"\n". Writes nothing if the text is empty. */
void sq_yaml_put_text(FILE *file, const char *indent, const char *key, const char *text);
/* Writes a word, with quotes if YAML would not read it as text. */
void sq_yaml_put_word(FILE *file, const char *word);
/* sq_yaml_put_double and sq_yaml_put_float write the fewest digits that read back as the same double or float, with a
 * decimal point before an exponent. */
void sq_yaml_put_double(FILE *file, double value);
void sq_yaml_put_float(FILE *file, float value);

/* Returns the line of the first "key:" at or after line `from` (1-based) of a text; 0 if there is none. For the error
 * messages of checks that run after loading. */
int sq_yaml_line(const char *text, const char *key, int from);

#endif
