#ifndef SQ_DESCRIBE_H
#define SQ_DESCRIBE_H

#include "supernet/model/block.h"

/* What a block is made of, as data: its units, what each reads, and how the join ends it. Graphs, parameter names and
 * costs all follow from this table. Internal to block.c and parameters.c; everybody else reads graphs. */

enum { SQ_MAX_UNITS = 8 };

typedef struct {
    int c_in, c_out, kernel, stride;
    bool is_depthwise;
    sq_activation activation; /* of the unit's output */
    int source;               /* the unit whose output it reads, or SQ_NONE: the block's input */
    sq_part part;             /* of the block's input */
    int se_channels;          /* > 0: squeeze-and-excitation on its output, with so many hidden channels */
    sq_activation gate_activation;
    int h_in, w_in, h_out, w_out;
    char conv[40], norm[40], se[40]; /* module names below the block's prefix */
} sq_unit;

typedef struct {
    sq_unit units[SQ_MAX_UNITS];
    int unit_count;
    sq_join_mode join;
    int main, side; /* units that the join reads as x and y, or SQ_NONE */
    bool has_pass;  /* the join's y (or x, without main) is the block's input */
    sq_part pass;   /* which part of it */
    bool is_classifier;
} sq_description;

void sq_describe_block(const sq_space *space, int layer, int choice, sq_description *out);

/* Module path of a block, with the dot at its end ("features.3.1."). */
void sq_describe_prefix(const sq_space *space, int layer, int choice, bool is_supernet, char *text, size_t bytes);

#endif
