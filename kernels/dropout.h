#ifndef SQ_DROPOUT_H
#define SQ_DROPOUT_H

#include <stdint.h>

/* The dropout mask of the host backends: the factor of element `index` in step `step`, 1 / (1 - rate) or 0. It is a
 * function of its arguments alone, so that masks do not depend on threads, ranks or resumption. */
float sq_dropout_scale(uint64_t seed, uint64_t step, uint32_t index, float rate);

#endif
