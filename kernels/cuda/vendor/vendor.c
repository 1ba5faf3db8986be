/* Opens NVIDIA's libraries at run time, and caches one execution plan per shape. */
#include "kernels/cuda/vendor/vendor_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Opening ---- */

/* Opens the first of `names` that can be opened. The error text lists all names, and the reason for the last one. */
static sq_status open_library(void **out, const char *what, const char *const *names, int count)
{
    char tried[256] = "";
    const char *why = "";
    for (int i = 0; i < count; i++) {
        *out = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (*out)
            return SQ_OK;
        const char *error = dlerror(); /* valid until the next call */
        why = error ? error : "";
        const size_t used = strlen(tried);
        (void)snprintf(tried + used, sizeof tried - used, "%s%s", i ? ", " : "", names[i]);
    }
    return sq_fail(
        SQ_UNSUPPORTED,
        "engine vendor: %s cannot be loaded: tried %s; the last error: %s; set LD_LIBRARY_PATH to its folder", what,
        tried, why);
}

typedef struct {
    const char *name;
    size_t offset; /* of the function pointer in the table */
} symbol;

static sq_status find_symbols(void *library, void *table, const symbol *symbols, int count)
{
    for (int i = 0; i < count; i++) {
        void *found = dlsym(library, symbols[i].name);
        if (!found)
            return sq_fail(SQ_UNSUPPORTED, "engine vendor: the library has no %s; it may be too old", symbols[i].name);
        memcpy((unsigned char *)table + symbols[i].offset, &found,
               sizeof found); /* POSIX: both pointers have the same size */
    }
    return SQ_OK;
}

#define SQ_VENDOR_FUNCTION(field, name, result, parameters) {#name, offsetof(table, field)},

static sq_status load_cudnn(sq_vendor *v)
{
    typedef sq_cudnn_functions table;
    static const char *const names[] = {"libcudnn.so.9", "/usr/local/cuda/lib64/libcudnn.so.9"};
    static const symbol symbols[] = {SQ_CUDNN_FUNCTIONS};
    SQ_TRY(open_library(&v->cudnn_library, "cuDNN 9", names, sizeof names / sizeof *names));
    return find_symbols(v->cudnn_library, &v->cudnn, symbols, sizeof symbols / sizeof *symbols);
}

/* Tries the version of the headers first: only its structs are certain to match. */
static sq_status load_cublas(sq_vendor *v)
{
    typedef sq_cublas_functions table;
    static const char *const names[] = {
        CUBLAS_VER_MAJOR == 12 ? "libcublasLt.so.12" : "libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13",
        CUBLAS_VER_MAJOR == 12 ? "libcublasLt.so.13" : "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so.12"};
    static const symbol symbols[] = {SQ_CUBLAS_FUNCTIONS};
    SQ_TRY(open_library(&v->cublas_library, "cuBLASLt", names, sizeof names / sizeof *names));
    return find_symbols(v->cublas_library, &v->cublas, symbols, sizeof symbols / sizeof *symbols);
}

#undef SQ_VENDOR_FUNCTION

sq_status sq_vendor_load(sq_vendor *v)
{
    SQ_TRY(load_cudnn(v));
    SQ_TRY(load_cublas(v));
    const size_t cudnn = v->cudnn.version(), cublas = v->cublas.version();
    (void)snprintf(v->versions, sizeof v->versions, "cudnn %zu.%zu.%zu cublasLt %zu.%zu.%zu", cudnn / 10000,
                   cudnn / 100 % 100, cudnn % 100, cublas / 10000, cublas / 100 % 100, cublas % 100);
    return SQ_OK;
}

static sq_status start(sq_vendor *v)
{
    const cudnnStatus_t opened = v->cudnn.open(&v->cudnn_handle);
    if (opened != CUDNN_STATUS_SUCCESS)
        return sq_fail(SQ_DEVICE, "engine vendor: cudnnCreate: %s", v->cudnn.error_string(opened));
    const cudnnStatus_t streamed = v->cudnn.set_stream(v->cudnn_handle, v->stream);
    if (streamed != CUDNN_STATUS_SUCCESS)
        return sq_fail(SQ_DEVICE, "engine vendor: cudnnSetStream: %s", v->cudnn.error_string(streamed));
    const cublasStatus_t created = v->cublas.open(&v->cublas_handle);
    if (created != CUBLAS_STATUS_SUCCESS)
        return sq_fail(SQ_DEVICE, "engine vendor: cublasLtCreate: %s", v->cublas.status_string(created));
    return SQ_OK;
}

sq_status sq_vendor_open(cudaStream_t stream, sq_vendor **out)
{
    sq_vendor *v = calloc(1, sizeof *v);
    if (!v)
        return sq_fail(SQ_NO_MEMORY, "engine vendor");
    v->stream = stream;
    sq_status status = sq_vendor_load(v);
    if (status == SQ_OK)
        status = start(v);
    if (status == SQ_OK)
        *out = v;
    else
        sq_vendor_close(v);
    return status;
}

