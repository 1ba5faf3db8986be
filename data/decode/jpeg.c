/* The header reader and the decoder of JPEG. The header reader accepts arbitrary bytes and never fails. libjpeg-turbo
 * decodes the pixels. */
#include "data/decode/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { MARKER_PREFIX = 0xFF, MARKER_END = 0xD9, MARKER_SCAN = 0xDA, MARKER_APP1 = 0xE1 };
enum { EXIF_ORIENTATION = 0x0112, EXIF_ENTRY_BYTES = 12 };
enum { MAX_ROWS = 4 }; /* largest number of rows per call of jpeg_read_scanlines */

/* ---- The header ---- */

static unsigned read_big_endian(const uint8_t *p, int bytes)
{
    unsigned value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static unsigned read_ordered(const uint8_t *p, int bytes, bool is_big)
{
    unsigned value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[is_big ? i : bytes - 1 - i];
    return value;
}

/* Returns the orientation that an EXIF segment gives, 1..8 in a valid file; 1 if the segment gives none. source: CIPA
 * DC-008 section 4.6.4 */
static unsigned read_orientation(const uint8_t *p, size_t size)
{
    if (size < 14 || memcmp(p, "Exif\0\0", 6) != 0 ||
        (memcmp(p + 6, "MM\0*", 4) != 0 && memcmp(p + 6, "II*\0", 4) != 0))
        return 1;
    p += 6;
    size -= 6;
    const bool is_big = p[0] == 'M';
    const size_t first = read_ordered(p + 4, 4, is_big);
    if (first > size - 2) /* no underflow, because size is at least 8 */
        return 1;
    const unsigned count = read_ordered(p + first, 2, is_big);
    for (size_t i = 0, at = first + 2; i < count && at + EXIF_ENTRY_BYTES <= size; i++, at += EXIF_ENTRY_BYTES)
        if (read_ordered(p + at, 2, is_big) == EXIF_ORIENTATION)
            return read_ordered(p + at + 8, 2, is_big);
    return 1;
}

/* Returns true for the markers SOF0 .. SOF15, which begin a frame. The markers 0xC4, 0xC8 and 0xCC have other
 * meanings. */
static bool is_frame(unsigned marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

void sq_jpeg_read_header(sq_image_probe *out, const uint8_t *p, size_t size)
{
    size_t at = 2;
    while (at + 4 <= size) {
        if (p[at] != MARKER_PREFIX) /* a decoder would resynchronise here; the size stays unknown */
            return;
        const unsigned marker = p[at + 1], length = read_big_endian(p + at + 2, 2);
        if (marker == MARKER_PREFIX) {
            at++;
            continue;
        }
        if (marker == MARKER_END || marker == MARKER_SCAN || length < 2 || length > size - at - 2)
            return;
        if (marker == MARKER_APP1) {
            const unsigned orientation = read_orientation(p + at + 4, length - 2);
            out->is_rotated = out->is_rotated || (orientation >= 2 && orientation <= 8);
        }
        if (is_frame(marker) && length >= 8) {
            out->h = (int)read_big_endian(p + at + 5, 2);
            out->w = (int)read_big_endian(p + at + 7, 2);
            out->is_grey = p[at + 9] == 1;
            out->is_cmyk = p[at + 9] == 4;
            return;
        }
        at += 2 + length;
    }
}

/* ---- Decoding ---- */

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
    bool has_warning;
} jpeg_errors;

typedef struct {
    struct jpeg_decompress_struct info;
    jpeg_errors errors;
    uint8_t *row; /* owned; one row of CMYK */
} jpeg_reader;

static void exit_on_error(j_common_ptr info)
{
    jpeg_errors *errors = (jpeg_errors *)(void *)info->err;
    info->err->format_message(info, errors->text);
    longjmp(errors->escape, 1);
}

/* Stores the text of the first warning (level < 0), after which sq_jpeg_decode treats the image as bad, because
 * warnings report truncated or corrupt data. */
static void record_warning(j_common_ptr info, int level)
{
    jpeg_errors *errors = (jpeg_errors *)(void *)info->err;
    if (level < 0 && !errors->has_warning) {
        errors->has_warning = true;
        info->err->format_message(info, errors->text);
    }
}

/* Converts a row of CMYK pixels to RGB. is_inverted: 255 means no ink, as Adobe writes CMYK; otherwise 255 means full
 * ink. */
static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, int w, bool is_inverted)
{
    for (int x = 0; x < w; x++, from += 4, to += 3)
        for (int i = 0; i < 3; i++) {
            const int ink = is_inverted ? from[i] : 255 - from[i], key = is_inverted ? from[3] : 255 - from[3];
            to[i] = (uint8_t)((ink * key + 127) / 255);
        }
}

