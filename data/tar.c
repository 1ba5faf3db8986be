/* The tar format: POSIX.1-1988 ustar with GNU and pax names. */
#include "data/tar.h"

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

/* The value of "path" in a pax header ("length key=value\n" records), if it is there. */
static void read_pax_path(const char *text, size_t bytes, char *name, size_t name_bytes)
{
    size_t at = 0;
    while (at < bytes) {
        char *end;
        const unsigned long length = strtoul(text + at, &end, 10);
        const size_t head = (size_t)(end - (text + at)) + 1;
        if (length <= head || length > bytes - at)
            return;
        const char *record = text + at + head;
        const size_t left = length - head;
        if (left > 6 && strncmp(record, "path=", 5) == 0)
            (void)snprintf(name, name_bytes, "%.*s", (int)(left - 6), record + 5);
        at += length;
    }
}

/* Reads a long name ('L') or pax header ('x') that belongs to the next member. */
static sq_status read_extension(const sq_tar *tar, char type, uint64_t offset, uint64_t size, char *name,
                                size_t name_bytes)
{
    if (size > LONGEST_EXTENSION)
        return sq_fail(SQ_DATA, "%s: an extended header of %llu bytes at byte %llu, wanted at most %d", tar->path,
                       (unsigned long long)size, (unsigned long long)offset, LONGEST_EXTENSION);
    char *text = calloc(1, (size_t)size + 1);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: extended header", tar->path);
    const sq_status status = read_at(tar, text, (size_t)size, offset);
    if (status == SQ_OK && type == 'L')
        (void)snprintf(name, name_bytes, "%s", text);
    else if (status == SQ_OK)
        read_pax_path(text, (size_t)size, name, name_bytes);
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

sq_status sq_tar_next(sq_tar *tar, sq_tar_member *member, bool *is_end)
{
    char long_name[sizeof member->name] = "";
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
        if (!has_good_checksum(header) || !read_number(header + 124, 12, &size) || size > tar->length)
            return sq_fail(SQ_DATA, "%s: damaged tar header at byte %llu", tar->path,
                           (unsigned long long)tar->position);
        const uint64_t offset = tar->position + BLOCK;
        const char type = (char)header[156];
        if (size > tar->length - offset)
            return sq_fail(SQ_DATA, "%s: the member at byte %llu ends after the tar", tar->path,
                           (unsigned long long)tar->position);
        tar->position = offset + (size + BLOCK - 1) / BLOCK * BLOCK;
        if (type == 'L' || type == 'x') {
            SQ_TRY(read_extension(tar, type, offset, size, long_name, sizeof long_name));
            continue;
        }
        if (type == 'g' || type == 'K')
            continue;
        if (long_name[0])
            (void)snprintf(member->name, sizeof member->name, "%s", long_name);
        else
            plain_name(header, member->name, sizeof member->name);
        member->offset = offset;
        member->size = size;
        member->is_file = type == '0' || type == 0 || type == '7';
        return SQ_OK;
    }
}
