/* Names and classes of launches. */
#include "kernels/cuda/launches/launch_list.h"

const char *sq_cuda_kernel_name(sq_cuda_kernel kernel)
{
    static const char *const names[SQ_CUDA_KERNELS] = {[SQ_CUDA_VENDOR_CONVOLUTION] = "vendor_convolution",
                                                       [SQ_CUDA_VENDOR_PRODUCT] = "vendor_product",
#define NAME(KIND, name) [SQ_CUDA_##KIND] = #name,
                                                       SQ_CUDA_LAUNCHES(NAME)
#undef NAME
    };
    return names[kernel];
}

bool sq_cuda_launch_is_vendor(const sq_cuda_launch *launch)
{
    return launch->kernel == SQ_CUDA_VENDOR_CONVOLUTION || launch->kernel == SQ_CUDA_VENDOR_PRODUCT;
}
