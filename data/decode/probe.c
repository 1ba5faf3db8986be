/* Headers of image files: ITU-T T.81 annex B, PNG section 11.2.2, EXIF (CIPA DC-008). */
#include "data/decode/probe.h"

#include <stdint.h>
#include <string.h>

static unsigned big(const uint8_t *p, int bytes)
{
    unsigned value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static unsigned ordered(const uint8_t *p, int bytes, bool is_big)
{
    unsigned value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | p[is_big ? i : bytes - 1 - i];
    return value;
}

/* An EXIF segment's orientation; 1 when it has none. */
static unsigned orientation(const uint8_t *p, size_t size)
{
    if (size < 14 || memcmp(p, "Exif\0\0", 6) != 0 ||
        (memcmp(p + 6, "MM\0*", 4) != 0 && memcmp(p + 6, "II*\0", 4) != 0))
        return 1;
    p += 6;
    size -= 6;
    const bool is_big = p[0] == 'M';
    const size_t first = ordered(p + 4, 4, is_big);
    if (first > size - 2) /* size is 8 at least */
        return 1;
    const unsigned count = ordered(p + first, 2, is_big);
    for (size_t i = 0, at = first + 2; i < count && at + 12 <= size; i++, at += 12)
        if (ordered(p + at, 2, is_big) == 0x0112)
            return ordered(p + at + 8, 2, is_big);
    return 1;
}

static bool is_frame(unsigned marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

static void probe_jpeg(sq_image_probe *out, const uint8_t *p, size_t size)
{
    size_t at = 2;
    while (at + 4 <= size) {
        if (p[at] != 0xFF) /* decoders resynchronise here; for a summary it may stay unknown */
            return;
        const unsigned marker = p[at + 1], length = big(p + at + 2, 2);
        if (marker == 0xFF) {
            at++;
            continue;
        }
        if (marker == 0xD9 || marker == 0xDA || length < 2 || length > size - at - 2)
            return;
        if (marker == 0xE1) {
            const unsigned turned = orientation(p + at + 4, length - 2);
            out->is_rotated = out->is_rotated || (turned >= 2 && turned <= 8);
        }
        if (is_frame(marker) && length >= 8) {
            out->h = (int)big(p + at + 5, 2);
            out->w = (int)big(p + at + 7, 2);
            out->is_grey = p[at + 9] == 1;
            out->is_cmyk = p[at + 9] == 4;
            return;
        }
        at += 2 + length;
    }
}

static void probe_png(sq_image_probe *out, const uint8_t *p, size_t size)
{
    if (size < 26 || big(p + 16, 4) > INT32_MAX || big(p + 20, 4) > INT32_MAX)
        return;
    out->w = (int)big(p + 16, 4);
    out->h = (int)big(p + 20, 4);
    out->is_grey = p[25] == 0 || p[25] == 4; /* grey, grey with alpha */
}

sq_image_probe sq_probe(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    sq_image_probe out = {0};
    if (size >= 3 && p[0] == 0xFF && p[1] == 0xD8 && p[2] == 0xFF) {
        out.format = SQ_FORMAT_JPEG;
        probe_jpeg(&out, p, size);
    } else if (size >= 8 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0) {
        out.format = SQ_FORMAT_PNG;
        probe_png(&out, p, size);
    } else if (size >= 4 && memcmp(p, "GIF8", 4) == 0)
        out.format = SQ_FORMAT_GIF;
    else if (size >= 2 && memcmp(p, "BM", 2) == 0)
        out.format = SQ_FORMAT_BMP;
    else if (size >= 2 && p[0] == 'P' && (p[1] == '5' || p[1] == '6')) {
        out.format = SQ_FORMAT_PNM;
        out.is_grey = p[1] == '5';
    }
    return out;
}

const char *sq_image_format_name(sq_image_format format)
{
    static const char *const names[SQ_FORMATS] = {"unknown", "JPEG", "PNG", "GIF", "BMP", "PNM"};
    return names[format];
}
