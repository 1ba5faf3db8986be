#ifndef SQ_PACK_H
#define SQ_PACK_H

#include "data/sources/dataset.h"

/* Packs a split into shards (data/sources/shard.h). Each thread writes one shard at a time, under a temporary name.
 *
 * The source and the options alone determine which image is in which shard, so the files do not depend on the number of
 * threads. After an interruption, finished shards are reused. An image that cannot be decoded keeps its position and
 * its bytes, so the order of the other images stays the same. The loader handles such an image in the same way in the
 * source and in the shards. */

typedef struct {
    size_t images, image_count; /* images done so far, and in total */
    size_t reused_count;        /* of `images`, those in shards that an earlier run finished */
    int shards, shard_count;    /* finished shards, and in total */
} sq_pack_progress;

typedef struct {
    int side;          /* larger images are shrunk to this short side in pixels; 0: bytes are stored unchanged */
    bool is_cropped;   /* only the centre, side x side, is stored; requires side > 0 */
    bool is_raw;       /* uint8 RGB is stored; requires side > 0 */
    int quality;       /* of JPEG, 1..100 */
    bool is_unchecked; /* with side 0: only headers are read; images are not decoded to check them */
    int max_bad;       /* more undecodable images than this are an error */
    size_t max_pixels; /* larger images count as undecodable; 0: SQ_IMAGE_MAX_PIXELS */
    uint64_t
        shard_bytes; /* source bytes per shard; 0: 1/64 of the split, within 4 MiB .. 256 MiB, at most 512 shards */
    int threads;     /* 0: one per core */
    bool (*is_stopped)(void); /* polled twice a second; NULL: never stops */
    /* Called twice a second and at the end, from the thread that called sq_pack; or NULL. */
    void (*report)(void *context, const sq_pack_progress *progress);
    void *context;
} sq_pack_options;

/* Packs the data set as <folder>/<split>-*.shard. Resumes an interrupted call with the same data set and options.
 * returns   SQ_DATA: a duplicate name in a class, an image that has changed since it was listed, too many undecodable
 *           images; SQ_IO: the disk is full (no partial shard is left); SQ_INVALID: bad options, shards of another pack
 *           in the folder, another process is packing there; SQ_INTERRUPTED */
SQ_MUST_USE sq_status sq_pack(const sq_dataset *dataset, const char *folder, const char *split,
                              const sq_pack_options *options);

#endif
