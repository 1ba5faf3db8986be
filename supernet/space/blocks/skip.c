/* The identity. */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    d->out->has_pass = true;
}

static const char *obstacle(const sq_layer *layer, const sq_choice *choice)
{
    (void)choice;
    return layer->stride != 1 || layer->c_in != layer->c_out ? "skip needs stride 1 and equal widths" : NULL;
}

const sq_block_kind_row sq_block_skip = {
    .label = "Skip",
    .label_style = SQ_LABEL_PLAIN,
    .tints = {"#ffffff", "#ffffff", "#ffffff"},
    .is_optional = true,
    .family = SQ_BLOCK_SKIP,
    .describe = describe,
    .middle = sq_block_no_middle,
    .obstacle = obstacle,
};
