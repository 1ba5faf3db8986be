/* The tar format: POSIX.1-1988 ustar, with GNU's long names and POSIX.1-2001's pax headers. */
#include "data/sources/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAR_BLOCK = 512, MAX_EXTENDED_HEADER = 65536 };

/* The header of a member. Numbers are octal text, or base 256 if the first bit is set. */
typedef struct {
    char name[100];
    char mode[8], user_id[8], group_id[8];
    char size[12], modified[12];
    char checksum[8]; /* sum of all bytes, with spaces in place of the checksum */
    char type;
    char link_name[100];
    char magic[6], version[2];
    char user[32], group[32];
    char device_major[8], device_minor[8];
    char prefix[155]; /* goes before `name`; ustar only */
    char padding[12];
} tar_header;
_Static_assert(sizeof(tar_header) == TAR_BLOCK, "a header is one block");

enum {
    TYPE_FILE = '0',
    TYPE_FILE_V7 = 0, /* tars older than POSIX */
    TYPE_CONTIGUOUS = '7',
    TYPE_LONG_NAME = 'L', /* GNU */
    TYPE_LONG_LINK = 'K', /* GNU */
    TYPE_PAX = 'x',
    TYPE_PAX_GLOBAL = 'g'
};

static const char USTAR_MAGIC[6] = "ustar";

sq_status sq_tar_open(sq_tar *out, const char *path)
{
    struct stat info;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        const sq_status status = sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
        if (file >= 0)
            (void)close(file); /* nothing was written */
        return status;
    }
    *out = (sq_tar){file, path, 0, (uint64_t)info.st_size};
    return SQ_OK;
}

void sq_tar_close(sq_tar *tar)
{
    if (tar->file >= 0)
        (void)close(tar->file); /* nothing was written */
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
            return sq_fail(SQ_DATA, "%s: truncated tar: it ends at byte %" PRIu64 ", inside a member", tar->path,
                           offset + done);
        done += (size_t)got;
    }
    return SQ_OK;
}

sq_status sq_tar_read(const sq_tar *tar, const sq_tar_member *member, void *out)
{
    return read_at(tar, out, (size_t)member->size, member->offset);
}

/* ---- Fields of a header ---- */

/* Reads a number from octal text, or from base 256 if the first bit is set. Returns false for other text and for values
 * above 64 bits. */
