#ifndef SQ_GRAPH_H
#define SQ_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* What one program does: a short list of operations over slots. Every layer's block, in each mode, is one such graph; a
 * backend compiles it once for fixed addresses and runs it many times. Layout is NHWC everywhere.
 *
 * The rule to know: between units a tensor is raw. A convolution writes Z; whoever reads it sees the value
 *     v(n,h,w,i) = gate(n,i) * activation(scale_i * Z(n,h,w,i) + shift_i)
 * through an sq_view, and the activated tensor is never stored inside a block. A join ends a block and stores a plain
 * tensor. (Design, section 3.) */

#define SQ_NONE (-1)

typedef enum { SQ_F32, SQ_BF16, SQ_I32, SQ_U8, SQ_BYTES } sq_dtype;

/* Who writes a slot's bytes, and how long they live. A model makes one allocation per role. */
typedef enum {
    SQ_ROLE_INPUT,         /* uint8 images, labels, parameters of their augmentation: written by the host each step */
    SQ_ROLE_BOUNDARY,      /* block outputs: boundary l is what layer l reads; kept until its backward */
    SQ_ROLE_BOUNDARY_GRAD, /* their gradients, two buffers in turn */
    SQ_ROLE_WEIGHT,        /* trained parameters, FP32 master, PyTorch's layout; contiguous per (layer, choice) */
    SQ_ROLE_WEIGHT_GRAD,   /* the same offsets as WEIGHT */
    SQ_ROLE_MOMENTUM,      /* the same offsets as WEIGHT */
    SQ_ROLE_AVERAGE,       /* exponential moving average of the weights; the same offsets as WEIGHT */
    SQ_ROLE_STATISTICS,    /* running mean and variance of every norm */
    SQ_ROLE_SAVED,         /* written by forward, read by backward of the same choice; a region per layer */
    SQ_ROLE_SCRATCH,       /* dead when the program ends; all programs share it */
    SQ_ROLE_WORKSPACE, /* partial results and repacked weights of the program that runs; the backend says how many bytes
                        */
    SQ_ROLE_STEP,      /* one sq_step: the scalars of the current step */
    SQ_ROLE_RESULT,    /* one sq_result: sums over the batches since it was cleared */
    SQ_ROLES
} sq_role;

typedef struct {
    sq_role role;
    sq_dtype dtype;
    int n, h, w, c; /* logical shape; c counts the channels that exist for the user */
    int pitch;      /* elements from one pixel to the next, >= c; what lies between stays zero */
    bool is_split;  /* stored as [even channels | odd channels], halves of pitch / 2: the next layer's shuffle, done */
    size_t offset;  /* bytes from the role's base; a multiple of 64 */
} sq_slot;

/* Elements that a slot takes: n * h * w * pitch. */
size_t sq_slot_count(const sq_slot *slot);
size_t sq_slot_bytes(const sq_slot *slot);
size_t sq_dtype_bytes(sq_dtype dtype);

typedef enum { SQ_LINEAR, SQ_RELU, SQ_RELU6, SQ_HSWISH, SQ_SIGMOID, SQ_HSIGMOID, SQ_ACTIVATIONS } sq_activation;

/* Name as configurations write it ("linear", "relu", ...), and back; SQ_ACTIVATIONS when unknown. */
const char *sq_activation_name(sq_activation activation);
sq_activation sq_activation_find(const char *name);

/* hswish(x) = x * clamp(x + 3, 0, 6) / 6; hsigmoid(x) = clamp(x + 3, 0, 6) / 6 (Howard et al. 2019, section 5.2).
 * The derivative is that of the pre-activation; at a kink it is 0 from below, as in PyTorch. */
float sq_activate(sq_activation activation, float x);
float sq_activate_slope(sq_activation activation, float x);

typedef enum { SQ_ALL, SQ_EVEN, SQ_ODD } sq_part; /* which logical channels of the slot a view sees */

typedef struct {
    int slot; /* SQ_NONE: the operand is absent */
    int norm; /* index of the pending normalisation, or SQ_NONE: the slot's values are taken as they are */
    sq_activation activation;
    int gate;     /* slot (n,1,1,c) multiplied on after the activation, or SQ_NONE */
    sq_part part; /* SQ_EVEN, SQ_ODD only of plain boundary slots: c / 2 channels */
} sq_view;

/* Channel i of the view is stored at channel first + i * step of the slot; the view has `c` channels. */
typedef struct {
    int first, step, c;
} sq_channels;
sq_channels sq_view_channels(const sq_slot *slot, sq_part part);

