#ifndef SQ_STB_H
#define SQ_STB_H

#include <stdbool.h>
#include <stdint.h>

/* The only door to stb_image and stb_image_resize: 8-bit RGB out of PNG, GIF, BMP and PNM in memory. */
bool sq_stb_size(const void *bytes, int size, int *w, int *h);
uint8_t *sq_stb_decode(const void *bytes, int size, int *w, int *h); /* NULL: see sq_stb_reason */
void sq_stb_free(uint8_t *pixels);
const char *sq_stb_reason(void); /* never NULL */
/* (h, w) pixels to (out_h, out_w): triangle filter, widened when shrinking; edges repeated. False: no memory. */
bool sq_stb_resize(const uint8_t *pixels, int h, int w, uint8_t *out, int out_h, int out_w);

#endif
