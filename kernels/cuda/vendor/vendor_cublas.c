/* Matrix products through cuBLASLt. cuBLASLt is column-major: it reads a row-major matrix as its transpose. Therefore
 * out = first second is requested as out^T = second^T first^T, with swapped operands; no data is moved. */
#include "kernels/cuda/vendor/vendor_library.h"

#include <string.h>

enum { ALIGNMENT = 16, MAX_ALGORITHMS = 8, MAX_WORKSPACE_BYTES = 32 << 20 };

static sq_status fail(const sq_vendor_plan *plan, cublasStatus_t status, const char *what)
{
    const sq_vendor_product *p = &plan->shape.product;
    const bool is_shape = status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE;
    return sq_fail(is_shape ? SQ_UNSUPPORTED : SQ_DEVICE, "engine vendor: cuBLASLt: product %d x %d x %d in %s: %s: %s",
                   p->m, p->n, p->k, p->is_f32 ? "FP32" : "BF16", what, plan->vendor->cublas.status_string(status));
}

/* cuBLASLt's first operand is `second`. Stored rows are its columns. */
static cublasStatus_t describe(const sq_vendor_plan *plan, const float *bias, cublasLtMatmulDesc_t *out)
{
    const sq_vendor_product *p = &plan->shape.product;
    const sq_cublas_functions *cublas = &plan->vendor->cublas;
    const cublasOperation_t first = p->is_second_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t second = p->is_first_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS; /* one value for each of its rows, our columns */
    const cudaDataType_t bias_type = CUDA_R_32F;
    cublasStatus_t status = cublas->desc_create(out, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->desc_set(*out, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->desc_set(*out, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second);
    if (!p->has_bias)
        return status;
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->desc_set(*out, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->desc_set(*out, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &bias_type, sizeof bias_type);
    if (status == CUBLAS_STATUS_SUCCESS && bias)
        status = cublas->desc_set(*out, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    return status;
}

static cublasStatus_t set_layouts(sq_vendor_plan *plan)
{
    const sq_vendor_product *p = &plan->shape.product;
    const sq_cublas_functions *cublas = &plan->vendor->cublas;
    const cudaDataType_t operand = p->is_f32 ? CUDA_R_32F : CUDA_R_16BF;
    const cudaDataType_t result = p->is_f32 || p->has_f32_result ? CUDA_R_32F : CUDA_R_16BF;
    const int second_rows = p->is_second_transposed ? p->k : p->n,
              second_columns = p->is_second_transposed ? p->n : p->k;
    const int first_rows = p->is_first_transposed ? p->m : p->k, first_columns = p->is_first_transposed ? p->k : p->m;
    cublasStatus_t status =
        cublas->layout_create(&plan->first, operand, (uint64_t)second_rows, (uint64_t)second_columns, p->second_pitch);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->layout_create(&plan->second, operand, (uint64_t)first_rows, (uint64_t)first_columns,
                                       p->first_pitch);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->layout_create(&plan->out, result, (uint64_t)p->n, (uint64_t)p->m, p->out_pitch);
    return status;
}

/* Permits splits of the sum over k only if a second step adds them in FP32: the results then repeat bit for bit. */
static cublasStatus_t set_preference(const sq_cublas_functions *cublas, cublasLtMatmulPreference_t preference)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const size_t workspace = MAX_WORKSPACE_BYTES;
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, alignment = ALIGNMENT;
    cublasStatus_t status =
        cublas->preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            cublas->preference_set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes);
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments && status == CUBLAS_STATUS_SUCCESS; i++)
        status = cublas->preference_set(preference, alignments[i], &alignment, sizeof alignment);
    return status;
}

static cublasStatus_t choose_algorithm(sq_vendor_plan *plan, cublasLtMatmulDesc_t description)
{
    const sq_cublas_functions *cublas = &plan->vendor->cublas;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t results[MAX_ALGORITHMS];
    int count = 0;
    memset(results, 0, sizeof results);
    cublasStatus_t status = cublas->preference_create(&preference);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = set_preference(cublas, preference);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublas->heuristic(plan->vendor->cublas_handle, description, plan->first, plan->second, plan->out,
                                   plan->out, preference, MAX_ALGORITHMS, results, &count);
    if (preference)
        (void)cublas->preference_destroy(preference); /* a failure cannot be handled */
    if (status != CUBLAS_STATUS_SUCCESS)
        return status;
    for (int i = 0; i < count; i++)
        if (results[i].state == CUBLAS_STATUS_SUCCESS && results[i].workspaceSize <= MAX_WORKSPACE_BYTES) {
            plan->algorithm = results[i].algo;
            plan->workspace_bytes = results[i].workspaceSize;
            return CUBLAS_STATUS_SUCCESS;
        }
    return CUBLAS_STATUS_NOT_SUPPORTED;
}

sq_status sq_cublas_make(sq_vendor_plan *plan)
{
    cublasLtMatmulDesc_t description = NULL;
    cublasStatus_t status = describe(plan, NULL, &description);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = set_layouts(plan);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = choose_algorithm(plan, description);
    if (description)
        (void)plan->vendor->cublas.desc_destroy(
            description); /* each call makes its own, with the address of the bias */
    return status == CUBLAS_STATUS_SUCCESS ? SQ_OK : fail(plan, status, "no algorithm");
}

void sq_cublas_unmake(sq_vendor_plan *plan)
{
    const cublasLtMatrixLayout_t layouts[] = {plan->first, plan->second, plan->out};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i])
            (void)plan->vendor->cublas.layout_destroy(layouts[i]); /* a failure cannot be handled */
}

sq_status sq_cublas_bind(sq_vendor_call *call)
{
    const cublasStatus_t status = describe(call->plan, call->at.bias, &call->description);
    return status == CUBLAS_STATUS_SUCCESS ? SQ_OK : fail(call->plan, status, "description");
}

sq_status sq_cublas_run(const sq_vendor_call *call)
{
    const sq_vendor_plan *plan = call->plan;
    const sq_vendor *v = plan->vendor;
    const float alpha = 1, beta = 0; /* read by the host during the call */
    const cublasStatus_t status =
        v->cublas.matmul(v->cublas_handle, call->description, &alpha, call->at.second, plan->first, call->at.first,
                         plan->second, &beta, call->at.out, plan->out, call->at.out, plan->out, &plan->algorithm,
                         call->at.workspace, plan->workspace_bytes, v->stream);
    return status == CUBLAS_STATUS_SUCCESS ? SQ_OK : fail(plan, status, "execution");
}
