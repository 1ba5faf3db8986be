#ifndef SQ_SHARD_SET_H
#define SQ_SHARD_SET_H

#include "data/sources/shard.h"

/* Opens all shards of a split. */

/* Opens all shards <folder>/<split>-*.shard in order. Free *out and its shards with sq_shards_close.
 * returns   SQ_DATA: no shards, a missing shard, or a shard of another pack; the errors of sq_shard_open */
SQ_MUST_USE sq_status sq_shards_open(sq_shard ***out, int *count, const char *folder, const char *split);
void sq_shards_close(sq_shard **shards, int count); /* accepts NULL */

/* Returns true if the folder holds a shard of the split. split NULL: of any split. */
bool sq_shards_exist(const char *folder, const char *split);

/* Writes "<folder>/<split>-00003.shard" to out.
 * returns   SQ_INVALID: the path is too long */
SQ_MUST_USE sq_status sq_shard_make_path(char *out, size_t bytes, const char *folder, const char *split, int shard);

#endif
