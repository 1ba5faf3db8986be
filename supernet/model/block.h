#ifndef SQ_BLOCK_H
#define SQ_BLOCK_H

#include "supernet/space/space.h"

/* (layer, choice, mode) -> graph, and the names and shapes of the block's parameters. The only place that knows what a
 * shuffle or an inverted bottleneck is made of; costs, export and every backend follow from what is built here. */

typedef enum { SQ_FORWARD, SQ_BACKWARD, SQ_UPDATE, SQ_COLLECT, SQ_EVALUATE, SQ_MODES } sq_mode;

const char *sq_mode_name(sq_mode mode);

typedef enum {
    SQ_PARAMETER_CONV,
    SQ_PARAMETER_DEPTHWISE,
    SQ_PARAMETER_LINEAR,
    SQ_PARAMETER_BIAS,
    SQ_PARAMETER_GAMMA,
    SQ_PARAMETER_BETA,
    SQ_PARAMETER_MEAN,
    SQ_PARAMETER_VARIANCE
} sq_parameter_kind;

typedef struct {
    char name[128]; /* PyTorch module path: "features.3.1.branch_main.0.weight" */
    sq_parameter_kind kind;
    int layer, choice;
    int dims[4], dim_count; /* as PyTorch has them */
    sq_role role;           /* WEIGHT or STATISTICS */
    size_t offset;          /* bytes from the role's base */
    size_t count;
} sq_parameter;

/* Where a block's regions begin, bytes from each role's base, and (after a build) how many bytes it takes of each. */
typedef struct {
    size_t at[SQ_ROLES], bytes[SQ_ROLES];
    size_t boundary_in, boundary_out;           /* offsets in BOUNDARY */
    size_t boundary_grad_in, boundary_grad_out; /* offsets in BOUNDARY_GRAD */
} sq_region;

typedef struct {
    int batch;
    sq_dtype activation; /* of boundaries, raw outputs and their gradients, as the backend wants them; logits are FP32 */
    int alignment;       /* their channels are padded to a multiple of this; 0: 1 */
    float label_smoothing;       /* of the classifier's loss in FORWARD */
    bool is_supernet;            /* names carry the choice: "features.3.1.x"; else "features.3.x" */
    bool has_average;            /* UPDATE keeps the moving average */
    bool keeps_boundaries;       /* of a model that does not train: each in a place of its own, not two in turn */
    float mean[3], deviation[3]; /* of the pixels, RGB, after scaling to 0..1; deviation 0: not normalised */
    bool is_raw, is_bgr;         /* pixels stay 0..255; channels in the order blue, green, red */
} sq_block_options;

/* Builds one graph. `region` gives the offsets and receives the bytes; offsets inside a role are the same in all modes.
 * The classifier's FORWARD computes loss and logits gradient, EVALUATE and COLLECT the loss alone. SQ_UPDATE covers the
 * block's whole range of weights. Clear the graph with sq_graph_clear. */
SQ_MUST_USE sq_status sq_block_build(const sq_space *space, int layer, int choice, sq_mode mode,
                                     const sq_block_options *options, sq_region *region, sq_graph *out);

/* The block's parameters in the order in which they lie in memory: weights with decay, then for each convolution its
 * norm, statistics and biases. Writes at most `limit`; returns how many there are. `region` gives the offsets. */
int sq_block_parameters(const sq_space *space, int layer, int choice, const sq_block_options *options,
                        const sq_region *region, sq_parameter *out, int limit);

/* Dtype and pitch of the tensor that layer `boundary` reads, or (boundary = layer_count) of the logits. */
sq_dtype sq_block_boundary_dtype(const sq_space *space, const sq_block_options *options, int boundary);
int sq_block_boundary_pitch(const sq_space *space, const sq_block_options *options, int boundary);

/* Offsets inside ROLE_INPUT for a batch: images at 0, then labels, then augmentation; bytes in all. */
typedef struct {
    size_t images, labels, augment, bytes;
} sq_input_layout;
sq_input_layout sq_block_input(const sq_space *space, int batch);

#endif