static void free_plan(sq_vendor_plan *plan)
{
    if (plan->is_product)
        sq_cublas_unmake(plan);
    else
        sq_cudnn_unmake(plan);
    free(plan);
}

void sq_vendor_close(sq_vendor *v)
{
    if (!v)
        return;
    for (int i = 0; i < v->count; i++)
        free_plan(v->plans[i]);
    free(v->plans);
    if (v->cublas_handle)
        (void)v->cublas.close(v->cublas_handle); /* a failure cannot be handled */
    if (v->cudnn_handle)
        (void)v->cudnn.close(v->cudnn_handle);
    if (v->cublas_library)
        (void)dlclose(v->cublas_library);
    if (v->cudnn_library)
        (void)dlclose(v->cudnn_library);
    free(v);
}

const char *sq_vendor_versions(const sq_vendor *v)
{
    return v->versions;
}

/* ---- Execution plans ---- */

static sq_vendor_plan *find_cached_plan(const sq_vendor *v, bool is_product, const void *shape, size_t bytes)
{
    for (int i = 0; i < v->count; i++)
        if (v->plans[i]->is_product == is_product && memcmp(&v->plans[i]->shape, shape, bytes) == 0)
            return v->plans[i];
    return NULL;
}

static sq_status cache_plan(sq_vendor *v, sq_vendor_plan *plan)
{
    if (v->count == v->capacity) {
        const int capacity = v->capacity ? 2 * v->capacity : 64;
        sq_vendor_plan **larger = realloc(v->plans, (size_t)capacity * sizeof *larger);
        if (!larger)
            return sq_fail(SQ_NO_MEMORY, "engine vendor: %d execution plans", capacity);
        v->plans = larger;
        v->capacity = capacity;
    }
    v->plans[v->count++] = plan;
    return SQ_OK;
}

/* Also caches the failure for a shape without an engine: the search is slow and would fail again. */
static sq_status plan_for(sq_vendor *v, bool is_product, const void *shape, size_t bytes, const sq_vendor_plan **out)
{
    sq_vendor_plan *plan = find_cached_plan(v, is_product, shape, bytes);
    if (!plan) {
        plan = calloc(1, sizeof *plan);
        if (!plan)
            return sq_fail(SQ_NO_MEMORY, "engine vendor: execution plan");
        plan->vendor = v;
        plan->is_product = is_product;
        memcpy(&plan->shape, shape, bytes);
        plan->status = is_product ? sq_cublas_make(plan) : sq_cudnn_make(plan);
        if (plan->status != SQ_OK)
            (void)snprintf(plan->why, sizeof plan->why, "%s", sq_error_text());
        const sq_status added = cache_plan(v, plan);
        if (added != SQ_OK) {
            free_plan(plan);
            return added;
        }
    }
    if (plan->status != SQ_OK)
        return sq_fail(plan->status, "%s", plan->why);
    *out = plan;
    return SQ_OK;
}

sq_status sq_vendor_plan_convolution(sq_vendor *v, const sq_vendor_convolution *shape, const sq_vendor_plan **out)
{
    return plan_for(v, false, shape, sizeof *shape, out);
}

sq_status sq_vendor_plan_product(sq_vendor *v, const sq_vendor_product *shape, const sq_vendor_plan **out)
{
    return plan_for(v, true, shape, sizeof *shape, out);
}

size_t sq_vendor_workspace(const sq_vendor_plan *plan)
{
    return plan->workspace_bytes;
}

bool sq_vendor_leaves_bf16(const sq_vendor_plan *plan)
{
    return plan->leaves_bf16;
}

/* ---- Calls ---- */

sq_status sq_vendor_bind(const sq_vendor_plan *plan, const sq_vendor_operands *at, sq_vendor_call **out)
{
    sq_vendor_call *call = calloc(1, sizeof *call);
    if (!call)
        return sq_fail(SQ_NO_MEMORY, "engine vendor: call");
    call->plan = plan;
    call->at = *at;
    const sq_status status = plan->is_product ? sq_cublas_bind(call) : sq_cudnn_bind(call);
    if (status == SQ_OK)
        *out = call;
    else
        sq_vendor_release(call);
    return status;
}

sq_status sq_vendor_run(const sq_vendor_call *call)
{
    return call->plan->is_product ? sq_cublas_run(call) : sq_cudnn_run(call);
}

void sq_vendor_release(sq_vendor_call *call)
{
    if (!call)
        return;
    const sq_vendor *v = call->plan->vendor;
    if (call->pack)
        (void)v->cudnn.destroy(call->pack); /* a failure cannot be handled */
    if (call->description)
        (void)v->cublas.desc_destroy(call->description);
    free(call);
}
