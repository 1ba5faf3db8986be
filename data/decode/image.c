/* Decoding. libjpeg-turbo for JPEG, stb_image for everything else. */
#include "data/decode/image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "data/decode/stb.h"

void sq_image_clear(sq_image *image)
{
    free(image->pixels);
    memset(image, 0, sizeof *image);
}

static sq_status check_size(size_t h, size_t w, const char *name, size_t max_pixels)
{
    if (h == 0 || w == 0 || h > INT32_MAX || w > INT32_MAX || h > max_pixels / w)
        return sq_fail(SQ_DATA, "%s: %zu x %zu pixels, wanted 1..%zu in all", name, w, h, max_pixels);
    return SQ_OK;
}

sq_status sq_image_reserve(sq_image *image, int h, int w, const char *name)
{
    const size_t bytes = (size_t)h * (size_t)w * 3;
    if (bytes > image->capacity) {
        uint8_t *more = realloc(image->pixels, bytes);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "%s: %d x %d pixels", name, w, h);
        image->pixels = more;
        image->capacity = bytes;
    }
    image->y = image->x = 0;
    image->h = image->whole_h = h;
    image->w = image->whole_w = w;
    image->reduction = 1;
    return SQ_OK;
}

/* ---- JPEG ---- */

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
    bool is_truncated;
} jpeg_errors;

static void jpeg_give_up(j_common_ptr info)
{
    jpeg_errors *errors = (jpeg_errors *)(void *)info->err;
    info->err->format_message(info, errors->text);
    longjmp(errors->escape, 1);
}

/* A warning that the data ended early or is corrupt makes the image bad; others are passed over. */
static void jpeg_warn(j_common_ptr info, int level)
{
    jpeg_errors *errors = (jpeg_errors *)(void *)info->err;
    if (level < 0 && !errors->is_truncated) {
        errors->is_truncated = true;
        info->err->format_message(info, errors->text);
    }
}

static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, int w, bool is_inverted)
{
    for (int x = 0; x < w; x++, from += 4, to += 3)
        for (int i = 0; i < 3; i++) {
            const int ink = is_inverted ? from[i] : 255 - from[i], key = is_inverted ? from[3] : 255 - from[3];
            to[i] = (uint8_t)((ink * key + 127) / 255);
        }
}

/* What is asked of one JPEG. */
typedef struct {
    const uint8_t *bytes;
    size_t size, max_pixels;
    const char *name;
    const sq_image_region *part; /* NULL: the whole */
    int *h, *w;                  /* not NULL: only its size is asked */
} request;

typedef struct {
    struct jpeg_decompress_struct info;
    jpeg_errors errors;
    uint8_t *row;
} jpeg_reader;

static sq_status read_whole(jpeg_reader *r, sq_image *out, const request *q, bool is_cmyk)
{
    struct jpeg_decompress_struct *info = &r->info;
    SQ_TRY(sq_image_reserve(out, (int)info->image_height, (int)info->image_width, q->name));
    if (is_cmyk && !(r->row = malloc((size_t)info->image_width * 4)))
        return sq_fail(SQ_NO_MEMORY, "%s: a row", q->name);
    (void)jpeg_start_decompress(info); /* cannot suspend: the source is memory */
    while (info->output_scanline < info->output_height) {
        uint8_t *to = out->pixels + (size_t)info->output_scanline * (size_t)out->w * 3;
        JSAMPROW row = is_cmyk ? r->row : to;
        (void)jpeg_read_scanlines(info, &row, 1);
        if (is_cmyk)
            cmyk_to_rgb(r->row, to, out->w, info->saw_Adobe_marker);
    }
    (void)jpeg_finish_decompress(info);
    return SQ_OK;
}

/* Whether an end of image follows the first scan's header: without one the file was cut. */
static bool has_end(const jpeg_reader *r, const request *q)
{
    const size_t first = q->size - r->info.src->bytes_in_buffer;
    for (size_t i = q->size; i >= first + 2; i--)
        if (q->bytes[i - 2] == 0xFF && q->bytes[i - 1] == JPEG_EOI)
            return true;
    return false;
}

/* Rows of the part alone, and its columns with a block on either side: chroma is interpolated between blocks, so a
 * block's outer columns are right only where its neighbour is decoded too. */
