/* Tests random crops. */

#include "data/loader/transform.h"
#include "kernels/graph.h"
#include "tests/support/support.h"

Test(transform, crops_stay_inside_and_follow_the_published_distribution)
{
    const sq_transform t = {.is_augmented = true,
                            .resolution = 224,
                            .area_min = 0.08,
                            .area_max = 1,
                            .aspect_min = 0.75,
                            .aspect_max = 4.0 / 3};
    double area = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        sq_rng rng = sq_rng_open(1, SQ_RNG_AUGMENT, i);
        const sq_crop c = sq_transform_crop(&t, 375, 500, &rng);
        cr_expect(c.x >= 0 && c.y >= 0 && c.w >= 1 && c.h >= 1 && c.x + c.w <= 500 && c.y + c.h <= 375);
        cr_expect(c.w / c.h > 0.74 && c.w / c.h < 1.35);
        area += c.w * c.h / (375.0 * 500.0);
    }
    /* The mean of a uniform area from 0.08 to 1 is 0.54. The mean here is lower because wide and tall crops of large
     * area do not fit and are redrawn. */
    cr_expect(area / 4000 > 0.40 && area / 4000 < 0.54, "%g", area / 4000);
}

Test(transform, centre_crop_is_a_fraction_of_the_short_side)
{
    const sq_transform t = {.resolution = 224, .crop_fraction = 0.875};
    const sq_crop c = sq_transform_centre(&t, 400, 800);
    cr_expect(c.w == 350 && c.h == 350 && c.y == 25 && c.x == 225 && !c.is_cropped_first);
}

Test(transform, neutral_values_without_augmentation)
{
    float augment[SQ_AUGMENT_COUNT];
    const sq_transform t = {.resolution = 224, .flip = 1, .brightness = 1};
    sq_rng rng = sq_rng_open(1, SQ_RNG_AUGMENT, 0);
    sq_transform_draw(&t, &rng, augment);
    cr_expect(augment[SQ_AUGMENT_FLIP] == 0 && augment[SQ_AUGMENT_ORDER] == -1);
    cr_expect(augment[SQ_AUGMENT_BRIGHTNESS] == 1 && augment[SQ_AUGMENT_SATURATION] == 1);
}
