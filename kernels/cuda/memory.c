/* The device's memory, what goes in and out of it, and what is done to it outside of programs. */
#include "kernels/cuda/backend.h"

#include <string.h>

#include "kernels/cuda/operations/operations.h"

enum {
    FOUND_COUNT = SQ_CUDA_NONFINITE_RANGES * SQ_CUDA_NONFINITE_BLOCKS,
    LARGE_BYTES = 1 << 20, /* below it a write is one chunk, which the ring takes without waiting */
    ARRIVAL_BYTES = 256 << 20
};

sq_status sq_cuda_memory_open(cuda_backend *b)
{
    for (int i = 0; i < SQ_CUDA_CHUNKS; i++) {
        SQ_CUDA(b, cudaMallocHost((void **)&b->chunks[i].bytes, SQ_CUDA_CHUNK_BYTES), "pinned memory");
        SQ_CUDA(b, cudaEventCreateWithFlags(&b->chunks[i].copied, cudaEventDisableTiming), "event");
    }
    SQ_CUDA(b, cudaMalloc((void **)&b->found, FOUND_COUNT * sizeof *b->found), "memory");
    SQ_CUDA(b, cudaStreamCreateWithFlags(&b->upload, cudaStreamNonBlocking), "stream");
    SQ_CUDA(b, cudaEventCreateWithFlags(&b->arrival.filled, cudaEventDisableTiming), "event");
    SQ_CUDA(b, cudaEventCreateWithFlags(&b->arrival.emptied, cudaEventDisableTiming), "event");
    return SQ_OK;
}

void sq_cuda_memory_close(cuda_backend *b)
{
    for (int i = 0; i < SQ_CUDA_CHUNKS; i++) {
        if (b->chunks[i].copied)
            (void)cudaEventDestroy(
                b->chunks[i].copied); /* a failure has been told, or nobody waits for it; here and below */
        (void)cudaFreeHost(b->chunks[i].bytes);
    }
    if (b->upload)
        (void)cudaStreamDestroy(b->upload);
    if (b->arrival.filled)
        (void)cudaEventDestroy(b->arrival.filled);
    if (b->arrival.emptied)
        (void)cudaEventDestroy(b->arrival.emptied);
    (void)cudaFree(b->arrival.bytes);
    (void)cudaFree(b->found);
}

size_t sq_cuda_available(sq_backend *base)
{
    size_t free_bytes = 0, total = 0;
    (void)base; /* the current device's */
    return cudaMemGetInfo(&free_bytes, &total) == cudaSuccess ? free_bytes : 0;
}

sq_status sq_cuda_allocate(sq_backend *base, size_t bytes, sq_device_ptr *out)
{
    cuda_backend *b = (cuda_backend *)base;
    void *p = NULL;
    const cudaError_t error = cudaMalloc(&p, bytes ? bytes : 1);
    if (error == cudaErrorMemoryAllocation) {
        size_t free_bytes = 0, total = 0;
        (void)cudaGetLastError(); /* this one does not stay */
        (void)cudaMemGetInfo(&free_bytes, &total);
        return sq_fail(SQ_NO_MEMORY, "%s: %.2f GiB of device memory asked for; %.2f of %.2f GiB are free",
                       sq_cuda_name(), (double)bytes / (1 << 30), (double)free_bytes / (1 << 30),
                       (double)total / (1 << 30));
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
    sq_collective_drain(((cuda_backend *)base)->collective); /* the next call waits for the device */
    (void)cudaFree(p.address);                                /* after an error there is nothing left to say */
}

sq_status sq_cuda_wait(sq_backend *base)
{
    cuda_backend *b = (cuda_backend *)base;
    SQ_TRY(sq_collective_wait(b->collective, NULL));
    SQ_CUDA(b, cudaStreamSynchronize(b->stream), "failed");
    b->first_name[0] = b->last_name[0] = '\0';
    return SQ_OK;
}

/* Through the ring of pinned chunks, over that stream. */
static sq_status send(cuda_backend *b, cudaStream_t stream, unsigned char *to, const unsigned char *from, size_t bytes)
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

/* Room for so many bytes to arrive, if that leaves most of the device's free memory free; else what there was. */
static sq_status make_arrival(cuda_backend *b, size_t bytes)
{
    unsigned char *larger = NULL;
    if (bytes <= b->arrival.size || bytes > ARRIVAL_BYTES || bytes > sq_cuda_available(&b->base) / 4)
        return SQ_OK;
    SQ_TRY(sq_cuda_wait(&b->base)); /* the old one is still read; and the next calls wait for the device */
    const cudaError_t error = cudaMalloc((void **)&larger, bytes);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); /* this one does not stay */
        return SQ_OK;
    }
    SQ_CUDA(b, error, "memory");
    (void)cudaFree(b->arrival.bytes);
    b->arrival.bytes = larger;
    b->arrival.size = bytes;
    return SQ_OK;
}

