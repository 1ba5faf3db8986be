/* MobileNetV4's universal inverted bottleneck (Qin et al. 2024, figure 4): an inverted bottleneck with an optional
 * depthwise convolution in front of the expansion and an optional one after it. The kernel sizes select the inverted
 * bottleneck (only mid_kernel), ConvNeXt's block (only start_kernel), ExtraDW (both) or a feed-forward network
 * (neither). If the block has a mid convolution, the mid convolution has the stride, else the start convolution has it.
 * The start convolution and the projection have no activation. Module names are timm's
 * (timm/models/_efficientnet_blocks.py, UniversalInvertedResidual). */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    const int width = sq_space_width(d->space, d->choice->expansion * d->layer->c_in);
    const int start_kernel = d->choice->start_kernel, mid_kernel = d->choice->mid_kernel;
    int last = SQ_NONE;
    if (start_kernel > 0) {
        last = sq_describer_depthwise(d, last, start_kernel, mid_kernel > 0 ? 1 : d->layer->stride);
        sq_describer_name_members(d, last, "dw_start");
    }
    last = sq_describer_pointwise(d, last, width);
    sq_describer_activate(d, last);
    sq_describer_name_members(d, last, "pw_exp");
    if (mid_kernel > 0) {
        last = sq_describer_depthwise(d, last, mid_kernel, d->layer->stride);
        sq_describer_activate(d, last);
        sq_describer_name_members(d, last, "dw_mid");
    }
    last = sq_describer_pointwise(d, last, d->layer->c_out);
    sq_describer_name_members(d, last, "pw_proj");
    sq_describer_end(d, last, true);
}

static int middle(const sq_description *d)
{
    return d->units[d->main].c_in;
}

static const char *obstacle(const sq_layer *layer, const sq_choice *choice)
{
    const bool has_depthwise = choice->start_kernel > 0 || choice->mid_kernel > 0;
    return layer->stride != 1 && !has_depthwise ? "uib without start_kernel and mid_kernel needs stride 1" : NULL;
}

static int key_kernel(const sq_choice *choice)
{
    return SQ_BLOCK_FIRST_KERNEL * choice->start_kernel + choice->mid_kernel;
}

const sq_block_kind_row sq_block_uib = {
    .label = "UIB",
    .label_style = SQ_LABEL_EXPANSION,
    .tints = {"#dcd6f3", "#b3a5e3", "#8f7cd0"},
    .takes_expansion = true,
    .can_be_dropped = true,
    .family = SQ_BLOCK_UIB,
    .describe = describe,
    .middle = middle,
    .obstacle = obstacle,
    .key_kernel = key_kernel,
};