static sq_status read_part(jpeg_reader *r, sq_image *out, const request *q)
{
    struct jpeg_decompress_struct *info = &r->info;
    const sq_image_region *part = q->part;
    const JDIMENSION block = (JDIMENSION)info->max_h_samp_factor * DCTSIZE, left = (JDIMENSION)part->x,
                     right = (JDIMENSION)(part->x + part->w), end = (JDIMENSION)(part->y + part->h);
    info->scale_num = 1;
    info->scale_denom = (unsigned)part->reduction;
    (void)jpeg_start_decompress(info);
    const JDIMENSION whole_h = info->output_height, whole_w = info->output_width;
    if (right > whole_w || end > whole_h)
        return sq_fail(SQ_DATA, "%s: %u x %u pixels, wanted a part that ends at %u, %u", q->name, whole_w, whole_h,
                       right, end);
    JDIMENSION x = left > block ? left - block : 0, w = (right + block < whole_w ? right + block : whole_w) - x;
    if (info->max_h_samp_factor <= 2)
        jpeg_crop_scanline(info, &x, &w);
    else
        x = 0; /* reduced 4:1:0 would come out wrong (libjpeg-turbo 2.1.5; tests/data/test_image.c); such files are rare
                */
    SQ_TRY(sq_image_reserve(out, part->h, (int)info->output_width, q->name));
    if (part->y > 0)
        (void)jpeg_skip_scanlines(info, (JDIMENSION)part->y);
    while (info->output_scanline < end) {
        JSAMPROW rows[4]; /* as many as libjpeg-turbo makes at once, at most */
        const JDIMENSION done = info->output_scanline, left_over = end - done, count = left_over < 4 ? left_over : 4;
        for (JDIMENSION i = 0; i < count; i++)
            rows[i] = out->pixels + (size_t)(done - (JDIMENSION)part->y + i) * (size_t)out->w * 3;
        (void)jpeg_read_scanlines(info, rows, count);
    }
    out->y = part->y;
    out->x = (int)x;
    out->whole_h = (int)whole_h;
    out->whole_w = (int)whole_w;
    out->reduction = part->reduction;
    return SQ_OK;
}

static sq_status read_jpeg(jpeg_reader *r, sq_image *out, const request *q)
{
    struct jpeg_decompress_struct *info = &r->info;
    (void)jpeg_read_header(info, TRUE); /* errors jump */
    SQ_TRY(check_size(info->image_height, info->image_width, q->name, q->max_pixels));
    if (q->h) {
        *q->h = (int)info->image_height;
        *q->w = (int)info->image_width;
        return SQ_OK;
    }
    const bool is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    return q->part && !is_cmyk && has_end(r, q) ? read_part(r, out, q) : read_whole(r, out, q, is_cmyk);
}

static sq_status decode_jpeg(sq_image *out, const request *q)
{
    jpeg_reader r;
    volatile sq_status status = SQ_OK;
    memset(&r, 0, sizeof r);
    r.info.err = jpeg_std_error(&r.errors.base);
    r.errors.base.error_exit = jpeg_give_up;
    r.errors.base.emit_message = jpeg_warn;
    if (setjmp(r.errors.escape) == 0) {
        jpeg_create_decompress(&r.info);
        jpeg_mem_src(&r.info, q->bytes, (unsigned long)q->size);
        status = read_jpeg(&r, out, q);
        if (status == SQ_OK && r.errors.is_truncated && !q->h)
            status = sq_fail(SQ_DATA, "%s: JPEG: %s", q->name, r.errors.text);
    } else {
        status = sq_fail(SQ_DATA, "%s: JPEG: %s", q->name, r.errors.text);
    }
    jpeg_destroy_decompress(&r.info);
    free(r.row);
    return status;
}

/* ---- Everything else ---- */

static sq_status decode_other(sq_image *out, const request *q)
{
    int w = 0, h = 0;
    if (q->size > INT32_MAX)
        return sq_fail(SQ_DATA, "%s: %zu bytes, wanted less than 2 GiB", q->name, q->size);
    if (!sq_stb_size(q->bytes, (int)q->size, &w, &h))
        return sq_fail(SQ_DATA, "%s: not an image that can be read (%s)", q->name, sq_stb_reason());
    SQ_TRY(check_size((size_t)h, (size_t)w, q->name, q->max_pixels));
    if (q->h) {
        *q->h = h;
        *q->w = w;
        return SQ_OK;
    }
    uint8_t *pixels = sq_stb_decode(q->bytes, (int)q->size, &w, &h);
    if (!pixels)
        return sq_fail(SQ_DATA, "%s: %s", q->name, sq_stb_reason());
    const sq_status status = sq_image_reserve(out, h, w, q->name);
    if (status == SQ_OK)
        memcpy(out->pixels, pixels, (size_t)h * (size_t)w * 3);
    sq_stb_free(pixels);
    return status;
}

/* ---- Public ---- */

static sq_status answer(sq_image *out, const request *q)
{
    if (q->size == 0)
        return sq_fail(SQ_DATA, "%s: empty file", q->name);
    const bool is_jpeg = q->size >= 3 && q->bytes[0] == 0xFF && q->bytes[1] == 0xD8 && q->bytes[2] == 0xFF;
    return is_jpeg ? decode_jpeg(out, q) : decode_other(out, q);
}

sq_status sq_image_decode(sq_image *out, const void *bytes, size_t size, const char *name, size_t max_pixels)
{
    return answer(out, &(request){.bytes = bytes, .size = size, .max_pixels = max_pixels, .name = name});
}

sq_status sq_image_size(const void *bytes, size_t size, const char *name, size_t max_pixels, int *h, int *w)
{
    return answer(NULL,
                  &(request){.bytes = bytes, .size = size, .max_pixels = max_pixels, .name = name, .h = h, .w = w});
}

sq_status sq_image_decode_region(sq_image *out, const void *bytes, size_t size, const char *name, size_t max_pixels,
                                 const sq_image_region *part)
{
    return answer(out, &(request){.bytes = bytes, .size = size, .max_pixels = max_pixels, .name = name, .part = part});
}
