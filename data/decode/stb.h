#ifndef SQ_STB_H
#define SQ_STB_H

#include <stdbool.h>
#include <stdint.h>

/* Wrappers of stb_image and stb_image_resize, which only stb.c includes. Images are in memory, `size` bytes. */

/* Width and height from the header. Returns false if stb_image does not know the format. */
bool sq_stb_read_size(const void *bytes, int size, int *w, int *h);

/* h * w * 3 uint8, RGB; free with sq_stb_free. NULL: see sq_stb_failure. */
uint8_t *sq_stb_decode(const void *bytes, int size, int *w, int *h);
void sq_stb_free(uint8_t *pixels);

/* The reason of the last failure; never NULL. */
const char *sq_stb_failure(void);

/* RGB pixels with a size; borrowed. */
typedef struct {
    uint8_t *pixels;
    int h, w;
} sq_stb_pixels;

/* Resizes `from` to the size of `to`: triangle filter, widened when shrinking, with repeated edges.
 * returns   false: out of memory */
bool sq_stb_resize(const sq_stb_pixels *from, const sq_stb_pixels *to);

#endif
