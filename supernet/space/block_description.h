#ifndef SQ_BLOCK_DESCRIPTION_H
#define SQ_BLOCK_DESCRIPTION_H

#include "supernet/space/space.h"

/* A block as data: its units, the input of each unit, and the join that ends the block. Graphs, parameter names, costs,
 * latency keys and exports all follow from this description. */

enum { SQ_MAX_UNITS = 8 };

/* One convolution with its norm, activation and optional squeeze-and-excitation. */
typedef struct {
    int c_in, c_out, kernel, stride;
    bool is_depthwise;
    sq_activation activation; /* of the unit's output */
    int source;               /* index of the unit whose output this unit reads; SQ_NONE: the block's input */
    sq_part part;             /* channels of the block's input that this unit reads */
    int se_channels;          /* hidden channels of squeeze-and-excitation on the unit's output; 0: none */
    sq_activation gate_activation;
    int h_in, w_in, h_out, w_out;
    char conv[40], norm[40], se[40]; /* module names below the block's prefix */
} sq_unit;

typedef struct {
    sq_unit units[SQ_MAX_UNITS];
    int unit_count;
    sq_join_mode join;
    int main, side; /* units that the join reads as x and y, or SQ_NONE */
    bool has_pass;  /* the join reads the block's input as y; as x if main is SQ_NONE */
    sq_part pass;   /* channels of the block's input that the join reads */
    bool is_classifier;
} sq_description;

void sq_describe_block(const sq_space *space, int layer, int choice, sq_description *out);

/* Writes the module path of a block with a trailing dot ("features.3.1."). is_supernet: the path contains the choice's
 * number. */
void sq_describe_prefix(const sq_block_id *block, bool is_supernet, char *text, size_t bytes);

#endif
