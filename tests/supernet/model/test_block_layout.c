#include "supernet/model/block_layout.h"

#include "tests/support/support.h"

Test(block_layout, widths_are_padded_to_the_alignment)
{
    const sq_block_options none = {.batch = 1}, eight = {.batch = 1, .alignment = 8};
    cr_expect_eq(sq_block_aligned(&none, 13), 13);
    cr_expect_eq(sq_block_aligned(&eight, 13), 16);
    cr_expect_eq(sq_block_aligned(&eight, 16), 16);
}

Test(block_layout, images_have_four_channels_and_logits_no_padding)
{
    const sq_block_options options = {.batch = 1, .alignment = 8, .activation = SQ_BF16};
    sq_space *space = open_space(SOURCE("tests/fixtures/oracle.yaml"));
    cr_expect_eq(sq_block_boundary_pitch(space, &options, 0), 4);
    cr_expect_eq(sq_block_boundary_pitch(space, &options, 1), 8);
    cr_expect_eq(sq_block_boundary_pitch(space, &options, space->layer_count), space->classes);
    cr_expect_eq(sq_block_boundary_dtype(space, &options, 1), SQ_BF16);
    cr_expect_eq(sq_block_boundary_dtype(space, &options, space->layer_count), SQ_F32);
    sq_space_free(space);
}

Test(block_layout, the_parts_of_the_input_do_not_overlap)
{
    sq_space *space = open_space(SOURCE("configs/spaces/tiny.yaml"));
    const sq_input_layout layout = sq_block_input(space, 3);
    cr_expect_geq(layout.labels, 3 * 16 * 16 * 3);
    cr_expect_geq(layout.augment, layout.labels + 3 * sizeof(int32_t));
    cr_expect_geq(layout.bytes, layout.augment + 3 * SQ_AUGMENT_COUNT * sizeof(float));
    cr_expect(layout.labels % 64 == 0 && layout.augment % 64 == 0);
    sq_space_free(space);
}
