/* Times programs, single launches and copies between two events on the stream. Each result is a median after one
 * untimed run. */
#include "kernels/cuda/measure.h"

#include <stdlib.h>

#include "kernels/cuda/device_error.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/launches/describe.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/program.h"

enum { WHOLE_PROGRAM = -1, COPIES = 11 };

/* The work to be timed: a launch of a program, a whole program, or (program NULL) a copy within the buffer. */
typedef struct {
    const sq_program *program;
    int part; /* index of the launch, or WHOLE_PROGRAM */
    unsigned char *buffer;
    size_t bytes; /* copied from the first half of the buffer to the second */
} timed_work;

static sq_status enqueue(sq_cuda_backend *b, const timed_work *work)
{
    if (!work->program)
        SQ_CUDA(
            b,
            cudaMemcpyAsync(work->buffer + work->bytes, work->buffer, work->bytes, cudaMemcpyDeviceToDevice, b->stream),
            "copy");
    else if (work->part == WHOLE_PROGRAM)
        return sq_cuda_run(&b->base, work->program);
    else
        SQ_CUDA(b, sq_cuda_launch_run(&work->program->launches[work->part], b->stream), work->program->name);
    return SQ_OK;
}

typedef struct {
    cudaEvent_t begin, end;
} event_pair;

static sq_status time_runs(sq_cuda_backend *b, const timed_work *work, event_pair events, float *milliseconds,
                           int count)
{
    const char *name = work->program ? work->program->name : "copy";
    for (int i = -1; i < count; i++) { /* run -1 is not timed */
        SQ_CUDA(b, cudaEventRecord(events.begin, b->stream), name);
        SQ_TRY(enqueue(b, work));
        SQ_CUDA(b, cudaEventRecord(events.end, b->stream), name);
        SQ_TRY(sq_cuda_wait(&b->base));
        if (i >= 0)
            SQ_CUDA(b, cudaEventElapsedTime(&milliseconds[i], events.begin, events.end), name);
    }
    return SQ_OK;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median_of(float *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return (double)(count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2);
}

/* The median of `count` runs. */
static sq_status measure(sq_cuda_backend *b, const timed_work *work, int count, double *seconds)
{
    event_pair events = {NULL, NULL};
    float *milliseconds = malloc((size_t)count * sizeof *milliseconds);
    sq_status status = milliseconds ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: %d timings", SQ_CUDA_NAME, count);
    if (status == SQ_OK)
        status = sq_cuda_translate(b, cudaEventCreate(&events.begin), "event");
    if (status == SQ_OK)
        status = sq_cuda_translate(b, cudaEventCreate(&events.end), "event");
    if (status == SQ_OK)
        status = time_runs(b, work, events, milliseconds, count);
    if (status == SQ_OK)
        *seconds = 1e-3 * median_of(milliseconds, count);
    if (events.begin)
        (void)cudaEventDestroy(events.begin); /* a failure cannot be handled, here and below */
    if (events.end)
        (void)cudaEventDestroy(events.end);
    free(milliseconds);
    return status;
}

sq_status sq_cuda_measure_part(sq_backend *base, const sq_program *p, int index, int repeats, double *seconds)
{
    const timed_work work = {.program = p, .part = index};
    return measure((sq_cuda_backend *)base, &work, repeats > 0 ? repeats : 1, seconds);
}

sq_status sq_cuda_measure(sq_backend *base, const sq_program *p, int repeats, double *seconds)
{
    return sq_cuda_measure_part(base, p, WHOLE_PROGRAM, repeats, seconds);
}

bool sq_cuda_program_part(const sq_program *p, int index, sq_program_part *out)
{
    if (index >= p->count)
        return false;
    *out = sq_cuda_describe_launch(&p->launches[index]);
    return true;
}

sq_status sq_cuda_copy_bandwidth(sq_backend *base, double *bytes_per_second)
{
    const size_t wanted = (size_t)1 << 30, fits = sq_cuda_available(base) / 4 & ~(size_t)255;
    const size_t bytes = fits && fits < wanted ? fits : wanted;
    sq_device_ptr buffer = {NULL};
    double seconds = 0;
    sq_status status = sq_cuda_allocate(base, 2 * bytes, &buffer);
    const timed_work copy = {.buffer = buffer.address, .bytes = bytes};
    if (status == SQ_OK)
        status = measure((sq_cuda_backend *)base, &copy, COPIES, &seconds);
    if (status == SQ_OK && !(seconds > 0))
        status = sq_fail(SQ_DEVICE, "%s: a copy of %zu bytes: found a time of 0 s", SQ_CUDA_NAME, bytes);
    if (status == SQ_OK)
        *bytes_per_second = 2 * (double)bytes / seconds;
    sq_cuda_release(base, buffer);
    return status;
}
