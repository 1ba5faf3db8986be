/* The cuda backend: one device, one stream. Programs are lists of launches at fixed addresses, recorded as CUDA graphs
 * unless that is switched off; both run the same kernels with the same arguments and give the same bits. Everything is
 * enqueued; a failure on the device surfaces in wait() or read(), with the programs that were under way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/instances.h"

enum { OLDEST_MAJOR = 8 };

const char *sq_cuda_name(void)
{
#ifdef SQ_CUDA_EMULATED
    return "emulated";
#else
    return "cuda";
#endif
}

sq_status sq_cuda_translate(const cuda_backend *b, cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return SQ_OK;
    const bool is_memory = error == cudaErrorMemoryAllocation;
    if (b && b->first_name[0])
        return sq_fail(is_memory ? SQ_NO_MEMORY : SQ_DEVICE,
                       "%s: %s: %s, in \"%s\" or a program after it, up to \"%s\" (--graphs off with "
                       "CUDA_LAUNCH_BLOCKING=1 names the operation)",
                       sq_cuda_name(), what, cudaGetErrorString(error), b->first_name, b->last_name);
    return sq_fail(is_memory ? SQ_NO_MEMORY : SQ_DEVICE, "%s: %s: %s", sq_cuda_name(), what, cudaGetErrorString(error));
}

/* ---- Programs ---- */

static void discard(sq_backend *base, sq_program *p)
{
    const cuda_backend *b = (cuda_backend *)base;
    if (!p)
        return;
    sq_collective_drain(b->collective);
    (void)cudaStreamSynchronize(b->stream); /* what runs still reads it; a failure shows in wait() */
    if (p->graph)
        (void)cudaGraphExecDestroy(p->graph); /* nothing to do about a failure */
    sq_cuda_launches_free(p->launches, p->count);
    free(p);
}

static sq_cuda_lowering planner_for(const cuda_backend *b, const sq_graph *g)
{
    return (sq_cuda_lowering){.graph = g, .machine = b->machine, .vendor = b->vendor};
}

static sq_status count_workspace(sq_cuda_lowering *planner, size_t *bytes)
{
    struct sq_program program = {0};
    planner->program = &program;
    const sq_status status = sq_cuda_lower(planner);
    sq_cuda_launches_free(program.launches, program.count);
    if (status == SQ_OK)
        *bytes = planner->most;
    return status;
}

/* Automatic: before anything is measured, room for either engine. */
static sq_status workspace(sq_backend *base, const sq_graph *g, size_t *bytes)
{
    const cuda_backend *b = (cuda_backend *)base;
    sq_cuda_lowering ours = planner_for(b, g), theirs = planner_for(b, g);
    size_t our_bytes = 0, their_bytes = 0;
    if (b->engine != SQ_ENGINE_VENDOR)
        SQ_TRY(count_workspace(&ours, &our_bytes));
    if (b->engine != SQ_ENGINE_SQUALL) {
        sq_cuda_assign_vendor(&theirs, b->engine == SQ_ENGINE_AUTO);
        SQ_TRY(count_workspace(&theirs, &their_bytes));
    }
    *bytes = our_bytes + their_bytes;
    return SQ_OK;
}

static bool is_vendor(const sq_cuda_launch *launch)
{
    return launch->kernel == SQ_CUDA_VENDOR_CONVOLUTION || launch->kernel == SQ_CUDA_VENDOR_PRODUCT;
}

static sq_status launch_all(const cuda_backend *b, const sq_program *p)
{
    for (int i = 0; i < p->count; i++) {
        const cudaError_t error = sq_cuda_launch_run(&p->launches[i], b->stream);
        if (error != cudaSuccess)
            return sq_fail(SQ_DEVICE, "%s: %s: operation %d, %s: %s", sq_cuda_name(), p->name, p->launches[i].op,
                           sq_cuda_kernel_name(p->launches[i].kernel),
                           is_vendor(&p->launches[i]) ? sq_error_text() : cudaGetErrorString(error));
    }
    return SQ_OK;
}

