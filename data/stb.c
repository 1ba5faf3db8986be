/* stb_image, compiled here and nowhere else. */
#include "data/stb.h"

#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_NO_JPEG /* libjpeg-turbo's; stb_image 2.27 writes past its tables when a Huffman table is damaged */
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PSD
#define STBI_NO_PIC
#include <stb_image.h>

bool sq_stb_size(const void *bytes, int size, int *w, int *h)
{
    int channels;
    return stbi_info_from_memory(bytes, size, w, h, &channels) != 0;
}

uint8_t *sq_stb_decode(const void *bytes, int size, int *w, int *h)
{
    int channels;
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
