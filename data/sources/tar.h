#ifndef SQ_TAR_H
#define SQ_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Reads the members of a tar. Supports ustar, GNU long names, pax paths and sizes, and base-256 sizes. sq_tar_next
 * reads only headers. */

typedef struct {
    char name[4096];
    uint64_t offset, size; /* bytes; offset from the beginning of the file */
    bool is_file;          /* a regular file */
} sq_tar_member;

typedef struct {
    int file;
    const char *path;          /* borrowed, for messages */
    uint64_t position, length; /* in bytes: of the next header, and of the end of the tar. A copy of the struct with
                                * other values reads a tar inside the tar. */
} sq_tar;

/* Opens a tar. Close the tar with sq_tar_close.
 * returns   SQ_IO */
SQ_MUST_USE sq_status sq_tar_open(sq_tar *out, const char *path);

/* Reads the next member's header. Sets *is_end if there are no more members; *member is then undefined.
 * returns   SQ_DATA: a damaged or truncated tar, with the byte offset; SQ_IO; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_tar_next(sq_tar *tar, sq_tar_member *member, bool *is_end);

/* Reads a member's bytes (member->size) into out.
 * returns   SQ_DATA: the file is shorter than expected; SQ_IO */
SQ_MUST_USE sq_status sq_tar_read(const sq_tar *tar, const sq_tar_member *member, void *out);

void sq_tar_close(sq_tar *tar);

#endif
