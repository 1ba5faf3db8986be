/* The block kinds. Each function below writes one published block as a list of units; names are the module paths of the
 * published PyTorch code, so that weights can be exchanged with it. */
#include "supernet/space/describe.h"

#include <stdio.h>

typedef struct {
    const sq_space *space;
    const sq_layer *layer;
    const sq_choice *choice;
    sq_activation activation;
    sq_description *out;
} describer;

/* Appends a unit that reads unit `source` (SQ_NONE: the block's input) and returns its index. */
static int add_unit(describer *d, int source, int c_out, int kernel, int stride, bool is_depthwise)
{
    sq_description *out = d->out;
    sq_unit *unit = &out->units[out->unit_count];
    const sq_unit *before = source == SQ_NONE ? NULL : &out->units[source];
    *unit = (sq_unit){
        .c_in = before ? before->c_out : d->layer->c_in,
        .c_out = c_out,
        .kernel = kernel,
        .stride = stride,
        .is_depthwise = is_depthwise,
        .activation = SQ_LINEAR,
        .source = source,
        .part = SQ_ALL,
        .h_in = before ? before->h_out : d->layer->h_in,
        .w_in = before ? before->w_out : d->layer->w_in,
    };
    unit->h_out = (unit->h_in + stride - 1) / stride;
    unit->w_out = (unit->w_in + stride - 1) / stride;
    return out->unit_count++;
}

static int depthwise(describer *d, int source, int kernel, int stride)
{
    const int c = source == SQ_NONE ? d->layer->c_in : d->out->units[source].c_out;
    return add_unit(d, source, c, kernel, stride, true);
}

static int pointwise(describer *d, int source, int c_out)
{
    return add_unit(d, source, c_out, 1, 1, false);
}

static void activate(describer *d, int unit)
{
    d->out->units[unit].activation = d->activation;
}

/* Module names of a convolution and its norm; "%s.%d" of a Sequential, or "%s.conv" and "%s.bn". */
static void name_sequential(describer *d, int unit, const char *branch, int conv)
{
    sq_unit *u = &d->out->units[unit];
    (void)snprintf(u->conv, sizeof u->conv, "%s%s%d", branch, *branch ? "." : "", conv);
    (void)snprintf(u->norm, sizeof u->norm, "%s%s%d", branch, *branch ? "." : "", conv + 1);
}

static void name_module(describer *d, int unit, const char *module)
{
    sq_unit *u = &d->out->units[unit];
    (void)snprintf(u->conv, sizeof u->conv, "%s%sconv", module, *module ? "." : "");
    (void)snprintf(u->norm, sizeof u->norm, "%s%sbn", module, *module ? "." : "");
}

static void excite(describer *d, int unit, const char *module)
{
    if (!d->choice->has_se)
        return;
    sq_unit *u = &d->out->units[unit];
    u->se_channels = sq_divisible(d->choice->se_ratio * u->c_out);
    u->gate_activation = d->choice->gate_activation;
    (void)snprintf(u->se, sizeof u->se, "%s.se.fc", module);
}

static void describe_conv(describer *d)
{
    const int unit = add_unit(d, SQ_NONE, d->layer->c_out, d->choice->kernel, d->layer->stride, false);
    activate(d, unit);
    if (d->space->naming == SQ_NAMES_SPOS)
        name_sequential(d, unit, "", 0);
    else
        name_module(d, unit, "");
    d->out->main = unit;
}

/* Main branch and projection end in a concatenation; with stride 1 half of the input passes through (papers.md 2.2). */
static void end_shuffle(describer *d, int main, int projection_kernel)
{
    sq_description *out = d->out;
    excite(d, main, "branch_main");
    out->join = SQ_JOIN_CONCAT;
    out->main = main;
    if (d->layer->stride == 1) {
        out->has_pass = true;
        out->pass = SQ_EVEN;
        return;
    }
    const int spatial = depthwise(d, SQ_NONE, projection_kernel, d->layer->stride);
    const int last = pointwise(d, spatial, d->layer->c_in);
    name_sequential(d, spatial, "branch_proj", 0);
    name_sequential(d, last, "branch_proj", 2);
    activate(d, last);
    out->side = last;
}

static void read_half(describer *d, int unit)
{
    if (d->layer->stride == 1) {
        d->out->units[unit].part = SQ_ODD;
        d->out->units[unit].c_in = d->layer->c_in / 2;
        if (d->out->units[unit].is_depthwise)
            d->out->units[unit].c_out = d->layer->c_in / 2;
    }
}

/* Channels of the main branch's last and middle convolutions. */
static int shuffle_out(const describer *d)
{
    return d->layer->c_out - (d->layer->stride == 1 ? d->layer->c_in / 2 : d->layer->c_in);
}

static int shuffle_mid(const describer *d)
{
    return sq_space_width(d->space, d->choice->expansion * d->layer->c_out / 2);
}