/* Where logical channel i of a slot is stored (differs from i only in split slots). */
int sq_slot_channel(const sq_slot *slot, int i);

/* Batch normalisation of one convolution's output (Ioffe and Szegedy 2015). */
typedef struct {
    int c;
    int gamma, beta;                    /* WEIGHT slots (c), or SQ_NONE: gamma 1, beta 0 */
    int gamma_grad, beta_grad;          /* WEIGHT_GRAD slots, or SQ_NONE */
    int running_mean, running_variance; /* STATISTICS slots (c); unbiased variance, as PyTorch keeps it */
    int live;                           /* slot (SQ_LIVE_ROWS, c): see below; SAVED or SCRATCH */
    float epsilon;
} sq_norm;

enum {                  /* rows of a norm's live slot; row r begins at element r * pitch */
       SQ_LIVE_SCALE,   /* a = gamma * inverse */
       SQ_LIVE_SHIFT,   /* b = beta - mean * a */
       SQ_LIVE_MEAN,    /* of this batch, or the running one */
       SQ_LIVE_INVERSE, /* 1 / sqrt(variance + epsilon); the batch's variance is the biased one */
       SQ_LIVE_S1,      /* sum of dY over (n,h,w), dY = G * activation'(a Z + b); written by the producer of G */
       SQ_LIVE_S2,      /* sum of dY * xhat, xhat = (Z - mean) * inverse */
       SQ_LIVE_BY_Z,    /* cuda only, made with S1 and S2: dZ = scale * dY + by_z * Z + constant */
       SQ_LIVE_CONSTANT,
       SQ_LIVE_ROWS
};

typedef enum {
    SQ_STATISTICS_BATCH, /* training: normalise with this batch; running += (batch - running) * step.statistics_rate */
    SQ_STATISTICS_COLLECT, /* calibration: the same arithmetic (rate 1/i makes it a plain mean); saves nothing else */
    SQ_STATISTICS_FIXED    /* evaluation: normalise with the running statistics */
} sq_statistics;

/* Kinds, and the operands that each uses; all others are SQ_NONE. "G of v" is the gradient of the loss with respect to
 * the value that the view v shows. An operation that produces the G of a view with a norm and without a gate also
 * writes that norm's S1 and S2. Gradients of weights are written when step.accumulate is 0 and added when it is 1. */
typedef enum {
    SQ_OP_IMAGE,     /* out = normalise(jitter(flip(x))): x uint8 (n,h,w,3) RGB, augment optional */
    SQ_OP_CONV,      /* out(raw) = conv(x, weight), same padding k/2; then statistics, scale and shift of out_norm */
    SQ_OP_CONV_BACK, /* z, out_norm, grad (G of z's view) -> weight_grad, gamma/beta grads = S2, S1; dx = G of x
                      * [+ addend], unless dx is none */
    SQ_OP_GATE,      /* out = gate_activation(w2 relu(w1 mean_hw(x) + b1) + b2); pooled and hidden keep the mean
                      * and the values after relu for GATE_BACK (Hu et al. 2018) */
    SQ_OP_GATE_BACK, /* grad = gradient of gate * x -> dx = G of x (may be grad's slot), S1, S2, weight gradients */
    SQ_OP_JOIN,      /* mode ADD: out = x [+ y]; mode CONCAT: out = [y | x] by logical channels; x or y may be absent */
    SQ_OP_JOIN_BACK, /* grad = gradient of out. dx, dy = G of x, y; a dx or dy that is the grad slot itself (ADD only)
                      * is not written, only its S1 and S2 are; absent: not needed */
    SQ_OP_POOL,      /* out (n,1,1,c) = mean_hw(x), then dropout in mode BATCH */
    SQ_OP_POOL_BACK, /* grad (n,1,1,c) -> dx = G of x */
    SQ_OP_LINEAR,    /* out (n,1,1,classes) = x weight^T [+ bias] */
    SQ_OP_LINEAR_BACK, /* grad -> dx, weight_grad, bias_grad */
    SQ_OP_LOSS,        /* x logits, labels -> out, the result; dx (may be none) = gradient, mean over valid images */
    SQ_OP_UPDATE, /* SGD on weight from weight_grad; updates momentum and average (optional): whole slots. The first
                   * decayed_count elements have weight decay */
    SQ_OP_KINDS
} sq_op_kind;

typedef enum { SQ_JOIN_ADD, SQ_JOIN_CONCAT } sq_join_mode;

