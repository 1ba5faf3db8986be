/* Device memory, copies to and from it, and kernels that run outside of programs. */
#include "kernels/cuda/memory.h"

#include <string.h>

#include "kernels/cuda/device_error.h"
#include "kernels/cuda/operations/operations.h"

enum {
    FOUND_COUNT = SQ_CUDA_NONFINITE_RANGES * SQ_CUDA_NONFINITE_BLOCKS,
    LARGE_BYTES = 1 << 20, /* writes from this size on use the upload stream */
    MAX_STAGING_BYTES = 256 << 20
};

sq_status sq_cuda_memory_open(sq_cuda_backend *b)
{
    for (int i = 0; i < SQ_CUDA_CHUNKS; i++) {
        SQ_CUDA(b, cudaMallocHost((void **)&b->chunks[i].bytes, SQ_CUDA_CHUNK_BYTES), "pinned memory");
        SQ_CUDA(b, cudaEventCreateWithFlags(&b->chunks[i].copied, cudaEventDisableTiming), "event");
    }
    SQ_CUDA(b, cudaMalloc((void **)&b->found, FOUND_COUNT * sizeof *b->found), "memory");
    SQ_CUDA(b, cudaStreamCreateWithFlags(&b->upload, cudaStreamNonBlocking), "stream");
    SQ_CUDA(b, cudaEventCreateWithFlags(&b->staging.filled, cudaEventDisableTiming), "event");
    SQ_CUDA(b, cudaEventCreateWithFlags(&b->staging.emptied, cudaEventDisableTiming), "event");
    return SQ_OK;
}

void sq_cuda_memory_close(sq_cuda_backend *b)
{
    for (int i = 0; i < SQ_CUDA_CHUNKS; i++) {
        if (b->chunks[i].copied)
            (void)cudaEventDestroy(b->chunks[i].copied); /* errors are ignored while closing, here and below */
        (void)cudaFreeHost(b->chunks[i].bytes);
    }
    if (b->upload)
        (void)cudaStreamDestroy(b->upload);
    if (b->staging.filled)
        (void)cudaEventDestroy(b->staging.filled);
    if (b->staging.emptied)
        (void)cudaEventDestroy(b->staging.emptied);
    (void)cudaFree(b->staging.bytes);
    (void)cudaFree(b->found);
}

size_t sq_cuda_available(sq_backend *base)
{
    size_t free_bytes = 0, total = 0;
    (void)base; /* the runtime reports on the current device */
    return cudaMemGetInfo(&free_bytes, &total) == cudaSuccess ? free_bytes : 0;
}

sq_status sq_cuda_allocate(sq_backend *base, size_t bytes, sq_device_ptr *out)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    void *p = NULL;
    const cudaError_t error = cudaMalloc(&p, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
        size_t free_bytes = 0, total = 0;
        (void)cudaGetLastError(); /* clears it: this error is not sticky */
        (void)cudaMemGetInfo(&free_bytes, &total);
        return sq_fail(SQ_NO_MEMORY, "%s: requested %.2f GiB of device memory; %.2f of %.2f GiB are free", SQ_CUDA_NAME,
                       (double)bytes / (1 << 30), (double)free_bytes / (1 << 30), (double)total / (1 << 30));
    }
    SQ_CUDA(b, error, "memory");
    const cudaError_t cleared = cudaMemsetAsync(p, 0, bytes ? bytes : 1, b->stream);
    if (cleared != cudaSuccess)
        (void)cudaFree(p);
    SQ_CUDA(b, cleared, "memory");
    out->address = p;
    return SQ_OK;
}

void sq_cuda_release(sq_backend *base, sq_device_ptr p)
{
    sq_collective_drain(((sq_cuda_backend *)base)->collective); /* the next call blocks until the device is idle */
    (void)cudaFree(p.address);                                  /* an earlier error surfaces in wait() */
}

sq_status sq_cuda_wait(sq_backend *base)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    SQ_TRY(sq_collective_wait(b->collective, NULL));
    SQ_CUDA(b, cudaStreamSynchronize(b->stream), "failed");
    b->first_name[0] = b->last_name[0] = '\0';
    return SQ_OK;
}

/* Copies to the device over the stream, through the ring of pinned chunks. */
static sq_status upload(sq_cuda_backend *b, cudaStream_t stream, unsigned char *to, const unsigned char *from,
                        size_t bytes)
{
    for (size_t done = 0; done < bytes; b->next_chunk = (b->next_chunk + 1) % SQ_CUDA_CHUNKS) {
        const size_t part = bytes - done < SQ_CUDA_CHUNK_BYTES ? bytes - done : SQ_CUDA_CHUNK_BYTES;
        unsigned char *chunk = b->chunks[b->next_chunk].bytes;
        SQ_TRY(sq_collective_wait(b->collective, b->chunks[b->next_chunk].copied));
        SQ_CUDA(b, cudaEventSynchronize(b->chunks[b->next_chunk].copied), "failed");
        memcpy(chunk, from + done, part);
        SQ_CUDA(b, cudaMemcpyAsync(to + done, chunk, part, cudaMemcpyHostToDevice, stream), "copy");
        SQ_CUDA(b, cudaEventRecord(b->chunks[b->next_chunk].copied, stream), "copy");
        done += part;
    }
    return SQ_OK;
}

/* Enlarges the staging buffer to `bytes`, if they take at most a quarter of the free device memory. Otherwise it keeps
 * its size. */
