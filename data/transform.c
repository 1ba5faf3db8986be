/* Crops, flips and jitter as torchvision draws them; resizing as Pillow does it (a triangle filter, widened when
 * shrinking). */
#include "data/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/graph.h"

static double between(sq_rng *rng, double low, double high)
{
    return low + (high - low) * sq_rng_uniform(rng);
}

/* When ten tries found no crop that fits: the largest one in the centre within the aspect bounds. */
static sq_crop fallback_crop(const sq_transform *t, int h, int w)
{
    const double aspect = (double)w / h;
    double cw = w, ch = h;
    if (aspect < t->aspect_min)
        ch = floor(w / t->aspect_min + 0.5);
    else if (aspect > t->aspect_max)
        cw = floor(h * t->aspect_max + 0.5);
    return (sq_crop){floor((w - cw) / 2), floor((h - ch) / 2), cw, ch, true};
}

sq_crop sq_transform_crop(const sq_transform *t, int h, int w, sq_rng *rng)
{
    const double low = log(t->aspect_min), high = log(t->aspect_max);
    for (int i = 0; i < 10; i++) {
        const double area = (double)h * w * between(rng, t->area_min, t->area_max),
                     aspect = exp(between(rng, low, high));
        const double cw = floor(sqrt(area * aspect) + 0.5), ch = floor(sqrt(area / aspect) + 0.5);
        if (cw < 1 || ch < 1 || cw > w || ch > h)
            continue;
        const double y = sq_rng_below(rng, (uint32_t)(h - (int)ch + 1)),
                     x = sq_rng_below(rng, (uint32_t)(w - (int)cw + 1));
        return (sq_crop){x, y, cw, ch, true};
    }
    return fallback_crop(t, h, w);
}

sq_crop sq_transform_centre(const sq_transform *t, int h, int w)
{
    const double side = (h < w ? h : w) * t->crop_fraction;
    return (sq_crop){(w - side) / 2, (h - side) / 2, side, side, false};
}

static float factor(double strength, sq_rng *rng)
{
    return (float)between(rng, strength < 1 ? 1 - strength : 0, 1 + strength);
}

void sq_transform_draw(const sq_transform *t, sq_rng *rng, float *augment)
{
    memset(augment, 0, SQ_AUGMENT_COUNT * sizeof *augment);
    augment[SQ_AUGMENT_ORDER] = -1;
    augment[SQ_AUGMENT_BRIGHTNESS] = augment[SQ_AUGMENT_CONTRAST] = augment[SQ_AUGMENT_SATURATION] = 1;
    if (!t->is_augmented)
        return;
    augment[SQ_AUGMENT_FLIP] = sq_rng_uniform(rng) < t->flip ? 1 : 0;
    if (t->brightness > 0 || t->contrast > 0 || t->saturation > 0) {
        augment[SQ_AUGMENT_ORDER] = (float)sq_rng_below(rng, 6);
        augment[SQ_AUGMENT_BRIGHTNESS] = factor(t->brightness, rng);
        augment[SQ_AUGMENT_CONTRAST] = factor(t->contrast, rng);
        augment[SQ_AUGMENT_SATURATION] = factor(t->saturation, rng);
    }
}

/* ---- Resizing ---- */

/* Weights of one output position: source pixels first .. first + count. */
typedef struct {
    int first, count;
} taps;

/* A stretch of source pixels along one axis, and the pixels low .. high - 1 that may be looked at. */
typedef struct {
    double begin, length;
    int low, high;
} stretch;

static stretch stretch_of(double begin, double length, int limit, bool is_cut)
{
    const stretch whole = {begin, length, 0, limit}, cut = {begin, length, (int)begin, (int)(begin + length)};
    return is_cut ? cut : whole;
}

/* Where output i of `size` looks. Weights sum to 1. */
static taps weights_at(int i, int size, stretch s, float *weights)
{
    const double scale = s.length / size, support = scale > 1 ? scale : 1, centre = s.begin + (i + 0.5) * scale;
    int first = (int)floor(centre - support + 0.5), last = (int)floor(centre + support + 0.5);
    first = first < s.low ? s.low : first > s.high - 1 ? s.high - 1 : first;
    last = last > s.high ? s.high : last <= first ? first + 1 : last;
    double sum = 0;
    for (int p = first; p < last; p++) {
        const double distance = fabs((p + 0.5 - centre) / support);
        weights[p - first] = distance < 1 ? (float)(1 - distance) : 0;
        sum += weights[p - first];
    }
    for (int p = first; p < last; p++)
        weights[p - first] = sum > 0 ? (float)(weights[p - first] / sum) : p == first;
    return (taps){first, last - first};
}

