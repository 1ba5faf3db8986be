/* Replaces the CUDA toolkit's header in builds without the toolkit. It has the types that lowering needs; no function
 * of the runtime is called there. */
#ifndef SQ_WITHOUT_TOOLKIT_H
#define SQ_WITHOUT_TOOLKIT_H

typedef int cudaError_t;
typedef struct CUstream_st *cudaStream_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

#endif
