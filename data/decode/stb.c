/* stb_image and stb_image_resize, compiled here and nowhere else. */
#include "data/decode/stb.h"

#include <stdlib.h>

/* Bytes of the largest block that the image at hand can need: a damaged PNG asks for gigabytes. */
static _Thread_local size_t largest;

static void *take(size_t bytes)
{
    return bytes <= largest ? malloc(bytes) : NULL;
}

static void *take_again(void *block, size_t bytes)
{
    return bytes <= largest ? realloc(block, bytes) : NULL;
}

#define STBI_MALLOC  take
#define STBI_REALLOC take_again
#define STBI_FREE    free
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_NO_JPEG /* libjpeg-turbo's; stb_image 2.27 writes past its tables when a Huffman table is damaged */
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PSD
#define STBI_NO_PIC
#include <stb_image.h>
#define STB_IMAGE_RESIZE_IMPLEMENTATION
/* 0.97 asserts that weights sum to 0.9 .. 1.1 before it makes them sum to 1: not so from 28 to 20 pixels. What comes
 * out is held against the definition and against Pillow in test_pack. */
#define STBIR_ASSERT(condition) ((void)0)
#include <stb_image_resize.h>

/* Compressed bytes are gathered in a block that doubles; pixels have four channels of 16 bits at most, and twice that
 * while they are unfiltered; the rest is tables. */
static void expect(int size, size_t pixels)
{
    largest = 4 * (size_t)size + 16 * pixels + (1 << 20);
}

bool sq_stb_size(const void *bytes, int size, int *w, int *h)
{
    int channels;
    expect(size, 0);
    return stbi_info_from_memory(bytes, size, w, h, &channels) != 0;
}

uint8_t *sq_stb_decode(const void *bytes, int size, int *w, int *h)
{
    int channels;
    if (!sq_stb_size(bytes, size, w, h))
        return NULL;
    expect(size, (size_t)*w * (size_t)*h);
    return stbi_load_from_memory(bytes, size, w, h, &channels, 3);
}

void sq_stb_free(uint8_t *pixels)
{
    stbi_image_free(pixels);
}

const char *sq_stb_reason(void)
{
    const char *reason = stbi_failure_reason();
    return reason ? reason : "unknown reason";
}

bool sq_stb_resize(const uint8_t *pixels, int h, int w, uint8_t *out, int out_h, int out_w)
{
    return stbir_resize_uint8_generic(pixels, w, h, 0, out, out_w, out_h, 0, 3, STBIR_ALPHA_CHANNEL_NONE, 0,
                                      STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE, STBIR_COLORSPACE_LINEAR, NULL) != 0;
}
