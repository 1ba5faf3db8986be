/* Weights and order of the two passes. Source rows are reduced to columns as they are needed, into a ring of as many
 * rows as one output row looks at, so that what is between the passes stays in the cache. */
#include "data/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/resize_passes.h"

/* ---- Passes for every processor ---- */

static void across_baseline(const uint8_t *row, const int *first, const int16_t *weights, int most, int count,
                            int16_t *out)
{
    const int bits = SQ_WEIGHT_BITS - SQ_ROW_BITS, groups = (most + SQ_GROUP_PIXELS - 1) / SQ_GROUP_PIXELS;
    for (int x = 0; x < count; x++, out += 3) {
        int r = 1 << (bits - 1), g = r, b = r;
        const uint8_t *from = row + first[x];
        for (int i = 0; i < groups; i++, weights += SQ_GROUP_VALUES, from += 3 * SQ_GROUP_PIXELS)
            for (int p = 0; p < SQ_GROUP_PIXELS; p++) {
                const int weight = weights[(p / 2) * (SQ_GROUP_VALUES / 2) + p % 2];
                r += weight * from[3 * p];
                g += weight * from[3 * p + 1];
                b += weight * from[3 * p + 2];
            }
        out[0] = (int16_t)(r >> bits);
        out[1] = (int16_t)(g >> bits);
        out[2] = (int16_t)(b >> bits);
    }
}

static void down_baseline(const int16_t *const *rows, const int16_t *weights, int row_count, int count, uint8_t *out)
{
    enum { BLOCK = 96 };
    const int bits = SQ_WEIGHT_BITS + SQ_ROW_BITS;
    for (int begin = 0; begin < count; begin += BLOCK) {
        int sums[BLOCK];
        const int length = count - begin < BLOCK ? count - begin : BLOCK;
        for (int i = 0; i < length; i++)
            sums[i] = 1 << (bits - 1);
        for (int t = 0; t < row_count; t++)
            for (int i = 0; i < length; i++)
                sums[i] += weights[t] * rows[t][begin + i];
        for (int i = 0; i < length; i++) {
            const int level = sums[i] >> bits;
            out[begin + i] = (uint8_t)(level > 255 ? 255 : level);
        }
    }
}

const sq_resize_passes sq_resize_baseline = {"baseline", across_baseline, down_baseline};

static const sq_resize_passes *passes_here(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? &sq_resize_avx2 : &sq_resize_baseline;
#else
    return &sq_resize_baseline;
#endif
}

const char *sq_resize_instructions(void)
{
    return passes_here()->name;
}

/* ---- Weights ---- */

/* A stretch of source pixels along one axis, and the pixels low .. high - 1 that may be looked at. */
typedef struct {
    double begin, length;
    int low, high, size; /* size: pixels that come out */
} stretch;

typedef struct {
    int first, count;
} taps;

static stretch stretch_of(double begin, double length, bool is_cut, int limit, int size)
{
    const stretch whole = {begin, length, 0, limit, size},
                  cut = {begin, length, (int)begin, (int)(begin + length), size};
    return is_cut ? cut : whole;
}

static double support_of(const stretch *s)
{
    const double scale = s->length / s->size;
    return scale > 1 ? scale : 1;
}

/* At most so many pixels have weights: one more, by rounding, would weigh nothing. */
static int taps_limit(const stretch *s)
{
    return (int)ceil(2 * support_of(s));
}

/* Source pixels of output i. Positions are at least -support, and what is below 0 is cut: truncating is as good as
 * rounding down. */
static taps taps_at(const stretch *s, int i, double *centre, double *support)
{
    const int most = taps_limit(s);
    *support = support_of(s);
    *centre = s->begin + (i + 0.5) * s->length / s->size;
    int first = (int)(*centre - *support + 0.5), end = (int)(*centre + *support + 0.5);
    first = first < s->low ? s->low : first > s->high - 1 ? s->high - 1 : first;
    end = end > s->high ? s->high : end <= first ? first + 1 : end;
    return (taps){first, end - first < most ? end - first : most};
}

/* Weights of output i, rounded; what rounding lost goes to the largest, so that they sum to 1. */
static taps weights_at(const stretch *s, int i, double *exact, int16_t *out)
{
    double centre, support, sum = 0;
    const taps t = taps_at(s, i, &centre, &support);
    const double nearer = 1 / support;
    for (int p = 0; p < t.count; p++) {
        const double distance = fabs(t.first + p + 0.5 - centre) * nearer;
        exact[p] = distance < 1 ? 1 - distance : 0;
        sum += exact[p];
    }
    const double one = sum > 0 ? (1 << SQ_WEIGHT_BITS) / sum : 0;
    int left = 1 << SQ_WEIGHT_BITS, largest = 0;
    for (int p = 0; p < t.count; p++) {
        const int rounded = (int)(exact[p] * one + 0.5);
        out[p] = (int16_t)(rounded > INT16_MAX ? INT16_MAX : rounded);
        left -= out[p];
        largest = exact[p] > exact[largest] ? p : largest;
    }
    left += out[largest];
    out[largest] = (int16_t)(left > INT16_MAX ? INT16_MAX : left);
    return t;
}

void sq_resize_reach(double begin, double length, bool is_cut, int limit, int size, int *first, int *end)
{
    const stretch s = stretch_of(begin, length, is_cut, limit, size);
    double centre, support;
    const taps a = taps_at(&s, 0, &centre, &support), b = taps_at(&s, size - 1, &centre, &support);
    *first = a.first;
    *end = b.first + b.count;
}

/* ---- The plan of one resizing ---- */

