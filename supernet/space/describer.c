#include "supernet/space/describer.h"

#include <assert.h>
#include <stdio.h>

/* Appends a unit with as many output channels as input channels. The caller changes fields that differ. */
static sq_unit *add_unit(sq_describer *d, int source, int kernel, int stride)
{
    sq_description *out = d->out;
    assert(out->unit_count < SQ_MAX_UNITS);
    sq_unit *unit = &out->units[out->unit_count++];
    const sq_unit *before = source == SQ_NONE ? NULL : &out->units[source];
    *unit = (sq_unit){
        .c_in = before ? before->c_out : d->layer->c_in,
        .kernel = kernel,
        .stride = stride,
        .activation = SQ_LINEAR,
        .source = source,
        .part = SQ_ALL,
        .h_in = before ? before->h_out : d->layer->h_in,
        .w_in = before ? before->w_out : d->layer->w_in,
    };
    unit->c_out = unit->c_in;
    unit->h_out = (unit->h_in + stride - 1) / stride;
    unit->w_out = (unit->w_in + stride - 1) / stride;
    return unit;
}

int sq_describer_conv(sq_describer *d, int source, int c_out, int kernel, int stride)
{
    add_unit(d, source, kernel, stride)->c_out = c_out;
    return d->out->unit_count - 1;
}

int sq_describer_pointwise(sq_describer *d, int source, int c_out)
{
    return sq_describer_conv(d, source, c_out, 1, 1);
}

int sq_describer_depthwise(sq_describer *d, int source, int kernel, int stride)
{
    add_unit(d, source, kernel, stride)->is_depthwise = true;
    return d->out->unit_count - 1;
}

void sq_describer_activate(sq_describer *d, int unit)
{
    d->out->units[unit].activation = d->activation;
}

void sq_describer_excite(sq_describer *d, int unit, const char *module)
{
    if (!d->choice->has_se)
        return;
    sq_unit *u = &d->out->units[unit];
    u->se_channels = sq_divisible(d->choice->se_ratio * u->c_out);
    u->gate_activation = d->choice->gate_activation;
    (void)snprintf(u->se, sizeof u->se, "%s.se.fc", module);
}

void sq_describer_name_sequential(sq_describer *d, int unit, const char *module, int index)
{
    sq_unit *u = &d->out->units[unit];
    (void)snprintf(u->conv, sizeof u->conv, "%s%s%d", module, *module ? "." : "", index);
    (void)snprintf(u->norm, sizeof u->norm, "%s%s%d", module, *module ? "." : "", index + 1);
}

void sq_describer_name_members(sq_describer *d, int unit, const char *module)
{
    sq_unit *u = &d->out->units[unit];
    (void)snprintf(u->conv, sizeof u->conv, "%s%sconv", module, *module ? "." : "");
    (void)snprintf(u->norm, sizeof u->norm, "%s%sbn", module, *module ? "." : "");
}

void sq_describer_end(sq_describer *d, int unit, bool has_residual)
{
    d->out->main = unit;
    d->out->has_pass = has_residual && d->layer->stride == 1 && d->layer->c_in == d->layer->c_out;
}
