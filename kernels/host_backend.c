/* The functions of sq_backend_ops that all host backends share. */
#include "kernels/host_backend.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/all_finite.h"
#include "kernels/base/clock.h"

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
    (void)b; /* free() does not need the backend */
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
    while (i < count && sq_all_finite((const float *)(const void *)ranges[i].at.address, ranges[i].count))
        i++;
    *first = i < count ? i : SQ_NONE;
    return SQ_OK;
}

sq_status sq_host_wait(sq_backend *b)
{
    (void)b; /* run() returns when all work is done */
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

sq_status sq_host_reduce_mean(sq_backend *b, sq_device_ptr values, size_t count, sq_dtype reduce_dtype)
{
    /* With one rank, the values already are the mean. */
    return b->reduction
               ? b->reduction->begin(b->reduction->context, (float *)(void *)values.address, count, reduce_dtype)
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
