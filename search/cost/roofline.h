#ifndef SQ_ROOFLINE_H
#define SQ_ROOFLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "supernet/space/space.h"

/* Analytic milliseconds on a device that is described, not measured: each operation takes
 *     max(operations * waste / gops_per_s, bytes / gb_per_s) + launch_us,
 * where waste rounds channels up to the device's parallelism, and operations that the device fuses with their producer
 * take nothing but the memory traffic of operands that the producer did not have.
 * Source: Wess et al. 2021, ANNETTE (arXiv 2105.03176), refined roofline, formula 3; fusion by pairs as in nn-Meter
 * (Zhang et al. 2021, section 4). Unlike ANNETTE there is a launch time, and the waste is also asked for when memory
 * bounds (max of both, not a factor on the winner). */

typedef enum {
    SQ_ROOFLINE_CONV,
    SQ_ROOFLINE_DEPTHWISE,
    SQ_ROOFLINE_LINEAR,
    SQ_ROOFLINE_POOL,
    SQ_ROOFLINE_ELEMENTWISE, /* never an operation itself: what stands for add, multiply, concat, shuffle unless told */
    SQ_ROOFLINE_ACTIVATION,  /* likewise for the activations */
    SQ_ROOFLINE_GLOBAL_POOL, /* unless told: pool */
    SQ_ROOFLINE_ADD,
    SQ_ROOFLINE_MULTIPLY, /* of a tensor with one value a channel */
    SQ_ROOFLINE_CONCAT,
    SQ_ROOFLINE_SHUFFLE, /* channels reordered or split: a copy */
    SQ_ROOFLINE_RELU,
    SQ_ROOFLINE_RELU6,
    SQ_ROOFLINE_HSWISH,
    SQ_ROOFLINE_SIGMOID,
    SQ_ROOFLINE_HSIGMOID,
    SQ_ROOFLINE_CLASSES
} sq_roofline_class;

const char *sq_roofline_name(sq_roofline_class kind); /* "conv", ...; as files write it */

typedef struct {
    double gops_per_s; /* 1e9 operations a second; a multiply-add is 2, any other value computed is 1 */
    double gb_per_s;   /* 1e9 bytes a second */
    double launch_us;
    int c_in_step, c_out_step; /* channels are processed in steps of so many; 1: any */
    double c_in_share,
        c_out_share; /* 0..1, how much of the rounding is lost: waste = 1 - share + share * rounded / c */
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
    bool follows;             /* it reads what the operation before it wrote, and nobody else reads that */
} sq_roofline_operation;

/* Reads roofline.yaml (configs/devices/README.md documents its keys). SQ_INVALID: file, line or key, and why. */
SQ_MUST_USE sq_status sq_roofline_read(sq_roofline *out, const char *path);

/* Milliseconds of one operation without its activation and without fusion. */
double sq_roofline_operation_ms(const sq_roofline *roofline, const sq_roofline_operation *operation);

/* Milliseconds of operations one after another, activations and fusion included. */
double sq_roofline_operations_ms(const sq_roofline *roofline, const sq_roofline_operation *operations, size_t count);

/* The operations of a block: its units, gates, joins. Returns how many; `operations` holds SQ_ROOFLINE_BLOCK_LIMIT. */
enum { SQ_ROOFLINE_BLOCK_LIMIT = 64 };
int sq_roofline_list(const sq_space *space, int layer, int choice, sq_roofline_operation *operations);
SQ_MUST_USE sq_status sq_roofline_block(const sq_roofline *roofline, const sq_space *space, int layer, int choice,
                                        double *ms);

/* A network as a CSV of operations: class,h_in,w_in,c_in,h_out,w_out,c_out,kernel,stride,groups,activation,follows.
 * SQ_INVALID: file:line and why. */
SQ_MUST_USE sq_status sq_roofline_network(const sq_roofline *roofline, const char *csv_path, double *ms);

/* Whole networks of a device's checks.csv (network,operations_csv,ms,device,source), predicted. operations_csv is
 * relative to the file. A device without published figures has a file with only the header: count 0. */
typedef struct {
    char network[SQ_NAME_BYTES], device[128];
    double measured, predicted;
} sq_roofline_check;
SQ_MUST_USE sq_status sq_roofline_checks(const sq_roofline *roofline, const char *csv_path, sq_roofline_check **out,
                                         size_t *count); /* free(*out) */

#endif
