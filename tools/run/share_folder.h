#ifndef SQ_SHARE_H
#define SQ_SHARE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes the path of `name` in the share folder, which holds configs/ and data/samples: bin/../share/squall of an
 * installed program, or else the source tree of a build (build/bin/../..). Returns false if neither folder has
 * `name`. */
bool sq_share_path(char *out, size_t bytes, const char *name);

/* Returns `name` if it exists, else its path in the share folder (written to out), else `name`. */
const char *sq_share_find(char *out, size_t bytes, const char *name);

#endif