static sq_status record(cuda_backend *b, sq_program *p)
{
    cudaGraph_t graph = NULL;
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal;
    for (int i = 0; i < p->count; i++)
        if (is_vendor(&p->launches[i])) /* the libraries may load kernels at their first launch; ours are loaded */
            mode = cudaStreamCaptureModeRelaxed;
    SQ_CUDA(b, cudaStreamBeginCapture(b->stream, mode), p->name);
    const sq_status status = launch_all(b, p);
    const cudaError_t ended = cudaStreamEndCapture(b->stream, &graph);
    SQ_TRY(status);
    SQ_CUDA(b, ended, p->name);
    const cudaError_t made = cudaGraphInstantiate(&p->graph, graph, 0);
    (void)cudaGraphDestroy(graph); /* the executable graph is a copy */
    if (made != cudaSuccess)
        p->graph = NULL;
    SQ_CUDA(b, made, p->name);
    return SQ_OK;
}

static sq_status compile_planned(cuda_backend *b, sq_cuda_lowering *planner, const sq_binding *at, sq_program **out)
{
    sq_backend *base = &b->base;
    sq_program *p = calloc(1, sizeof *p);
    if (!p)
        return sq_fail(SQ_NO_MEMORY, "%s: program", planner->graph->name);
    memcpy(p->name, planner->graph->name, sizeof p->name);
    planner->program = p;
    planner->at = at;
    sq_status status = sq_cuda_lower(planner);
    if (status == SQ_OK && b->has_graphs && p->count > 0)
        status = record(b, p);
    if (status == SQ_OK)
        *out = p;
    else
        discard(base, p);
    return status;
}

/* Seconds of a graph of one operation by one engine, on memory of its own; for sq_cuda_autotune. */
static sq_status time_engine(sq_backend *base, sq_cuda_lowering *planner, double *seconds)
{
    enum { REPEATS = 7 };
    cuda_backend *b = (cuda_backend *)base;
    sq_cuda_lowering sized = *planner;
    sq_device_ptr scratch = {NULL};
    sq_binding at;
    sq_program *program = NULL;
    size_t workspace_bytes = 0;
    SQ_TRY(count_workspace(&sized, &workspace_bytes));
    SQ_TRY(sq_cuda_allocate(base, sq_cuda_scratch_bytes(planner->graph) + workspace_bytes, &scratch));
    sq_cuda_scratch_bind(planner->graph, scratch, &at);
    sq_status status = compile_planned(b, planner, &at, &program);
    if (status == SQ_OK)
        status = base->ops->measure(base, program, REPEATS, seconds);
    discard(base, program);
    sq_cuda_release(base, scratch);
    return status;
}

static sq_status compile(sq_backend *base, const sq_graph *g, const sq_binding *at, sq_program **out)
{
    cuda_backend *b = (cuda_backend *)base;
    sq_cuda_lowering planner = planner_for(b, g);
    SQ_TRY(sq_graph_check(g));
    if (b->engine == SQ_ENGINE_VENDOR)
        sq_cuda_assign_vendor(&planner, false);
    if (b->engine == SQ_ENGINE_AUTO)
        SQ_TRY(sq_cuda_autotune(b->choices, base, time_engine, &planner));
    return compile_planned(b, &planner, at, out);
}