typedef struct {
    sq_op_kind kind;
    sq_view x, y;       /* inputs */
    int weight, bias;   /* CONV (c_out, c_in, k, k), depthwise (c, 1, k, k), LINEAR (c_out, c_in); GATE: w1 */
    int weight2, bias2; /* GATE: w2 (c, r), b2; bias is b1, weight w1 (r, c) */
    int weight_grad, bias_grad, weight2_grad, bias2_grad;
    int out, out_norm;        /* what forward writes */
    sq_view z;                /* CONV_BACK: the raw output with its norm and activation */
    int grad;                 /* gradient that comes in; for a gated or concatenated value see the kinds */
    int dx, dy;               /* gradients that go out */
    sq_part dx_part, dy_part; /* which channels of those slots */
    int addend;               /* CONV_BACK: slot added to dx, same part */
    int augment;              /* IMAGE: F32 slot (n, SQ_AUGMENT_COUNT) */
    int pooled, hidden;    /* GATE, GATE_BACK: F32 slots (n,1,1,c), the mean over h and w, and (n,1,1,r), after relu */
    int labels;            /* LOSS: I32 slot (n) */
    int momentum, average; /* UPDATE: F32 slots with one value for each weight */
    int kernel, stride;
    bool is_depthwise;
    sq_statistics statistics;
    sq_join_mode join;
    sq_activation gate_activation; /* SQ_SIGMOID or SQ_HSIGMOID */
    float dropout;                 /* POOL */
    float label_smoothing;         /* LOSS */
    size_t decayed_count;          /* UPDATE */
    float mean[3], deviation[3];   /* IMAGE: out = (pixel / 255 - mean) / deviation, or pixel itself if is_raw */
    bool is_raw, is_bgr;           /* IMAGE: keep 0..255; swap red and blue after the jitter */
} sq_op;

/* All operands absent: the start of every initialiser. */
sq_op sq_op_make(sq_op_kind kind);
sq_view sq_view_none(void);
sq_view sq_view_plain(int slot, sq_part part);
sq_view sq_view_pending(int slot, int norm, sq_activation activation, int gate);

enum {
    SQ_AUGMENT_FLIP,
    SQ_AUGMENT_ORDER,
    SQ_AUGMENT_BRIGHTNESS,
    SQ_AUGMENT_CONTRAST,
    SQ_AUGMENT_SATURATION,
    SQ_AUGMENT_COUNT = 8
}; /* floats an image: flip 0 or 1; order 0..5, or -1: no jitter; three factors */

/* The scalars of a step. They live in device memory, so that recorded programs never go stale. */
typedef struct {
    uint64_t seed, step;
    float learning_rate, momentum, weight_decay;
    float statistics_rate; /* 0.1 in training, 1/i in calibration */
    float average_decay;   /* EMA: average = decay * average + (1 - decay) * weight */
    float gradient_scale;  /* multiplies the loss gradient; 1 / (paths per step) */
    int32_t accumulate;    /* 0: weight gradients are written, 1: added */
    int32_t valid_count;   /* images of the batch that count; the rest is filling */
    int32_t first_image;   /* this batch's among those of all ranks: each image has dropout of its own */
} sq_step;

typedef struct {
    double loss;        /* sum over images, natural logarithm, label smoothing included in mode BATCH only */
    int64_t top1, top5; /* right among the first one, five; ties go to the lower class index */
    int64_t images;
    int64_t nonfinite; /* images whose loss is NaN or infinite */
} sq_result;

typedef struct {
    char name[128]; /* for traces and errors: "layer 7 shuffle_5x5 backward" */
    sq_slot *slots;
    sq_norm *norms;
    sq_op *ops; /* in execution order */
    int slot_count, norm_count, op_count;
    int slot_limit, norm_limit, op_limit;
} sq_graph;

/* A graph grows while it is built; a failed allocation is kept and reported by sq_graph_check. Indices are returned. */
int sq_graph_slot(sq_graph *graph, sq_slot slot);
int sq_graph_norm(sq_graph *graph, sq_norm norm);
void sq_graph_op(sq_graph *graph, sq_op op);
void sq_graph_clear(sq_graph *graph); /* frees everything; the graph is zero again */

/* Checks that every operand has the shape that its kind documents. SQ_INVALID names graph, operation and operand. */
SQ_MUST_USE sq_status sq_graph_check(const sq_graph *graph);

/* Name of a kind ("conv_back"), for dumps and errors. */
const char *sq_op_name(sq_op_kind kind);

#endif
