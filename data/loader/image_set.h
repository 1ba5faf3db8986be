#ifndef SQ_IMAGE_SET_H
#define SQ_IMAGE_SET_H

#include "data/loader/loader.h"

/* All images of a split in memory, decoded and resized once. Calibration and evaluation read the set for every
 * candidate. */
typedef struct {
    uint8_t *images; /* count * resolution * resolution * 3, RGB; owned */
    int32_t *labels; /* count; owned */
    size_t count;
    int resolution;
    int64_t bad; /* images that could not be decoded and were replaced */
} sq_image_set;

/* Loads an image set.
 * options   is_shuffled, first_batch, indices and index_count are ignored
 * indices   index_count images of the data set, in this order; NULL: all
 * returns   SQ_DATA: too many bad images; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_image_set_load(sq_image_set *out, const sq_dataset *dataset, const sq_loader_options *options,
                                        const size_t *indices, size_t index_count);
void sq_image_set_clear(sq_image_set *set); /* frees the images and labels */

#endif
