#include "supernet/space/describer.h"

#include "tests/support/support.h"

Test(describer, units_continue_shapes_and_get_names)
{
    sq_space *space = open_space(SOURCE("configs/spaces/tiny.yaml"));
    const sq_layer layer = {.h_in = 9, .w_in = 9, .c_in = 8, .c_out = 8, .stride = 1};
    const sq_choice choice = {.has_se = true, .se_ratio = 0.25};
    sq_description out = {.main = SQ_NONE, .side = SQ_NONE};
    sq_describer d = {.space = space, .layer = &layer, .choice = &choice, .activation = SQ_RELU6, .out = &out};
    const int a = sq_describer_conv(&d, SQ_NONE, 24, 3, 2), b = sq_describer_depthwise(&d, a, 5, 2),
              c = sq_describer_pointwise(&d, b, 8);
    sq_describer_activate(&d, a);
    sq_describer_excite(&d, b, "depth");
    sq_describer_name_sequential(&d, a, "op", 3);
    sq_describer_name_members(&d, c, "");
    sq_describer_end(&d, c, true);
    cr_expect(out.units[a].h_out == 5 && out.units[b].h_in == 5 && out.units[b].h_out == 3 && out.units[c].h_out == 3);
    cr_expect(out.units[b].c_in == 24 && out.units[b].c_out == 24 && out.units[c].c_out == 8);
    cr_expect(out.units[a].activation == SQ_RELU6 && out.units[b].activation == SQ_LINEAR);
    cr_expect_eq(out.units[b].se_channels, 8);
    cr_expect_str_eq(out.units[b].se, "depth.se.fc");
    cr_expect_str_eq(out.units[a].conv, "op.3");
    cr_expect_str_eq(out.units[a].norm, "op.4");
    cr_expect_str_eq(out.units[c].conv, "conv");
    cr_expect(out.main == c && out.has_pass);
    sq_space_free(space);
}
