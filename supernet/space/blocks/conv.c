/* The block of stem and head: convolution, norm, activation. */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    const int unit = sq_describer_conv(d, SQ_NONE, d->layer->c_out, d->choice->kernel, d->layer->stride);
    sq_describer_activate(d, unit);
    if (d->space->naming == SQ_NAMES_SPOS)
        sq_describer_name_sequential(d, unit, "", 0);
    else
        sq_describer_name_members(d, unit, "");
    sq_describer_end(d, unit, false);
}

const sq_block_kind_row sq_block_conv = {
    .label = "Conv",
    .label_style = SQ_LABEL_KERNEL,
    .tints = {"#e4e7eb", "#d3d8de", "#c1c8d0"},
    .family = SQ_BLOCK_CONV,
    .describe = describe,
    .middle = sq_block_no_middle,
};
