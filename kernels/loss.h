#ifndef SQ_LOSS_H
#define SQ_LOSS_H

#include "kernels/operation.h"

/* Softmax cross-entropy of one image. The host backends share this code, so that their results are identical. See
 * SQ_OP_LOSS. */
typedef struct {
    const float *logits; /* classes */
    float *gradient;     /* classes; NULL: not needed */
    int classes, label;
    float smoothing; /* the target of the label is 1 - smoothing + smoothing / classes */
    float scale;     /* factor of the gradient */
} sq_loss_row;

/* Adds the loss of the image to `result`, counts the image, and counts whether its label is among the 1 and the 5
 * largest logits. Writes the gradient. */
void sq_loss_of_row(const sq_loss_row *row, sq_result *result);

#endif
