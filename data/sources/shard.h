#ifndef SQ_SHARD_H
#define SQ_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Packed shards: the images of a split in a few large files, <split>-00000.shard, <split>-00001.shard, ...
 *
 * A file, little-endian: header | records, each at a multiple of SQ_SHARD_ALIGNMENT | class names, each with a zero
 * byte behind it | names, likewise | index (one sq_shard_record an image), at a multiple of 8. Every shard has all
 * class names, so that it can be read alone. Records keep the order of the data set: by class, then by name. The header
 * has a checksum of itself and one of everything behind the records; the index has one of each record: XXH3, 64 bits,
 * seed 0 (xxHash 0.8: about 20 GB/s where zlib's CRC-32 has 1, and a raw record is 200 kB for 0.1 ms of work). */

enum {
    SQ_SHARD_VERSION = 1,
    SQ_SHARD_ALIGNMENT = 64,            /* bytes; of a cache line */
    SQ_SHARD_MAX_COUNT = 65535,         /* shards of a split */
    SQ_SHARD_MAX_RECORD_BYTES = 1 << 30 /* bytes of a record, as of an image anywhere */
};
#define SQ_SHARD_MAGIC "SQSHARD\n"

/* What a record is. The first byte of flags is the image's format before it was packed (sq_probe_format). */
enum {
    SQ_SHARD_RAW = 1 << 8,       /* h * w * 3 uint8, RGB, rows from the top; else the bytes of an encoded image */
    SQ_SHARD_REENCODED = 1 << 9, /* not the bytes of the source */
    SQ_SHARD_GREY = 1 << 10,
    SQ_SHARD_CMYK = 1 << 11,
    SQ_SHARD_ROTATED = 1 << 12,    /* EXIF orientation other than 1; pixels stay as they are stored */
    SQ_SHARD_UNDECODABLE = 1 << 13 /* could not be decoded; the bytes of the source */
};

typedef struct {
    char magic[8];
    uint32_t version, header_bytes, record_bytes; /* sizes of this struct and of sq_shard_record */
    uint32_t shard, shard_count;                  /* which of how many */
    uint32_t class_count;
    uint64_t count, first, total; /* images here, before here in the split, in the split */
    uint64_t pack;                /* fingerprint of source and options: the same in all shards of a split */
    uint64_t classes_offset, names_offset, index_offset, file_bytes;
    uint64_t tables_checksum; /* of classes_offset .. file_bytes */
    uint64_t header_checksum; /* of everything above */
} sq_shard_header;

typedef struct {
    uint64_t offset, size, checksum; /* of the record's bytes */
    uint64_t name_offset;            /* from names_offset; a zero byte ends it */
    uint32_t label;
    uint32_t h, w; /* pixels of the record; 0: not known */
    uint32_t flags;
} sq_shard_record;

typedef struct sq_shard sq_shard;

/* Maps a shard, copies its tables and checks header, tables and every entry of the index, but no record's bytes.
 * returns   SQ_IO; SQ_DATA "<path>: why": not a shard, another version, truncated, a checksum that differs, a label out
 *           of range, a record outside its place, a name twice */
SQ_MUST_USE sq_status sq_shard_open(sq_shard **out, const char *path);
void sq_shard_close(sq_shard *shard); /* accepts NULL */

/* All shards of <folder>/<split>-*.shard, in order; *out and its shards are freed by sq_shards_close.
 * returns   SQ_DATA naming the shard that is missing or belongs to another pack */
SQ_MUST_USE sq_status sq_shards_open(sq_shard ***out, int *count, const char *folder, const char *split);
void sq_shards_close(sq_shard **shards, int count);
/* Does the folder hold a shard of the split (NULL: of any)? */
bool sq_shards_exist(const char *folder, const char *split);
/* "<split>-00003.shard" in folder; SQ_INVALID if the path is too long. */
SQ_MUST_USE sq_status sq_shard_make_path(char *out, size_t bytes, const char *folder, const char *split, int shard);

const sq_shard_header *sq_shard_get_header(const sq_shard *shard);
const char *sq_shard_path(const sq_shard *shard); /* its path */
const sq_shard_record *sq_shard_record_at(const sq_shard *shard, size_t index);
const char *sq_shard_image_name(const sq_shard *shard, size_t index); /* of the image inside its class folder */
const char *sq_shard_class_name(const sq_shard *shard, uint32_t label);

/* Copies a record into `out` (its size bytes) and verifies its checksum. Records that are asked for in order are read
 * ahead. A shard that was cut or changed since it was opened is told, never a crash. Thread-safe.
 * returns   SQ_DATA "<path>: record 17 (n01440764/a.JPEG): why" */
SQ_MUST_USE sq_status sq_shard_read(const sq_shard *shard, size_t index, void *out);

/* Where the record is mapped; NULL when its checksum differs (sq_shard_read says so). The checksum is verified the
 * first time that a record is asked for. Thread-safe; valid until the shard is closed, as long as nobody cuts the file.
 */
const void *sq_shard_view(const sq_shard *shard, size_t index);

/* ---- Writing ---- */

typedef struct sq_shard_writer sq_shard_writer;

/* Begins path.tmp. `head` gives shard, shard_count, count, first, total and pack; the rest is filled in. */
SQ_MUST_USE sq_status sq_shard_writer_open(sq_shard_writer **out, const char *path, const sq_shard_header *head);
/* Appends a record. `record` gives label, h, w and flags. Names in the order of the split. SQ_IO: a full disk. */
SQ_MUST_USE sq_status sq_shard_writer_add(sq_shard_writer *writer, const void *bytes, size_t size, const char *name,
                                          const sq_shard_record *record);
/* Writes the tables and the header, syncs and renames: only now there is a file at path. SQ_INVALID: not `count`
 * records. */
SQ_MUST_USE sq_status sq_shard_writer_finish(sq_shard_writer *writer, const char *const *classes, int class_count);
/* Frees the writer, and removes path.tmp if it was not finished. Accepts NULL. */
void sq_shard_writer_close(sq_shard_writer *writer);

#endif
