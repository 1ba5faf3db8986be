#ifndef SQ_RENAMED_H
#define SQ_RENAMED_H

#include <stdbool.h>

/* Keys of version 0.1 that were renamed or removed since. Such keys are accepted for one version. */

/* Returns whether a key is an old one, and writes the current name; NULL for a key that was removed. */
bool sq_renamed_find(const char *key, const char **name);

/* Returns the current name of any key; NULL for a key that was removed. Prints a hint on stderr for an old key that has
 * a value. where: "file:line". */
const char *sq_renamed_key(const char *key, const char *value, const char *where);

/* Returns whether an old key begins with "section.". */
bool sq_renamed_section(const char *section);

#endif
