#ifndef SQ_CUDA_BACKEND_H
#define SQ_CUDA_BACKEND_H

#include "kernels/cuda/autotune.h"
#include "kernels/cuda/collective.h"

/* Internal to the cuda backend: the state that its host files share. backend.c opens it, program.c compiles and runs,
 * memory.c allocates and copies, measure.c times. */

enum { SQ_CUDA_CHUNKS = 4, SQ_CUDA_CHUNK_BYTES = 4 << 20 };

typedef struct {
    sq_backend base;
    cudaStream_t stream; /* owned; all programs run on it */
    sq_cuda_machine machine;
    int device;
    bool has_graphs;
    sq_engine engine;
    sq_vendor *vendor;         /* owned; NULL with SQ_ENGINE_SQUALL */
    sq_cuda_timings *timings;  /* owned; with SQ_ENGINE_AUTO only */
    sq_collective *collective; /* owned; NULL: one rank */
    bool is_local_rank;        /* the device was assigned by the rank's number, not by the user */
    struct {                   /* owned: a ring of pinned memory, from which the device copies what write() received */
        unsigned char *bytes;
        cudaEvent_t copied;
    } chunks[SQ_CUDA_CHUNKS];
    int next_chunk;
    cudaStream_t upload; /* owned; transfers large writes while `stream` computes */
    struct {             /* owned: the destination of these transfers, in device memory */
        unsigned char *bytes;
        size_t size;
        cudaEvent_t filled, emptied;
    } staging;
    int32_t *found;                       /* owned, in device memory: results of the nonfinite check */
    char first_name[128], last_name[128]; /* programs enqueued since the last wait; "": none */
} sq_cuda_backend;

#endif
