/* Resizes crops of images by the definition: every output pixel is a weighted sum over rows of weighted sums over
 * columns. */
#include <stdlib.h>

#include "kernels/image/resize_weights.h"
#include "kernels/reference/reference.h"

typedef struct {
    const uint8_t *pixels; /* of the image */
    const sq_stored_crop *crop;
    sq_span across, down;
    int16_t *columns, *rows; /* weights of one output pixel */
} reference_crop;

/* Returns one channel of an output pixel. The sum over a row is rounded to SQ_ROW_BITS fraction bits, as in
 * resize.c. */
static uint8_t level(const reference_crop *c, sq_taps rows, sq_taps columns, int channel)
{
    const int row_shift = SQ_WEIGHT_BITS - SQ_ROW_BITS, shift = SQ_WEIGHT_BITS + SQ_ROW_BITS;
    int sum = 1 << (shift - 1);
    for (int t = 0; t < rows.count; t++) {
        const uint8_t *row = c->pixels + (size_t)(rows.first + t) * (size_t)c->crop->width * 3;
        int across = 1 << (row_shift - 1);
        for (int i = 0; i < columns.count; i++)
            across += c->columns[i] * row[(size_t)(columns.first + i) * 3 + (size_t)channel];
        sum += c->rows[t] * (across >> row_shift);
    }
    return (uint8_t)(sum >> shift > 255 ? 255 : sum >> shift);
}

static sq_status crop_one(const uint8_t *images, const sq_stored_crop *crop, int side, uint8_t *out)
{
    reference_crop c = {.pixels = images + crop->at,
                        .crop = crop,
                        .across = sq_span_cropped(crop->x, crop->w, side),
                        .down = sq_span_cropped(crop->y, crop->h, side)};
    c.columns = calloc((size_t)sq_taps_limit(&c.across), sizeof *c.columns);
    c.rows = calloc((size_t)sq_taps_limit(&c.down), sizeof *c.rows);
    for (int y = 0; c.columns && c.rows && y < side; y++) {
        const sq_taps rows = sq_taps_weigh(&c.down, y, c.rows);
        for (int x = 0; x < side; x++) {
            const sq_taps columns = sq_taps_weigh(&c.across, x, c.columns);
            for (int channel = 0; channel < 3; channel++)
                *out++ = level(&c, rows, columns, channel);
        }
    }
    const bool is_done = c.columns && c.rows;
    free(c.columns);
    free(c.rows);
    return is_done ? SQ_OK : sq_fail(SQ_NO_MEMORY, "reference: weights of a crop of %d x %d pixels", crop->w, crop->h);
}

sq_status sq_reference_crop(sq_backend *b, const sq_crop_batch *batch)
{
    (void)b; /* no device memory */
    const size_t bytes = (size_t)batch->side * (size_t)batch->side * 3;
    for (int i = 0; i < batch->count; i++)
        SQ_TRY(crop_one(batch->images.address, &batch->crops[i], batch->side, batch->out.address + (size_t)i * bytes));
    return SQ_OK;
}