static sq_status run(sq_backend *base, const sq_program *p)
{
    cuda_backend *b = (cuda_backend *)base;
    if (p->graph)
        SQ_CUDA(b, cudaGraphLaunch(p->graph, b->stream), p->name);
    else
        SQ_TRY(launch_all(b, p));
    if (!b->first_name[0])
        memcpy(b->first_name, p->name, sizeof b->first_name);
    memcpy(b->last_name, p->name, sizeof b->last_name);
    return SQ_OK;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static sq_status run_part(cuda_backend *b, const sq_program *p, int part)
{
    if (part < 0)
        return run(&b->base, p);
    SQ_CUDA(b, sq_cuda_launch_run(&p->launches[part], b->stream), p->name);
    return SQ_OK;
}

/* The device's clock, between two events around each run of a part (-1: the program). */
static sq_status time_runs(cuda_backend *b, const sq_program *p, int part, cudaEvent_t begin, cudaEvent_t end,
                           float *times, int count)
{
    for (int i = -1; i < count; i++) { /* the first warms up */
        SQ_CUDA(b, cudaEventRecord(begin, b->stream), p->name);
        SQ_TRY(run_part(b, p, part));
        SQ_CUDA(b, cudaEventRecord(end, b->stream), p->name);
        SQ_TRY(sq_cuda_wait(&b->base));
        if (i >= 0)
            SQ_CUDA(b, cudaEventElapsedTime(&times[i], begin, end), p->name);
    }
    return SQ_OK;
}

static sq_status measure_part(sq_backend *base, const sq_program *p, int part, int repeats, double *seconds)
{
    cuda_backend *b = (cuda_backend *)base;
    const int count = repeats > 0 ? repeats : 1;
    cudaEvent_t begin = NULL, end = NULL;
    float *times = malloc((size_t)count * sizeof *times);
    sq_status status = times ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: %d timings", sq_cuda_name(), count);
    if (status == SQ_OK)
        status = sq_cuda_translate(b, cudaEventCreate(&begin), "event");
    if (status == SQ_OK)
        status = sq_cuda_translate(b, cudaEventCreate(&end), "event");
    if (status == SQ_OK)
        status = time_runs(b, p, part, begin, end, times, count);
    if (status == SQ_OK) {
        qsort(times, (size_t)count, sizeof *times, by_value);
        *seconds = 1e-3 * (double)(count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2);
    }
    if (begin)
        (void)cudaEventDestroy(begin); /* measured or not */
    if (end)
        (void)cudaEventDestroy(end);
    free(times);
    return status;
}

static sq_status measure(sq_backend *base, const sq_program *p, int repeats, double *seconds)
{
    return measure_part(base, p, -1, repeats, seconds);
}

static bool part_of(const sq_program *p, int index, sq_program_part *out)
{
    if (index >= p->count)
        return false;
    const sq_cuda_launch *launch = &p->launches[index];
    *out = sq_cuda_describe_launch(launch);
    return true;
}

/* One copy to warm up, then the median. */
static sq_status time_copies(cuda_backend *b, unsigned char *buffer, size_t bytes, cudaEvent_t begin, cudaEvent_t end,
                             float *milliseconds)
{
    enum { COPIES = 11 };
    float times[COPIES];
    for (int i = -1; i < COPIES; i++) {
        SQ_CUDA(b, cudaEventRecord(begin, b->stream), "copy");
        SQ_CUDA(b, cudaMemcpyAsync(buffer + bytes, buffer, bytes, cudaMemcpyDeviceToDevice, b->stream), "copy");
        SQ_CUDA(b, cudaEventRecord(end, b->stream), "copy");
        SQ_TRY(sq_cuda_wait(&b->base));
        if (i >= 0)
            SQ_CUDA(b, cudaEventElapsedTime(&times[i], begin, end), "copy");
    }
    qsort(times, COPIES, sizeof *times, by_value);
    *milliseconds = times[COPIES / 2];
    return SQ_OK;
}

static sq_status copy_bandwidth(sq_backend *base, double *bytes_per_second)
{
    cuda_backend *b = (cuda_backend *)base;
    const size_t wanted = (size_t)1 << 30, fits = sq_cuda_available(base) / 4 & ~(size_t)255; /* twice that is taken */
    const size_t bytes = fits && fits < wanted ? fits : wanted;
    cudaEvent_t begin = NULL, end = NULL;
    sq_device_ptr buffer = {NULL};
    float milliseconds = 0;
    sq_status status = sq_cuda_allocate(base, 2 * bytes, &buffer);
    if (status == SQ_OK)
        status = sq_cuda_translate(b, cudaEventCreate(&begin), "event");
    if (status == SQ_OK)
        status = sq_cuda_translate(b, cudaEventCreate(&end), "event");
    if (status == SQ_OK)
        status = time_copies(b, buffer.address, bytes, begin, end, &milliseconds);
    if (status == SQ_OK && !(milliseconds > 0))
        status = sq_fail(SQ_DEVICE, "%s: a copy of %zu bytes took no time", sq_cuda_name(), bytes);
    if (status == SQ_OK)
        *bytes_per_second = 2e3 * (double)bytes / (double)milliseconds;
    if (begin)
        (void)cudaEventDestroy(begin); /* measured or not */
    if (end)
        (void)cudaEventDestroy(end);
    sq_cuda_release(base, buffer);
    return status;
}

/* ---- Ranks ---- */

static sq_status attach(sq_backend *base, sq_rank_group *group)
{
    cuda_backend *b = (cuda_backend *)base;
    const sq_collective_place place = {group, b->stream, b->device, b->is_dealt};
    return sq_collective_open(&b->collective, &place);
}

static sq_status reduce_mean(sq_backend *base, sq_device_ptr values, size_t count, sq_dtype travels)
{
    cuda_backend *b = (cuda_backend *)base;
    return sq_collective_reduce(b->collective, (float *)(void *)values.address, count, travels);
}

static sq_status join(sq_backend *base)
{
    cuda_backend *b = (cuda_backend *)base;
    return sq_collective_join(b->collective);
}

void sq_cuda_describe_ranks(char *text, size_t text_bytes)
{
    sq_collective_describe(text, text_bytes);
}

/* ---- Opening ---- */

static void close_device(sq_backend *base)
{
    cuda_backend *b = (cuda_backend *)base;
    sq_collective_close(b->collective);
    if (b->stream)
        (void)cudaStreamSynchronize(b->stream); /* a failure has been told, or nobody waits for it any more */
    sq_cuda_memory_close(b);
    sq_cuda_timings_close(b->choices);
    sq_vendor_close(b->vendor);
    if (b->stream)
        (void)cudaStreamDestroy(b->stream);
    free(b);
}

/* The properties of device *wanted, or why it cannot be used. is_dealt: *wanted is taken modulo the number of devices. */
static sq_status find_device(int *wanted, bool is_dealt, struct cudaDeviceProp *properties)
{
    int count = 0, driver = 0, runtime = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    (void)cudaDriverGetVersion(&driver); /* 0 without a driver */
    (void)cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return sq_fail(SQ_DEVICE, "%s: no NVIDIA driver on this machine", sq_cuda_name());
    if (error == cudaErrorInsufficientDriver)
        return sq_fail(SQ_DEVICE, "%s: the driver is for CUDA %d.%d, this build needs %d.%d or newer", sq_cuda_name(),
                       driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
        return sq_fail(SQ_DEVICE, "%s: a driver, but no GPU that it shows (CUDA_VISIBLE_DEVICES?)", sq_cuda_name());
    SQ_CUDA(NULL, error, "devices");
    if (is_dealt)
        *wanted %= count;
    if (*wanted < 0 || *wanted >= count)
        return sq_fail(SQ_INVALID, "%s:%d: this machine has devices 0..%d", sq_cuda_name(), *wanted, count - 1);
    SQ_CUDA(NULL, cudaGetDeviceProperties(properties, *wanted), "properties");
    if (properties->major < OLDEST_MAJOR)
        return sq_fail(SQ_UNSUPPORTED, "%s: %s has compute capability %d.%d, wanted 8.0 (Ampere) or newer",
                       sq_cuda_name(), properties->name, properties->major, properties->minor);
    return SQ_OK;
}

static sq_status prepare(cuda_backend *b)
{
    const cudaError_t error = cudaSetDevice(b->device);
    if (error == cudaErrorDevicesUnavailable)
        return sq_fail(SQ_DEVICE, "%s: device %d belongs to another process (exclusive mode, nvidia-smi -q -d COMPUTE)",
                       sq_cuda_name(), b->device);
    SQ_CUDA(b, error, "device");
    SQ_TRY(sq_cuda_load_instances(sq_cuda_name()));
    SQ_CUDA(b, cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking), "stream");
    return sq_cuda_memory_open(b);
}

/* Automatic without the libraries is ours alone. */
static sq_status open_engine(cuda_backend *b, sq_engine engine, const struct cudaDeviceProp *properties)
{
    int driver = 0;
    if (engine == SQ_ENGINE_SQUALL)
        return SQ_OK;
    const sq_status status = sq_vendor_open(b->stream, &b->vendor);
    if (status == SQ_UNSUPPORTED && engine == SQ_ENGINE_AUTO)
        return SQ_OK;
    SQ_TRY(status);
    b->engine = engine;
    SQ_CUDA(b, cudaDriverGetVersion(&driver), "driver");
    if (engine == SQ_ENGINE_AUTO)
        SQ_TRY(sq_cuda_timings_open(&b->choices, properties->name, driver, sq_vendor_versions(b->vendor)));
    return SQ_OK;
}

sq_status sq_cuda_open(const sq_backend_options *options, sq_backend **out)
{
    static const struct sq_backend_ops ops = {
#ifdef SQ_CUDA_EMULATED
        .name = "emulated",
#else
        .name = "cuda",
#endif
        .activation = SQ_BF16,
        .alignment = SQ_CUDA_VECTOR,
        .close = close_device,
        .allocate = sq_cuda_allocate,
        .release = sq_cuda_release,
        .write = sq_cuda_write,
        .read = sq_cuda_read,
        .copy = sq_cuda_copy,
        .find_nonfinite = sq_cuda_find_nonfinite,
        .crop = sq_cuda_crop_images,
        .workspace = workspace,
        .available = sq_cuda_available,
        .compile = compile,
        .run = run,
        .discard = discard,
        .wait = sq_cuda_wait,
        .measure = measure,
        .part = part_of,
        .measure_part = measure_part,
        .copy_bandwidth = copy_bandwidth,
        .attach = attach,
        .reduce_mean = reduce_mean,
        .join = join,
    };
    struct cudaDeviceProp properties;
    int device = options->device;
    SQ_TRY(find_device(&device, options->is_dealt, &properties));
    cuda_backend *b = calloc(1, sizeof *b);
    if (!b)
        return sq_fail(SQ_NO_MEMORY, "%s: backend", sq_cuda_name());
    b->base.ops = &ops;
    b->device = device;
    b->is_dealt = options->is_dealt;
    b->has_graphs = !options->no_graphs;
    b->machine.multiprocessors = properties.multiProcessorCount;
    sq_status status = prepare(b);
    if (status == SQ_OK)
        status = open_engine(b, options->engine, &properties);
    if (status == SQ_OK)
        *out = &b->base;
    else
        close_device(&b->base);
    return status;
}

void sq_cuda_describe(char *text, size_t text_bytes)
{
    struct cudaDeviceProp properties;
    int device = 0, driver = 0, runtime = 0;
    if (find_device(&device, false, &properties) != SQ_OK) {
        (void)snprintf(text, text_bytes, "not used: %s", sq_error_text());
        return;
    }
    (void)cudaDriverGetVersion(&driver); /* shown only */
    (void)cudaRuntimeGetVersion(&runtime);
    (void)snprintf(text, text_bytes,
                   "%s, compute %d.%d, %d multiprocessors, %.1f GiB, driver for CUDA %d.%d, runtime %d.%d",
                   properties.name, properties.major, properties.minor, properties.multiProcessorCount,
                   (double)properties.totalGlobalMem / (1 << 30), driver / 1000, driver % 1000 / 10, runtime / 1000,
                   runtime % 1000 / 10);
}
