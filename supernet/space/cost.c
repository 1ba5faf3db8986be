/* Costs follow from the description of a block, so a new block kind needs no code here. */
#include "supernet/space/cost.h"

#include "supernet/space/block_description.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t bytes_of(int h, int w, int c)
{
    return (int64_t)h * w * c * (int64_t)sizeof(float);
}

static int64_t output_bytes(const sq_unit *unit)
{
    return bytes_of(unit->h_out, unit->w_out, unit->c_out);
}

/* Whether unit `u`'s output is still needed when unit `now` runs (now == unit_count: when the join runs). */
static bool is_live(const sq_description *d, int u, int now)
{
    if (u == now)
        return true;
    if (u > now)
        return false;
    if (u == d->main || u == d->side)
        return true;
    for (int later = now; later < d->unit_count; later++)
        if (d->units[later].source == u)
            return true;
    return false;
}

static bool needs_input(const sq_description *d, int now)
{
    bool is_needed = d->has_pass;
    for (int later = now; later < d->unit_count; later++)
        is_needed = is_needed || d->units[later].source == SQ_NONE;
    return is_needed;
}

static int64_t peak_bytes(const sq_layer *layer, const sq_description *d)
{
    const int64_t in = bytes_of(layer->h_in, layer->w_in, layer->c_in),
                  out = bytes_of(layer->h_out, layer->w_out, layer->c_out);
    int64_t peak = in + (d->unit_count ? 0 : out);
    for (int now = 0; now <= d->unit_count; now++) {
        int64_t live = (needs_input(d, now) ? in : 0) + (now == d->unit_count ? out : 0);
        for (int u = 0; u < d->unit_count; u++)
            live += is_live(d, u, now) ? output_bytes(&d->units[u]) : 0;
        peak = larger(peak, live);
    }
    return peak;
}

sq_cost sq_cost_block(const sq_space *space, int layer, int choice)
{
    const sq_layer *l = &space->layers[layer];
    sq_description d;
    sq_cost cost = {0};
    sq_describe_block(space, layer, choice, &d);
    for (int u = 0; u < d.unit_count; u++) {
        const sq_unit *unit = &d.units[u];
        const int64_t weights =
            (int64_t)unit->c_out * (unit->is_depthwise ? 1 : unit->c_in) * unit->kernel * unit->kernel;
        const int64_t gate = 2 * (int64_t)unit->c_out * unit->se_channels;
        cost.macs += weights * unit->h_out * unit->w_out + gate;
        cost.weights += weights + gate + (unit->se_channels ? unit->c_out + unit->se_channels : 0);
        cost.norm_weights += 2 * (int64_t)unit->c_out;
    }
    if (d.is_classifier) {
        const int64_t weights = (int64_t)l->c_in * space->classes;
        cost.macs += weights;
        cost.weights += weights + (space->has_bias ? space->classes : 0);
    }
    cost.activation_bytes = peak_bytes(l, &d);
    return cost;
}

sq_cost sq_cost_path(const sq_space *space, const int *path)
{
    sq_cost sum = {0};
    for (int l = 0; l < space->layer_count; l++) {
        const sq_cost block = sq_cost_block(space, l, path[l]);
        sum.macs += block.macs;
        sum.weights += block.weights;
        sum.norm_weights += block.norm_weights;
        sum.activation_bytes = larger(sum.activation_bytes, block.activation_bytes);
    }
    return sum;
}
