/* Encodes with libjpeg-turbo and resizes with stb_image_resize. */
#include "data/pack/encode.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "data/decode/stb.h"

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

bool sq_image_fits(int h, int w, int side, bool is_cropped)
{
    return min_int(h, w) <= side && (!is_cropped || (h <= side && w <= side));
}

/* Crops the image in place to its centre of at most side x side pixels. */
static void crop_centre(sq_image *image, int side)
{
    const int h = min_int(image->h, side), w = min_int(image->w, side), top = (image->h - h) / 2,
              left = (image->w - w) / 2;
    for (int y = 0; y < h; y++)
        memmove(image->pixels + (size_t)y * (size_t)w * 3,
                image->pixels + ((size_t)(top + y) * (size_t)image->w + (size_t)left) * 3, (size_t)w * 3);
    image->h = h;
    image->w = w;
}

sq_status sq_image_fit(sq_image *out, const sq_image *image, int side, bool is_cropped)
{
    const int shorter = min_int(image->h, image->w);
    if (shorter <= side) {
        SQ_TRY(sq_image_reserve(out, image->h, image->w, "resize"));
        memcpy(out->pixels, image->pixels, (size_t)image->h * (size_t)image->w * 3);
    } else {
        const int h = (int)((int64_t)image->h * side / shorter), w = (int)((int64_t)image->w * side / shorter);
        SQ_TRY(sq_image_reserve(out, h, w, "resize"));
        const sq_stb_pixels from = {image->pixels, image->h, image->w}, to = {out->pixels, h, w};
        if (!sq_stb_resize(&from, &to))
            return sq_fail(SQ_NO_MEMORY, "resize: out of memory for %d x %d pixels", image->w, image->h);
    }
    if (is_cropped)
        crop_centre(out, side);
    return SQ_OK;
}

/* ---- JPEG ---- */

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
} jpeg_errors;

static void exit_on_error(j_common_ptr info)
{
    jpeg_errors *errors = (jpeg_errors *)(void *)info->err;
    info->err->format_message(info, errors->text);
    longjmp(errors->escape, 1);
}

typedef struct {
    struct jpeg_compress_struct info;
    jpeg_errors errors;
    unsigned char *bytes; /* owned; large enough for the whole JPEG, because libjpeg leaves a pointer to freed
                           * memory if it cannot enlarge a buffer */
    unsigned long size;
} jpeg_writer;

/* Returns an upper bound on the size of a 4:2:0 JPEG in bytes. source: libjpeg-turbo 2.1, turbojpeg.c, tjBufSize */
static size_t max_jpeg_bytes(const sq_image *image)
{
    const size_t h = ((size_t)image->h + 15) / 16 * 16, w = ((size_t)image->w + 15) / 16 * 16;
    return 3 * h * w + 2048;
}

static void write_jpeg(jpeg_writer *w, const sq_image *image, int quality)
{
    struct jpeg_compress_struct *info = &w->info;
    jpeg_create_compress(info);
    jpeg_mem_dest(info, &w->bytes, &w->size);
    info->image_width = (JDIMENSION)image->w;
    info->image_height = (JDIMENSION)image->h;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    info->optimize_coding = TRUE;
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < info->image_height) {
        JSAMPROW row = image->pixels + (size_t)info->next_scanline * (size_t)image->w * 3;
        (void)jpeg_write_scanlines(info, &row, 1); /* always encodes the row, because the destination is in memory */
    }
    jpeg_finish_compress(info);
}

sq_status sq_image_encode_jpeg(const sq_image *image, int quality, const char *name, unsigned char **out, size_t *size)
{
    jpeg_writer w;
    volatile sq_status status = SQ_OK;
    memset(&w, 0, sizeof w);
    w.size = max_jpeg_bytes(image);
    w.bytes = malloc(w.size);
    if (!w.bytes)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a JPEG of %lu bytes", name, w.size);
    w.info.err = jpeg_std_error(&w.errors.base);
    w.errors.base.error_exit = exit_on_error;
    if (setjmp(w.errors.escape) == 0)
        write_jpeg(&w, image, quality);
    else
        status = sq_fail(SQ_DATA, "%s: JPEG: %s", name, w.errors.text);
    jpeg_destroy_compress(&w.info);
    if (status == SQ_OK) {
        *out = w.bytes;
        *size = w.size;
    } else
        free(w.bytes);
    return status;
}
