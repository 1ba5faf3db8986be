#ifndef SQ_EPOCH_ORDER_H
#define SQ_EPOCH_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* The order of the samples in an epoch is a permutation that depends on (seed, epoch) alone. */

/* Fills `out` with the permutation of 0 .. count-1 for an epoch. */
void sq_epoch_permutation(uint32_t *out, size_t count, uint64_t seed, uint64_t epoch);

/* Buffers for the permutations of consecutive epochs. sq_epoch_orders_free accepts a zero-initialised struct. */
typedef struct {
    struct sq_epoch_buffer *buffers; /* owned */
    int buffer_count;
    size_t count; /* samples of an epoch */
    uint64_t seed;
} sq_epoch_orders;

/* Allocates the buffers.
 * epochs    number of consecutive epochs that are in use at the same time
 * returns   SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_epoch_orders_init(sq_epoch_orders *out, size_t count, uint64_t seed, int epochs);
void sq_epoch_orders_free(sq_epoch_orders *orders);

/* Makes the permutation of an epoch unless a buffer already holds it. The new permutation overwrites the permutation of
 * an epoch that is no longer in use. */
void sq_epoch_orders_make(sq_epoch_orders *orders, uint64_t epoch);

/* Returns the sample at position i of an epoch whose permutation has been made. */
size_t sq_epoch_orders_at(const sq_epoch_orders *orders, uint64_t epoch, size_t i);

#endif
