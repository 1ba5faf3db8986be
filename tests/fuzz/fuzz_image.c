/* Any bytes as an image, after two that choose a part and a reduction: its size, the whole and the part. */
#include "tests/fuzz/fuzz.h"

#include "data/decode/image.h"

enum { MOST_PIXELS = 1 << 20 }; /* keeps one input short */

static bool is_known(sq_status status)
{
    return status == SQ_OK || status == SQ_DATA || status == SQ_NO_MEMORY;
}

/* Every pixel is there: a sanitizer sees it if not. */
static unsigned sum_of(const sq_image *image)
{
    unsigned sum = 0;
    for (size_t i = 0; i < (size_t)image->h * (size_t)image->w * 3; i++)
        sum += image->pixels[i];
    return sum;
}

static void try_part(const uint8_t *choice, const uint8_t *bytes, size_t size, int h, int w)
{
    const int reduction = 1 << (choice[0] & 3);
    const int whole_h = (h + reduction - 1) / reduction, whole_w = (w + reduction - 1) / reduction;
    sq_image_region part = {.y = whole_h * (choice[0] >> 2 & 7) / 8, .x = whole_w * (choice[1] & 7) / 8};
    part.h = 1 + (whole_h - part.y - 1) * (choice[1] >> 3 & 3) / 3;
    part.w = 1 + (whole_w - part.x - 1) * (choice[1] >> 5 & 3) / 3;
    part.reduction = reduction;
    sq_image image = {0};
    const sq_status status = sq_image_decode_region(&image, bytes, size, "fuzz", MOST_PIXELS, &part);
    fuzz_promise(is_known(status));
    if (status == SQ_OK && image.reduction == reduction) {
        fuzz_promise(image.y <= part.y && image.x <= part.x && image.y + image.h >= part.y + part.h &&
                     image.x + image.w >= part.x + part.w);
        fuzz_promise(sum_of(&image) <= 255u * 3 * MOST_PIXELS);
    }
    sq_image_clear(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sq_image image = {0};
    int h = 0, w = 0;
    if (size < 2)
        return 0;
    const sq_status header = sq_image_size(data + 2, size - 2, "fuzz", MOST_PIXELS, &h, &w),
                    whole = sq_image_decode(&image, data + 2, size - 2, "fuzz", MOST_PIXELS);
    fuzz_promise(is_known(header) && is_known(whole));
    if (whole == SQ_OK)
        fuzz_promise((size_t)image.h * (size_t)image.w <= MOST_PIXELS && sum_of(&image) <= 255u * 3 * MOST_PIXELS);
    if (header == SQ_OK) {
        fuzz_promise(h > 0 && w > 0 && (size_t)h * (size_t)w <= MOST_PIXELS);
        try_part(data, data + 2, size - 2, h, w);
    }
    sq_image_clear(&image);
    return 0;
}
