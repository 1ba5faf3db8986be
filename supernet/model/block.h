#ifndef SQ_BLOCK_H
#define SQ_BLOCK_H

#include "supernet/space/space.h"

/* Builds the graph of one block in one mode, and lists the names and shapes of the block's parameters. Every backend
 * and the export read these graphs. */

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
    int dims[4], dim_count; /* PyTorch's shape */
    sq_role role;           /* WEIGHT or STATISTICS */
    size_t offset;          /* bytes from the role's base */
    size_t count;
} sq_parameter;

/* The part of each role's memory that a block uses. */
typedef struct {
    size_t at[SQ_ROLES];                        /* start of the part, in bytes from the role's base */
    size_t bytes[SQ_ROLES];                     /* size of the part; sq_block_build writes it */
    size_t boundary_in, boundary_out;           /* offsets in BOUNDARY */
    size_t boundary_grad_in, boundary_grad_out; /* offsets in BOUNDARY_GRAD */
} sq_region;

typedef struct {
    int batch;
    sq_dtype activation;   /* the backend's type for boundaries, raw outputs and their gradients. Logits are FP32 */
    int alignment;         /* channels of these tensors are padded to a multiple of `alignment`; 0 means 1 */
    float label_smoothing; /* of the classifier's loss in FORWARD */
    bool is_supernet;      /* parameter names contain the choice: "features.3.1.x" instead of "features.3.x" */
    bool has_average;      /* UPDATE maintains the moving average of the weights */
    bool keeps_boundaries; /* every boundary has its own memory; false: without training, two buffers alternate */
    float mean[3], deviation[3]; /* of the pixels, RGB, after scaling to 0..1; deviation 0: no normalisation */
    bool is_raw;                 /* pixels stay in 0..255 */
    bool is_bgr;                 /* channels in the order blue, green, red */
} sq_block_options;

/* Builds one graph, which the caller frees with sq_graph_clear. `region` gives the offsets and receives the sizes. A
 * tensor has the same offset in all modes. The classifier computes the loss in FORWARD, EVALUATE and COLLECT, and the
 * gradient of the logits in FORWARD. SQ_UPDATE updates all weights of the block. */
SQ_MUST_USE sq_status sq_block_build(const sq_block_id *block, sq_mode mode, const sq_block_options *options,
                                     sq_region *region, sq_graph *out);

/* Lists the block's parameters in memory order: weights with decay, then norms, statistics and biases of each
 * convolution. Writes at most `limit` parameters to `out`, and returns the number of all parameters. `region` gives the
 * offsets. */
int sq_block_parameters(const sq_block_id *block, const sq_block_options *options, const sq_region *region,
                        sq_parameter *out, int limit);

#endif
