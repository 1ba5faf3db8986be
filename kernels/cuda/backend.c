/* Opens and closes the cuda backend: one device, one stream. All work is enqueued. A failure on the device surfaces in
 * wait() or read(), which name the programs that were running. */
#include "kernels/cuda/backend.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/device_error.h"
#include "kernels/cuda/instances.h"
#include "kernels/cuda/measure.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/program.h"

enum { OLDEST_MAJOR = 8 }; /* compute capability 8.0 (Ampere): BF16 tensor cores */

/* ---- Ranks ---- */

static sq_status attach(sq_backend *base, sq_rank_group *group)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    const sq_collective_place place = {
        .group = group, .stream = b->stream, .device = b->device, .is_local_rank = b->is_local_rank};
    return sq_collective_open(&b->collective, &place);
}

static sq_status reduce_mean(sq_backend *base, sq_device_ptr values, size_t count, sq_dtype reduce_dtype)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    return sq_collective_reduce(b->collective, (float *)(void *)values.address, count, reduce_dtype);
}

static sq_status join(sq_backend *base)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    return sq_collective_join(b->collective);
}

void sq_cuda_describe_ranks(char *text, size_t text_bytes)
{
    sq_collective_describe(text, text_bytes);
}

/* ---- Opening ---- */

static void close_device(sq_backend *base)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    sq_collective_close(b->collective);
    if (b->stream)
        (void)cudaStreamSynchronize(b->stream); /* errors are ignored while closing, here and below */
    sq_cuda_memory_close(b);
    sq_cuda_timings_close(b->timings);
    sq_vendor_close(b->vendor);
    if (b->stream)
        (void)cudaStreamDestroy(b->stream);
    free(b);
}

/* Checks the device and reads its properties. is_local_rank: *device is the rank's number on this host, and becomes
 * that number modulo the number of devices. */
static sq_status find_device(int *device, bool is_local_rank, struct cudaDeviceProp *properties)
{
    int count = 0, driver = 0, runtime = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    (void)cudaDriverGetVersion(&driver); /* 0 without a driver */
    (void)cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return sq_fail(SQ_DEVICE, "%s: no NVIDIA driver on this machine", SQ_CUDA_NAME);
    if (error == cudaErrorInsufficientDriver)
        return sq_fail(SQ_DEVICE, "%s: found a driver for CUDA %d.%d, expected %d.%d or newer", SQ_CUDA_NAME,
                       driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
        return sq_fail(SQ_DEVICE, "%s: the driver shows no GPU; check CUDA_VISIBLE_DEVICES", SQ_CUDA_NAME);
    SQ_CUDA(NULL, error, "devices");
    if (is_local_rank)
        *device %= count;
    if (*device < 0 || *device >= count)
        return sq_fail(SQ_INVALID, "%s:%d: no such device; this machine has devices 0 to %d", SQ_CUDA_NAME, *device,
                       count - 1);
    SQ_CUDA(NULL, cudaGetDeviceProperties(properties, *device), "properties");
    if (properties->major < OLDEST_MAJOR)
        return sq_fail(SQ_UNSUPPORTED, "%s: %s: found compute capability %d.%d, expected 8.0 (Ampere) or newer",
                       SQ_CUDA_NAME, properties->name, properties->major, properties->minor);
    return SQ_OK;
}

static sq_status prepare(sq_cuda_backend *b)
{
    const cudaError_t error = cudaSetDevice(b->device);
    if (error == cudaErrorDevicesUnavailable)
        return sq_fail(SQ_DEVICE,
                       "%s: device %d is in use by another process in exclusive mode; see nvidia-smi -q -d COMPUTE",
                       SQ_CUDA_NAME, b->device);
    SQ_CUDA(b, error, "device");
    SQ_TRY(sq_cuda_load_instances(SQ_CUDA_NAME));
    SQ_CUDA(b, cudaStreamCreateWithFlags(&b->stream, cudaStreamNonBlocking), "stream");
    return sq_cuda_memory_open(b);
}

/* Without NVIDIA's libraries, engine auto is engine squall. */
static sq_status open_engine(sq_cuda_backend *b, sq_engine engine, const struct cudaDeviceProp *properties)
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
        SQ_TRY(sq_cuda_timings_open(&b->timings, properties->name, driver, sq_vendor_versions(b->vendor)));
    return SQ_OK;
}

static const struct sq_backend_ops backend_ops = {
    .name = SQ_CUDA_NAME,
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
    .workspace = sq_cuda_workspace,
    .available = sq_cuda_available,
    .compile = sq_cuda_compile,
    .run = sq_cuda_run,
    .discard = sq_cuda_discard,
    .wait = sq_cuda_wait,
    .measure = sq_cuda_measure,
    .part = sq_cuda_program_part,
    .measure_part = sq_cuda_measure_part,
    .copy_bandwidth = sq_cuda_copy_bandwidth,
    .attach = attach,
    .reduce_mean = reduce_mean,
    .join = join,
};

sq_status sq_cuda_open(const sq_backend_options *options, sq_backend **out)
{
    struct cudaDeviceProp properties;
    int device = options->device;
    SQ_TRY(find_device(&device, options->is_local_rank, &properties));
    sq_cuda_backend *b = calloc(1, sizeof *b);
    if (!b)
        return sq_fail(SQ_NO_MEMORY, "%s: backend", SQ_CUDA_NAME);
    b->base.ops = &backend_ops;
    b->device = device;
    b->is_local_rank = options->is_local_rank;
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
    (void)cudaDriverGetVersion(&driver); /* for information only */
    (void)cudaRuntimeGetVersion(&runtime);
    (void)snprintf(text, text_bytes,
                   "%s, compute %d.%d, %d multiprocessors, %.1f GiB, driver for CUDA %d.%d, runtime %d.%d",
                   properties.name, properties.major, properties.minor, properties.multiProcessorCount,
                   (double)properties.totalGlobalMem / (1 << 30), driver / 1000, driver % 1000 / 10, runtime / 1000,
                   runtime % 1000 / 10);
}
