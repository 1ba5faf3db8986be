/* From a record to pixels of a batch. What a cache holds changes how long this takes, never what comes out. */
#include "data/loader/sample.h"

#include <stdlib.h>

#include "kernels/base/clock.h"

void sq_sample_clear(sq_sample_workspace *memory)
{
    sq_image_clear(&memory->image);
    sq_resizer_clear(&memory->resizer);
    free(memory->bytes);
    *memory = (sq_sample_workspace){0};
}

int sq_sample_reduction(const sq_transform *t, sq_decode decode, sq_crop crop)
{
    int reduction = 1;
    if (decode == SQ_DECODE_EXACT || !t->is_augmented)
        return 1;
    while (reduction < 8 && crop.w >= 2.0 * reduction * t->resolution && crop.h >= 2.0 * reduction * t->resolution)
        reduction *= 2;
    return reduction;
}

/* The bytes of an image, from the cache, where they are mapped, or read. */
static sq_status find_record(const sq_sample_source *s, sq_sample_workspace *m, size_t index, sq_image_record *out)
{
    sq_image_record record = {.is_raw = sq_dataset_is_raw(s->dataset, index, &record.h, &record.w)};
    if (s->cache && sq_cache_find(s->cache, index, out))
        return SQ_OK;
    record.bytes = sq_dataset_view(s->dataset, index, &record.size);
    if (!record.bytes) {
        SQ_TRY(sq_dataset_read(s->dataset, index, &m->bytes, &m->capacity, &record.size));
        record.bytes = m->bytes;
    }
    if (record.is_raw && (record.h < 1 || record.w < 1 || record.size / 3 / (size_t)record.w != (size_t)record.h ||
                          record.size % ((size_t)record.w * 3)))
        return sq_fail(SQ_DATA, "%s: %zu bytes, wanted %d x %d pixels", sq_dataset_name(s->dataset, index), record.size,
                       record.w, record.h);
    if (s->cache && (record.is_raw || sq_cache_get_form(s->cache) == SQ_CACHE_ENCODED))
        sq_cache_add(s->cache, index, &record);
    *out = record;
    return SQ_OK;
}

static sq_pixels pixels_of(const sq_image_record *record)
{
    return (sq_pixels){record->bytes, 0, 0, record->h, record->w, record->h, record->w};
}

/* Decodes the whole image into the cache, and makes the record those pixels. Nothing happens where there is no room for
 * it, or when the image is damaged, perhaps where nothing looks. */
static void keep_decoded(const sq_sample_source *s, sq_sample_workspace *m, size_t index, sq_image_record *record)
{
    const char *name = sq_dataset_name(s->dataset, index);
    const sq_image *image = &m->image;
    if (sq_cache_is_full(s->cache) ||
        sq_image_decode(&m->image, record->bytes, record->size, name, s->max_pixels) != SQ_OK ||
        image->h != record->h || image->w != record->w)
        return;
    *record = (sq_image_record){image->pixels, (size_t)image->h * (size_t)image->w * 3, true, image->h, image->w};
    sq_cache_add(s->cache, index, record);
}

/* Decodes what the crop needs, and puts the crop in terms of what came: it may be reduced. */
static sq_status decode_crop(const sq_sample_source *s, sq_sample_workspace *m, size_t index,
                             const sq_image_record *record, sq_crop *crop, sq_pixels *out)
{
    const char *name = sq_dataset_name(s->dataset, index);
    const int reduction = sq_sample_reduction(s->transform, s->decode, *crop);
    sq_crop reduced = *crop;
    if (reduction > 1)
        reduced = (sq_crop){crop->x / reduction, crop->y / reduction, crop->w / reduction, crop->h / reduction, false};
    const int whole_h = (record->h + reduction - 1) / reduction, whole_w = (record->w + reduction - 1) / reduction;
    sq_image_region part = {.reduction = reduction};
    sq_resize_reach(reduced.x, reduced.w, reduced.is_cropped_first, whole_w, s->transform->resolution, &part.x,
                    &part.w);
    sq_resize_reach(reduced.y, reduced.h, reduced.is_cropped_first, whole_h, s->transform->resolution, &part.y,
                    &part.h);
    part.w -= part.x;
    part.h -= part.y;
    SQ_TRY(sq_image_decode_region(&m->image, record->bytes, record->size, name, s->max_pixels, &part));
    const sq_image *i = &m->image;
    const int h = (record->h + i->reduction - 1) / i->reduction, w = (record->w + i->reduction - 1) / i->reduction;
    if (i->whole_h != h || i->whole_w != w)
        return sq_fail(SQ_DATA, "%s: %d x %d pixels, but its header says %d x %d", name, i->whole_w, i->whole_h, w, h);
    *out = (sq_pixels){i->pixels, i->y, i->x, i->h, i->w, i->whole_h, i->whole_w};
    if (i->reduction == reduction)
        *crop = reduced;
    return SQ_OK;
}