typedef struct {
    const sq_pixels *from;
    stretch across, down;
    int groups, ring, row_values; /* rows of the ring are row_values apart */
    int16_t *column_weights, *rows, *row_weights, *weights;
    const int16_t **taken; /* rows of one sum */
    double *exact;
    int *first;    /* of a column, in bytes of a row at `from` */
    uint8_t *last; /* a row, copied with room behind it */
    size_t reach;  /* bytes of a row that the first pass may read */
} plan;

static void *carve(char *memory, size_t *used, size_t bytes)
{
    void *begin = memory ? memory + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return begin;
}

/* Lays the plan's arrays out from `memory` on (NULL: nowhere yet); returns how many bytes they are. */
static size_t lay_out(plan *p, char *memory)
{
    size_t at = 0;
    const size_t side = (size_t)p->across.size, ring = (size_t)p->ring;
    const int most = taps_limit(&p->across) > p->ring ? taps_limit(&p->across) : p->ring;
    p->column_weights = carve(memory, &at, side * (size_t)p->groups * SQ_GROUP_VALUES * sizeof(int16_t));
    p->rows = carve(memory, &at, ring * (size_t)p->row_values * sizeof(int16_t));
    p->row_weights = carve(memory, &at, ring * sizeof(int16_t));
    p->weights = carve(memory, &at, (size_t)most * sizeof(int16_t));
    p->taken = carve(memory, &at, ring * sizeof *p->taken);
    p->exact = carve(memory, &at, (size_t)most * sizeof *p->exact);
    p->first = carve(memory, &at, side * sizeof *p->first);
    p->last = carve(memory, &at, (size_t)p->from->w * 3 + (size_t)p->groups * SQ_GROUP_BYTES + SQ_GROUP_BYTES);
    return at;
}

static void weigh_columns(plan *p)
{
    memset(p->column_weights, 0, (size_t)p->across.size * (size_t)p->groups * SQ_GROUP_VALUES * sizeof(int16_t));
    p->reach = 0;
    for (int x = 0; x < p->across.size; x++) {
        const taps t = weights_at(&p->across, x, p->exact, p->weights);
        int16_t *to = p->column_weights + (size_t)x * (size_t)p->groups * SQ_GROUP_VALUES;
        for (int i = 0; i < t.count; i++) {
            int16_t *pair = to + (i / SQ_GROUP_PIXELS) * SQ_GROUP_VALUES +
                            (i % SQ_GROUP_PIXELS / 2) * (SQ_GROUP_VALUES / 2) + i % 2;
            pair[0] = pair[2] = pair[4] = p->weights[i];
        }
        p->first[x] = 3 * (t.first - p->from->x);
        const size_t reach = (size_t)p->first[x] + (size_t)(3 * SQ_GROUP_PIXELS * (p->groups - 1) + SQ_GROUP_BYTES);
        p->reach = reach > p->reach ? reach : p->reach;
    }
}

static sq_status make_plan(plan *p, sq_resizer *resizer, const sq_pixels *from, sq_crop crop, int resolution)
{
    p->from = from;
    p->across = stretch_of(crop.x, crop.w, crop.is_cut, from->whole_w, resolution);
    p->down = stretch_of(crop.y, crop.h, crop.is_cut, from->whole_h, resolution);
    p->groups = (taps_limit(&p->across) + SQ_GROUP_PIXELS - 1) / SQ_GROUP_PIXELS;
    p->ring = (taps_limit(&p->down) + 1) / 2 * 2;
    p->row_values = (3 * resolution + 2 * SQ_ROW_MARGIN - 1) / SQ_ROW_MARGIN * SQ_ROW_MARGIN;
    const size_t needed = lay_out(p, NULL);
    if (needed > resizer->capacity) {
        void *more = aligned_alloc(64, needed);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "resize: %zu bytes", needed);
        free(resizer->memory);
        resizer->memory = more;
        resizer->capacity = needed;
    }
    (void)lay_out(p, resizer->memory);
    weigh_columns(p);
    return SQ_OK;
}

/* Source row r, of which the first pass may read p->reach bytes. */
static const uint8_t *source_row(const plan *p, int r)
{
    const size_t width = (size_t)p->from->w * 3, at = (size_t)(r - p->from->y) * width,
                 all = (size_t)p->from->h * width;
    if (at + p->reach <= all)
        return p->from->pixels + at;
    const size_t there = all - at < p->reach ? all - at : p->reach;
    memcpy(p->last, p->from->pixels + at, there);
    memset(p->last + there, 0, p->reach - there);
    return p->last;
}

void sq_resizer_clear(sq_resizer *resizer)
{
    free(resizer->memory);
    *resizer = (sq_resizer){0};
}

static int16_t *ring_row(const plan *p, int r)
{
    return p->rows + (size_t)(r % p->ring) * (size_t)p->row_values;
}

sq_status sq_resize(sq_resizer *resizer, const sq_pixels *from, sq_crop crop, int resolution, uint8_t *out)
{
    plan p;
    const sq_resize_passes *passes = passes_here();
    SQ_TRY(make_plan(&p, resizer, from, crop, resolution));
    int next = 0; /* source row that the ring does not have yet */
    for (int y = 0; y < resolution; y++) {
        const taps rows = weights_at(&p.down, y, p.exact, p.row_weights);
        for (next = next < rows.first ? rows.first : next; next < rows.first + rows.count; next++)
            passes->across(source_row(&p, next), p.first, p.column_weights, taps_limit(&p.across), resolution,
                           ring_row(&p, next));
        int count = 0;
        for (; count < rows.count; count++)
            p.taken[count] = ring_row(&p, rows.first + count);
        if (count % 2) {
            p.row_weights[count] = 0;
            p.taken[count] = p.taken[count - 1];
            count++;
        }
        passes->down(p.taken, p.row_weights, count, 3 * resolution, out + (size_t)y * (size_t)resolution * 3);
    }
    return SQ_OK;
}
