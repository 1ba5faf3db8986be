#ifndef SQ_CUDA_VENDOR_LIBRARY_H
#define SQ_CUDA_VENDOR_LIBRARY_H

#include <cublasLt.h>
#include <cudnn.h>

#include "kernels/cuda/vendor/vendor.h"

/* Internal to the vendor engine with the real libraries: their functions, and the libraries' form of execution plans.
 */

/* The functions that are used, with their types. SQ_VENDOR_FUNCTION(field, name, result, parameters) */
#define SQ_CUDNN_FUNCTIONS                                                                                             \
    SQ_VENDOR_FUNCTION(version, cudnnGetVersion, size_t, (void))                                                       \
    SQ_VENDOR_FUNCTION(error_string, cudnnGetErrorString, const char *, (cudnnStatus_t))                               \
    SQ_VENDOR_FUNCTION(last_error, cudnnGetLastErrorString, void, (char *, size_t))                                    \
    SQ_VENDOR_FUNCTION(open, cudnnCreate, cudnnStatus_t, (cudnnHandle_t *))                                            \
    SQ_VENDOR_FUNCTION(close, cudnnDestroy, cudnnStatus_t, (cudnnHandle_t))                                            \
    SQ_VENDOR_FUNCTION(set_stream, cudnnSetStream, cudnnStatus_t, (cudnnHandle_t, cudaStream_t))                       \
    SQ_VENDOR_FUNCTION(create, cudnnBackendCreateDescriptor, cudnnStatus_t,                                            \
                       (cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t *))                                     \
    SQ_VENDOR_FUNCTION(destroy, cudnnBackendDestroyDescriptor, cudnnStatus_t, (cudnnBackendDescriptor_t))              \
    SQ_VENDOR_FUNCTION(finalize, cudnnBackendFinalize, cudnnStatus_t, (cudnnBackendDescriptor_t))                      \
    SQ_VENDOR_FUNCTION(                                                                                                \
        set, cudnnBackendSetAttribute, cudnnStatus_t,                                                                  \
        (cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, int64_t, const void *))   \
    SQ_VENDOR_FUNCTION(get, cudnnBackendGetAttribute, cudnnStatus_t,                                                   \
                       (cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t, int64_t,   \
                        int64_t *, void *))                                                                            \
    SQ_VENDOR_FUNCTION(execute, cudnnBackendExecute, cudnnStatus_t,                                                    \
                       (cudnnHandle_t, cudnnBackendDescriptor_t, cudnnBackendDescriptor_t))

#define SQ_CUBLAS_FUNCTIONS                                                                                            \
    SQ_VENDOR_FUNCTION(version, cublasLtGetVersion, size_t, (void))                                                    \
    SQ_VENDOR_FUNCTION(status_string, cublasLtGetStatusString, const char *, (cublasStatus_t))                         \
    SQ_VENDOR_FUNCTION(open, cublasLtCreate, cublasStatus_t, (cublasLtHandle_t *))                                     \
    SQ_VENDOR_FUNCTION(close, cublasLtDestroy, cublasStatus_t, (cublasLtHandle_t))                                     \
    SQ_VENDOR_FUNCTION(layout_create, cublasLtMatrixLayoutCreate, cublasStatus_t,                                      \
                       (cublasLtMatrixLayout_t *, cudaDataType, uint64_t, uint64_t, int64_t))                          \
    SQ_VENDOR_FUNCTION(layout_destroy, cublasLtMatrixLayoutDestroy, cublasStatus_t, (cublasLtMatrixLayout_t))          \
    SQ_VENDOR_FUNCTION(desc_create, cublasLtMatmulDescCreate, cublasStatus_t,                                          \
                       (cublasLtMatmulDesc_t *, cublasComputeType_t, cudaDataType_t))                                  \
    SQ_VENDOR_FUNCTION(desc_destroy, cublasLtMatmulDescDestroy, cublasStatus_t, (cublasLtMatmulDesc_t))                \
    SQ_VENDOR_FUNCTION(desc_set, cublasLtMatmulDescSetAttribute, cublasStatus_t,                                       \
                       (cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, const void *, size_t))                   \
    SQ_VENDOR_FUNCTION(preference_create, cublasLtMatmulPreferenceCreate, cublasStatus_t,                              \
                       (cublasLtMatmulPreference_t *))                                                                 \
    SQ_VENDOR_FUNCTION(preference_destroy, cublasLtMatmulPreferenceDestroy, cublasStatus_t,                            \
                       (cublasLtMatmulPreference_t))                                                                   \
    SQ_VENDOR_FUNCTION(preference_set, cublasLtMatmulPreferenceSetAttribute, cublasStatus_t,                           \
                       (cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void *, size_t))       \
    SQ_VENDOR_FUNCTION(heuristic, cublasLtMatmulAlgoGetHeuristic, cublasStatus_t,                                      \
                       (cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,        \
                        cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int,               \
                        cublasLtMatmulHeuristicResult_t *, int *))                                                     \
    SQ_VENDOR_FUNCTION(matmul, cublasLtMatmul, cublasStatus_t,                                                         \
                       (cublasLtHandle_t, cublasLtMatmulDesc_t, const void *, const void *, cublasLtMatrixLayout_t,    \
                        const void *, cublasLtMatrixLayout_t, const void *, const void *, cublasLtMatrixLayout_t,      \
                        void *, cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t *, void *, size_t, cudaStream_t))

