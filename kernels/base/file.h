#ifndef SQ_FILE_H
#define SQ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "kernels/base/status.h"

/* Files that are either complete or absent. A file is written to path.tmp, synced and renamed, and then the folder is
 * synced. After SQ_IO, errno is the error of the call that failed. */

typedef struct {
    const void *data;
    size_t bytes;
} sq_piece;

/* Replaces the file by the concatenated pieces. On failure, path.tmp is removed and an older file at path is unchanged.
 * Returns SQ_IO "<path>: reason". */
SQ_MUST_USE sq_status sq_file_replace(const char *path, const sq_piece *pieces, int piece_count);

/* Writes data at offset `at` of a file, which is created if it does not exist. Before the write, the file is truncated
 * to `at` bytes, which removes the rest of an interrupted write. After a failure, the file is truncated to `at` bytes
 * again. Returns SQ_IO "<path>: reason". */
SQ_MUST_USE sq_status sq_file_append(const char *path, size_t at, const void *data, size_t bytes);

/* A file that is written as a stream. The text stays in memory until sq_file_finish writes the file in the same way as
 * sq_file_replace. sq_file_finish always frees the text, even on failure. The text of SQ_NO_MEMORY names the path. */
typedef struct {
    FILE *stream;
    char *text;
    size_t bytes;
} sq_file_writer;
SQ_MUST_USE sq_status sq_file_begin(sq_file_writer *out, const char *path);
SQ_MUST_USE sq_status sq_file_finish(sq_file_writer *writer, const char *path);
void sq_file_discard(sq_file_writer *writer); /* frees the text and writes nothing */

/* Reads a whole file into malloc'd memory and appends a zero byte. Files of more than `limit` bytes are refused. */
SQ_MUST_USE sq_status sq_file_read(const char *path, size_t limit, char **out, size_t *bytes);
/* The same for a text. SQ_INVALID: the file contains a zero byte. */
SQ_MUST_USE sq_status sq_file_read_text(const char *path, size_t limit, char **out);

/* Locks a folder for this process until sq_folder_unlock or exit. Waits up to 5 seconds, then returns SQ_INVALID
 * "<path>: another process is writing in it". Pass *lock to sq_folder_unlock, which accepts SQ_NO_LOCK. On file systems
 * without locks, locking always succeeds. source: flock(2) */
enum { SQ_NO_LOCK = -1 };
SQ_MUST_USE sq_status sq_folder_lock(const char *path, int *lock);
void sq_folder_unlock(int lock);

/* Creates a folder and its parents. Returns SQ_OK if the folder already exists. */
SQ_MUST_USE sq_status sq_folder_make(const char *path);
/* Creates a temporary folder <what>-XXXXXX in TMPDIR (default /tmp) and writes its path to out. */
SQ_MUST_USE sq_status sq_folder_scratch(char *out, size_t bytes, const char *what);
/* Syncs a folder, so that renames in it survive a crash. */
SQ_MUST_USE sq_status sq_folder_sync(const char *path);
/* Removes a file, or a folder with its content. Returns SQ_OK if the path does not exist. */
SQ_MUST_USE sq_status sq_path_remove(const char *path);
bool sq_path_exists(const char *path);
/* Writes folder/name to out, a buffer of `bytes` bytes. Returns true if that path exists. Returns false if the path
 * does not exist or does not fit into out. */
bool sq_path_find(char *out, size_t bytes, const char *folder, const char *name);
/* Writes the folder part of `path` to out; "." if `path` has no slash. */
void sq_path_parent(char *out, size_t bytes, const char *path);

/* Makes the symbolic link `path` point to `target`, by rename, so that the link exists at all times. */
SQ_MUST_USE sq_status sq_link_replace(const char *path, const char *target);

#endif
