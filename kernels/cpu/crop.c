/* Crops images and resizes the crops as the loader does. Each crop is handled by one thread. */
#include "kernels/cpu/crop.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>

struct sq_cpu_cropper {
    int threads;
    sq_resizer resizers[]; /* one per thread */
};

sq_status sq_cpu_cropper_open(sq_cpu_cropper **out, int threads)
{
    sq_cpu_cropper *c = calloc(1, sizeof *c + (size_t)threads * sizeof *c->resizers);
    if (!c)
        return sq_fail(SQ_NO_MEMORY, "cpu: resizers of %d threads", threads);
    c->threads = threads;
    *out = c;
    return SQ_OK;
}

void sq_cpu_cropper_close(sq_cpu_cropper *c)
{
    for (int t = 0; c && t < c->threads; t++)
        sq_resizer_clear(&c->resizers[t]);
    free(c);
}

static sq_status crop_one(sq_resizer *resizer, const uint8_t *images, const sq_stored_crop *stored, int side,
                          uint8_t *out)
{
    const sq_crop crop = {stored->x, stored->y, stored->w, stored->h, true};
    const sq_pixels from = {.pixels = images + stored->at,
                            .h = stored->y + stored->h, /* rows below the crop are never read */
                            .w = stored->width,
                            .whole_h = stored->y + stored->h,
                            .whole_w = stored->width};
    return sq_resize(resizer, &from, crop, side, out);
}

sq_status sq_cpu_crop(sq_cpu_cropper *c, const sq_crop_batch *batch)
{
    const size_t bytes = (size_t)batch->side * (size_t)batch->side * 3;
    atomic_bool has_failed = false;
#pragma omp parallel for num_threads(c->threads) schedule(dynamic)
    for (int i = 0; i < batch->count; i++) {
        uint8_t *to = batch->out.address + (size_t)i * bytes;
        if (crop_one(&c->resizers[omp_get_thread_num()], batch->images.address, &batch->crops[i], batch->side, to) !=
            SQ_OK)
            atomic_store(&has_failed, true); /* the calling thread cannot read the error text of this one */
    }
    return atomic_load(&has_failed) ? sq_fail(SQ_NO_MEMORY, "cpu: no memory to crop %d images", batch->count) : SQ_OK;
}
