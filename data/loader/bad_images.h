#ifndef SQ_BAD_IMAGES_H
#define SQ_BAD_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Counts images that cannot be decoded, and logs each of them once. Not thread-safe. */

typedef struct {
    const char *log;  /* file that gets one line per bad image, or NULL; borrowed */
    int max_count;    /* more bad images than this are an error */
    int64_t count;    /* bad images so far */
    bool *is_counted; /* owned; one flag per image of the data set */
} sq_bad_images;

/* Starts with no bad images.
 * image_count   number of images of the data set
 * returns       SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_bad_images_init(sq_bad_images *out, size_t image_count, const char *log, int max_count);
void sq_bad_images_free(sq_bad_images *bad);

/* Counts image `index` unless it has already been counted. Appends the line `message` to the log unless the log already
 * has a line about the image.
 * returns   SQ_DATA: more than max_count images are bad */
SQ_MUST_USE sq_status sq_bad_images_add(sq_bad_images *bad, size_t index, const char *name, const char *message);

#endif
