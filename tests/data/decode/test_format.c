/* Tests the table of image formats, and headers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/format.h"
#include "kernels/base/file.h"
#include "tests/support/support.h"

Test(format, reads_the_header_of_each_format)
{
    static const struct {
        const char *name;
        sq_image_probe expected;
    } rows[] = {
        {"rgb.jpg", {SQ_FORMAT_JPEG, 24, 32, false, false, false}},
        {"grey.jpg", {SQ_FORMAT_JPEG, 24, 32, true, false, false}},
        {"progressive.jpg", {SQ_FORMAT_JPEG, 24, 32, false, false, false}},
        {"cmyk.jpg", {SQ_FORMAT_JPEG, 24, 32, false, true, false}},
        {"rgb.png", {SQ_FORMAT_PNG, 24, 32, false, false, false}},
        {"grey16.png", {SQ_FORMAT_PNG, 24, 32, true, false, false}},
        {"png_named.JPEG", {SQ_FORMAT_PNG, 24, 32, false, false, false}},
        {"palette.gif", {SQ_FORMAT_GIF, 0, 0, false, false, false}},
        {"rgb.bmp", {SQ_FORMAT_BMP, 0, 0, false, false, false}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[512], *bytes = NULL;
        size_t size = 0;
        const sq_image_probe *e = &rows[i].expected;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), rows[i].name);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        const sq_image_probe p = sq_image_probe_header(bytes, size);
        cr_expect(p.format == e->format && p.h == e->h && p.w == e->w, "%s: %d, %d x %d", rows[i].name, (int)p.format,
                  p.w, p.h);
        cr_expect(p.is_grey == e->is_grey && p.is_cmyk == e->is_cmyk && p.is_rotated == e->is_rotated, "%s",
                  rows[i].name);
        free(bytes);
    }
}

Test(format, tells_grey_from_colour_pnm)
{
    const sq_image_probe grey = sq_image_probe_header("P5 1 1 255\n.", 12), colour = sq_image_probe_header("P6", 2);
    cr_expect(grey.format == SQ_FORMAT_PNM && grey.is_grey);
    cr_expect(colour.format == SQ_FORMAT_PNM && !colour.is_grey);
}

Test(format, accepts_any_bytes)
{
    static const char png[] = "\x89PNG\r\n\x1a\n";
    cr_expect_eq(sq_image_probe_header("", 0).format, SQ_FORMAT_UNKNOWN);
    cr_expect_eq(sq_image_probe_header("P", 1).format, SQ_FORMAT_UNKNOWN);
    cr_expect_eq(sq_image_probe_header("hello", 5).format, SQ_FORMAT_UNKNOWN);
    const sq_image_probe probe = sq_image_probe_header(png, 8);
    cr_expect(probe.format == SQ_FORMAT_PNG && probe.h == 0 && probe.w == 0);
}

Test(format, every_row_has_a_name_and_a_decoder)
{
    for (int format = 0; format < SQ_FORMATS; format++)
        cr_expect(sq_image_format_name((sq_image_format)format) != NULL, "%d", format);
    cr_expect_str_eq(sq_image_format_find("GIF89a", 6)->name, "GIF");
    cr_expect_not_null(sq_image_format_find("?", 1)->decode);
}
