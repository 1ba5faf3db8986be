/* vendor_emulated.cu - implements kernels/cuda/vendor/vendor.h with plain loops instead of cuDNN and cuBLASLt. One
 * thread computes one value of a result. As the libraries specify, sums are FP32 and results are rounded once. */
extern "C" {
#include "kernels/base/status.h"
}
#include "kernels/cuda/unit.cuh"
#include "kernels/cuda/vendor/vendor.h"
#include "vendor_emulated.h"

#include <cstdlib>

enum { THREADS = 64, WORKSPACE = 1000 };

struct sq_vendor {
    cudaStream_t stream;
    sq_vendor_plan **plans;
    int count;
};

struct sq_vendor_plan {
    sq_vendor *vendor;
    bool is_product;
    sq_vendor_convolution convolution;
    sq_vendor_product product;
};

struct sq_vendor_call {
    const sq_vendor_plan *plan;
    sq_vendor_operands at;
};

static bool is_away;
static int refused_kernel, plan_count, live;

extern "C" void emu_vendor_missing(bool is_missing) { is_away = is_missing; }
extern "C" void emu_vendor_refuse(int kernel) { refused_kernel = kernel; }
extern "C" int emu_vendor_plan_count(void) { return plan_count; }
extern "C" int emu_vendor_live(void) { return live; }

/* Overwrites the whole workspace, as a call of the libraries may do. */
static __global__ void spoil_kernel(unsigned char *workspace)
{
    for (int i = (int)threadIdx.x; i < WORKSPACE; i += THREADS)
        workspace[i] = 0xff;
}

static __device__ float value(const void *from, size_t i)
{
    return to_float(static_cast<const sq_bf16 *>(from)[i]);
}

static __device__ void store(void *to, size_t i, float v, bool is_f32)
{
    if (is_f32)
        static_cast<float *>(to)[i] = v;
    else
        static_cast<sq_bf16 *>(to)[i] = to_bf16(v);
}

/* Returns the coordinate of the input pixel that tap t of output pixel o reads. */
static __device__ int source(const sq_vendor_convolution &c, int o, int t) { return o * c.stride + t - c.kernel / 2; }

static __device__ float forward(const sq_vendor_convolution &c, const sq_vendor_operands &at, int i)
{
    const int output = i % c.c_out, wo = i / c.c_out % c.w_out, ho = i / c.c_out / c.w_out % c.h_out;
    const int n = i / c.c_out / c.w_out / c.h_out, inputs = c.c_in / c.groups, first = output / (c.c_out / c.groups) * inputs;
    float sum = 0;
    for (int t = 0; t < c.kernel * c.kernel; t++) {
        const int h = source(c, ho, t / c.kernel), w = source(c, wo, t % c.kernel);
        if (h < 0 || h >= c.h_in || w < 0 || w >= c.w_in)
            continue;
        for (int j = 0; j < inputs; j++)
            sum += value(at.first, (((size_t)n * c.h_in + h) * c.w_in + w) * c.c_in + first + j) *
                   value(at.second, ((size_t)output * c.kernel * c.kernel + t) * inputs + j);
    }
    return sum;
}

static __device__ float data_gradient(const sq_vendor_convolution &c, const sq_vendor_operands &at, int i)
{
    const int input = i % c.c_in, w = i / c.c_in % c.w_in, h = i / c.c_in / c.w_in % c.h_in;
    const int n = i / c.c_in / c.w_in / c.h_in, inputs = c.c_in / c.groups, outputs = c.c_out / c.groups;
    float sum = 0;
    for (int t = 0; t < c.kernel * c.kernel; t++) {
        const int down = h + c.kernel / 2 - t / c.kernel, across = w + c.kernel / 2 - t % c.kernel;
        if (down < 0 || across < 0 || down % c.stride || across % c.stride || down / c.stride >= c.h_out ||
            across / c.stride >= c.w_out)
            continue;
        const size_t pixel = ((size_t)n * c.h_out + down / c.stride) * c.w_out + across / c.stride;
        for (int j = 0; j < outputs; j++) {
            const int output = input / inputs * outputs + j;
            sum += value(at.first, pixel * c.c_out + output) *
                   value(at.second, ((size_t)output * c.kernel * c.kernel + t) * inputs + input % inputs);
        }
    }
    return sum;
}

