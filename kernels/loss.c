/* Softmax cross-entropy with label smoothing, in FP64. */
#include "kernels/loss.h"

#include <math.h>

/* Returns the rank of the label among the logits, from 0. In a tie, the lower index ranks first. */
static int rank_of(const sq_loss_row *row)
{
    const float own = row->logits[row->label];
    int rank = 0;
    for (int i = 0; i < row->classes; i++)
        rank += row->logits[i] > own || (row->logits[i] == own && i < row->label);
    return rank;
}

void sq_loss_of_row(const sq_loss_row *row, sq_result *result)
{
    double largest = -INFINITY, sum = 0, mean = 0;
    for (int i = 0; i < row->classes; i++)
        largest = row->logits[i] > largest ? row->logits[i] : largest;
    for (int i = 0; i < row->classes; i++) {
        sum += exp(row->logits[i] - largest);
        mean += row->logits[i];
    }
    const double log_sum = largest + log(sum), epsilon = row->smoothing;
    mean /= row->classes;
    const double loss = log_sum - (1 - epsilon) * row->logits[row->label] - epsilon * mean;
    const int rank = rank_of(row);
    for (int i = 0; row->gradient && i < row->classes; i++) {
        const double target = (i == row->label ? 1 - epsilon : 0) + epsilon / row->classes;
        row->gradient[i] = (float)((exp(row->logits[i] - log_sum) - target) * row->scale);
    }
    result->nonfinite += !isfinite(loss);
    result->loss += loss;
    result->top1 += isfinite(loss) && rank < 1;
    result->top5 += isfinite(loss) && rank < 5;
    result->images++;
}