static void describe_shuffle(describer *d)
{
    const int expand = pointwise(d, SQ_NONE, shuffle_mid(d));
    read_half(d, expand);
    activate(d, expand);
    const int spatial = depthwise(d, expand, d->choice->kernel, d->layer->stride);
    const int last = pointwise(d, spatial, shuffle_out(d));
    activate(d, last);
    name_sequential(d, expand, "branch_main", 0);
    name_sequential(d, spatial, "branch_main", 3);
    name_sequential(d, last, "branch_main", 5);
    end_shuffle(d, last, d->choice->kernel);
}

static void describe_xception(describer *d)
{
    int last = SQ_NONE;
    for (int i = 0; i < 3; i++) {
        const int spatial = depthwise(d, last, d->choice->kernel, i == 0 ? d->layer->stride : 1);
        if (i == 0)
            read_half(d, spatial);
        last = pointwise(d, spatial, i == 2 ? shuffle_out(d) : shuffle_mid(d));
        activate(d, last);
        name_sequential(d, spatial, "branch_main", 5 * i);
        name_sequential(d, last, "branch_main", 5 * i + 2);
    }
    end_shuffle(d, last, d->choice->kernel);
}

static void describe_mb(describer *d)
{
    const int mid = sq_space_width(d->space, d->choice->expansion * d->layer->c_in);
    int expand = SQ_NONE;
    if (mid != d->layer->c_in) {
        expand = pointwise(d, SQ_NONE, mid);
        activate(d, expand);
        name_module(d, expand, "inverted_bottleneck");
    }
    const int spatial = depthwise(d, expand, d->choice->kernel, d->layer->stride);
    activate(d, spatial);
    name_module(d, spatial, "depth_conv");
    excite(d, spatial, "depth_conv");
    const int last = pointwise(d, spatial, d->layer->c_out);
    name_module(d, last, "point_linear");
    d->out->main = last;
    d->out->has_pass = d->layer->stride == 1 && d->layer->c_in == d->layer->c_out;
}

/* Depthwise, norm, activation, pointwise, norm, activation (MobileNetV1), twice as in DARTS; no residual. */
static void describe_sep(describer *d)
{
    int last = SQ_NONE;
    for (int i = 0; i < 2; i++) {
        const int spatial = depthwise(d, last, d->choice->kernel, i == 0 ? d->layer->stride : 1);
        last = pointwise(d, spatial, d->layer->c_out);
        activate(d, spatial);
        activate(d, last);
        name_sequential(d, spatial, "op", 6 * i);
        name_sequential(d, last, "op", 6 * i + 3);
    }
    excite(d, last, "op");
    d->out->main = last;
}

static void describe_skip(describer *d)
{
    d->out->has_pass = true;
}

static void describe_classifier(describer *d)
{
    d->out->is_classifier = true;
}

void sq_describe_block(const sq_space *space, int layer, int choice, sq_description *out)
{
    static void (*const kinds[SQ_BLOCK_KINDS])(describer *) = {
        [SQ_BLOCK_CONV] = describe_conv,
        [SQ_BLOCK_SHUFFLE] = describe_shuffle,
        [SQ_BLOCK_XCEPTION] = describe_xception,
        [SQ_BLOCK_MB] = describe_mb,
        [SQ_BLOCK_SEP] = describe_sep,
        [SQ_BLOCK_SKIP] = describe_skip,
        [SQ_BLOCK_CLASSIFIER] = describe_classifier,
    };
    const sq_layer *l = &space->layers[layer];
    const sq_choice *c = &space->choices[l->choices[choice]];
    *out = (sq_description){.join = SQ_JOIN_ADD, .main = SQ_NONE, .side = SQ_NONE, .pass = SQ_ALL};
    describer d = {space, l, c, c->activation == SQ_ACTIVATIONS ? l->activation : c->activation, out};
    kinds[c->kind](&d);
}

void sq_describe_prefix(const sq_space *space, int layer, int choice, bool is_supernet, char *text, size_t bytes)
{
    const sq_layer *l = &space->layers[layer];
    const bool is_spos = space->naming == SQ_NAMES_SPOS;
    const sq_block_kind kind = space->choices[l->choices[choice]].kind;
    if (kind == SQ_BLOCK_CLASSIFIER)
        (void)snprintf(text, bytes, "%s.", is_spos ? "classifier.0" : "classifier.linear");
    else if (kind == SQ_BLOCK_CONV && layer == 0)
        (void)snprintf(text, bytes, "first_conv.");
    else if (kind == SQ_BLOCK_CONV && layer == space->layer_count - 2)
        (void)snprintf(text, bytes, "%s.", is_spos ? "conv_last" : "feature_mix_layer");
    else if (is_supernet && l->choice_count > 1)
        (void)snprintf(text, bytes, is_spos ? "features.%d.%d." : "blocks.%d.mobile_inverted_conv.candidate_ops.%d.",
                       layer - 1, choice);
    else
        (void)snprintf(text, bytes, is_spos ? "features.%d." : "blocks.%d.mobile_inverted_conv.", layer - 1);
}
