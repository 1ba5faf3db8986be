#ifndef SQ_DESCRIBER_H
#define SQ_DESCRIBER_H

#include "supernet/space/block_description.h"

/* Functions with which the block kinds in supernet/space/blocks describe their units. `source` is the index of the unit
 * whose output a new unit reads; SQ_NONE: the block's input. A new unit has a norm and no activation. */

typedef struct sq_describer {
    const sq_space *space;
    const sq_layer *layer;
    const sq_choice *choice;
    sq_activation activation; /* of the choice if it has one, else of the layer */
    sq_description *out;
} sq_describer;

/* These functions append a unit and return the unit's index. */
int sq_describer_conv(sq_describer *d, int source, int c_out, int kernel, int stride);
int sq_describer_pointwise(sq_describer *d, int source, int c_out);
int sq_describer_depthwise(sq_describer *d, int source, int kernel, int stride);

/* Gives the unit's output the block's activation. */
void sq_describer_activate(sq_describer *d, int unit);
/* Adds squeeze-and-excitation to the unit's output if the choice has it. module: name below the block's prefix. */
void sq_describer_excite(sq_describer *d, int unit, const char *module);

/* Set the module names of a unit's convolution and norm: entries `index` and `index + 1` of a torch.nn.Sequential
 * called `module`, or the members "conv" and "bn" of `module`. module "": the block itself. */
void sq_describer_name_sequential(sq_describer *d, int unit, const char *module, int index);
void sq_describer_name_members(sq_describer *d, int unit, const char *module);

/* Ends the block with the output of `unit`. If has_residual is set, and input and output of the block have the same
 * shape, the block's input is added. */
void sq_describer_end(sq_describer *d, int unit, bool has_residual);

#endif
