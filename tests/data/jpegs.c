/* Encodes JPEGs with libjpeg-turbo, and decodes them as a reference. */
#include "tests/data/jpegs.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "kernels/base/rng.h"

const jpeg_kind jpeg_kinds[JPEG_KINDS] = {
    {"4:4:4", 3, 1, 1, false, 0},
    {"4:2:2", 3, 2, 1, false, 0},
    {"4:2:0", 3, 2, 2, false, 0},
    {"4:4:0", 3, 1, 2, false, 0},
    {"4:1:1", 3, 4, 1, false, 0},
    {"4:1:0", 3, 4, 2, false, 0},
    {"grey", 1, 1, 1, false, 0},
    {"grey 2x2", 1, 2, 2, false, 0},
    {"progressive 4:2:0", 3, 2, 2, true, 0},
    {"progressive 4:4:4", 3, 1, 1, true, 0},
    {"4:2:0 restarts", 3, 2, 2, false, 1},
};

/* Returns a pattern with edges and noise. The caller frees it. */
static uint8_t *draw_pattern(int h, int w, int components, uint64_t number)
{
    uint8_t *pixels = malloc((size_t)h * (size_t)w * (size_t)components), *p = pixels;
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, number);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < components; c++)
                *p++ = (uint8_t)((x * (3 + c) + y * (5 - c) + (x / 13 + y / 7) % 2 * 90 + (int)sq_rng_below(&rng, 40)) &
                                 255);
    return pixels;
}

unsigned char *make_jpeg(const jpeg_kind *kind, int h, int w, unsigned long *size)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    uint8_t *pixels = draw_pattern(h, w, kind->components, (uint64_t)(h * 1000 + w));
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, size);
    info.image_height = (JDIMENSION)h;
    info.image_width = (JDIMENSION)w;
    info.input_components = kind->components;
    info.in_color_space = kind->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 92, TRUE);
    info.comp_info[0].h_samp_factor = kind->h_factor;
    info.comp_info[0].v_samp_factor = kind->v_factor;
    info.restart_in_rows = kind->restart_rows;
    if (kind->is_progressive)
        jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = pixels + (size_t)info.next_scanline * (size_t)w * (size_t)kind->components;
        (void)jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    free(pixels);
    return bytes;
}

uint8_t *decode_reduced(const unsigned char *bytes, unsigned long size, int reduction, int *h, int *w)
{
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, bytes, size);
    (void)jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    info.scale_num = 1;
    info.scale_denom = (unsigned)reduction;
    (void)jpeg_start_decompress(&info);
    *h = (int)info.output_height;
    *w = (int)info.output_width;
    uint8_t *pixels = malloc((size_t)*h * (size_t)*w * 3);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = pixels + (size_t)info.output_scanline * (size_t)*w * 3;
        (void)jpeg_read_scanlines(&info, &row, 1);
    }
    (void)jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return pixels;
}
