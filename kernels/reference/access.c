/* Reads and writes elements of slots and views, and computes sums over views. */
#include "kernels/reference/access.h"

const sq_step *sq_ref_step(const sq_reference_call *call)
{
    return (const sq_step *)(const void *)call->at->base[SQ_ROLE_STEP].address;
}

float *sq_ref_at(const sq_reference_call *call, int slot, sq_position p)
{
    const sq_slot *s = sq_ref_slot(call, slot);
    const size_t pixel = ((size_t)p.n * (size_t)s->h + (size_t)p.h) * (size_t)s->w + (size_t)p.w;
    return sq_ref_data(call, slot) + pixel * (size_t)s->pitch + (size_t)sq_slot_channel(s, p.i);
}

float *sq_ref_part_at(const sq_reference_call *call, int slot, sq_part part, sq_position p)
{
    return sq_ref_at(call, slot, sq_at(p.n, p.h, p.w, part == SQ_ALL ? p.i : 2 * p.i + (part == SQ_ODD)));
}

int sq_ref_view_c(const sq_reference_call *call, sq_view view)
{
    return sq_view_channels(sq_ref_slot(call, view.slot), view.part).c;
}

static float pre_activation(const sq_reference_call *call, sq_view view, sq_position p)
{
    const float z = *sq_ref_part_at(call, view.slot, view.part, p);
    if (view.norm == SQ_NONE)
        return z;
    return sq_ref_live(call, view.norm, SQ_LIVE_SCALE)[p.i] * z + sq_ref_live(call, view.norm, SQ_LIVE_SHIFT)[p.i];
}

float sq_ref_value(const sq_reference_call *call, sq_view view, sq_position p)
{
    const float value = sq_activate(view.activation, pre_activation(call, view, p));
    return view.gate == SQ_NONE ? value : value * *sq_ref_at(call, view.gate, sq_at(p.n, 0, 0, p.i));
}

float sq_ref_slope(const sq_reference_call *call, sq_view view, sq_position p)
{
    return sq_activate_slope(view.activation, pre_activation(call, view, p));
}

void sq_ref_sums(const sq_reference_call *call, sq_view view, int grad)
{
    if (view.norm == SQ_NONE || view.gate != SQ_NONE)
        return;
    const sq_slot *s = sq_ref_slot(call, view.slot);
    for (int i = 0; i < s->c; i++) {
        const double mean = sq_ref_live(call, view.norm, SQ_LIVE_MEAN)[i];
        const double inverse = sq_ref_live(call, view.norm, SQ_LIVE_INVERSE)[i];
        double s1 = 0, s2 = 0;
        for (int n = 0; n < s->n; n++)
            for (int h = 0; h < s->h; h++)
                for (int w = 0; w < s->w; w++) {
                    const double dy =
                        (double)*sq_ref_at(call, grad, sq_at(n, h, w, i)) * sq_ref_slope(call, view, sq_at(n, h, w, i));
                    s1 += dy;
                    s2 += dy * (*sq_ref_at(call, view.slot, sq_at(n, h, w, i)) - mean) * inverse;
                }
        sq_ref_live(call, view.norm, SQ_LIVE_S1)[i] = (float)s1;
        sq_ref_live(call, view.norm, SQ_LIVE_S2)[i] = (float)s2;
    }
}

void sq_ref_store(const sq_reference_call *call, float *gradient, double value)
{
    *gradient = (float)(sq_ref_step(call)->accumulate ? *gradient + value : value);
}
