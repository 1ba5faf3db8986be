/* Tests parsing the header of a JPEG. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/decode/jpeg.h"
#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/data/jpegs.h"
#include "tests/support/support.h"

static sq_image_probe read_rotated(const char *folder, int orientation)
{
    sq_image_probe probe = {0};
    copy_rotated(folder, "a.jpg", orientation);
    char path[600], *bytes = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "%s/a.jpg", folder);
    MUST(sq_file_read(path, 1 << 20, &bytes, &size));
    sq_jpeg_read_header(&probe, (const uint8_t *)bytes, size);
    free(bytes);
    return probe;
}

Test(jpeg, reads_the_exif_orientation)
{
    char *folder = make_folder();
    cr_expect_not(read_rotated(folder, 1).is_rotated);
    for (int orientation = 2; orientation <= 8; orientation++)
        cr_expect(read_rotated(folder, orientation).is_rotated, "%d", orientation);
    cr_expect_not(read_rotated(folder, 9).is_rotated);
    drop_folder(folder);
}

Test(jpeg, reads_the_size_of_every_kind_and_ignores_truncation)
{
    for (int k = 0; k < JPEG_KINDS; k++) {
        unsigned long size = 0;
        unsigned char *bytes = make_jpeg(&jpeg_kinds[k], 40, 30, &size);
        for (unsigned long length = 3; length <= size; length++) {
            sq_image_probe probe = {0};
            uint8_t *copy = malloc(length); /* exactly `length` bytes, so that sanitizers detect reads past the end */
            memcpy(copy, bytes, length);
            sq_jpeg_read_header(&probe, copy, length);
            cr_expect((probe.h == 40 && probe.w == 30) || (length < size && probe.h == 0 && probe.w == 0), "%s: %lu",
                      jpeg_kinds[k].name, length);
            free(copy);
        }
        free(bytes);
    }
}