static __device__ float weight_gradient(const sq_vendor_convolution &c, const sq_vendor_operands &at, int i)
{
    const int inputs = c.c_in / c.groups, input = i % inputs, t = i / inputs % (c.kernel * c.kernel);
    const int output = i / inputs / (c.kernel * c.kernel), first = output / (c.c_out / c.groups) * inputs;
    float sum = 0;
    for (int pixel = 0; pixel < c.n * c.h_out * c.w_out; pixel++) {
        const int h = source(c, pixel / c.w_out % c.h_out, t / c.kernel), w = source(c, pixel % c.w_out, t % c.kernel);
        const int n = pixel / c.w_out / c.h_out;
        if (h >= 0 && h < c.h_in && w >= 0 && w < c.w_in)
            sum += value(at.first, (size_t)pixel * c.c_out + output) *
                   value(at.second, (((size_t)n * c.h_in + h) * c.w_in + w) * c.c_in + first + input);
    }
    return sum;
}

static __global__ void convolution_kernel(sq_vendor_convolution c, sq_vendor_operands at, int count, bool is_f32)
{
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x);
    if (i >= count)
        return;
    const float v = c.direction == SQ_VENDOR_FORWARD         ? forward(c, at, i)
                    : c.direction == SQ_VENDOR_DATA_GRADIENT ? data_gradient(c, at, i)
                                                             : weight_gradient(c, at, i);
    store(at.out, (size_t)i, v, is_f32);
}

static __global__ void product_kernel(sq_vendor_product p, sq_vendor_operands at)
{
    const int element = (int)(blockIdx.x * THREADS + threadIdx.x), i = element / p.n, j = element % p.n;
    if (i >= p.m)
        return;
    float sum = 0;
    for (int k = 0; k < p.k; k++) {
        const size_t a = p.is_first_transposed ? (size_t)k * p.first_pitch + i : (size_t)i * p.first_pitch + k;
        const size_t b = p.is_second_transposed ? (size_t)j * p.second_pitch + k : (size_t)k * p.second_pitch + j;
        sum += p.is_f32 ? static_cast<const float *>(at.first)[a] * static_cast<const float *>(at.second)[b]
                        : value(at.first, a) * value(at.second, b);
    }
    store(at.out, (size_t)i * p.out_pitch + j, p.has_bias ? sum + at.bias[j] : sum, p.is_f32 || p.has_f32_result);
}

/* ---- The interface ---- */

extern "C" sq_status sq_vendor_open(cudaStream_t stream, sq_vendor **out)
{
    if (is_away)
        return sq_fail(SQ_UNSUPPORTED, "engine vendor: cuDNN 9 is missing");
    *out = static_cast<sq_vendor *>(calloc(1, sizeof **out));
    (*out)->stream = stream;
    live++;
    return SQ_OK;
}

extern "C" void sq_vendor_close(sq_vendor *v)
{
    if (!v)
        return;
    live -= 1 + v->count;
    for (int i = 0; i < v->count; i++)
        free(v->plans[i]);
    free(v->plans);
    free(v);
}

extern "C" const char *sq_vendor_versions(const sq_vendor *) { return "emulated 1"; }

static sq_vendor_plan *add_plan(sq_vendor *v)
{
    v->plans = static_cast<sq_vendor_plan **>(realloc(v->plans, (size_t)(v->count + 1) * sizeof *v->plans));
    sq_vendor_plan *plan = static_cast<sq_vendor_plan *>(calloc(1, sizeof *plan));
    plan->vendor = v;
    live++;
    plan_count++;
    return v->plans[v->count++] = plan;
}

