/* Tests the graphs of blocks. test_oracle.c and test_backends.c check the results of these graphs. */
#include "supernet/model/block.h"

#include <string.h>

#include "tests/support/support.h"

static const sq_block_options options = {.batch = 2, .is_supernet = true};

Test(block, parameters_have_the_same_offsets_in_every_mode)
{
    sq_space *space = open_space(SOURCE("configs/spaces/tiny.yaml"));
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++) {
            size_t weight_bytes = 0;
            for (int mode = 0; mode < SQ_MODES; mode++) {
                sq_region region = {0};
                sq_graph graph = {0};
                MUST(sq_block_build(&(sq_block_id){space, l, c}, (sq_mode)mode, &options, &region, &graph));
                cr_expect(mode == 0 || region.bytes[SQ_ROLE_WEIGHT] == weight_bytes, "%s", graph.name);
                weight_bytes = region.bytes[SQ_ROLE_WEIGHT];
                sq_graph_clear(&graph);
            }
        }
    sq_space_free(space);
}

Test(block, the_list_of_parameters_stops_at_the_limit_and_counts_all)
{
    sq_space *space = open_space(SOURCE("configs/spaces/tiny.yaml"));
    const sq_block_id block = {space, 1, 0};
    const sq_region region = {0};
    sq_parameter all[64] = {0}, two[3] = {0};
    const int count = sq_block_parameters(&block, &options, &region, all, 64);
    cr_assert(count > 3 && count <= 64);
    cr_expect_eq(sq_block_parameters(&block, &options, &region, two, 2), count);
    cr_expect_eq(memcmp(two, all, 2 * sizeof *all), 0);
    cr_expect_eq(two[2].name[0], 0);
    cr_expect_eq(strncmp(all[0].name, "features.0.0.", 13), 0, "%s", all[0].name);
    sq_space_free(space);
}

Test(block, every_mode_has_a_name)
{
    for (int mode = 0; mode < SQ_MODES; mode++)
        cr_expect_gt(strlen(sq_mode_name((sq_mode)mode)), 4);
}
