#ifndef SQ_ACCESS_H
#define SQ_ACCESS_H

#include "kernels/host_backend.h"

/* Functions that read and write the elements of slots and views, by logical position. */

/* One operation of a graph with its addresses. */
typedef struct {
    const sq_graph *graph;
    const sq_binding *at;
    const sq_op *op;
} sq_reference_call;

/* A logical position: image, pixel and channel. */
typedef struct {
    int n, h, w, i;
} sq_position;

static inline sq_position sq_at(int n, int h, int w, int i)
{
    return (sq_position){n, h, w, i};
}

static inline const sq_slot *sq_ref_slot(const sq_reference_call *call, int slot)
{
    return &call->graph->slots[slot];
}

static inline float *sq_ref_data(const sq_reference_call *call, int slot)
{
    return sq_host_address(call->graph, call->at, slot);
}

/* Returns row `row` (SQ_LIVE_...) of a norm's live slot. */
static inline float *sq_ref_live(const sq_reference_call *call, int norm, int row)
{
    const int live = call->graph->norms[norm].live;
    return sq_ref_data(call, live) + (size_t)row * (size_t)sq_ref_slot(call, live)->pitch;
}

const sq_step *sq_ref_step(const sq_reference_call *call);

/* Returns the address of an element of a slot. */
float *sq_ref_at(const sq_reference_call *call, int slot, sq_position p);
/* Returns the address of the element of channel p.i of a part of the slot. */
float *sq_ref_part_at(const sq_reference_call *call, int slot, sq_part part, sq_position p);
/* Returns the number of channels of a view. */
int sq_ref_view_c(const sq_reference_call *call, sq_view view);
/* Returns the value that a view shows, including its gate. */
float sq_ref_value(const sq_reference_call *call, sq_view view, sq_position p);
/* Returns d value / d pre-activation of a view, without the gate. */
float sq_ref_slope(const sq_reference_call *call, sq_view view, sq_position p);
/* Computes S1 and S2 of the view's norm from slot `grad`, which holds the gradient of the view's value. Does nothing
 * for views without norm or with a gate. */
void sq_ref_sums(const sq_reference_call *call, sq_view view, int grad);
/* Overwrites *gradient with `value` if step.accumulate is 0; adds `value` to *gradient if step.accumulate is 1. */
void sq_ref_store(const sq_reference_call *call, float *gradient, double value);

#endif
