#ifndef SQ_REFERENCE_H
#define SQ_REFERENCE_H

#include "kernels/host_memory.h"

/* Internal to the reference backend: a graph with its addresses, and one function per kind of operation. */

typedef struct {
    const sq_graph *graph;
    const sq_binding *at;
    const sq_op *op;
} sq_reference_call;

void sq_reference_image(const sq_reference_call *call);
void sq_reference_conv(const sq_reference_call *call);
void sq_reference_conv_back(const sq_reference_call *call);
void sq_reference_gate(const sq_reference_call *call);
void sq_reference_gate_back(const sq_reference_call *call);
void sq_reference_join(const sq_reference_call *call);
void sq_reference_join_back(const sq_reference_call *call);
void sq_reference_pool(const sq_reference_call *call);
void sq_reference_pool_back(const sq_reference_call *call);
void sq_reference_linear(const sq_reference_call *call);
void sq_reference_linear_back(const sq_reference_call *call);
void sq_reference_loss(const sq_reference_call *call);
void sq_reference_update(const sq_reference_call *call);

/* The table's crop(). */
SQ_MUST_USE sq_status sq_reference_crop(sq_backend *b, sq_device_ptr images, const sq_stored_crop *crops, int count,
                                        int side, sq_device_ptr out);

/* ---- Access, shared by the files ---- */

static inline const sq_slot *sq_ref_slot(const sq_reference_call *call, int slot)
{
    return &call->graph->slots[slot];
}

static inline float *sq_ref_data(const sq_reference_call *call, int slot)
{
    return sq_host_address(call->graph, call->at, slot);
}

static inline float *sq_ref_live(const sq_reference_call *call, int norm, int row)
{
    return sq_ref_data(call, call->graph->norms[norm].live) +
           (size_t)row * (size_t)sq_ref_slot(call, call->graph->norms[norm].live)->pitch;
}

const sq_step *sq_ref_step(const sq_reference_call *call);

/* Element of a slot by logical pixel and channel. */
float *sq_ref_at(const sq_reference_call *call, int slot, int n, int h, int w, int i);
/* The same for channel i of a part of it. */
float *sq_ref_part_at(const sq_reference_call *call, int slot, sq_part part, int n, int h, int w, int i);
int sq_ref_view_c(const sq_reference_call *call, sq_view view);
/* What the view shows, with and without its gate; and d value / d pre-activation. */
float sq_ref_value(const sq_reference_call *call, sq_view view, int n, int h, int w, int i);
float sq_ref_slope(const sq_reference_call *call, sq_view view, int n, int h, int w, int i);
/* S1 and S2 of a view's norm from the gradient of its value, kept in slot `grad`. Nothing without norm or with a gate.
 */
void sq_ref_sums(const sq_reference_call *call, sq_view view, int grad);
/* Writes or adds, as step.accumulate says. */
void sq_ref_store(const sq_reference_call *call, float *gradient, double value);

#endif
