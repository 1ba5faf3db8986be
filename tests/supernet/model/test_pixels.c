#include "supernet/export/pixels.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

Test(pixels, raw_input_has_no_mean_and_no_deviation)
{
    const sq_block_options block = {
        .mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0.225f}, .is_raw = true, .is_bgr = true};
    const sq_export_pixels pixels = sq_export_pixels_of(&block);
    cr_expect_str_eq(pixels.range, "0..255");
    cr_expect_str_eq(pixels.order, "BGR");
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(pixels.mean[i], 0.0f);
        cr_expect_eq(pixels.deviation[i], 1.0f);
    }
}

Test(pixels, floats_read_back_as_the_same_floats)
{
    const float values[3] = {0.1307f, 1.0f / 3, 16777217.0f};
    float found[3];
    char text[128];
    sq_export_triple(values, text, sizeof text);
    cr_assert_eq(sscanf(text, "[%f, %f, %f]", &found[0], &found[1], &found[2]), 3, "%s", text);
    cr_expect_arr_eq(found, values, sizeof values, "%s", text);
    cr_expect_eq(strncmp(text, "[0.1307, ", 9), 0, "%s", text);
}
