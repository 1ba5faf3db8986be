/* Tests the formats that stb_image decodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/decode.h"
#include "kernels/base/file.h"
#include "tests/support/support.h"

static const size_t limit = 1 << 26;

Test(stb_decoder, ignores_regions_like_cmyk_jpegs)
{
    static const char *const names[] = {"rgb.png", "palette.gif", "rgb.bmp", "cmyk.jpg"};
    const sq_image_region region = {3, 5, 10, 9, 2};
    sq_image image = {0}, whole = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512], *bytes = NULL;
        size_t size = 0;
        int h = 0, w = 0;
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), names[i]);
        MUST(sq_file_read(path, 1 << 20, &bytes, &size));
        MUST(sq_image_read_size(&(sq_encoded_image){bytes, size, names[i], limit}, &h, &w));
        MUST(sq_image_decode_region(&image, &(sq_encoded_image){bytes, size, names[i], limit}, &region));
        MUST(sq_image_decode(&whole, &(sq_encoded_image){bytes, size, names[i], limit}));
        cr_expect(h == 24 && w == 32 && image.h == 24 && image.w == 32 && image.reduction == 1 && image.whole_w == 32);
        cr_expect_eq(memcmp(image.pixels, whole.pixels, (size_t)24 * 32 * 3), 0, "%s", names[i]);
        free(bytes);
    }
    sq_image_clear(&image);
    sq_image_clear(&whole);
}
