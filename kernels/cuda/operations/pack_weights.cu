/* pack_weights.cu - converts FP32 weights to the BF16 matrices that the tensor cores read: rows and depth are padded
 * with zeros; the matrices for the gradient of the input are transposed. Each program starts with this, so the
 * matrices are never stale. */
#include "kernels/cuda/convolution/convolution.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/unit.cuh"

enum { THREADS = 256 };

static __global__ void __launch_bounds__(THREADS) pack_weights_kernel(sq_cuda_pack_weights a)
{
    const sq_cuda_pack_weights_job &job = a.jobs[blockIdx.y];
    const int pairs = job.rows * job.depth / 2, padded_out = padded(job.c_out);
    for (int i = (int)(blockIdx.x * THREADS + threadIdx.x); i < pairs; i += (int)(gridDim.x * THREADS)) {
        float v[2];
        for (int j = 0; j < 2; j++) {
            const int row = (2 * i + j) / job.depth, column = (2 * i + j) % job.depth;
            const int output = job.is_transposed ? column % padded_out : row;
            const int input = job.is_transposed ? row : column % job.input_pitch;
            const int tap = column / (job.is_transposed ? padded_out : job.input_pitch);
            const bool exists = output < job.c_out && input < job.c_in && tap < job.taps;
            v[j] = exists ? __ldg(job.from + ((size_t)output * (size_t)job.c_in + (size_t)input) * (size_t)job.taps + tap)
                          : 0.0f;
        }
        reinterpret_cast<unsigned *>(job.to)[i] = pack(v[0], v[1]);
    }
}

extern "C" cudaError_t sq_cuda_pack_weights_run(const sq_cuda_pack_weights *args, cudaStream_t stream)
{
    const sq_cuda_pack_weights a = *args;
    int pairs = 1;
    for (int i = 0; i < a.count; i++)
        pairs = a.jobs[i].rows * a.jobs[i].depth / 2 > pairs ? a.jobs[i].rows * a.jobs[i].depth / 2 : pairs;
    const unsigned blocks = (unsigned)((pairs - 1) / THREADS + 1);
    LAUNCH(pack_weights_kernel, dim3(blocks < 64 ? blocks : 64, (unsigned)a.count), THREADS, 0, stream, a);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_pack_weights_instances[] = {SQ_CUDA_INSTANCE(THREADS, 0, 0, pack_weights_kernel),
                                                              SQ_CUDA_INSTANCES_END};
