#ifndef SQ_CUDA_BACKEND_H
#define SQ_CUDA_BACKEND_H

#include "kernels/cuda/collective.h"
#include "kernels/cuda/autotune.h"

/* Internal to the cuda backend: what backend.c (programs, opening) and memory.c (memory and what goes in and
 * out) share. */

enum { SQ_CUDA_CHUNKS = 4, SQ_CUDA_CHUNK_BYTES = 4 << 20 };

typedef struct {
    sq_backend base;
    cudaStream_t stream;
    sq_cuda_machine machine;
    int device;
    bool has_graphs;
    sq_engine engine;
    sq_vendor *vendor;         /* owned; NULL with SQ_ENGINE_SQUALL */
    sq_cuda_timings *choices;  /* owned; with SQ_ENGINE_AUTO */
    sq_collective *collective; /* owned; NULL: one rank */
    bool is_dealt;             /* the device was, among the ranks of this host */
    struct {                   /* pinned memory in turn: what write() has taken and the device has not yet */
        unsigned char *bytes;
        cudaEvent_t copied;
    } chunks[SQ_CUDA_CHUNKS];
    int next_chunk;
    cudaStream_t upload; /* owned: large writes arrive over it while `stream` computes */
    struct {             /* where they arrive, on the device; owned */
        unsigned char *bytes;
        size_t size;
        cudaEvent_t filled, emptied;
    } arrival;
    int32_t *found;                       /* owned, on the device: what find_nonfinite found */
    char first_name[128], last_name[128]; /* programs enqueued since the last wait; "" none */
} cuda_backend;

const char *sq_cuda_name(void); /* "cuda" */

/* A runtime call's failure, with the programs under way; b NULL: before there is a backend. */
sq_status sq_cuda_translate(const cuda_backend *b, cudaError_t error, const char *what);
#define SQ_CUDA(b, call, what) SQ_TRY(sq_cuda_translate((b), (call), (what)))

/* ---- memory.c: of sq_backend_ops ---- */

SQ_MUST_USE sq_status sq_cuda_memory_open(cuda_backend *b);
void sq_cuda_memory_close(cuda_backend *b); /* the streams are idle; open may have failed */

size_t sq_cuda_available(sq_backend *base);
sq_status sq_cuda_allocate(sq_backend *base, size_t bytes, sq_device_ptr *out);
void sq_cuda_release(sq_backend *base, sq_device_ptr p);
sq_status sq_cuda_wait(sq_backend *base);
sq_status sq_cuda_write(sq_backend *base, sq_device_ptr to, const void *from, size_t bytes);
sq_status sq_cuda_read(sq_backend *base, void *to, sq_device_ptr from, size_t bytes);
sq_status sq_cuda_copy(sq_backend *base, sq_device_ptr to, sq_device_ptr from, size_t bytes);
sq_status sq_cuda_find_nonfinite(sq_backend *base, const sq_range *ranges, int count, int *first);
sq_status sq_cuda_crop_images(sq_backend *base, sq_device_ptr images, const sq_stored_crop *crops, int count, int side,
                             sq_device_ptr out);

#endif