/* Plans a convolution. The key of a plan is its shape: as with the libraries, equal shapes share a plan. */
extern "C" sq_status sq_vendor_plan_convolution(sq_vendor *v, const sq_vendor_convolution *shape, const sq_vendor_plan **out)
{
    if (shape->kernel == refused_kernel)
        return sq_fail(SQ_UNSUPPORTED, "engine vendor: no engine for kernel %d", shape->kernel);
    for (int i = 0; i < v->count; i++)
        if (!v->plans[i]->is_product && memcmp(&v->plans[i]->convolution, shape, sizeof *shape) == 0)
            return *out = v->plans[i], SQ_OK;
    sq_vendor_plan *plan = add_plan(v);
    plan->convolution = *shape;
    return *out = plan, SQ_OK;
}

extern "C" sq_status sq_vendor_plan_product(sq_vendor *v, const sq_vendor_product *shape, const sq_vendor_plan **out)
{
    for (int i = 0; i < v->count; i++)
        if (v->plans[i]->is_product && memcmp(&v->plans[i]->product, shape, sizeof *shape) == 0)
            return *out = v->plans[i], SQ_OK;
    sq_vendor_plan *plan = add_plan(v);
    plan->is_product = true;
    plan->product = *shape;
    return *out = plan, SQ_OK;
}

extern "C" size_t sq_vendor_workspace(const sq_vendor_plan *) { return WORKSPACE; }

/* Returns true if the plan stores a weight gradient in BF16. As in cuDNN, only depthwise convolutions do; dense
 * convolutions store FP32. */
extern "C" bool sq_vendor_leaves_bf16(const sq_vendor_plan *plan)
{
    return !plan->is_product && plan->convolution.direction == SQ_VENDOR_WEIGHT_GRADIENT && plan->convolution.groups > 1;
}

static bool is_aligned(const void *p, size_t alignment) { return reinterpret_cast<uintptr_t>(p) % alignment == 0; }

extern "C" sq_status sq_vendor_bind(const sq_vendor_plan *plan, const sq_vendor_operands *at, sq_vendor_call **out)
{
    if (!is_aligned(at->first, 16) || !is_aligned(at->second, 16) || !is_aligned(at->out, 16) || !is_aligned(at->workspace, 256))
        return sq_fail(SQ_INVALID, "engine vendor: an operand is not aligned");
    *out = static_cast<sq_vendor_call *>(calloc(1, sizeof **out));
    (*out)->plan = plan;
    (*out)->at = *at;
    live++;
    return SQ_OK;
}

static int convolution_count(const sq_vendor_convolution &c)
{
    if (c.direction == SQ_VENDOR_FORWARD)
        return c.n * c.h_out * c.w_out * c.c_out;
    if (c.direction == SQ_VENDOR_DATA_GRADIENT)
        return c.n * c.h_in * c.w_in * c.c_in;
    return c.c_out * c.kernel * c.kernel * (c.c_in / c.groups);
}

extern "C" sq_status sq_vendor_run(const sq_vendor_call *call)
{
    const sq_vendor_plan *plan = call->plan;
    const cudaStream_t stream = plan->vendor->stream;
    LAUNCH(spoil_kernel, 1u, THREADS, 0, stream, static_cast<unsigned char *>(call->at.workspace));
    if (plan->is_product) {
        const int count = plan->product.m * plan->product.n;
        LAUNCH(product_kernel, (unsigned)((count - 1) / THREADS + 1), THREADS, 0, stream, plan->product, call->at);
    } else {
        const int count = convolution_count(plan->convolution);
        const bool is_f32 = plan->convolution.direction == SQ_VENDOR_WEIGHT_GRADIENT && !sq_vendor_leaves_bf16(plan);
        LAUNCH(convolution_kernel, (unsigned)((count - 1) / THREADS + 1), THREADS, 0, stream, plan->convolution, call->at,
               count, is_f32);
    }
    return cudaGetLastError() == cudaSuccess ? SQ_OK : sq_fail(SQ_DEVICE, "engine vendor: launch");
}

extern "C" void sq_vendor_release(sq_vendor_call *call)
{
    live -= call != nullptr;
    free(call);
}
