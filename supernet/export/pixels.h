#ifndef SQ_PIXELS_H
#define SQ_PIXELS_H

#include "supernet/model/block.h"

/* How an image becomes the input of an exported network: channel i is (pixel - mean[i]) / deviation[i]. Pixels are in
 * `range`; channels, mean and deviation are in `order`. Without normalisation the means are 0 and the deviations 1. */
typedef struct {
    float mean[3], deviation[3];
    const char *range; /* "0..1" or "0..255" */
    const char *order; /* "RGB" or "BGR" */
} sq_export_pixels;
sq_export_pixels sq_export_pixels_of(const sq_block_options *options);

/* Writes "[a, b, c]" with the fewest digits that read back as the same floats. */
void sq_export_triple(const float values[3], char *text, size_t bytes);

#endif
