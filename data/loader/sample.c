/* Turns a stored image into pixels of a batch. Caches change the time that this takes, but never the result. */
#include "data/loader/sample.h"

#include <stdlib.h>

#include "data/decode/decode.h"
#include "kernels/base/clock.h"

enum { MAX_REDUCTION = 8 };

const char *sq_decode_mode_name(sq_decode_mode mode)
{
    static const char *const names[] = {[SQ_DECODE_EXACT] = "exact", [SQ_DECODE_DRAFT] = "draft"};
    _Static_assert(sizeof names / sizeof *names == SQ_DECODE_MODES, "one name per mode");
    return names[mode];
}

const char *sq_sample_stage_name(sq_sample_stage stage)
{
    static const char *const names[] = {
        [SQ_STAGE_READ] = "read", [SQ_STAGE_DECODE] = "decode", [SQ_STAGE_RESIZE] = "resize"};
    _Static_assert(sizeof names / sizeof *names == SQ_STAGES, "one name per stage");
    return names[stage];
}

void sq_sample_clear(sq_sample_workspace *workspace)
{
    sq_image_clear(&workspace->image);
    sq_resizer_clear(&workspace->resizer);
    free(workspace->bytes);
    *workspace = (sq_sample_workspace){0};
}

int sq_sample_reduction(const sq_transform *t, sq_decode_mode mode, sq_crop crop)
{
    int reduction = 1;
    if (mode == SQ_DECODE_EXACT || !t->is_augmented)
        return 1;
    while (reduction < MAX_REDUCTION && crop.w >= 2.0 * reduction * t->resolution &&
           crop.h >= 2.0 * reduction * t->resolution)
        reduction *= 2;
    return reduction;
}

static sq_encoded_image encoded_of(const sq_sample_source *s, size_t index, const sq_image_record *record)
{
    return (sq_encoded_image){record->bytes, record->size, sq_dataset_name(s->dataset, index), s->max_pixels};
}

static bool has_raw_size(const sq_image_record *record)
{
    const size_t row = (size_t)record->w * 3;
    return record->h >= 1 && record->w >= 1 && record->size / row == (size_t)record->h && record->size % row == 0;
}

/* Sets *out to the stored bytes of an image, from the cache, the memory map or the file. */
static sq_status find_record(const sq_sample_source *s, sq_sample_workspace *w, size_t index, sq_image_record *out)
{
    sq_image_record record = {.is_raw = sq_dataset_is_raw(s->dataset, index, &record.h, &record.w)};
    if (s->cache && sq_cache_find(s->cache, index, out))
        return SQ_OK;
    record.bytes = sq_dataset_view(s->dataset, index, &record.size);
    if (!record.bytes) {
        SQ_TRY(sq_dataset_read(s->dataset, index, &w->bytes, &w->capacity, &record.size));
        record.bytes = w->bytes;
    }
    if (record.is_raw && !has_raw_size(&record))
        return sq_fail(SQ_DATA, "%s: wrong size: found %zu bytes, expected %d x %d pixels",
                       sq_dataset_name(s->dataset, index), record.size, record.w, record.h);
    if (s->cache && (record.is_raw || sq_cache_get_form(s->cache) == SQ_CACHE_ENCODED))
        sq_cache_add(s->cache, index, &record);
    *out = record;
    return SQ_OK;
}

/* Decodes the whole image, adds it to the cache, and replaces *record by the decoded image. Does nothing if the cache
 * is full. Does nothing if the image is damaged, because the damage may be outside the crop. */
static void cache_decoded(const sq_sample_source *s, sq_sample_workspace *w, size_t index, sq_image_record *record)
{
    const sq_encoded_image encoded = encoded_of(s, index, record);
    const sq_image *image = &w->image;
    if (sq_cache_is_full(s->cache) || sq_image_decode(&w->image, &encoded) != SQ_OK || image->h != record->h ||
        image->w != record->w)
        return;
    *record = (sq_image_record){image->pixels, (size_t)image->h * (size_t)image->w * 3, true, image->h, image->w};
    sq_cache_add(s->cache, index, record);
}

static int divide_up(int side, int reduction)
{
    return (side + reduction - 1) / reduction;
}

/* Returns the region of an image of h x w pixels that is read when the crop is resized. */
static sq_image_region region_of(const sq_transform *t, sq_crop crop, int h, int w)
{
    const sq_rectangle reach = sq_resize_reach(crop, h, w, t->resolution);
    return (sq_image_region){.reduction = 1, .y = reach.y, .x = reach.x, .h = reach.h, .w = reach.w};
}

/* A crop and the pixels that it needs. */
typedef struct {
    sq_crop crop;
    sq_pixels pixels;
} cropped_image;

/* Decodes the pixels that out->crop needs and sets out->pixels. If the decoder reduces the image, out->crop is
 * converted to coordinates of the reduced image. */
