#ifndef SQ_FILE_H
#define SQ_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "kernels/base/status.h"

/* Files that are whole or absent: written under path.tmp, synced, renamed, and the folder synced. Behind SQ_IO errno is
 * that of the call that failed. */

typedef struct {
    const void *data;
    size_t bytes;
} sq_piece;

/* Writes the pieces one after another. On failure nothing is left under path or path.tmp, and an older file at path is
 * untouched. SQ_IO "<path>: reason". */
SQ_MUST_USE sq_status sq_file_replace(const char *path, const sq_piece *pieces, int piece_count);

/* Writes a line at the end of a file of `at` bytes (made if need be); whatever a torn write left behind them is cut
 * away, before it and after a failure. SQ_IO "<path>: reason". */
SQ_MUST_USE sq_status sq_file_append(const char *path, size_t at, const void *data, size_t bytes);

/* A file that is written as a stream: it stays in memory until sq_file_finish writes it, as sq_file_replace does, and
 * lets go of it whatever happens. SQ_NO_MEMORY names the path. */
typedef struct {
    FILE *stream;
    char *text;
    size_t bytes;
} sq_file_writer;
SQ_MUST_USE sq_status sq_file_begin(sq_file_writer *out, const char *path);
SQ_MUST_USE sq_status sq_file_finish(sq_file_writer *writer, const char *path);
void sq_file_discard(sq_file_writer *writer); /* lets go of it, and nothing is written */

/* Reads a whole file into malloc'd memory with a zero byte behind it. limit: refuse larger files. */
SQ_MUST_USE sq_status sq_file_read(const char *path, size_t limit, char **out, size_t *bytes);

/* Keeps a folder for this process, until it lets go or ends: SQ_INVALID "<path>: another process is writing in it" when
 * that has not let go after some seconds. *lock: for sq_folder_unlock, which accepts SQ_NO_LOCK. On file systems that
 * know no such locks nobody is kept out. source: flock(2) */
enum { SQ_NO_LOCK = -1 };
SQ_MUST_USE sq_status sq_folder_lock(const char *path, int *lock);
void sq_folder_unlock(int lock);

/* Creates a folder and its parents; fine if it exists. */
SQ_MUST_USE sq_status sq_folder_make(const char *path);
/* Makes a new folder, <what>-XXXXXX where temporary files go (TMPDIR, else /tmp), and says its path. */
SQ_MUST_USE sq_status sq_folder_scratch(char *out, size_t bytes, const char *what);
/* Syncs a folder, so that renames in it survive a crash. */
SQ_MUST_USE sq_status sq_folder_sync(const char *path);
/* Removes a file or a folder with all it holds; fine if it is not there. */
SQ_MUST_USE sq_status sq_path_remove(const char *path);
bool sq_path_exists(const char *path);
/* Writes folder/name to out, a buffer of `bytes` bytes. Returns whether it exists; false if it does not fit. */
bool sq_path_find(char *out, size_t bytes, const char *folder, const char *name);
/* The folder that holds `path`: "." where it names none. */
void sq_path_parent(char *out, size_t bytes, const char *path);

/* Points the symbolic link `path` at `target` by rename, so that it always points somewhere. */
SQ_MUST_USE sq_status sq_link_replace(const char *path, const char *target);

#endif
