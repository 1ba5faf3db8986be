#ifndef SQ_REFERENCE_H
#define SQ_REFERENCE_H

#include "kernels/reference/access.h"

/* The kernels of the reference backend, one per kind of operation. */

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

/* The backend's crop(). */
SQ_MUST_USE sq_status sq_reference_crop(sq_backend *b, const sq_crop_batch *batch);

#endif
