#ifndef SQ_SHARD_H
#define SQ_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* The format of a packed shard, and the functions that read a shard. The images of a split are in <split>-00000.shard,
 * <split>-00001.shard, ... (data/sources/shard_set.h). data/pack/shard_writer.h writes shards.
 *
 * A file is little-endian:
 *   header
 *   records, each at a multiple of SQ_SHARD_ALIGNMENT
 *   class names, each with a terminating zero byte; every shard has the names of all classes
 *   image names, each with a terminating zero byte
 *   index at a multiple of 8: one sq_shard_record per image
 * Records are in the order of the data set: by class, then by name.
 *
 * Checksums are XXH3 with 64 bits and seed 0 (xxHash 0.8). The header holds a checksum of the other fields of the
 * header and a checksum of everything after the records. The index holds one checksum per record. XXH3 processes about
 * 20 GB/s, zlib's CRC-32 about 1 GB/s. A raw record has about 200 kB and takes 0.1 ms of other work, so CRC-32 would
 * triple the time. */

enum {
    SQ_SHARD_VERSION = 1,
    SQ_SHARD_ALIGNMENT = 64,            /* bytes: a cache line */
    SQ_SHARD_MAX_COUNT = 65535,         /* shards of a split */
    SQ_SHARD_MAX_RECORD_BYTES = 1 << 30 /* the limit for every image */
};
#define SQ_SHARD_MAGIC "SQSHARD\n"

/* The flags of a record. The lowest byte of the flags is the image's format before packing (sq_image_format). */
enum {
    SQ_SHARD_FORMAT_MASK = 0xFF,
    SQ_SHARD_RAW = 1 << 8,       /* h * w * 3 uint8, RGB, rows from the top; otherwise an encoded image */
    SQ_SHARD_REENCODED = 1 << 9, /* the bytes differ from the source's */
    SQ_SHARD_GREY = 1 << 10,
    SQ_SHARD_CMYK = 1 << 11,
    SQ_SHARD_ROTATED = 1 << 12,    /* the EXIF orientation is not 1; pixels are stored unrotated */
    SQ_SHARD_UNDECODABLE = 1 << 13 /* the bytes are stored unchanged */
};

typedef struct {
    char magic[8];
    uint32_t version, header_bytes, record_bytes; /* sizes of this struct and of sq_shard_record */
    uint32_t shard, shard_count;                  /* number of this shard; number of shards of the split */
    uint32_t class_count;
    uint64_t count, first, total; /* images in this shard, in the shards before it, in the split */
    uint64_t pack;                /* fingerprint of source and options; equal in all shards of a split */
    uint64_t classes_offset, names_offset, index_offset, file_bytes;
    uint64_t tables_checksum; /* covers classes_offset .. file_bytes */
    uint64_t header_checksum; /* covers all fields above */
} sq_shard_header;

typedef struct {
    uint64_t offset, size, checksum; /* position in the file, bytes, and checksum of the record */
    uint64_t name_offset;            /* relative to names_offset */
    uint32_t label;
    uint32_t h, w; /* pixels; 0: unknown */
    uint32_t flags;
} sq_shard_record;

typedef struct sq_shard sq_shard;

/* Maps a shard, copies its tables, and checks the header, the tables and every entry of the index. Records are verified
 * when they are read.
 * returns   SQ_IO; SQ_DATA "<path>: ...": not a shard, another version, truncated, a wrong checksum, a label or an
 *           offset out of range, a duplicate name; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_shard_open(sq_shard **out, const char *path);
void sq_shard_close(sq_shard *shard); /* accepts NULL */

const sq_shard_header *sq_shard_get_header(const sq_shard *shard);
const char *sq_shard_path(const sq_shard *shard);
const sq_shard_record *sq_shard_record_at(const sq_shard *shard, size_t index);
const char *sq_shard_image_name(const sq_shard *shard, size_t index); /* inside the class folder: "1.png" */
const char *sq_shard_class_name(const sq_shard *shard, uint32_t label);

/* Copies a record into `out`, which has room for its size, and verifies the checksum of the record. Sequential reads
 * are prefetched. A file that is truncated after sq_shard_open causes an error, not a signal. Thread-safe.
 *
 * returns   SQ_DATA "<path>: record 17 (n01440764/a.JPEG): ..." */
SQ_MUST_USE sq_status sq_shard_read(const sq_shard *shard, size_t index, void *out);

/* Returns the mapped bytes of a record, without a copy. The bytes are valid until sq_shard_close, unless the file is
 * truncated before then. The first call for a record verifies its checksum. Returns NULL if the checksum differs or the
 * file is truncated; sq_shard_read reports the reason. Thread-safe. */
const void *sq_shard_view(const sq_shard *shard, size_t index);

#endif
