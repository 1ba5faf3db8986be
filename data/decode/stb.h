#ifndef SQ_STB_H
#define SQ_STB_H

#include <stdbool.h>
#include <stdint.h>

/* Wrappers of stb_image and stb_image_resize, so that only stb.c includes their headers. An encoded image has `size`
 * bytes in memory. */

/* Reads the width and height from the header. Returns false if stb_image does not know the format. */
bool sq_stb_read_size(const void *bytes, int size, int *w, int *h);

/* Returns h * w * 3 uint8 values, RGB; free them with sq_stb_free. Returns NULL on failure; sq_stb_failure then returns
 * the reason. */
uint8_t *sq_stb_decode(const void *bytes, int size, int *w, int *h);
void sq_stb_free(uint8_t *pixels);

/* Returns the reason for the last failure; never NULL. */
const char *sq_stb_failure(void);

/* RGB pixels with a size; borrowed. */
typedef struct {
    uint8_t *pixels;
    int h, w;
} sq_stb_pixels;

/* Resizes `from` to the size of `to` with a triangle filter, which is widened when the image shrinks. Beyond the edges
 * of the image, the filter repeats the edge pixels.
 * returns   false: out of memory */
bool sq_stb_resize(const sq_stb_pixels *from, const sq_stb_pixels *to);

#endif
