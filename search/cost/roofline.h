#ifndef SQ_ROOFLINE_H
#define SQ_ROOFLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "supernet/space/space.h"

/* The roofline model predicts milliseconds on a device that is described and not measured. Each operation takes
 *     max(operations * waste / gops_per_s, bytes / gb_per_s) + launch_us.
 * `waste` is the factor by which rounding the channels up to the device's parallelism increases the work. An operation
 * that the device fuses with its producer costs only the memory traffic of the operands that the producer did not
 * write. Source: Wess et al. 2021, ANNETTE (arXiv 2105.03176), refined roofline, formula 3; fusion by pairs of
 * operations as in nn-Meter (Zhang et al. 2021, section 4). Two deviations from ANNETTE: a launch time is added, and
 * `waste` multiplies only the operations and not the maximum. */

typedef enum {
    SQ_ROOFLINE_CONV,
    SQ_ROOFLINE_DEPTHWISE,
    SQ_ROOFLINE_LINEAR,
    SQ_ROOFLINE_POOL,
    SQ_ROOFLINE_ELEMENTWISE, /* not an operation; its rates are the defaults of add, multiply, concat and shuffle */
    SQ_ROOFLINE_ACTIVATION,  /* not an operation; its rates are the defaults of the activations */
    SQ_ROOFLINE_GLOBAL_POOL,
    SQ_ROOFLINE_ADD,
    SQ_ROOFLINE_MULTIPLY, /* tensor times one value per channel */
    SQ_ROOFLINE_CONCAT,
    SQ_ROOFLINE_SHUFFLE, /* copy that reorders or splits channels */
    SQ_ROOFLINE_RELU,
    SQ_ROOFLINE_RELU6,
    SQ_ROOFLINE_HSWISH,
    SQ_ROOFLINE_SIGMOID,
    SQ_ROOFLINE_HSIGMOID,
    SQ_ROOFLINE_CLASSES
} sq_roofline_class;

const char *sq_roofline_name(sq_roofline_class kind);        /* "conv": the word in files */
sq_roofline_class sq_roofline_find(const char *name);        /* SQ_ROOFLINE_CLASSES: unknown name */
bool sq_roofline_is_operation(sq_roofline_class kind);       /* false: the class only has rates */
sq_roofline_class sq_roofline_stand_in(sq_roofline_class k); /* class whose rates apply if k has none; k: no other
                                                              * class */

typedef struct {
    double gops_per_s; /* 10^9 operations per second; a multiply-add counts as 2, any other computed value as 1 */
    double gb_per_s;   /* 10^9 bytes per second */
    double launch_us;
    int c_in_step, c_out_step; /* the device rounds channels up to a multiple of this; 1: no rounding */
    /* 0..1, the share of the rounded-up work that costs time: waste = 1 - share + share * rounded / c */
    double c_in_share, c_out_share;
} sq_roofline_rate;

typedef struct {
    double bytes_per_value, bytes_per_weight;
    sq_roofline_rate rates[SQ_ROOFLINE_CLASSES];
    bool is_fused[SQ_ROOFLINE_CLASSES][SQ_ROOFLINE_CLASSES]; /* [producer][consumer] */
} sq_roofline;

typedef struct {
    sq_roofline_class kind;
    int h_in, w_in, c_in, h_out, w_out, c_out;
    int kernel, stride, groups;
    sq_activation activation; /* of the output; SQ_LINEAR: none */
    bool follows;             /* this operation is the only reader of the previous operation's output */
} sq_roofline_operation;

/* Returns the milliseconds of one operation without its activation and without fusion. */
double sq_roofline_operation_ms(const sq_roofline *roofline, const sq_roofline_operation *operation);

/* Returns the milliseconds of a sequence of operations with activations and fusion. */
double sq_roofline_operations_ms(const sq_roofline *roofline, const sq_roofline_operation *operations, size_t count);

/* Writes the operations of a block (convolutions, gates, joins) to `operations`. Returns the number of operations,
 * which is at most SQ_ROOFLINE_BLOCK_LIMIT. */
enum { SQ_ROOFLINE_BLOCK_LIMIT = 64 };
int sq_roofline_list(const sq_space *space, int layer, int choice, sq_roofline_operation *operations);
SQ_MUST_USE sq_status sq_roofline_block(const sq_roofline *roofline, const sq_space *space, int layer, int choice,
                                        double *ms);

#endif