/* The crop of an image of h x w pixels in an epoch, and what else is drawn. */
static sq_crop draw(const sq_sample_source *s, size_t index, uint64_t epoch, int h, int w, float *augment)
{
    const sq_transform *t = s->transform;
    sq_rng rng = sq_rng_open(s->seed, SQ_RNG_AUGMENT, (epoch << 40) + index);
    const sq_crop crop = t->is_augmented ? sq_transform_crop(t, h, w, &rng) : sq_transform_centre(t, h, w);
    sq_transform_draw(t, &rng, augment);
    return crop;
}

sq_status sq_sample_make(const sq_sample_source *s, sq_sample_workspace *m, size_t index, uint64_t epoch,
                         uint8_t *pixels, float *augment)
{
    const sq_transform *t = s->transform;
    sq_image_record record;
    double marks[SQ_STAGES + 1];
    marks[SQ_STAGE_READ] = sq_seconds_now();
    SQ_TRY(find_record(s, m, index, &record));
    marks[SQ_STAGE_DECODE] = sq_seconds_now();
    if (!record.is_raw)
        SQ_TRY(sq_image_size(record.bytes, record.size, sq_dataset_name(s->dataset, index), s->max_pixels, &record.h,
                             &record.w));
    if (!record.is_raw && s->cache && sq_cache_get_form(s->cache) == SQ_CACHE_DECODED)
        keep_decoded(s, m, index, &record);
    sq_crop crop = draw(s, index, epoch, record.h, record.w, augment);
    sq_pixels from = pixels_of(&record);
    if (!record.is_raw)
        SQ_TRY(decode_crop(s, m, index, &record, &crop, &from));
    marks[SQ_STAGE_RESIZE] = sq_seconds_now();
    SQ_TRY(sq_resize(&m->resizer, &from, crop, t->resolution, pixels));
    marks[SQ_STAGES] = sq_seconds_now();
    for (int stage = 0; stage < SQ_STAGES; stage++)
        m->seconds[stage] += marks[stage + 1] - marks[stage];
    return SQ_OK;
}

/* Why an image is not in the device cache. */
static sq_status fail_left_out(const sq_sample_source *s, sq_sample_workspace *m, size_t index)
{
    sq_image_record record;
    const char *name = sq_dataset_name(s->dataset, index);
    SQ_TRY(find_record(s, m, index, &record));
    SQ_TRY(sq_image_decode(&m->image, record.bytes, record.size, name, s->max_pixels));
    return sq_fail(SQ_DATA, "%s: was another image when all were decoded", name);
}

sq_status sq_sample_crop(const sq_sample_source *s, sq_sample_workspace *m, size_t index, uint64_t epoch,
                         sq_stored_crop *crop, float *augment)
{
    const sq_device_cache_image *image = sq_device_cache_find(s->device_cache, index);
    if (!image)
        return fail_left_out(s, m, index);
    const sq_crop drawn = draw(s, index, epoch, image->h, image->w, augment);
    *crop = (sq_stored_crop){.at = image->at,
                             .width = image->w,
                             .y = (int32_t)drawn.y,
                             .x = (int32_t)drawn.x,
                             .h = (int32_t)drawn.h,
                             .w = (int32_t)drawn.w};
    return SQ_OK;
}
