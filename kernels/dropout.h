#ifndef SQ_DROPOUT_H
#define SQ_DROPOUT_H

#include <stdint.h>

/* Returns the factor of element `index` in the dropout mask of step `step`: 1 / (1 - rate) or 0. The host backends
 * share this function. Masks do not depend on threads, ranks or resumption, because the factor is a function of the
 * arguments alone. */
float sq_dropout_scale(uint64_t seed, uint64_t step, uint32_t index, float rate);

#endif
