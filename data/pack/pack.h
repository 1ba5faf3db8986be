#ifndef SQ_PACK_H
#define SQ_PACK_H

#include "data/decode/probe.h"
#include "data/sources/dataset.h"

/* Packing a split into shards (data/sources/shard.h): one shard a thread at a time, each written under a temporary
 * name. Which image lies where depends on the source and the options alone, so the files are the same for any number of
 * threads, and after a kill the shards that are there are kept. An image that cannot be decoded keeps its place and its
 * bytes: the loader meets it as it would in the source, and the order of all others stays. */

typedef struct {
    size_t images, image_count;
    size_t found_count;      /* of the images: in shards that were there already */
    int shards, shard_count; /* finished; of */
} sq_pack_progress;

typedef struct {
    int side;          /* short side of what is stored, if an image is larger; 0: the bytes of the source */
    bool is_cropped;   /* then only the centre, side x side */
    bool is_raw;       /* stored as uint8 RGB; needs a side */
    int quality;       /* of JPEG; 1..100 */
    bool is_unchecked; /* with side 0: headers are looked at, nothing is decoded */
    int max_bad;       /* more undecodable images are an error */
    size_t max_pixels; /* larger images count as undecodable; 0: SQ_IMAGE_MAX_PIXELS */
    uint64_t
        shard_bytes; /* of the source, in a shard; 0: a 64th of the split, from 4 MiB to 256 MiB, at most 512 shards */
    int threads;     /* 0: one per core */
    bool (*is_stopped)(void); /* asked now and then; NULL: never */
    void (*tell)(void *context,
                 const sq_pack_progress *progress); /* twice a second, from the calling thread; or NULL */
    void *context;
} sq_pack_options;

/* Packs the data set as <folder>/<split>-*.shard; goes on where an earlier call with the same data set and options was
 * ended.
 * returns   SQ_DATA: a name twice in a class (both named), an image that changed since it was listed, too many
 *           undecodable ones; SQ_IO: a full disk (no shard is left half written); SQ_INVALID: options, shards of
 * another pack there, somebody else packing there; SQ_INTERRUPTED */
SQ_MUST_USE sq_status sq_pack(const sq_dataset *dataset, const char *folder, const char *split,
                              const sq_pack_options *options);

/* What a split's shards hold. */
typedef struct {
    uint64_t images, bytes; /* bytes: of the files */
    int shards, classes;
    uint64_t formats[SQ_FORMATS]; /* of the source */
    uint64_t recoded, raw, grey, cmyk, rotated, bad;
    uint64_t listed; /* lines of the list */
} sq_pack_summary;

/* Counts them. list: a file for a line "<what><tab><class>/<name>" for every odd image, whatever most are not: another
 * format, grey, CMYK, EXIF-rotated, undecodable; or NULL. */
SQ_MUST_USE sq_status sq_pack_summarise(sq_pack_summary *out, const char *folder, const char *split, const char *list);

/* Reads every record and compares its checksum. damaged: called with one line for each that differs, from any thread,
 * one at a time; *damaged_count of them. is_stopped, threads: as in sq_pack_options. */
typedef struct {
    int threads;
    bool (*is_stopped)(void);
    void (*damaged)(void *context, const char *line);
    void *context;
} sq_verify_options;
SQ_MUST_USE sq_status sq_pack_verify(const char *folder, const char *split, const sq_verify_options *options,
                                     uint64_t *damaged_count);

#endif
