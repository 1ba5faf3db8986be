/* The table of image formats has one row per format. To add a format, append it to sq_image_format and add its row
 * here. */
#include "data/decode/format.h"

#include <string.h>

#include "data/decode/jpeg.h"
#include "data/decode/stb_decoder.h"

/* Byte offsets in a PNG file, which begins with the signature, the header of the first chunk and the data of that chunk
 * (IHDR). source: PNG specification, section 11.2.2 */
enum { PNG_WIDTH = 16, PNG_HEIGHT = 20, PNG_COLOUR_TYPE = 25, PNG_HEADER_BYTES = 26 };
enum { PNG_GREY = 0, PNG_GREY_ALPHA = 4 };

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void read_png_header(sq_image_probe *out, const uint8_t *p, size_t size)
{
    if (size < PNG_HEADER_BYTES || read_u32(p + PNG_WIDTH) > INT32_MAX || read_u32(p + PNG_HEIGHT) > INT32_MAX)
        return;
    out->w = (int)read_u32(p + PNG_WIDTH);
    out->h = (int)read_u32(p + PNG_HEIGHT);
    out->is_grey = p[PNG_COLOUR_TYPE] == PNG_GREY || p[PNG_COLOUR_TYPE] == PNG_GREY_ALPHA;
}

/* The second byte of a PNM signature distinguishes grey ("P5") from RGB ("P6"). */
static void read_pnm_header(sq_image_probe *out, const uint8_t *p, size_t size)
{
    out->is_grey = size >= 2 && p[1] == '5';
}

static const sq_image_format_row rows[] = {
    [SQ_FORMAT_UNKNOWN] = {.name = "unknown", .decode = sq_stb_decoder},
    [SQ_FORMAT_JPEG] = {"JPEG", {{"\xFF\xD8\xFF", 3}}, sq_jpeg_read_header, sq_jpeg_decode},
    [SQ_FORMAT_PNG] = {"PNG", {{"\x89PNG\r\n\x1a\n", 8}}, read_png_header, sq_stb_decoder},
    [SQ_FORMAT_GIF] = {"GIF", {{"GIF8", 4}}, NULL, sq_stb_decoder},
    [SQ_FORMAT_BMP] = {"BMP", {{"BM", 2}}, NULL, sq_stb_decoder},
    [SQ_FORMAT_PNM] = {"PNM", {{"P5", 2}, {"P6", 2}}, read_pnm_header, sq_stb_decoder},
};
_Static_assert(sizeof rows / sizeof *rows == SQ_FORMATS, "one row per format");

static bool begins_with_signature(const sq_image_format_row *row, const void *bytes, size_t size)
{
    for (int i = 0; i < SQ_FORMAT_SIGNATURES; i++) {
        const size_t length = row->signatures[i].length;
        if (length > 0 && size >= length && memcmp(bytes, row->signatures[i].bytes, length) == 0)
            return true;
    }
    return false;
}

const sq_image_format_row *sq_image_format_find(const void *bytes, size_t size)
{
    for (int format = SQ_FORMAT_UNKNOWN + 1; format < SQ_FORMATS; format++)
        if (begins_with_signature(&rows[format], bytes, size))
            return &rows[format];
    return &rows[SQ_FORMAT_UNKNOWN];
}

sq_image_probe sq_image_probe_header(const void *bytes, size_t size)
{
    const sq_image_format_row *row = sq_image_format_find(bytes, size);
    sq_image_probe out = {.format = (sq_image_format)(row - rows)};
    if (row->read_header)
        row->read_header(&out, bytes, size);
    return out;
}

const char *sq_image_format_name(sq_image_format format)
{
    return rows[format].name;
}
