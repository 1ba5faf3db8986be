/* Buffers hold the permutations of the epochs whose batches are in the ring of a loader. */
#include "data/loader/epoch_order.h"

#include <stdbool.h>
#include <stdlib.h>

#include "kernels/base/rng.h"

struct sq_epoch_buffer {
    uint64_t epoch;
    bool is_made;
    uint32_t *order; /* owned */
};

void sq_epoch_permutation(uint32_t *out, size_t count, uint64_t seed, uint64_t epoch)
{
    sq_rng rng = sq_rng_open(seed, SQ_RNG_SHUFFLE, epoch);
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        const size_t j = sq_rng_below(&rng, (uint32_t)i);
        const uint32_t swap = out[i - 1];
        out[i - 1] = out[j];
        out[j] = swap;
    }
}

sq_status sq_epoch_orders_init(sq_epoch_orders *out, size_t count, uint64_t seed, int epochs)
{
    *out = (sq_epoch_orders){.count = count, .seed = seed, .buffer_count = epochs};
    out->buffers = calloc((size_t)epochs + 1, sizeof *out->buffers);
    bool is_complete = out->buffers != NULL;
    for (int i = 0; is_complete && i < epochs; i++) {
        out->buffers[i].order = malloc(count * sizeof *out->buffers[i].order);
        is_complete = out->buffers[i].order != NULL;
    }
    return is_complete ? SQ_OK : sq_fail(SQ_NO_MEMORY, "loader: out of memory for the order of %zu images", count);
}

void sq_epoch_orders_free(sq_epoch_orders *orders)
{
    for (int i = 0; orders->buffers && i < orders->buffer_count; i++)
        free(orders->buffers[i].order);
    free(orders->buffers);
    *orders = (sq_epoch_orders){0};
}

static struct sq_epoch_buffer *buffer_of(const sq_epoch_orders *orders, uint64_t epoch)
{
    return &orders->buffers[epoch % (uint64_t)orders->buffer_count];
}

void sq_epoch_orders_make(sq_epoch_orders *orders, uint64_t epoch)
{
    struct sq_epoch_buffer *b = buffer_of(orders, epoch);
    if (b->is_made && b->epoch == epoch)
        return;
    sq_epoch_permutation(b->order, orders->count, orders->seed, epoch);
    b->epoch = epoch;
    b->is_made = true;
}

size_t sq_epoch_orders_at(const sq_epoch_orders *orders, uint64_t epoch, size_t i)
{
    return buffer_of(orders, epoch)->order[i];
}
