/* The tar format: POSIX.1-1988 ustar with GNU and pax names. */
#include "data/sources/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512, LONGEST_EXTENSION = 65536 };

sq_status sq_tar_open(sq_tar *out, const char *path)
{
    struct stat info;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        const sq_status status = sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
        if (file >= 0)
            (void)close(file); /* only read */
        return status;
    }
    *out = (sq_tar){file, path, 0, (uint64_t)info.st_size};
    return SQ_OK;
}

void sq_tar_close(sq_tar *tar)
{
    if (tar->file >= 0)
        (void)close(tar->file); /* only read */
    tar->file = -1;
}

static sq_status read_at(const sq_tar *tar, void *to, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = pread(tar->file, (char *)to + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sq_fail(SQ_IO, "%s: %s", tar->path, strerror(errno));
        if (got == 0)
            return sq_fail(SQ_DATA, "%s: the tar ends at byte %llu, inside a member", tar->path,
                           (unsigned long long)(offset + done));
        done += (size_t)got;
    }
    return SQ_OK;
}

/* Octal text, or base 256 when the first bit is set. */
static bool read_number(const unsigned char *field, int bytes, uint64_t *out)
{
    uint64_t value = 0;
    int i = 0;
    if (field[0] & 0x80) {
        for (i = bytes - 8; i < bytes; i++)
            value = value << 8 | field[i];
        *out = value;
        return bytes <= 8 || field[0] == 0x80;
    }
    while (i < bytes && field[i] == ' ')
        i++;
    for (; i < bytes && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *out = value;
    return i == bytes || field[i] == 0 || field[i] == ' ';
}

static bool has_good_checksum(const unsigned char *header)
{
    uint64_t wanted, sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return read_number(header + 148, 8, &wanted) && sum == wanted;
}

/* What a header in front of a member says of it. */
typedef struct {
    char name[sizeof((sq_tar_member *)0)->name]; /* "": nothing */
    bool has_size;
    uint64_t size;
} extension;

static sq_status set_name(extension *out, const sq_tar *tar, const char *name, size_t length)
{
    if (length >= sizeof out->name)
        return sq_fail(SQ_DATA, "%s: a name of %zu bytes before byte %llu, wanted less than %zu", tar->path, length,
                       (unsigned long long)tar->position, sizeof out->name);
    memcpy(out->name, name, length);
    out->name[length] = 0;
    return SQ_OK;
}

/* "path" and "size" in a pax header ("length key=value\n" records), if they are there. */
static sq_status read_pax(extension *out, const sq_tar *tar, const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        char *end;
        const unsigned long length = strtoul(text + at, &end, 10);
        const size_t head = (size_t)(end - (text + at)) + 1;
        if (length <= head || length > bytes - at)
            return SQ_OK;
        const char *record = text + at + head;
        const size_t left = length - head;
        if (left > 6 && strncmp(record, "path=", 5) == 0)
            SQ_TRY(set_name(out, tar, record + 5, strnlen(record + 5, left - 6)));
        if (left > 6 && strncmp(record, "size=", 5) == 0) {
            out->has_size = true;
            out->size = strtoull(record + 5, NULL, 10); /* the record ends with a newline */
        }
        at += length;
    }
    return SQ_OK;
}

/* Reads a long name ('L') or pax header ('x') that belongs to the next member. */
static sq_status read_extension(extension *out, const sq_tar *tar, char type, uint64_t offset, uint64_t size)
{
    if (size > LONGEST_EXTENSION)
        return sq_fail(SQ_DATA, "%s: an extended header of %llu bytes at byte %llu, wanted at most %d", tar->path,
                       (unsigned long long)size, (unsigned long long)offset, LONGEST_EXTENSION);
    char *text = calloc(1, (size_t)size + 1);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: extended header", tar->path);
    sq_status status = read_at(tar, text, (size_t)size, offset);
    if (status == SQ_OK)
        status = type == 'L' ? set_name(out, tar, text, strlen(text)) : read_pax(out, tar, text, (size_t)size);
    free(text);
    return status;
}

static void plain_name(const unsigned char *header, char *name, size_t bytes)
{
    const char *prefix = (const char *)header + 345;
    const bool has_prefix = memcmp(header + 257, "ustar\0", 6) == 0 && prefix[0];
    if (has_prefix)
        (void)snprintf(name, bytes, "%.155s/%.100s", prefix, (const char *)header);
    else
        (void)snprintf(name, bytes, "%.100s", (const char *)header);
}

sq_status sq_tar_read(const sq_tar *tar, const sq_tar_member *member, void *out)
{
    return read_at(tar, out, (size_t)member->size, member->offset);
}

sq_status sq_tar_next(sq_tar *tar, sq_tar_member *member, bool *is_end)
{
    extension before = {0};
    for (;;) {
        unsigned char header[BLOCK];
        uint64_t size = 0;
        *is_end = tar->position + BLOCK > tar->length;
        if (*is_end && tar->position < tar->length)
            return sq_fail(SQ_DATA, "%s: the tar ends inside a header at byte %llu", tar->path,
                           (unsigned long long)tar->position);
        if (*is_end)
            return SQ_OK;
        SQ_TRY(read_at(tar, header, BLOCK, tar->position));
        *is_end = header[0] == 0;
        if (*is_end)
            return SQ_OK;
        const bool is_extension = header[156] == 'L' || header[156] == 'x' || header[156] == 'g' || header[156] == 'K';
        const bool is_good = has_good_checksum(header) && read_number(header + 124, 12, &size);
        size = before.has_size && !is_extension ? before.size : size;
        if (!is_good)
            return sq_fail(SQ_DATA, "%s: damaged tar header at byte %llu", tar->path,
                           (unsigned long long)tar->position);
        const uint64_t offset = tar->position + BLOCK;
        const char type = (char)header[156];
        if (size > tar->length - offset)
            return sq_fail(SQ_DATA, "%s: the member at byte %llu ends after the tar", tar->path,
                           (unsigned long long)tar->position);
        tar->position = offset + (size + BLOCK - 1) / BLOCK * BLOCK;
        if (type == 'L' || type == 'x') {
            SQ_TRY(read_extension(&before, tar, type, offset, size));
            continue;
        }
        if (is_extension)
            continue;
        if (before.name[0])
            (void)snprintf(member->name, sizeof member->name, "%s", before.name);
        else
            plain_name(header, member->name, sizeof member->name);
        member->offset = offset;
        member->size = size;
        member->is_file = type == '0' || type == 0 || type == '7';
        return SQ_OK;
    }
}