static sq_status read_whole(jpeg_reader *r, sq_image *out, const char *name, bool is_cmyk)
{
    struct jpeg_decompress_struct *info = &r->info;
    SQ_TRY(sq_image_reserve(out, (int)info->image_height, (int)info->image_width, name));
    if (is_cmyk && !(r->row = malloc((size_t)info->image_width * 4)))
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a row of pixels", name);
    (void)jpeg_start_decompress(info); /* never suspends, because the source is in memory */
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

/* Returns true if an end-of-image marker follows the header of the first scan. A file without that marker is
 * truncated. */
static bool has_end(const jpeg_reader *r, const sq_encoded_image *encoded)
{
    const uint8_t *bytes = encoded->bytes;
    const size_t first = encoded->size - r->info.src->bytes_in_buffer;
    for (size_t i = encoded->size; i >= first + 2; i--)
        if (bytes[i - 2] == MARKER_PREFIX && bytes[i - 1] == JPEG_EOI)
            return true;
    return false;
}

/* Restricts decoding to the columns of the region plus one block on the left and one on the right, and returns the
 * first decoded column. Chroma is interpolated between blocks, so the outer columns of a block are correct only if the
 * neighbouring block is decoded too. */
static JDIMENSION crop_columns(struct jpeg_decompress_struct *info, const sq_image_region *region)
{
    const JDIMENSION block = (JDIMENSION)info->max_h_samp_factor * DCTSIZE, left = (JDIMENSION)region->x,
                     right = (JDIMENSION)(region->x + region->w);
    JDIMENSION x = left > block ? left - block : 0,
               w = (right + block < info->output_width ? right + block : info->output_width) - x;
    if (info->max_h_samp_factor > 2)
        return 0; /* libjpeg-turbo 2.1.5 crops reduced 4:1:0 wrongly (tests/data/decode/test_decode.c); such files are
                     rare */
    jpeg_crop_scanline(info, &x, &w);
    return x;
}

static void read_rows(struct jpeg_decompress_struct *info, const sq_image *out, JDIMENSION first, JDIMENSION end)
{
    if (first > 0)
        (void)jpeg_skip_scanlines(info, first);
    while (info->output_scanline < end) {
        JSAMPROW rows[MAX_ROWS];
        const JDIMENSION done = info->output_scanline, left = end - done, count = left < MAX_ROWS ? left : MAX_ROWS;
        for (JDIMENSION i = 0; i < count; i++)
            rows[i] = out->pixels + (size_t)(done - first + i) * (size_t)out->w * 3;
        (void)jpeg_read_scanlines(info, rows, count);
    }
}

static sq_status read_region(jpeg_reader *r, sq_image *out, const char *name, const sq_image_region *region)
{
    struct jpeg_decompress_struct *info = &r->info;
    const JDIMENSION right = (JDIMENSION)(region->x + region->w), end = (JDIMENSION)(region->y + region->h);
    info->scale_num = 1;
    info->scale_denom = (unsigned)region->reduction;
    (void)jpeg_start_decompress(info);
    const JDIMENSION whole_h = info->output_height, whole_w = info->output_width;
    if (right > whole_w || end > whole_h)
        return sq_fail(SQ_DATA, "%s: the region ends outside the image: found %u, %u, expected at most %u, %u", name,
                       right, end, whole_w, whole_h);
    const JDIMENSION x = crop_columns(info, region);
    SQ_TRY(sq_image_reserve(out, region->h, (int)info->output_width, name));
    read_rows(info, out, (JDIMENSION)region->y, end);
    out->y = region->y;
    out->x = (int)x;
    out->whole_h = (int)whole_h;
    out->whole_w = (int)whole_w;
    out->reduction = region->reduction;
    return SQ_OK;
}

static sq_status read_jpeg(jpeg_reader *r, sq_image *out, const sq_decode_request *request)
{
    struct jpeg_decompress_struct *info = &r->info;
    const sq_encoded_image *e = request->encoded;
    (void)jpeg_read_header(info, TRUE); /* an error calls exit_on_error */
    SQ_TRY(sq_image_check_size(e, info->image_height, info->image_width));
    if (request->h) {
        *request->h = (int)info->image_height;
        *request->w = (int)info->image_width;
        return SQ_OK;
    }
    const bool is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    if (request->region && !is_cmyk && has_end(r, e))
        return read_region(r, out, e->name, request->region);
    return read_whole(r, out, e->name, is_cmyk);
}

sq_status sq_jpeg_decode(sq_image *out, const sq_decode_request *request)
{
    jpeg_reader r;
    const sq_encoded_image *e = request->encoded;
    volatile sq_status status = SQ_OK;
    memset(&r, 0, sizeof r);
    r.info.err = jpeg_std_error(&r.errors.base);
    r.errors.base.error_exit = exit_on_error;
    r.errors.base.emit_message = record_warning;
    if (setjmp(r.errors.escape) == 0) {
        jpeg_create_decompress(&r.info);
        jpeg_mem_src(&r.info, e->bytes, (unsigned long)e->size);
        status = read_jpeg(&r, out, request);
        if (status == SQ_OK && r.errors.has_warning && !request->h)
            status = sq_fail(SQ_DATA, "%s: JPEG: %s", e->name, r.errors.text);
    } else {
        status = sq_fail(SQ_DATA, "%s: JPEG: %s", e->name, r.errors.text);
    }
    jpeg_destroy_decompress(&r.info);
    free(r.row);
    return status;
}
