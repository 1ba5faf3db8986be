#ifndef SQ_TAR_H
#define SQ_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Walks the members of a tar: ustar, GNU long names, pax paths and sizes, base-256 sizes. Only headers are read. */

typedef struct {
    char name[4096];
    uint64_t offset, size;
    bool is_file;
} sq_tar_member;

typedef struct {
    int file;
    const char *path;
    uint64_t position, length; /* bytes of the file; a tar inside a tar is walked as a copy with both moved */
} sq_tar;

SQ_MUST_USE sq_status sq_tar_open(sq_tar *out, const char *path);
/* The next member; *is_end when there are no more. SQ_DATA names the offset of a damaged header. */
SQ_MUST_USE sq_status sq_tar_next(sq_tar *tar, sq_tar_member *member, bool *is_end);
/* Reads a member's bytes (member->size) into out. */
SQ_MUST_USE sq_status sq_tar_read(const sq_tar *tar, const sq_tar_member *member, void *out);
void sq_tar_close(sq_tar *tar);

#endif
