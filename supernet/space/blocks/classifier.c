/* The last layer of every space: global pooling, dropout, linear layer. */
#include "supernet/space/block_kinds.h"
#include "supernet/space/describer.h"

static void describe(sq_describer *d)
{
    d->out->is_classifier = true;
}

const sq_block_kind_row sq_block_classifier = {
    .label = "Classifier",
    .label_style = SQ_LABEL_PLAIN,
    .tints = {"#e4e7eb", "#e4e7eb", "#e4e7eb"},
    .family = SQ_BLOCK_CLASSIFIER,
    .describe = describe,
    .middle = sq_block_no_middle,
};
