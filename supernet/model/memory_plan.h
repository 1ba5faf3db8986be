#ifndef SQ_MEMORY_PLAN_H
#define SQ_MEMORY_PLAN_H

#include "kernels/backend.h"
#include "supernet/model/block.h"

/* The memory plan of a supernet: the size of the one allocation per role, and the offsets of every block. All shapes
 * are known before the run, so addresses never change. */

typedef struct {
    const sq_space *space; /* borrowed */
    sq_block_options options;
    bool is_training; /* has gradients, momentum and saved activations */
    size_t role_bytes[SQ_ROLES];
    sq_region **regions;      /* [layer][choice] */
    sq_parameter *parameters; /* of all blocks, in memory order */
    int parameter_count;
} sq_memory_plan;

/* Computes all sizes and offsets, with the type, padding and workspace that the backend requires. With backend NULL,
 * there is no workspace, and the options give type and padding (0: FP32, no padding), so that a plan can be
 * printed without a device. The caller frees the plan with sq_memory_plan_clear. */
SQ_MUST_USE sq_status sq_memory_plan_make(sq_memory_plan *out, const sq_space *space, const sq_block_options *options,
                                          bool is_training, sq_backend *backend);
void sq_memory_plan_clear(sq_memory_plan *plan);
/* Bytes of the tensor that layer `boundary` reads; if boundary == layer_count, bytes of the logits. */
size_t sq_memory_plan_boundary_bytes(const sq_memory_plan *plan, int boundary);
/* The bytes of the block that has most bytes in the role. */
size_t sq_memory_plan_largest(const sq_memory_plan *plan, sq_role role);
const sq_parameter *sq_memory_plan_find(const sq_memory_plan *plan, const char *name); /* NULL when absent */

#endif
