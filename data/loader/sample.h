#ifndef SQ_SAMPLE_H
#define SQ_SAMPLE_H

#include "data/decode/image.h"
#include "data/loader/cache.h"
#include "data/loader/device_cache.h"
#include "data/loader/transform.h"

/* One image of a data set made into one place of a batch: read, decode what the crop needs, resize. */

/* How much of an image is decoded. */
typedef enum {
    SQ_DECODE_EXACT, /* the crop's rows and columns, to the bit as Pillow decodes the whole image */
    SQ_DECODE_DRAFT /* crops at least twice the output's side: at 1/2, 1/4 or 1/8 by the DCT, as Pillow's Image.draft */
} sq_decode;

typedef enum { SQ_STAGE_READ, SQ_STAGE_DECODE, SQ_STAGE_RESIZE, SQ_STAGES } sq_sample_stage;

typedef struct {
    const sq_dataset *dataset;
    const sq_transform *transform;
    sq_decode decode;
    sq_cache *cache;                     /* or NULL */
    const sq_device_cache *device_cache; /* for sq_sample_crop; or NULL */
    uint64_t seed;
    size_t max_pixels;
} sq_sample_source;

/* What one thread keeps from image to image; begins as zero. */
typedef struct {
    void *bytes;
    size_t capacity;
    sq_image image;
    sq_resizer resizer;
    double seconds[SQ_STAGES]; /* spent so far */
} sq_sample_workspace;

void sq_sample_clear(sq_sample_workspace *memory);

/* Image `index` as epoch `epoch` sees it: a function of (seed, epoch, index).
 * pixels    resolution^2 * 3, RGB
 * augment   SQ_AUGMENT_COUNT values
 * returns   SQ_DATA when the image is bad, named; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_sample_make(const sq_sample_source *source, sq_sample_workspace *memory, size_t index,
                                     uint64_t epoch, uint8_t *pixels, float *augment);

/* The same for an image that a backend keeps: not its pixels, but what the backend's crop() makes them of. The
 * transform augments. */
SQ_MUST_USE sq_status sq_sample_crop(const sq_sample_source *source, sq_sample_workspace *memory, size_t index,
                                     uint64_t epoch, sq_stored_crop *crop, float *augment);

/* By how much the DCT may reduce what is cropped: the largest of 1, 2, 4, 8 that leaves both sides at least as long as
 * the output; 1 for SQ_DECODE_EXACT and where nothing is drawn, so that evaluation is exact. */
int sq_sample_reduction(const sq_transform *transform, sq_decode decode, sq_crop crop);

#endif