static sq_status decode_crop(const sq_sample_source *s, sq_sample_workspace *workspace, const sq_encoded_image *encoded,
                             const sq_image_record *record, cropped_image *out)
{
    const sq_crop crop = out->crop;
    const int reduction = sq_sample_reduction(s->transform, s->decode, crop);
    sq_crop reduced = crop;
    if (reduction > 1)
        reduced = (sq_crop){crop.x / reduction, crop.y / reduction, crop.w / reduction, crop.h / reduction, false};
    sq_image_region region =
        region_of(s->transform, reduced, divide_up(record->h, reduction), divide_up(record->w, reduction));
    region.reduction = reduction;
    SQ_TRY(sq_image_decode_region(&workspace->image, encoded, &region));
    const sq_image *i = &workspace->image;
    const int h = divide_up(record->h, i->reduction), w = divide_up(record->w, i->reduction);
    if (i->whole_h != h || i->whole_w != w)
        return sq_fail(SQ_DATA, "%s: wrong size: found %d x %d pixels, expected %d x %d by the header", encoded->name,
                       i->whole_w, i->whole_h, w, h);
    out->pixels = (sq_pixels){i->pixels, i->y, i->x, i->h, i->w, i->whole_h, i->whole_w};
    if (i->reduction == reduction)
        out->crop = reduced;
    return SQ_OK;
}

/* Draws the crop and the augmentation of an image of h x w pixels. */
static sq_crop draw_crop(const sq_sample_source *s, sq_sample_id id, int h, int w, float *augment)
{
    const sq_transform *t = s->transform;
    sq_rng rng = sq_rng_open(s->seed, SQ_RNG_AUGMENT, (id.epoch << 40) + id.index);
    const sq_crop crop = t->is_augmented ? sq_transform_crop(t, h, w, &rng) : sq_transform_centre(t, h, w);
    sq_transform_draw(t, &rng, augment);
    return crop;
}

/* Sets the size of an encoded record. If the cache holds decoded images, also decodes the image and adds it to the
 * cache. */
static sq_status prepare_record(const sq_sample_source *s, sq_sample_workspace *w, size_t index,
                                sq_image_record *record)
{
    if (record->is_raw)
        return SQ_OK;
    const sq_encoded_image encoded = encoded_of(s, index, record);
    SQ_TRY(sq_image_read_size(&encoded, &record->h, &record->w));
    if (s->cache && sq_cache_get_form(s->cache) == SQ_CACHE_DECODED)
        cache_decoded(s, w, index, record);
    return SQ_OK;
}

sq_status sq_sample_make(const sq_sample_source *s, sq_sample_workspace *w, sq_sample_id id, uint8_t *pixels,
                         float *augment)
{
    sq_image_record record;
    double begin[SQ_STAGES + 1]; /* start of each stage, and the end of the last one */
    begin[SQ_STAGE_READ] = sq_seconds_now();
    SQ_TRY(find_record(s, w, id.index, &record));
    begin[SQ_STAGE_DECODE] = sq_seconds_now();
    SQ_TRY(prepare_record(s, w, id.index, &record));
    cropped_image image = {
        .crop = draw_crop(s, id, record.h, record.w, augment),
        .pixels = {record.bytes, 0, 0, record.h, record.w, record.h, record.w},
    };
    if (!record.is_raw) {
        const sq_encoded_image encoded = encoded_of(s, id.index, &record);
        SQ_TRY(decode_crop(s, w, &encoded, &record, &image));
    }
    begin[SQ_STAGE_RESIZE] = sq_seconds_now();
    SQ_TRY(sq_resize(&w->resizer, &image.pixels, image.crop, s->transform->resolution, pixels));
    begin[SQ_STAGES] = sq_seconds_now();
    for (int stage = 0; stage < SQ_STAGES; stage++)
        w->seconds[stage] += begin[stage + 1] - begin[stage];
    return SQ_OK;
}

/* Returns the error of an image that is not in the device cache. To find the error, the image is read and decoded
 * again. */
static sq_status fail_missing(const sq_sample_source *s, sq_sample_workspace *w, size_t index)
{
    sq_image_record record;
    SQ_TRY(find_record(s, w, index, &record));
    const sq_encoded_image encoded = encoded_of(s, index, &record);
    SQ_TRY(sq_image_decode(&w->image, &encoded));
    return sq_fail(SQ_DATA, "%s: the file has changed since the device cache was filled", encoded.name);
}

sq_status sq_sample_crop(const sq_sample_source *s, sq_sample_workspace *w, sq_sample_id id, sq_stored_crop *crop,
                         float *augment)
{
    const sq_device_cache_image *image = sq_device_cache_find(s->device_cache, id.index);
    if (!image)
        return fail_missing(s, w, id.index);
    const sq_crop drawn = draw_crop(s, id, image->h, image->w, augment);
    *crop = (sq_stored_crop){.at = image->offset,
                             .width = image->w,
                             .y = (int32_t)drawn.y,
                             .x = (int32_t)drawn.x,
                             .h = (int32_t)drawn.h,
                             .w = (int32_t)drawn.w};
    return SQ_OK;
}
