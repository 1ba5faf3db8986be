#ifndef SQ_SHARE_H
#define SQ_SHARE_H

#include <stdbool.h>
#include <stddef.h>

/* Where configs/ and data/samples lie: beside the program (bin/../share/squall) when it is installed, else the source
 * tree that it was built from (build/bin/../..). false when neither holds `name`. */
bool sq_share_path(char *out, size_t bytes, const char *name);

#endif
