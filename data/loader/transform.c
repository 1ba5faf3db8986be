/* Draws crops, flips and jitter as torchvision draws them. */
#include "data/loader/transform.h"

#include <math.h>
#include <string.h>

#include "kernels/graph.h"

enum { CROP_ATTEMPTS = 10, JITTER_ORDERS = 6 }; /* three factors have six orders */

static double uniform_between(sq_rng *rng, double low, double high)
{
    return low + (high - low) * sq_rng_uniform(rng);
}

/* Returns the largest centre crop within the aspect bounds. */
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
    for (int i = 0; i < CROP_ATTEMPTS; i++) {
        const double area = (double)h * w * uniform_between(rng, t->area_min, t->area_max),
                     aspect = exp(uniform_between(rng, low, high));
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

static float draw_factor(double strength, sq_rng *rng)
{
    return (float)uniform_between(rng, strength < 1 ? 1 - strength : 0, 1 + strength);
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
        augment[SQ_AUGMENT_ORDER] = (float)sq_rng_below(rng, JITTER_ORDERS);
        augment[SQ_AUGMENT_BRIGHTNESS] = draw_factor(t->brightness, rng);
        augment[SQ_AUGMENT_CONTRAST] = draw_factor(t->contrast, rng);
        augment[SQ_AUGMENT_SATURATION] = draw_factor(t->saturation, rng);
    }
}
