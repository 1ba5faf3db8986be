#include "supernet/model/block_layout.h"

enum { ALIGNMENT = 64, IMAGE_CHANNELS = 4 };

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

sq_input_layout sq_block_input(const sq_space *space, int batch)
{
    const size_t n = (size_t)batch, side = (size_t)space->resolution;
    sq_input_layout layout = {0};
    layout.labels = round_up(n * side * side * 3);
    layout.augment = layout.labels + round_up(n * sizeof(int32_t));
    layout.bytes = layout.augment + round_up(n * SQ_AUGMENT_COUNT * sizeof(float));
    return layout;
}

sq_dtype sq_block_boundary_dtype(const sq_space *space, const sq_block_options *options, int boundary)
{
    return boundary == space->layer_count ? SQ_F32 : options->activation;
}

int sq_block_aligned(const sq_block_options *options, int c)
{
    const int alignment = options->alignment > 0 ? options->alignment : 1;
    return (c + alignment - 1) / alignment * alignment;
}

int sq_block_boundary_pitch(const sq_space *space, const sq_block_options *options, int boundary)
{
    const bool is_logits = boundary == space->layer_count;
    const sq_layer *l = &space->layers[is_logits ? boundary - 1 : boundary];
    if (is_logits)
        return l->pitch_out;
    if (boundary == 0) /* the 3 channels of images are padded to 4, not to the alignment */
        return options->alignment > 1 ? (l->pitch_in + IMAGE_CHANNELS - 1) / IMAGE_CHANNELS * IMAGE_CHANNELS
                                      : l->pitch_in;
    return l->is_split_in ? 2 * sq_block_aligned(options, l->pitch_in / 2) : sq_block_aligned(options, l->pitch_in);
}
