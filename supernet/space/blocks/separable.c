/* A depthwise-separable convolution (MobileNetV1, Howard et al. 2017): depthwise, norm, activation, pointwise, norm,
 * activation. The block has two of them, as in DARTS (Liu et al. 2019), and no residual connection. */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    int last = SQ_NONE;
    for (int i = 0; i < 2; i++) {
        const int spatial = sq_describer_depthwise(d, last, d->choice->kernel, i == 0 ? d->layer->stride : 1);
        last = sq_describer_pointwise(d, spatial, d->layer->c_out);
        sq_describer_activate(d, spatial);
        sq_describer_activate(d, last);
        sq_describer_name_sequential(d, spatial, "op", 6 * i);
        sq_describer_name_sequential(d, last, "op", 6 * i + 3);
    }
    sq_describer_excite(d, last, "op");
    sq_describer_end(d, last, false);
}

const sq_block_kind_row sq_block_sep = {
    .label = "Sep",
    .label_style = SQ_LABEL_KERNEL,
    .tints = {"#c9ecdc", "#85d2b2", "#46b68b"},
    .takes_se = true,
    .can_be_dropped = true,
    .family = SQ_BLOCK_SEP,
    .describe = describe,
    .middle = sq_block_no_middle,
};
