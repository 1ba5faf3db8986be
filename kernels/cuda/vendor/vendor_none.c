/* Replaces vendor.c, vendor_cudnn.c and vendor_cublas.c in builds without the libraries' headers. */
#include "kernels/cuda/vendor/vendor.h"

static sq_status refuse(void)
{
    return sq_fail(SQ_UNSUPPORTED, "engine vendor: not in this build: cudnn.h or cublasLt.h was not found");
}

sq_status sq_vendor_open(cudaStream_t stream, sq_vendor **out)
{
    (void)stream, (void)out; /* no libraries */
    return refuse();
}

void sq_vendor_close(sq_vendor *v)
{
    (void)v; /* always NULL */
}

const char *sq_vendor_versions(const sq_vendor *v)
{
    (void)v; /* always NULL */
    return "none";
}

sq_status sq_vendor_plan_convolution(sq_vendor *v, const sq_vendor_convolution *shape, const sq_vendor_plan **out)
{
    (void)v, (void)shape, (void)out; /* sq_vendor_open always fails */
    return refuse();
}

sq_status sq_vendor_plan_product(sq_vendor *v, const sq_vendor_product *shape, const sq_vendor_plan **out)
{
    (void)v, (void)shape, (void)out; /* sq_vendor_open always fails */
    return refuse();
}

size_t sq_vendor_workspace(const sq_vendor_plan *plan)
{
    (void)plan; /* none exist */
    return 0;
}

bool sq_vendor_leaves_bf16(const sq_vendor_plan *plan)
{
    (void)plan; /* none exist */
    return false;
}

sq_status sq_vendor_bind(const sq_vendor_plan *plan, const sq_vendor_operands *at, sq_vendor_call **out)
{
    (void)plan, (void)at, (void)out; /* none exist */
    return refuse();
}

sq_status sq_vendor_run(const sq_vendor_call *call)
{
    (void)call; /* none exist */
    return refuse();
}

void sq_vendor_release(sq_vendor_call *call)
{
    (void)call; /* always NULL */
}
