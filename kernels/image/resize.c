/* Resizes in two passes. The horizontal pass resizes a source row when an output row first needs that source row, and
 * writes the result to a ring of rows. The vertical pass reads the ring. The ring holds only the rows that one output
 * row needs, so the ring stays in the cache. */
#include "kernels/image/resize.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/image/resize_passes.h"
#include "kernels/image/resize_weights.h"

/* ---- Passes for every processor ---- */

static void across_baseline(const uint8_t *row, const sq_resize_columns *columns, int16_t *out)
{
    const int bits = SQ_WEIGHT_BITS - SQ_ROW_BITS, groups = (columns->limit + SQ_GROUP_PIXELS - 1) / SQ_GROUP_PIXELS;
    const int16_t *weights = columns->weights;
    for (int x = 0; x < columns->count; x++, out += 3) {
        int r = 1 << (bits - 1), g = r, b = r;
        const uint8_t *from = row + columns->first[x];
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

static sq_span span_of(double begin, double length, bool is_cropped_first, int limit, int size)
{
    const sq_span whole = {begin, length, 0, limit, size};
    return is_cropped_first ? sq_span_cropped((int)begin, (int)length, size) : whole;
}

/* Returns the range of source pixels that a span reads along its axis. */
static sq_taps reach_of(const sq_span *s)
{
    const sq_taps a = sq_taps_at(s, 0), b = sq_taps_at(s, s->size - 1);
    return (sq_taps){a.first, b.first + b.count - a.first};
}

sq_rectangle sq_resize_reach(sq_crop crop, int h, int w, int resolution)
{
    const sq_span across = span_of(crop.x, crop.w, crop.is_cropped_first, w, resolution);
    const sq_span down = span_of(crop.y, crop.h, crop.is_cropped_first, h, resolution);
    const sq_taps columns = reach_of(&across), rows = reach_of(&down);
    return (sq_rectangle){rows.first, columns.first, rows.count, columns.count};
}

/* ---- One resizing: its spans and working memory ---- */

typedef struct {
    const sq_pixels *from;
    sq_span across, down;
    int groups, ring, row_values; /* groups per column; rows in the ring; values per row of the ring */
    int16_t *column_weights, *rows, *row_weights, *weights;
    const int16_t **taken; /* the rows of the ring that one output row reads */
    int *first;            /* for each column: offset in bytes in a row of `from` */
    uint8_t *last;         /* a copy of a source row, with padding */
    size_t reach;          /* bytes of a row that the first pass may read */
} resizing;

static void *carve(char *memory, size_t *used, size_t bytes)
{
    void *begin = memory ? memory + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return begin;
}

/* Places the arrays in `memory` and returns their total size in bytes. memory NULL: only returns the size. */
static size_t assign_memory(resizing *p, char *memory)
{
    size_t at = 0;
    const size_t side = (size_t)p->across.size, ring = (size_t)p->ring;
    p->column_weights = carve(memory, &at, side * (size_t)p->groups * SQ_GROUP_VALUES * sizeof(int16_t));
    p->rows = carve(memory, &at, ring * (size_t)p->row_values * sizeof(int16_t));
    p->row_weights = carve(memory, &at, ring * sizeof(int16_t));
    p->weights = carve(memory, &at, (size_t)sq_taps_limit(&p->across) * sizeof(int16_t));
    p->taken = carve(memory, &at, ring * sizeof *p->taken);
    p->first = carve(memory, &at, side * sizeof *p->first);
    p->last = carve(memory, &at, (size_t)p->from->w * 3 + (size_t)p->groups * SQ_GROUP_BYTES + SQ_GROUP_BYTES);
    return at;
}

static void weigh_columns(resizing *p)
{
    memset(p->column_weights, 0, (size_t)p->across.size * (size_t)p->groups * SQ_GROUP_VALUES * sizeof(int16_t));
    p->reach = 0;
    for (int x = 0; x < p->across.size; x++) {
        const sq_taps t = sq_taps_weigh(&p->across, x, p->weights);
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

static sq_status prepare(resizing *p, sq_resizer *resizer, const sq_pixels *from, sq_crop crop, int resolution)
{
    p->from = from;
    p->across = span_of(crop.x, crop.w, crop.is_cropped_first, from->whole_w, resolution);
    p->down = span_of(crop.y, crop.h, crop.is_cropped_first, from->whole_h, resolution);
    p->groups = (sq_taps_limit(&p->across) + SQ_GROUP_PIXELS - 1) / SQ_GROUP_PIXELS;
    p->ring = (sq_taps_limit(&p->down) + 1) / 2 * 2;
    p->row_values = (3 * resolution + 2 * SQ_ROW_MARGIN - 1) / SQ_ROW_MARGIN * SQ_ROW_MARGIN;
    const size_t needed = assign_memory(p, NULL);
    if (needed > resizer->capacity) {
        void *more = aligned_alloc(64, needed);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "resize: %zu bytes", needed);
        free(resizer->memory);
        resizer->memory = more;
        resizer->capacity = needed;
    }
    (void)assign_memory(p, resizer->memory);
    weigh_columns(p);
    return SQ_OK;
}

/* Returns source row r, of which at least p->reach bytes can be read. */
static const uint8_t *source_row(const resizing *p, int r)
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

static int16_t *ring_row(const resizing *p, int r)
{
    return p->rows + (size_t)(r % p->ring) * (size_t)p->row_values;
}

sq_status sq_resize(sq_resizer *resizer, const sq_pixels *from, sq_crop crop, int resolution, uint8_t *out)
{
    resizing p;
    const sq_resize_passes *passes = passes_here();
    SQ_TRY(prepare(&p, resizer, from, crop, resolution));
    const sq_resize_columns columns = {p.first, p.column_weights, sq_taps_limit(&p.across), resolution};
    int next = 0; /* the first source row that is not in the ring yet */
    for (int y = 0; y < resolution; y++) {
        const sq_taps rows = sq_taps_weigh(&p.down, y, p.row_weights);
        for (next = next < rows.first ? rows.first : next; next < rows.first + rows.count; next++)
            passes->across(source_row(&p, next), &columns, ring_row(&p, next));
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
