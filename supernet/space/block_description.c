/* Describes a block by calling the function of its kind. */
#include "supernet/space/block_description.h"

#include <stdio.h>

#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

void sq_describe_block(const sq_space *space, int layer, int choice, sq_description *out)
{
    const sq_block_id block = {space, layer, choice};
    *out = (sq_description){.join = SQ_JOIN_ADD, .main = SQ_NONE, .side = SQ_NONE, .pass = SQ_ALL};
    sq_describer d = {.space = space,
                      .layer = sq_block_layer(&block),
                      .choice = sq_block_choice(&block),
                      .activation = sq_block_activation(&block),
                      .out = out};
    sq_block_kind_of(d.choice->kind)->describe(&d);
}

void sq_describe_prefix(const sq_block_id *block, bool is_supernet, char *text, size_t bytes)
{
    const sq_layer *layer = sq_block_layer(block);
    const sq_block_kind kind = sq_block_choice(block)->kind;
    const bool is_spos = block->space->naming == SQ_NAMES_SPOS;
    const int number = block->layer - 1; /* the stem is not counted */
    if (kind == SQ_BLOCK_CLASSIFIER)
        (void)snprintf(text, bytes, "%s.", is_spos ? "classifier.0" : "classifier.linear");
    else if (kind == SQ_BLOCK_CONV && block->layer == 0)
        (void)snprintf(text, bytes, "first_conv.");
    else if (kind == SQ_BLOCK_CONV && block->layer == block->space->layer_count - 2)
        (void)snprintf(text, bytes, "%s.", is_spos ? "conv_last" : "feature_mix_layer");
    else if (is_supernet && layer->choice_count > 1)
        (void)snprintf(text, bytes, is_spos ? "features.%d.%d." : "blocks.%d.mobile_inverted_conv.candidate_ops.%d.",
                       number, block->choice);
    else
        (void)snprintf(text, bytes, is_spos ? "features.%d." : "blocks.%d.mobile_inverted_conv.", number);
}
