#ifndef SQ_SAMPLE_H
#define SQ_SAMPLE_H

#include "data/decode/image.h"
#include "data/loader/cache.h"
#include "data/loader/device_cache.h"
#include "data/loader/transform.h"

/* Makes one image of a batch: the stored image is read, the pixels that the crop needs are decoded, and these pixels
 * are resized. */

typedef enum {
    SQ_DECODE_EXACT, /* decode at full size the rows and columns that the crop needs */
    SQ_DECODE_DRAFT, /* decode large crops at 1/2, 1/4 or 1/8 by the DCT, as Pillow's Image.draft */
    SQ_DECODE_MODES
} sq_decode_mode;

const char *sq_decode_mode_name(sq_decode_mode mode); /* "exact", "draft" */

typedef enum { SQ_STAGE_READ, SQ_STAGE_DECODE, SQ_STAGE_RESIZE, SQ_STAGES } sq_sample_stage;

const char *sq_sample_stage_name(sq_sample_stage stage); /* "read", "decode", "resize" */

/* The source and the transform of samples; all pointers are borrowed. */
typedef struct {
    const sq_dataset *dataset;
    const sq_transform *transform;
    sq_decode_mode decode;
    sq_cache *cache;                     /* or NULL */
    const sq_device_cache *device_cache; /* for sq_sample_crop; or NULL */
    uint64_t seed;
    size_t max_pixels;
} sq_sample_source;

/* Buffers that a thread reuses; initialise with zeros. */
typedef struct {
    void *bytes;
    size_t capacity;
    sq_image image;
    sq_resizer resizer;
    double seconds[SQ_STAGES]; /* accumulated */
} sq_sample_workspace;

/* Identifies one image in one epoch. The pixels of a sample are a function of (seed, epoch, index). */
typedef struct {
    size_t index;
    uint64_t epoch;
} sq_sample_id;

void sq_sample_clear(sq_sample_workspace *workspace); /* frees the buffers */

/* Makes the pixels of a sample and draws its augmentation.
 * pixels    resolution * resolution * 3, RGB
 * augment   SQ_AUGMENT_COUNT values
 * returns   SQ_DATA, with the image's name: the image is bad; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_sample_make(const sq_sample_source *source, sq_sample_workspace *workspace, sq_sample_id id,
                                     uint8_t *pixels, float *augment);

/* Does the same as sq_sample_make for an image in the device cache, but sets *crop instead of making pixels. The
 * backend makes the same pixels from *crop. The transform must be augmenting. */
SQ_MUST_USE sq_status sq_sample_crop(const sq_sample_source *source, sq_sample_workspace *workspace, sq_sample_id id,
                                     sq_stored_crop *crop, float *augment);

/* Returns the factor by which the DCT may reduce an image: the largest of 1, 2, 4 and 8 with which both sides of the
 * reduced crop are at least as long as the output. The factor is 1 for SQ_DECODE_EXACT, and for transforms without
 * augmentation, so that evaluation is exact. */
int sq_sample_reduction(const sq_transform *transform, sq_decode_mode mode, sq_crop crop);

#endif
