#ifndef SQ_RENAMED_H
#define SQ_RENAMED_H

#include <stdbool.h>

/* Keys of configurations of version 0.1 that have another name today. They are accepted for one version. */

/* Whether a key is an old one. Writes its current name; NULL for a key that was removed. */
bool sq_renamed_find(const char *key, const char **name);

/* The current name of any key; NULL for a key that was removed. Prints a hint on stderr if the key is an old
 * one and has a value. where: "file:line" */
const char *sq_renamed_key(const char *key, const char *value, const char *where);

/* Whether an old key begins with "section.". */
bool sq_renamed_section(const char *section);

#endif
