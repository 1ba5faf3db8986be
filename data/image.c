/* Decoding. libjpeg-turbo for JPEG; stb_image for everything else and for what libjpeg-turbo refuses. */
#include "data/image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "data/stb.h"

void sq_image_clear(sq_image *image)
{
    free(image->pixels);
    memset(image, 0, sizeof *image);
}

/* Room for h * w * 3 bytes; keeps what suffices. */
static sq_status make_room(sq_image *out, size_t h, size_t w, const char *name, size_t max_pixels)
{
    if (h == 0 || w == 0 || h > max_pixels / w)
        return sq_fail(SQ_DATA, "%s: %zu x %zu pixels, wanted 1..%zu in all", name, w, h, max_pixels);
    const size_t bytes = h * w * 3;
    if (bytes > out->capacity) {
        uint8_t *more = realloc(out->pixels, bytes);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "%s: %zu x %zu pixels", name, w, h);
        out->pixels = more;
        out->capacity = bytes;
    }
    out->h = (int)h;
    out->w = (int)w;
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

typedef struct {
    struct jpeg_decompress_struct info;
    jpeg_errors errors;
    uint8_t *row;
} jpeg_reader;

static sq_status read_jpeg(jpeg_reader *r, sq_image *out, const char *name, size_t max_pixels)
{
    struct jpeg_decompress_struct *info = &r->info;
    (void)jpeg_read_header(info, TRUE); /* errors jump */
    const bool is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    SQ_TRY(make_room(out, info->image_height, info->image_width, name, max_pixels));
    if (is_cmyk && !(r->row = malloc((size_t)info->image_width * 4)))
        return sq_fail(SQ_NO_MEMORY, "%s: a row", name);
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

/* *is_refused: libjpeg-turbo cannot read it at all, another decoder may. */
static sq_status decode_jpeg(sq_image *out, const void *bytes, size_t size, const char *name, size_t max_pixels,
                             bool *is_refused)
{
    jpeg_reader r;
    volatile sq_status status = SQ_OK;
    memset(&r, 0, sizeof r);
    r.info.err = jpeg_std_error(&r.errors.base);
    r.errors.base.error_exit = jpeg_give_up;
    r.errors.base.emit_message = jpeg_warn;
    if (setjmp(r.errors.escape) == 0) {
        jpeg_create_decompress(&r.info);
        jpeg_mem_src(&r.info, bytes, (unsigned long)size);
        status = read_jpeg(&r, out, name, max_pixels);
        if (status == SQ_OK && r.errors.is_truncated)
            status = sq_fail(SQ_DATA, "%s: JPEG: %s", name, r.errors.text);
    } else {
        *is_refused = true;
        status = sq_fail(SQ_DATA, "%s: JPEG: %s", name, r.errors.text);
    }
    jpeg_destroy_decompress(&r.info);
    free(r.row);
    return status;
}

/* ---- Everything else ---- */

static sq_status decode_other(sq_image *out, const void *bytes, size_t size, const char *name, size_t max_pixels)
{
    int w = 0, h = 0;
    if (size > INT32_MAX)
        return sq_fail(SQ_DATA, "%s: %zu bytes, wanted less than 2 GiB", name, size);
    if (!sq_stb_size(bytes, (int)size, &w, &h))
        return sq_fail(SQ_DATA, "%s: not an image that can be read (%s)", name, sq_stb_reason());
    SQ_TRY(make_room(out, (size_t)h, (size_t)w, name, max_pixels));
    uint8_t *pixels = sq_stb_decode(bytes, (int)size, &w, &h);
    if (!pixels)
        return sq_fail(SQ_DATA, "%s: %s", name, sq_stb_reason());
    const sq_status status = make_room(out, (size_t)h, (size_t)w, name, max_pixels);
    if (status == SQ_OK)
        memcpy(out->pixels, pixels, (size_t)h * (size_t)w * 3);
    sq_stb_free(pixels);
    return status;
}

sq_status sq_image_decode(sq_image *out, const void *bytes, size_t size, const char *name, size_t max_pixels)
{
    const uint8_t *magic = bytes;
    bool is_refused = true;
    sq_status status = SQ_DATA;
    if (size == 0)
        return sq_fail(SQ_DATA, "%s: empty file", name);
    if (size >= 3 && magic[0] == 0xFF && magic[1] == 0xD8 && magic[2] == 0xFF) {
        is_refused = false;
        status = decode_jpeg(out, bytes, size, name, max_pixels, &is_refused);
    }
    return is_refused ? decode_other(out, bytes, size, name, max_pixels) : status;
}