#define SQ_VENDOR_FUNCTION(field, name, result, parameters) result(*field) parameters;
typedef struct {
    SQ_CUDNN_FUNCTIONS
} sq_cudnn_functions;
typedef struct {
    SQ_CUBLAS_FUNCTIONS
} sq_cublas_functions;
#undef SQ_VENDOR_FUNCTION

struct sq_vendor {
    cudaStream_t stream;
    void *cudnn_library, *cublas_library; /* from dlopen; sq_vendor_close closes them */
    sq_cudnn_functions cudnn;
    sq_cublas_functions cublas;
    cudnnHandle_t cudnn_handle;
    cublasLtHandle_t cublas_handle;
    cudnnBackendDescriptor_t device; /* a described GPU to make plans for; NULL: the handle's GPU */
    char versions[64];
    sq_vendor_plan **plans; /* owned: the cache */
    int count, capacity;
};

enum {
    SQ_VENDOR_DESCRIPTORS = 16,         /* most descriptors of a plan */
    SQ_VENDOR_MAX_WORKSPACE = 256 << 20 /* most bytes of workspace of an engine */
};

struct sq_vendor_plan {
    sq_vendor *vendor; /* borrowed */
    bool is_product;
    union {
        sq_vendor_convolution convolution;
        sq_vendor_product product;
    } shape;
    sq_status status; /* not SQ_OK: no engine exists for the shape */
    char why[512];    /* the error text then */
    size_t workspace_bytes;
    bool leaves_bf16;
    cudnnBackendDescriptor_t descriptors[SQ_VENDOR_DESCRIPTORS]; /* owned; destroyed in reverse order */
    int descriptor_count;
    cudnnBackendDescriptor_t engine;           /* the execution plan: one of the descriptors */
    cublasLtMatrixLayout_t first, second, out; /* in cuBLASLt's column-major order: see vendor_cublas.c */
    cublasLtMatmulAlgo_t algorithm;
};

struct sq_vendor_call {
    const sq_vendor_plan *plan; /* borrowed */
    sq_vendor_operands at;
    cudnnBackendDescriptor_t pack;    /* owned */
    cublasLtMatmulDesc_t description; /* owned */
};

/* Opens both libraries and looks up their functions. Does not use a device. */
SQ_MUST_USE sq_status sq_vendor_load(sq_vendor *v);

SQ_MUST_USE sq_status sq_cudnn_make(sq_vendor_plan *plan);
void sq_cudnn_unmake(sq_vendor_plan *plan);
SQ_MUST_USE sq_status sq_cudnn_bind(sq_vendor_call *call);
SQ_MUST_USE sq_status sq_cudnn_run(const sq_vendor_call *call);

SQ_MUST_USE sq_status sq_cublas_make(sq_vendor_plan *plan);
void sq_cublas_unmake(sq_vendor_plan *plan);
SQ_MUST_USE sq_status sq_cublas_bind(sq_vendor_call *call);
SQ_MUST_USE sq_status sq_cublas_run(const sq_vendor_call *call);

#endif
