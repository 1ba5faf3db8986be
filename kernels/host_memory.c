/* What host backends share: memory, copies, timing, and the two pieces of arithmetic that must agree to the bit. */
#include "kernels/host_memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/finite.h"
#include "kernels/base/rng.h"

sq_status sq_host_allocate(sq_backend *b, size_t bytes, sq_device_ptr *out)
{
    const size_t rounded = (bytes + 63) / 64 * 64;
    unsigned char *p = rounded < bytes ? NULL : aligned_alloc(64, rounded ? rounded : 64);
    if (!p)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu bytes of memory", b->ops->name, bytes);
    memset(p, 0, rounded ? rounded : 64);
    out->address = p;
    return SQ_OK;
}

void sq_host_release(sq_backend *b, sq_device_ptr p)
{
    (void)b; /* the host frees without it */
    free(p.address);
}

sq_status sq_host_write(sq_backend *b, sq_device_ptr to, const void *from, size_t bytes)
{
    (void)b; /* one address space */
    memcpy(to.address, from, bytes);
    return SQ_OK;
}

sq_status sq_host_read(sq_backend *b, void *to, sq_device_ptr from, size_t bytes)
{
    (void)b; /* one address space */
    memcpy(to, from.address, bytes);
    return SQ_OK;
}

sq_status sq_host_copy(sq_backend *b, sq_device_ptr to, sq_device_ptr from, size_t bytes)
{
    (void)b; /* one address space */
    memcpy(to.address, from.address, bytes);
    return SQ_OK;
}

sq_status sq_host_find_nonfinite(sq_backend *b, const sq_range *ranges, int count, int *first)
{
    (void)b; /* one address space */
    int i = 0;
    while (i < count && sq_are_finite((const float *)(const void *)ranges[i].at.address, ranges[i].count))
        i++;
    *first = i < count ? i : SQ_NONE;
    return SQ_OK;
}

sq_status sq_host_wait(sq_backend *b)
{
    (void)b; /* run() returns when it is done */
    return SQ_OK;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

sq_status sq_host_measure(sq_backend *b, const sq_program *p, int repeats, double *seconds)
{
    const size_t count = repeats > 0 ? (size_t)repeats : 1;
    double *times = malloc(count * sizeof *times);
    if (!times)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu timings", b->ops->name, count);
    sq_status status = b->ops->run(b, p);
    for (size_t i = 0; status == SQ_OK && i < count; i++) {
        const double begin = sq_seconds_now();
        status = b->ops->run(b, p);
        times[i] = sq_seconds_now() - begin;
    }
    if (status == SQ_OK) {
        qsort(times, count, sizeof *times, by_value);
        *seconds = count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
    }
    free(times);
    return status;
}

sq_status sq_host_reduce_mean(sq_backend *b, sq_device_ptr values, size_t count, sq_dtype travels)
{
    /* One rank: the mean is what is there. */
    return b->reduction ? b->reduction->begin(b->reduction->context, (float *)(void *)values.address, count, travels)
                        : SQ_OK;
}

sq_status sq_host_join(sq_backend *b)
{
    return b->reduction ? b->reduction->finish(b->reduction->context) : SQ_OK;
}

sq_status sq_host_check_dtypes(const sq_backend *b, const sq_graph *graph)
{
    for (int i = 0; i < graph->slot_count; i++)
        if (graph->slots[i].dtype == SQ_BF16)
            return sq_fail(SQ_UNSUPPORTED, "%s: slot %d: BF16, but %s computes in FP32", graph->name, i, b->ops->name);
    return SQ_OK;
}

void *sq_host_address(const sq_graph *graph, const sq_binding *at, int slot)
{
    return slot == SQ_NONE ? NULL : at->base[graph->slots[slot].role].address + graph->slots[slot].offset;
}

float sq_dropout_scale(uint64_t seed, uint64_t step, uint32_t index, float rate)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {index / 4, (uint32_t)step, (uint32_t)(step >> 32), SQ_RNG_DROPOUT};
    uint32_t words[4];
    sq_philox(words, counter, key);
    const double uniform = words[index % 4] / 4294967296.0;
    return uniform >= (double)rate ? 1 / (1 - rate) : 0;
}

/* Rank of the label among the logits; ties go to the lower index. */
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
