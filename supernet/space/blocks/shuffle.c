/* ShuffleNetV2's unit (Ma et al. 2018) and its Xception-like variant, as in SPOS (Guo et al. 2020, section 4.1;
 * src/Supernet/blocks.py). With stride 1 the main branch reads the odd channels, and the even ones pass through. */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

/* Ends the block with the concatenation of main branch and projection. With stride 1, the even channels of the input
 * replace the projection. */
static void end_branches(sq_describer *d, int main)
{
    sq_description *out = d->out;
    sq_describer_excite(d, main, "branch_main");
    out->join = SQ_JOIN_CONCAT;
    out->main = main;
    if (d->layer->stride == 1) {
        out->has_pass = true;
        out->pass = SQ_EVEN;
        return;
    }
    const int spatial = sq_describer_depthwise(d, SQ_NONE, d->choice->kernel, d->layer->stride);
    const int last = sq_describer_pointwise(d, spatial, d->layer->c_in);
    sq_describer_name_sequential(d, spatial, "branch_proj", 0);
    sq_describer_name_sequential(d, last, "branch_proj", 2);
    sq_describer_activate(d, last);
    out->side = last;
}

static void read_half(sq_describer *d, int unit)
{
    sq_unit *u = &d->out->units[unit];
    if (d->layer->stride != 1)
        return;
    u->part = SQ_ODD;
    u->c_in = d->layer->c_in / 2;
    if (u->is_depthwise)
        u->c_out = u->c_in;
}

/* Output channels of the main branch's last pointwise convolution (last_width), and of the pointwise convolutions
 * before that one (middle_width). */
static int last_width(const sq_describer *d)
{
    return d->layer->c_out - (d->layer->stride == 1 ? d->layer->c_in / 2 : d->layer->c_in);
}

static int middle_width(const sq_describer *d)
{
    return sq_space_width(d->space, d->choice->expansion * d->layer->c_out / 2);
}

static void describe_shuffle(sq_describer *d)
{
    const int expand = sq_describer_pointwise(d, SQ_NONE, middle_width(d));
    read_half(d, expand);
    sq_describer_activate(d, expand);
    const int spatial = sq_describer_depthwise(d, expand, d->choice->kernel, d->layer->stride);
    const int last = sq_describer_pointwise(d, spatial, last_width(d));
    sq_describer_activate(d, last);
    sq_describer_name_sequential(d, expand, "branch_main", 0);
    sq_describer_name_sequential(d, spatial, "branch_main", 3);
    sq_describer_name_sequential(d, last, "branch_main", 5);
    end_branches(d, last);
}

static void describe_xception(sq_describer *d)
{
    int last = SQ_NONE;
    for (int i = 0; i < 3; i++) {
        const int spatial = sq_describer_depthwise(d, last, d->choice->kernel, i == 0 ? d->layer->stride : 1);
        if (i == 0)
            read_half(d, spatial);
        last = sq_describer_pointwise(d, spatial, i == 2 ? last_width(d) : middle_width(d));
        sq_describer_activate(d, last);
        sq_describer_name_sequential(d, spatial, "branch_main", 5 * i);
        sq_describer_name_sequential(d, last, "branch_main", 5 * i + 2);
    }
    end_branches(d, last);
}

static int shuffle_middle(const sq_description *d)
{
    return d->units[0].c_out;
}

static int xception_middle(const sq_description *d)
{
    return d->units[1].c_out;
}

static const char *obstacle(const sq_layer *layer, const sq_choice *choice)
{
    (void)choice;
    if (layer->stride == 1 && layer->c_in != layer->c_out)
        return "a shuffle of stride 1 keeps the width";
    if (layer->stride == 1 && layer->c_in % 4)
        return "a shuffle of stride 1 needs a width that 4 divides";
    if (layer->stride == 2 && layer->c_out <= layer->c_in)
        return "a shuffle of stride 2 must widen";
    return NULL;
}

const sq_block_kind_row sq_block_shuffle = {
    .label = "Shuffle",
    .label_style = SQ_LABEL_EXPANSION_UNLESS_1,
    .tints = {"#cfe6f7", "#94c9ee", "#5caee2"},
    .takes_expansion = true,
    .takes_se = true,
    .can_be_dropped = true,
    .reads_halves = true,
    .family = SQ_BLOCK_SHUFFLE,
    .describe = describe_shuffle,
    .middle = shuffle_middle,
    .obstacle = obstacle,
};

const sq_block_kind_row sq_block_xception = {
    .label = "Xception",
    .label_style = SQ_LABEL_EXPANSION_UNLESS_1,
    .tints = {"#fbf0a8", "#f5e05c", "#e6cc1f"},
    .takes_expansion = true,
    .takes_se = true,
    .can_be_dropped = true,
    .reads_halves = true,
    .family = SQ_BLOCK_SHUFFLE,
    .describe = describe_xception,
    .middle = xception_middle,
    .obstacle = obstacle,
};