/* A batch comes while the one before is computed on: into a place of its own, from where it is copied to its own when
 * the device comes to that. */
static sq_status send_ahead(cuda_backend *b, unsigned char *to, const unsigned char *from, size_t bytes)
{
    SQ_CUDA(b, cudaStreamWaitEvent(b->upload, b->arrival.emptied, 0), "copy");
    SQ_TRY(send(b, b->upload, b->arrival.bytes, from, bytes));
    SQ_CUDA(b, cudaEventRecord(b->arrival.filled, b->upload), "copy");
    SQ_CUDA(b, cudaStreamWaitEvent(b->stream, b->arrival.filled, 0), "copy");
    SQ_CUDA(b, cudaMemcpyAsync(to, b->arrival.bytes, bytes, cudaMemcpyDeviceToDevice, b->stream), "copy");
    SQ_CUDA(b, cudaEventRecord(b->arrival.emptied, b->stream), "copy");
    return SQ_OK;
}

sq_status sq_cuda_write(sq_backend *base, sq_device_ptr to, const void *from, size_t bytes)
{
    cuda_backend *b = (cuda_backend *)base;
    SQ_CUDA(b, cudaSetDevice(b->device), "device"); /* of this thread: a decoder of data.cache: device may be calling */
    if (bytes >= LARGE_BYTES)
        SQ_TRY(make_arrival(b, bytes));
    return bytes >= LARGE_BYTES && bytes <= b->arrival.size ? send_ahead(b, to.address, from, bytes)
                                                            : send(b, b->stream, to.address, from, bytes);
}

sq_status sq_cuda_read(sq_backend *base, void *to, sq_device_ptr from, size_t bytes)
{
    cuda_backend *b = (cuda_backend *)base;
    SQ_TRY(sq_collective_wait(b->collective, NULL)); /* the copy blocks until the device is there */
    SQ_CUDA(b, cudaMemcpyAsync(to, from.address, bytes, cudaMemcpyDeviceToHost, b->stream), "copy");
    return sq_cuda_wait(base);
}

sq_status sq_cuda_copy(sq_backend *base, sq_device_ptr to, sq_device_ptr from, size_t bytes)
{
    cuda_backend *b = (cuda_backend *)base;
    SQ_CUDA(b, cudaMemcpyAsync(to.address, from.address, bytes, cudaMemcpyDeviceToDevice, b->stream), "copy");
    return SQ_OK;
}

/* ---- Looking and cropping ---- */

/* One launch's worth of ranges. */
static sq_status find_among(cuda_backend *b, const sq_range *ranges, int count, int *first)
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
    cuda_backend *b = (cuda_backend *)base;
    *first = SQ_NONE;
    for (int done = 0; done < count && *first == SQ_NONE; done += SQ_CUDA_NONFINITE_RANGES) {
        const int some = count - done < SQ_CUDA_NONFINITE_RANGES ? count - done : SQ_CUDA_NONFINITE_RANGES;
        SQ_TRY(find_among(b, ranges + done, some, first));
        *first = *first == SQ_NONE ? SQ_NONE : done + *first;
    }
    return SQ_OK;
}

sq_status sq_cuda_crop_images(sq_backend *base, sq_device_ptr images, const sq_stored_crop *crops, int count, int side,
                             sq_device_ptr out)
{
    cuda_backend *b = (cuda_backend *)base;
    const size_t image_bytes = (size_t)side * (size_t)side * 3;
    for (int done = 0; done < count; done += SQ_CUDA_CROPS) {
        sq_cuda_crop a = {.images = images.address, .out = out.address + (size_t)done * image_bytes, .side = side};
        a.count = count - done < SQ_CUDA_CROPS ? count - done : SQ_CUDA_CROPS;
        memcpy(a.crops, crops + done, (size_t)a.count * sizeof *crops);
        const cudaError_t error = sq_cuda_crop_run(&a, b->stream);
        if (error == cudaErrorInvalidValue)
            return sq_fail(SQ_UNSUPPORTED, "%s: a crop too large to be resized to %d pixels", sq_cuda_name(), side);
        SQ_CUDA(b, error, "crop");
    }
    return SQ_OK;
}