static bool parse_number(const char *field, int bytes, uint64_t *out)
{
    const unsigned char *digits = (const unsigned char *)field;
    uint64_t value = 0;
    int i = 0;
    if (digits[0] & 0x80) {
        for (i = bytes - 8; i < bytes; i++)
            value = value << 8 | digits[i];
        *out = value;
        return bytes <= 8 || digits[0] == 0x80;
    }
    while (i < bytes && digits[i] == ' ')
        i++;
    for (; i < bytes && digits[i] >= '0' && digits[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(digits[i] - '0');
    *out = value;
    return i == bytes || digits[i] == 0 || digits[i] == ' ';
}

static bool has_valid_checksum(const tar_header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    const size_t begin = offsetof(tar_header, checksum), end = begin + sizeof header->checksum;
    uint64_t expected, sum = 0;
    for (size_t i = 0; i < sizeof *header; i++)
        sum += i >= begin && i < end ? ' ' : bytes[i];
    return parse_number(header->checksum, sizeof header->checksum, &expected) && sum == expected;
}

static bool is_regular_file(char type)
{
    return type == TYPE_FILE || type == TYPE_FILE_V7 || type == TYPE_CONTIGUOUS;
}

/* Returns true for types of headers that describe the next member, or all members after the header. */
static bool is_extended(char type)
{
    return type == TYPE_LONG_NAME || type == TYPE_LONG_LINK || type == TYPE_PAX || type == TYPE_PAX_GLOBAL;
}

static void copy_name(const tar_header *header, char *name, size_t bytes)
{
    const bool has_prefix = memcmp(header->magic, USTAR_MAGIC, sizeof header->magic) == 0 && header->prefix[0];
    if (has_prefix)
        (void)snprintf(name, bytes, "%.155s/%.100s", header->prefix, header->name);
    else
        (void)snprintf(name, bytes, "%.100s", header->name);
}

/* ---- Extended headers ---- */

/* Values that an extended header gives for the next member. */
typedef struct {
    char name[sizeof((sq_tar_member *)0)->name]; /* "": not in the extended header */
    bool has_size;
    uint64_t size;
} extended_values;

static sq_status set_name(extended_values *out, const sq_tar *tar, const char *name, size_t length)
{
    if (length >= sizeof out->name)
        return sq_fail(SQ_DATA,
                       "%s: a name before byte %" PRIu64 " is too long: found %zu bytes, expected less than %zu",
                       tar->path, tar->position, length, sizeof out->name);
    memcpy(out->name, name, length);
    out->name[length] = 0;
    return SQ_OK;
}

/* Takes "path" and "size" from the records "length key=value\n" of a pax header. */
static sq_status parse_pax(extended_values *out, const sq_tar *tar, const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        char *end;
        const unsigned long length = strtoul(text + at, &end, 10);
        const size_t prefix = (size_t)(end - (text + at)) + 1;
        if (length <= prefix || length > bytes - at)
            return SQ_OK;
        const char *record = text + at + prefix;
        const size_t left = length - prefix;
        if (left > 6 && strncmp(record, "path=", 5) == 0)
            SQ_TRY(set_name(out, tar, record + 5, strnlen(record + 5, left - 6)));
        if (left > 6 && strncmp(record, "size=", 5) == 0) {
            out->has_size = true;
            out->size = strtoull(record + 5, NULL, 10); /* the newline ends the number */
        }
        at += length;
    }
    return SQ_OK;
}

/* ---- Members ---- */

/* A header, and the position and size of the bytes that follow the header. */
typedef struct {
    tar_header header;
    uint64_t offset, size;
} raw_member;

static sq_status read_extended_values(extended_values *out, const sq_tar *tar, const raw_member *raw)
{
    const size_t size = (size_t)raw->size;
    if (raw->size > MAX_EXTENDED_HEADER)
        return sq_fail(SQ_DATA,
                       "%s: the extended header at byte %" PRIu64 " is too large: found %" PRIu64
                       " bytes, expected at most %d",
                       tar->path, raw->offset, raw->size, MAX_EXTENDED_HEADER);
    char *text = calloc(1, size + 1);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for an extended header", tar->path);
    sq_status status = read_at(tar, text, size, raw->offset);
    if (status == SQ_OK)
        status = raw->header.type == TYPE_LONG_NAME ? set_name(out, tar, text, strlen(text))
                                                    : parse_pax(out, tar, text, size);
    free(text);
    return status;
}

/* Reads the header at tar->position and moves the position to the next header. `extended` may override the member's
 * size. */
static sq_status read_raw(raw_member *out, sq_tar *tar, const extended_values *extended, bool *is_end)
{
    const uint64_t begin = tar->position;
    *is_end = begin + TAR_BLOCK > tar->length;
    if (*is_end && begin < tar->length)
        return sq_fail(SQ_DATA, "%s: truncated tar: it ends inside the header at byte %" PRIu64, tar->path, begin);
    if (*is_end)
        return SQ_OK;
    SQ_TRY(read_at(tar, &out->header, sizeof out->header, begin));
    *is_end = out->header.name[0] == 0;
    if (*is_end)
        return SQ_OK;
    if (!has_valid_checksum(&out->header) || !parse_number(out->header.size, sizeof out->header.size, &out->size))
        return sq_fail(SQ_DATA, "%s: damaged tar header at byte %" PRIu64, tar->path, begin);
    if (extended->has_size && !is_extended(out->header.type))
        out->size = extended->size;
    out->offset = begin + TAR_BLOCK;
    if (out->size > tar->length - out->offset)
        return sq_fail(SQ_DATA, "%s: truncated tar: the member at byte %" PRIu64 " reaches past the end", tar->path,
                       begin);
    tar->position = out->offset + (out->size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    return SQ_OK;
}

sq_status sq_tar_next(sq_tar *tar, sq_tar_member *member, bool *is_end)
{
    extended_values extended = {0};
    raw_member raw;
    for (;;) {
        SQ_TRY(read_raw(&raw, tar, &extended, is_end));
        if (*is_end)
            return SQ_OK;
        if (!is_extended(raw.header.type))
            break;
        if (raw.header.type == TYPE_LONG_NAME || raw.header.type == TYPE_PAX)
            SQ_TRY(read_extended_values(&extended, tar, &raw));
    }
    if (extended.name[0])
        (void)snprintf(member->name, sizeof member->name, "%s", extended.name);
    else
        copy_name(&raw.header, member->name, sizeof member->name);
    member->offset = raw.offset;
    member->size = raw.size;
    member->is_file = is_regular_file(raw.header.type);
    return SQ_OK;
}
