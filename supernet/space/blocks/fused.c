/* EfficientNetV2's Fused-MBConv (Tan and Le 2021, figure 2): a dense k x k convolution takes the place of mb's
 * expansion and depthwise convolution. If the middle is as wide as the input, the block is a single convolution with an
 * activation. Module names are torchvision's (torchvision/models/efficientnet.py, FusedMBConv). */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    const int width = sq_space_width(d->space, d->choice->expansion * d->layer->c_in);
    const bool has_expansion = width != d->layer->c_in;
    int last =
        sq_describer_conv(d, SQ_NONE, has_expansion ? width : d->layer->c_out, d->choice->kernel, d->layer->stride);
    sq_describer_activate(d, last);
    sq_describer_name_sequential(d, last, "block.0", 0);
    if (has_expansion) {
        last = sq_describer_pointwise(d, last, d->layer->c_out);
        sq_describer_name_sequential(d, last, "block.1", 0);
    }
    sq_describer_end(d, last, true);
}

static int middle(const sq_description *d)
{
    return d->units[d->main].c_in;
}

const sq_block_kind_row sq_block_fused_mb = {
    .label = "Fused-MB",
    .label_style = SQ_LABEL_EXPANSION,
    .tints = {"#f6d5e1", "#e9a3bd", "#d97a9e"},
    .takes_expansion = true,
    .can_be_dropped = true,
    .family = SQ_BLOCK_FUSED_MB,
    .describe = describe,
    .middle = middle,
};
