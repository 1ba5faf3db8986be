/* Allocates the pixels of images and checks image sizes. */
#include "data/decode/image.h"

#include <stdlib.h>
#include <string.h>

void sq_image_clear(sq_image *image)
{
    free(image->pixels);
    memset(image, 0, sizeof *image);
}

sq_status sq_image_check_size(const sq_encoded_image *encoded, size_t h, size_t w)
{
    if (h == 0 || w == 0 || h > INT32_MAX || w > INT32_MAX || h > encoded->max_pixels / w)
        return sq_fail(SQ_DATA, "%s: image size out of range: found %zu x %zu pixels, expected 1..%zu in total",
                       encoded->name, w, h, encoded->max_pixels);
    return SQ_OK;
}

sq_status sq_image_reserve(sq_image *image, int h, int w, const char *name)
{
    const size_t bytes = (size_t)h * (size_t)w * 3;
    if (bytes > image->capacity) {
        uint8_t *pixels = realloc(image->pixels, bytes);
        if (!pixels)
            return sq_fail(SQ_NO_MEMORY, "%s: out of memory for %d x %d pixels", name, w, h);
        image->pixels = pixels;
        image->capacity = bytes;
    }
    image->y = image->x = 0;
    image->h = image->whole_h = h;
    image->w = image->whole_w = w;
    image->reduction = 1;
    return SQ_OK;
}
