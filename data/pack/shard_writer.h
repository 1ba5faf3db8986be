#ifndef SQ_SHARD_WRITER_H
#define SQ_SHARD_WRITER_H

#include "data/sources/shard.h"

/* Writes one packed shard (data/sources/shard.h). */

typedef struct sq_shard_writer sq_shard_writer;

/* Creates path.tmp. `header` gives shard, shard_count, count, first, total and pack; the writer sets the other fields.
 * returns   SQ_IO; SQ_INVALID: the path is too long; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_shard_writer_open(sq_shard_writer **out, const char *path, const sq_shard_header *header);

/* Appends a record. Records must be added in the order of the images in the split.
 * record    gives label, h, w and flags
 * returns   SQ_IO: the disk is full; SQ_INVALID: more than header->count records; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_shard_writer_add(sq_shard_writer *writer, const void *bytes, size_t size, const char *name,
                                          const sq_shard_record *record);

/* Writes the tables and the header, syncs the file and renames it to path. Before this call, there is no file at path.
 * returns   SQ_IO; SQ_INVALID: fewer than header->count records */
SQ_MUST_USE sq_status sq_shard_writer_finish(sq_shard_writer *writer, const char *const *classes, int class_count);

/* Frees the writer, and removes path.tmp unless the shard is finished. Accepts NULL. */
void sq_shard_writer_close(sq_shard_writer *writer);

#endif