static sq_status grow_staging(sq_cuda_backend *b, size_t bytes)
{
    unsigned char *larger = NULL;
    if (bytes <= b->staging.size || bytes > MAX_STAGING_BYTES || bytes > sq_cuda_available(&b->base) / 4)
        return SQ_OK;
    SQ_TRY(sq_cuda_wait(&b->base)); /* copies may still read the old buffer, and the next calls block */
    const cudaError_t error = cudaMalloc((void **)&larger, bytes);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); /* clears it: this error is not sticky */
        return SQ_OK;
    }
    SQ_CUDA(b, error, "memory");
    (void)cudaFree(b->staging.bytes);
    b->staging.bytes = larger;
    b->staging.size = bytes;
    return SQ_OK;
}

/* Uploads into the staging buffer while programs run, and copies from there in the order of `stream`. */
static sq_status upload_staged(sq_cuda_backend *b, unsigned char *to, const unsigned char *from, size_t bytes)
{
    SQ_CUDA(b, cudaStreamWaitEvent(b->upload, b->staging.emptied, 0), "copy");
    SQ_TRY(upload(b, b->upload, b->staging.bytes, from, bytes));
    SQ_CUDA(b, cudaEventRecord(b->staging.filled, b->upload), "copy");
    SQ_CUDA(b, cudaStreamWaitEvent(b->stream, b->staging.filled, 0), "copy");
    SQ_CUDA(b, cudaMemcpyAsync(to, b->staging.bytes, bytes, cudaMemcpyDeviceToDevice, b->stream), "copy");
    SQ_CUDA(b, cudaEventRecord(b->staging.emptied, b->stream), "copy");
    return SQ_OK;
}

sq_status sq_cuda_write(sq_backend *base, sq_device_ptr to, const void *from, size_t bytes)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    SQ_CUDA(b, cudaSetDevice(b->device), "device"); /* per thread: decoders call this too (data.cache: device) */
    if (bytes >= LARGE_BYTES)
        SQ_TRY(grow_staging(b, bytes));
    return bytes >= LARGE_BYTES && bytes <= b->staging.size ? upload_staged(b, to.address, from, bytes)
                                                            : upload(b, b->stream, to.address, from, bytes);
}

sq_status sq_cuda_read(sq_backend *base, void *to, sq_device_ptr from, size_t bytes)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    SQ_TRY(sq_collective_wait(b->collective, NULL)); /* the copy below blocks */
    SQ_CUDA(b, cudaMemcpyAsync(to, from.address, bytes, cudaMemcpyDeviceToHost, b->stream), "copy");
    return sq_cuda_wait(base);
}

sq_status sq_cuda_copy(sq_backend *base, sq_device_ptr to, sq_device_ptr from, size_t bytes)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    SQ_CUDA(b, cudaMemcpyAsync(to.address, from.address, bytes, cudaMemcpyDeviceToDevice, b->stream), "copy");
    return SQ_OK;
}

/* ---- Nonfinite check and crops ---- */

/* Checks as many ranges as one launch takes. *first: index of the first nonfinite one, or SQ_NONE. */
static sq_status check_ranges(sq_cuda_backend *b, const sq_range *ranges, int count, int *first)
{
    int32_t found[FOUND_COUNT];
    sq_cuda_nonfinite a = {.found = b->found, .count = count};
    for (int i = 0; i < count; i++) {
        a.ranges[i].values = (const float *)(const void *)ranges[i].at.address;
        a.ranges[i].count = ranges[i].count;
    }
    SQ_CUDA(b, sq_cuda_nonfinite_run(&a, b->stream), "gradients");
    SQ_TRY(sq_cuda_read(&b->base, found, (sq_device_ptr){(unsigned char *)b->found},
                        (size_t)count * SQ_CUDA_NONFINITE_BLOCKS * sizeof *found));
    int i = 0;
    while (i < count * SQ_CUDA_NONFINITE_BLOCKS && !found[i])
        i++;
    *first = i < count * SQ_CUDA_NONFINITE_BLOCKS ? i / SQ_CUDA_NONFINITE_BLOCKS : SQ_NONE;
    return SQ_OK;
}

sq_status sq_cuda_find_nonfinite(sq_backend *base, const sq_range *ranges, int count, int *first)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    *first = SQ_NONE;
    for (int done = 0; done < count && *first == SQ_NONE; done += SQ_CUDA_NONFINITE_RANGES) {
        const int group = count - done < SQ_CUDA_NONFINITE_RANGES ? count - done : SQ_CUDA_NONFINITE_RANGES;
        SQ_TRY(check_ranges(b, ranges + done, group, first));
        *first = *first == SQ_NONE ? SQ_NONE : done + *first;
    }
    return SQ_OK;
}

sq_status sq_cuda_crop_images(sq_backend *base, const sq_crop_batch *batch)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    const int count = batch->count, side = batch->side;
    const size_t image_bytes = (size_t)side * (size_t)side * 3;
    for (int done = 0; done < count; done += SQ_CUDA_CROPS) {
        sq_cuda_crop a = {
            .images = batch->images.address, .out = batch->out.address + (size_t)done * image_bytes, .side = side};
        a.count = count - done < SQ_CUDA_CROPS ? count - done : SQ_CUDA_CROPS;
        memcpy(a.crops, batch->crops + done, (size_t)a.count * sizeof *batch->crops);
        const cudaError_t error = sq_cuda_crop_run(&a, b->stream);
        if (error == cudaErrorInvalidValue)
            return sq_fail(SQ_UNSUPPORTED, "%s: a crop is too large to be resized to %d pixels on the device",
                           SQ_CUDA_NAME, side);
        SQ_CUDA(b, error, "crop");
    }
    return SQ_OK;
}
