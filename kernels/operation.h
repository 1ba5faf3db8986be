#ifndef SQ_OPERATION_H
#define SQ_OPERATION_H

#include <stdint.h>

#include "kernels/slot.h"

/* The kinds of operations, their operands and the scalars of a step. operation.c has one row per kind, with the name
 * and the check of the operands. */

/* The statistics that a norm uses. */
typedef enum {
    SQ_STATISTICS_BATCH,   /* training: of the batch; then running += (batch - running) * step.statistics_rate */
    SQ_STATISTICS_COLLECT, /* calibration: as BATCH (rate 1/i yields a plain mean); nothing is saved for backward */
    SQ_STATISTICS_FIXED,   /* evaluation: the running statistics */
    SQ_STATISTICS_MODES
} sq_statistics;

/* Kinds of operations, and the operands that each kind uses. All other operands are SQ_NONE. [x] marks an optional
 * operand. "G of v" is the gradient of the loss with respect to the value that view v shows. An operation that computes
 * G of a view with a norm and without a gate also writes S1 and S2 of that norm. If step.accumulate is 0, weight
 * gradients are overwritten. If step.accumulate is 1, new gradients are added to the old ones. */
typedef enum {
    SQ_OP_IMAGE,       /* out = normalise(jitter(flip(x))): x uint8 (n,h,w,3) RGB; [augment] */
    SQ_OP_CONV,        /* out = conv(x, weight), raw, padding k/2; then statistics, scale and shift of out_norm */
    SQ_OP_CONV_BACK,   /* z, out_norm, grad (G of z) -> weight_grad; gamma and beta gradients are S2 and S1;
                        * [dx] = G of x [+ addend] */
    SQ_OP_GATE,        /* out = gate_activation(weight2 relu(weight mean_hw(x) + bias) + bias2); saves pooled and hidden
                        * for GATE_BACK. Hu et al. 2018 */
    SQ_OP_GATE_BACK,   /* grad = gradient of gate * x -> dx = G of x (dx may be the slot of grad), weight gradients */
    SQ_OP_JOIN,        /* ADD: out = x [+ y]; CONCAT: out = [y | x] by logical channels, y optional */
    SQ_OP_JOIN_BACK,   /* grad = gradient of out -> [dx] = G of x, [dy] = G of y. If dx or dy is the slot of grad (ADD
                        * only), the slot is kept and only S1 and S2 are written */
    SQ_OP_POOL,        /* out (n,1,1,c) = mean_hw(x), then dropout in mode BATCH */
    SQ_OP_POOL_BACK,   /* grad (n,1,1,c) -> dx = G of x */
    SQ_OP_LINEAR,      /* out (n,1,1,classes) = x weight^T [+ bias] */
    SQ_OP_LINEAR_BACK, /* grad -> [dx], weight_grad, [bias_grad] */
    SQ_OP_LOSS,        /* x (logits), labels -> out (sq_result); [dx] = gradient of the mean loss over valid images */
    SQ_OP_UPDATE, /* SGD on weight with weight_grad and momentum, [average]: whole slots. Weight decay applies to the
                   * first decayed_count elements */
    SQ_OP_KINDS
} sq_op_kind;

typedef enum { SQ_JOIN_ADD, SQ_JOIN_CONCAT, SQ_JOIN_MODES } sq_join_mode;

/* Integer operands are indices of slots unless stated otherwise. */
typedef struct {
    sq_op_kind kind;
    sq_view x, y;       /* inputs */
    int weight, bias;   /* CONV (c_out, c_in, k, k), depthwise (c, 1, k, k); LINEAR (c_out, c_in); GATE (r, c), (r) */
    int weight2, bias2; /* GATE (c, r), (c) */
    int weight_grad, bias_grad, weight2_grad, bias2_grad;
    int out, out_norm;        /* slot of the output of a forward operation; index of the output's norm */
    sq_view z;                /* CONV_BACK: the raw output with its norm and activation */
    int grad;                 /* the incoming gradient */
    int dx, dy;               /* outgoing gradients */
    sq_part dx_part, dy_part; /* the channels of dx and dy that are written */
    int addend;               /* CONV_BACK: added to dx, with the same part */
    int augment;              /* IMAGE: F32 (n, SQ_AUGMENT_COUNT) */
    int pooled, hidden;       /* GATE, GATE_BACK: F32 (n,1,1,c), the mean over h and w; (n,1,1,r), after relu */
    int labels;               /* LOSS: I32 (n) */
    int momentum, average;    /* UPDATE: F32, one value per weight */
    int kernel, stride;       /* CONV, CONV_BACK */
    bool is_depthwise;
    sq_statistics statistics;
    sq_join_mode join;
    sq_activation gate_activation; /* SQ_SIGMOID or SQ_HSIGMOID */
    float dropout;                 /* POOL: rate, 0 <= rate < 1 */
    float label_smoothing;         /* LOSS: 0 <= smoothing < 1 */
    size_t decayed_count;          /* UPDATE */
    float mean[3], deviation[3];   /* IMAGE: out = (pixel / 255 - mean) / deviation, or the pixel itself if is_raw */
    bool is_raw, is_bgr;           /* IMAGE: pixels stay in 0..255; red and blue are swapped after the jitter */
} sq_op;

/* Returns an operation without operands, with which every initialiser begins. */
sq_op sq_op_make(sq_op_kind kind);

/* Returns the name of a kind ("conv_back"), for dumps and errors, or "unknown" for a value that is not a kind. */
const char *sq_op_name(sq_op_kind kind);

/* Augmentation parameters of an image, stored as floats: flip (0 or 1), order of the jitter (0..5, or -1 for no
 * jitter), three factors. */
enum {
    SQ_AUGMENT_FLIP,
    SQ_AUGMENT_ORDER,
    SQ_AUGMENT_BRIGHTNESS,
    SQ_AUGMENT_CONTRAST,
    SQ_AUGMENT_SATURATION,
    SQ_AUGMENT_COUNT = 8
};

/* The scalars of a step. An sq_step is in device memory, so that recorded programs never hold outdated values. */
typedef struct {
    uint64_t seed, step;
    float learning_rate, momentum, weight_decay;
    float statistics_rate; /* 0.1 in training, 1/i in calibration */
    float average_decay;   /* average = decay * average + (1 - decay) * weight */
    float gradient_scale;  /* factor of the loss gradient: 1 / (paths per step) */
    int32_t accumulate;    /* 0: weight gradients are overwritten; 1: new gradients are added to them */
    int32_t valid_count;   /* number of valid images in the batch; the remaining images are padding */
    int32_t first_image;   /* index of the batch's first image among those of all ranks; selects the dropout masks */
} sq_step;

typedef struct {
    double loss; /* sum over images, natural logarithm; label smoothing only in mode BATCH */
    int64_t top1,
        top5; /* images whose label is among the 1 or 5 largest logits; ties rank the lower class index first */
    int64_t images;
    int64_t nonfinite; /* images whose loss is NaN or infinite */
} sq_result;

#endif
