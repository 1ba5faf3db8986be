/* The only file that compiles stb_image and stb_image_resize. */
#include "data/decode/stb.h"

#include <stdlib.h>

/* The largest allocation in bytes that the current image can need. The limit is necessary because a damaged PNG may
 * declare gigabytes. */
static _Thread_local size_t max_block;

static void *allocate(size_t bytes)
{
    return bytes <= max_block ? malloc(bytes) : NULL;
}

static void *reallocate(void *block, size_t bytes)
{
    return bytes <= max_block ? realloc(block, bytes) : NULL;
}

#define STBI_MALLOC  allocate
#define STBI_REALLOC reallocate
#define STBI_FREE    free
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
/* libjpeg-turbo decodes JPEGs, because stb_image 2.27 writes out of bounds if a Huffman table is damaged. */
#define STBI_NO_JPEG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PSD
#define STBI_NO_PIC
#include <stb_image.h>
#define STB_IMAGE_RESIZE_IMPLEMENTATION
/* stb_image_resize 0.97 asserts that the weights sum to 0.9 .. 1.1 before it normalises the weights. The assertion
 * fails when 28 pixels are resized to 20. test_stb compares the results with the definition and with Pillow. */
#define STBIR_ASSERT(condition) ((void)0)
#include <stb_image_resize.h>

/* Sets max_block to the memory for compressed bytes (stb_image collects these in a block whose size doubles), for
 * pixels (at most four channels of 16 bits, and twice that amount during unfiltering) and for tables. */
static void set_max_block(int size, size_t pixels)
{
    max_block = 4 * (size_t)size + 16 * pixels + (1 << 20);
}

bool sq_stb_read_size(const void *bytes, int size, int *w, int *h)
{
    int channels;
    set_max_block(size, 0);
    return stbi_info_from_memory(bytes, size, w, h, &channels) != 0;
}

uint8_t *sq_stb_decode(const void *bytes, int size, int *w, int *h)
{
    int channels;
    if (!sq_stb_read_size(bytes, size, w, h))
        return NULL;
    set_max_block(size, (size_t)*w * (size_t)*h);
    return stbi_load_from_memory(bytes, size, w, h, &channels, 3);
}

void sq_stb_free(uint8_t *pixels)
{
    stbi_image_free(pixels);
}

const char *sq_stb_failure(void)
{
    const char *reason = stbi_failure_reason();
    return reason ? reason : "unknown reason";
}

bool sq_stb_resize(const sq_stb_pixels *from, const sq_stb_pixels *to)
{
    return stbir_resize_uint8_generic(from->pixels, from->w, from->h, 0, to->pixels, to->w, to->h, 0, 3,
                                      STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE,
                                      STBIR_COLORSPACE_LINEAR, NULL) != 0;
}
