#ifndef SQ_SHARE_H
#define SQ_SHARE_H

#include <stdbool.h>
#include <stddef.h>

/* Where configs/ and data/samples lie: beside the program (bin/../share/squall) when it is installed, else the source
 * tree that it was built from (build/bin/../..). false when neither holds `name`. */
bool sq_share_path(char *out, size_t bytes, const char *name);

/* `name` itself where it exists, else its place in the share folder (kept in out), else `name`: whoever opens it will
 * complain. */
const char *sq_share_find(char *out, size_t bytes, const char *name);

#endif