static size_t taps_limit(double length, int size)
{
    const double scale = length / size;
    return 2 * (size_t)ceil(scale > 1 ? scale : 1) + 2;
}

/* One source row, reduced to `resolution` columns. */
static void shrink_row(const uint8_t *row, int resolution, const taps *columns, const float *weights, size_t stride,
                       float *out)
{
    for (int x = 0; x < resolution; x++) {
        const uint8_t *from = row + 3 * (size_t)columns[x].first;
        const float *weight = weights + (size_t)x * stride;
        float r = 0, g = 0, b = 0;
        for (int t = 0; t < columns[x].count; t++) {
            r += weight[t] * from[3 * t];
            g += weight[t] * from[3 * t + 1];
            b += weight[t] * from[3 * t + 2];
        }
        out[3 * x] = r;
        out[3 * x + 1] = g;
        out[3 * x + 2] = b;
    }
}

static uint8_t to_byte(float x)
{
    return x <= 0 ? 0 : x >= 254.5f ? 255 : (uint8_t)(x + 0.5f);
}

/* Scratch: column weights and taps, row weights, the reduced rows that the crop touches, one sum. */
typedef struct {
    float *column_weights, *row_weights, *rows, *sum;
    taps *columns;
    size_t stride;
    int first_row, row_count;
} plan;

static sq_status make_plan(plan *p, const sq_image *image, sq_crop crop, int resolution, float **scratch,
                           size_t *scratch_count)
{
    const size_t side = (size_t)resolution, row_taps = taps_limit(crop.h, resolution);
    const double support = crop.h > resolution ? crop.h / resolution : 1;
    const int first = (int)floor(crop.y - support), last = (int)ceil(crop.y + crop.h + support);
    p->first_row = first < 0 ? 0 : first;
    p->row_count = (last > image->h ? image->h : last) - p->first_row;
    p->stride = taps_limit(crop.w, resolution);
    const size_t needed =
        side * p->stride + row_taps + (size_t)p->row_count * side * 3 + side * 3 + side * sizeof(taps) / sizeof(float);
    if (needed > *scratch_count) {
        float *more = realloc(*scratch, needed * sizeof **scratch);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "resize: %zu values", needed);
        *scratch = more;
        *scratch_count = needed;
    }
    p->column_weights = *scratch;
    p->row_weights = p->column_weights + side * p->stride;
    p->rows = p->row_weights + row_taps;
    p->sum = p->rows + (size_t)p->row_count * side * 3;
    p->columns = (taps *)(void *)(p->sum + side * 3);
    return SQ_OK;
}

sq_status sq_transform_resize(const sq_image *image, sq_crop crop, int resolution, uint8_t *out, float **scratch,
                              size_t *scratch_count)
{
    plan p = {0};
    const size_t width = (size_t)resolution * 3;
    const stretch across = stretch_of(crop.x, crop.w, image->w, crop.is_cut),
                  down = stretch_of(crop.y, crop.h, image->h, crop.is_cut);
    SQ_TRY(make_plan(&p, image, crop, resolution, scratch, scratch_count));
    for (int x = 0; x < resolution; x++)
        p.columns[x] = weights_at(x, resolution, across, p.column_weights + (size_t)x * p.stride);
    for (int r = 0; r < p.row_count; r++)
        shrink_row(image->pixels + (size_t)(p.first_row + r) * (size_t)image->w * 3, resolution, p.columns,
                   p.column_weights, p.stride, p.rows + (size_t)r * width);
    for (int y = 0; y < resolution; y++) {
        const taps rows = weights_at(y, resolution, down, p.row_weights);
        memset(p.sum, 0, width * sizeof *p.sum);
        for (int t = 0; t < rows.count; t++) {
            const float *from = p.rows + (size_t)(rows.first - p.first_row + t) * width, weight = p.row_weights[t];
            for (size_t i = 0; i < width; i++)
                p.sum[i] += weight * from[i];
        }
        for (size_t i = 0; i < width; i++)
            out[(size_t)y * width + i] = to_byte(p.sum[i]);
    }
    return SQ_OK;
}
