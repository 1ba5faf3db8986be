/* Defines what test_cuda_gpu needs to run the cuda tests on a real GPU, in one process and without Criterion. */
#include "kernels/backend.h"

#include "tests/support/support.h"

const char *shim_missing(void)
{
    sq_backend *backend = NULL;
    if (sq_backend_open("cuda", 0, &backend) != SQ_OK)
        return sq_error_text();
    sq_backend_close(backend);
    return NULL;
}
