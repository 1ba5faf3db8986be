/* Takes the place of the CUDA toolkit's header where there is none: the names that the planner's structs and
 * declarations mention. Nothing of it is called there. */
#ifndef SQ_WITHOUT_TOOLKIT_H
#define SQ_WITHOUT_TOOLKIT_H

typedef int cudaError_t;
typedef struct CUstream_st *cudaStream_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

#endif
