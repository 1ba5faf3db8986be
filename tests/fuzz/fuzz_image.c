/* fuzz_image.c - reads any bytes as an image: the size, the whole image and a region. The first two bytes select the
 * region and the reduction. */
#include "tests/fuzz/fuzz.h"

#include "data/decode/decode.h"

enum { MAX_PIXELS = 1 << 20 }; /* limits the time for one input */

static bool is_known(sq_status status)
{
    return status == SQ_OK || status == SQ_DATA || status == SQ_NO_MEMORY;
}

/* Reads every pixel, so that a sanitizer detects uninitialised or missing pixels. */
static unsigned sum_of(const sq_image *image)
{
    unsigned sum = 0;
    for (size_t i = 0; i < (size_t)image->h * (size_t)image->w * 3; i++)
        sum += image->pixels[i];
    return sum;
}

static void try_region(const uint8_t *choice, const sq_encoded_image *encoded, int h, int w)
{
    const int reduction = 1 << (choice[0] & 3);
    const int whole_h = (h + reduction - 1) / reduction, whole_w = (w + reduction - 1) / reduction;
    sq_image_region region = {.y = whole_h * (choice[0] >> 2 & 7) / 8, .x = whole_w * (choice[1] & 7) / 8};
    region.h = 1 + (whole_h - region.y - 1) * (choice[1] >> 3 & 3) / 3;
    region.w = 1 + (whole_w - region.x - 1) * (choice[1] >> 5 & 3) / 3;
    region.reduction = reduction;
    sq_image image = {0};
    const sq_status status = sq_image_decode_region(&image, encoded, &region);
    fuzz_require(is_known(status));
    if (status == SQ_OK && image.reduction == reduction) {
        fuzz_require(image.y <= region.y && image.x <= region.x && image.y + image.h >= region.y + region.h &&
                     image.x + image.w >= region.x + region.w);
        fuzz_require(sum_of(&image) <= 255u * 3 * MAX_PIXELS);
    }
    sq_image_clear(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sq_image image = {0};
    int h = 0, w = 0;
    if (size < 2)
        return 0;
    const sq_encoded_image encoded = {data + 2, size - 2, "fuzz", MAX_PIXELS};
    const sq_status header = sq_image_read_size(&encoded, &h, &w), whole = sq_image_decode(&image, &encoded);
    fuzz_require(is_known(header) && is_known(whole));
    if (whole == SQ_OK)
        fuzz_require((size_t)image.h * (size_t)image.w <= MAX_PIXELS && sum_of(&image) <= 255u * 3 * MAX_PIXELS);
    if (header == SQ_OK) {
        fuzz_require(h > 0 && w > 0 && (size_t)h * (size_t)w <= MAX_PIXELS);
        try_region(data, &encoded, h, w);
    }
    sq_image_clear(&image);
    return 0;
}
