/* MobileNetV2's inverted bottleneck (Sandler et al. 2018), with ProxylessNAS's module names. If the middle is as wide
 * as the input, the block has no expansion convolution. */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    const int width = sq_space_width(d->space, d->choice->expansion * d->layer->c_in);
    int expand = SQ_NONE;
    if (width != d->layer->c_in) {
        expand = sq_describer_pointwise(d, SQ_NONE, width);
        sq_describer_activate(d, expand);
        sq_describer_name_members(d, expand, "inverted_bottleneck");
    }
    const int spatial = sq_describer_depthwise(d, expand, d->choice->kernel, d->layer->stride);
    sq_describer_activate(d, spatial);
    sq_describer_name_members(d, spatial, "depth_conv");
    sq_describer_excite(d, spatial, "depth_conv");
    const int last = sq_describer_pointwise(d, spatial, d->layer->c_out);
    sq_describer_name_members(d, last, "point_linear");
    sq_describer_end(d, last, true);
}

static int middle(const sq_description *d)
{
    return d->units[d->main].c_in;
}

const sq_block_kind_row sq_block_mb = {
    .label = "MB",
    .label_style = SQ_LABEL_EXPANSION,
    .tints = {"#fbe0bf", "#f5bd78", "#ec9a3c"},
    .takes_expansion = true,
    .takes_se = true,
    .can_be_dropped = true,
    .family = SQ_BLOCK_MB,
    .describe = describe,
    .middle = middle,
};
