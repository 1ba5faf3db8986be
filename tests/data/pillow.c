/* Implements Pillow's bilinear resizing as a direct translation. source: Pillow, src/libImaging/Resample.c. */
#include "tests/data/pillow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 32 - 8 - 2 }; /* Resample.c: PRECISION_BITS */

typedef struct {
    int first, count;
    int *weights;
} pillow_taps;

/* Computes the bilinear filter's weights, as precompute_coeffs and normalize_coeffs_8bpc in Resample.c. */
static pillow_taps *pillow_coefficients(int in_size, double box_begin, double box_end, int out_size)
{
    pillow_taps *all = malloc((size_t)out_size * sizeof *all);
    const double scale = (box_end - box_begin) / out_size, filter_scale = scale < 1 ? 1 : scale;
    for (int i = 0; i < out_size; i++) {
        const double centre = box_begin + (i + 0.5) * scale;
        int low = (int)(centre - filter_scale + 0.5), high = (int)(centre + filter_scale + 0.5);
        low = low < 0 ? 0 : low;
        high = high > in_size ? in_size : high;
        double *k = malloc((size_t)(high - low) * sizeof *k), sum = 0;
        for (int x = 0; x < high - low; x++) {
            const double at = fabs((x + low - centre + 0.5) / filter_scale);
            k[x] = at < 1 ? 1 - at : 0;
            sum += k[x];
        }
        all[i] = (pillow_taps){low, high - low, malloc((size_t)(high - low) * sizeof(int))};
        for (int x = 0; x < high - low; x++)
            all[i].weights[x] = (int)(0.5 + (sum > 0 ? k[x] / sum : k[x]) * (1 << PRECISION));
        free(k);
    }
    return all;
}

static void drop_coefficients(pillow_taps *all, int count)
{
    for (int i = 0; i < count; i++)
        free(all[i].weights);
    free(all);
}

/* Returns one output value of a pass along an axis, rounded to 8 bits. step: bytes from one pixel to the next on this
 * axis */
static uint8_t pillow_sum(const uint8_t *from, size_t step, const pillow_taps *t)
{
    int sum = 1 << (PRECISION - 1);
    for (int i = 0; i < t->count; i++)
        sum += from[(size_t)(t->first + i) * step] * t->weights[i];
    sum >>= PRECISION;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void pillow_resize(const sq_pixels *from, sq_crop box, int size, uint8_t *out)
{
    const int h = from->h, w = from->w;
    const uint8_t *pixels = from->pixels;
    pillow_taps *across = pillow_coefficients(w, box.x, box.x + box.w, size),
                *down = pillow_coefficients(h, box.y, box.y + box.h, size);
    uint8_t *between = malloc((size_t)h * (size_t)size * 3);
    const size_t width = (size_t)size * 3;
    for (int y = 0; y < h; y++)
        for (size_t i = 0; i < width; i++)
            between[(size_t)y * width + i] = pillow_sum(pixels + (size_t)y * (size_t)w * 3 + i % 3, 3, &across[i / 3]);
    for (int y = 0; y < size; y++)
        for (size_t i = 0; i < width; i++)
            out[(size_t)y * width + i] = pillow_sum(between + i, width, &down[y]);
    drop_coefficients(across, size);
    drop_coefficients(down, size);
    free(between);
}

void pillow_crop_resize(const uint8_t *pixels, int w, sq_crop crop, int size, uint8_t *out)
{
    const int ch = (int)crop.h, cw = (int)crop.w;
    uint8_t *cropped = malloc((size_t)ch * (size_t)cw * 3);
    for (int y = 0; y < ch; y++)
        memcpy(cropped + (size_t)y * (size_t)cw * 3,
               pixels + (((size_t)crop.y + (size_t)y) * (size_t)w + (size_t)crop.x) * 3, (size_t)cw * 3);
    pillow_resize(&(sq_pixels){cropped, 0, 0, ch, cw, ch, cw}, (sq_crop){0, 0, cw, ch, false}, size, out);
    free(cropped);
}
