/* join.cu - the end of a block: the value of x, added to or concatenated with the value of y, is stored as a plain
 * tensor. A concatenation may be stored split into even and odd channels, for the next layer's shuffle. Also the
 * gradients of both. */
#include "kernels/cuda/operations/operations.h"
#include "kernels/cuda/instances.h"

#include "kernels/cuda/walk.cuh"

/* How the channels of a pixel are stored. */
struct Storage { int pitch; bool is_split; };

/* The stored position of logical channel i. */
static __device__ __forceinline__ int stored_at(int i, Storage s)
{
    return s.is_split ? i % 2 * (s.pitch / 2) + i / 2 : i;
}

/* Stores the first `count` of eight logical channels from `at` on: with one or two accesses where `at` is a multiple
 * of 8 and count is 8, else one by one. */
static __device__ __forceinline__ void store_logical(sq_bf16 *row, Storage s, int at, int count, uint4 v)
{
    if (at % VECTOR == 0 && count == VECTOR) {
        if (!s.is_split) {
            *reinterpret_cast<uint4 *>(row + at) = v;
            return;
        }
        *reinterpret_cast<uint2 *>(row + at / 2) = make_uint2(__byte_perm(v.x, v.y, 0x5410), __byte_perm(v.z, v.w, 0x5410));
        *reinterpret_cast<uint2 *>(row + s.pitch / 2 + at / 2) =
            make_uint2(__byte_perm(v.x, v.y, 0x7632), __byte_perm(v.z, v.w, 0x7632));
        return;
    }
    const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int j = 0; j < VECTOR; j++)
        if (j < count)
            row[stored_at(at + j, s)] = (sq_bf16)(words[j / 2] >> 16 * (j % 2));
}

static __device__ __forceinline__ uint4 load_logical(const sq_bf16 *row, Storage s, int at, int count)
{
    if (at % VECTOR == 0 && count == VECTOR) {
        if (!s.is_split)
            return __ldg(reinterpret_cast<const uint4 *>(row + at));
        const uint2 even = __ldg(reinterpret_cast<const uint2 *>(row + at / 2));
        const uint2 odd = __ldg(reinterpret_cast<const uint2 *>(row + s.pitch / 2 + at / 2));
        return make_uint4(__byte_perm(even.x, odd.x, 0x5410), __byte_perm(even.x, odd.x, 0x7632),
                          __byte_perm(even.y, odd.y, 0x5410), __byte_perm(even.y, odd.y, 0x7632));
    }
    unsigned words[4] = {0, 0, 0, 0};
#pragma unroll
    for (int j = 0; j < VECTOR; j++)
        if (j < count)
            words[j / 2] |= (unsigned)row[stored_at(at + j, s)] << 16 * (j % 2);
    return make_uint4(words[0], words[1], words[2], words[3]);
}

/* Clears the padding after the last channel. */
static __device__ __forceinline__ void clear_padding(sq_bf16 *row, int c, Storage s)
{
    for (int i = c; i < (s.is_split ? 2 * padded(c / 2) : padded(c)); i++)
        row[stored_at(i, s)] = 0;
}

static __device__ __forceinline__ void values_of(float v[VECTOR], const sq_cuda_view &view, uint4 raw, int row, int i)
{
    unpack_eight(v, raw);
    apply_view(v, view, view.gate ? row / view.pixels : 0, i);
}

/* Channels of the output that a thread stores; ends: padding follows them. */
struct Span { int at, count; bool ends; };

static __device__ __forceinline__ void store_output(const sq_cuda_join &a, int row, Span to, uint4 v)
{
    sq_bf16 *out = a.out + (size_t)row * (size_t)a.pitch;
    store_logical(out, {a.pitch, a.is_split}, to.at, to.count, v);
    if (to.ends)
        clear_padding(out, a.c, {a.pitch, a.is_split});
}

static __global__ void __launch_bounds__(WALK_THREADS, SQ_CUDA_JOIN_BLOCKS) join_kernel(sq_cuda_join a, Walk walk)
{
    const Place place = place_of(walk, a.parts);
    if (place.vector < 0)
        return;
    const int y_vectors = a.is_concat && a.has_y ? padded(a.y.c) / VECTOR : 0;
    const bool is_y = place.vector < y_vectors;
    const sq_cuda_view &view = is_y ? a.y : a.x;
    const int i = (place.vector - (is_y ? 0 : y_vectors)) * VECTOR, at = i + (is_y || y_vectors == 0 ? 0 : a.y.c);
    const int count = min(view.c - i, (int)VECTOR);
    const bool has_sum = !a.is_concat && a.has_y;
    const Span to = {at, count, at + count == a.c && a.c % (a.is_split ? 2 * VECTOR : VECTOR)};
    for (int row = place.first; row < a.rows; row += WALK_AHEAD * place.stride) {
        uint4 x[WALK_AHEAD], y[WALK_AHEAD];
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            x[k] = r < a.rows ? fetch_view(view, (size_t)r, i) : make_uint4(0, 0, 0, 0);
            y[k] = has_sum && r < a.rows ? fetch_view(a.y, (size_t)r, i) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            if (r >= a.rows)
                break;
            if (view.scale || view.gate || has_sum) {
                float v[VECTOR], w[VECTOR];
                values_of(v, view, x[k], r, i);
                if (has_sum) {
                    values_of(w, a.y, y[k], r, i);
#pragma unroll
                    for (int j = 0; j < VECTOR; j++)
                        v[j] += w[j];
                }
                x[k] = pack_eight(v);
            }
            store_output(a, r, to, x[k]);
        }
    }
}

extern "C" cudaError_t sq_cuda_join_run(const sq_cuda_join *args, cudaStream_t stream)
{
    const sq_cuda_join a = *args;
    const int vectors = sq_cuda_padded(a.x.c) / VECTOR + (a.is_concat && a.has_y ? sq_cuda_padded(a.y.c) / VECTOR : 0);
    const Walk walk = walk_of(vectors);
    LAUNCH(join_kernel, (unsigned)(a.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk);
    return cudaGetLastError();
}

static __global__ void __launch_bounds__(WALK_THREADS, SQ_CUDA_JOIN_BACKWARD_BLOCKS)
join_backward_kernel(sq_cuda_join_backward a, Walk walk)
{
    SHARED(float, shared, [WALK_THREADS][2 * VECTOR]);
    const Place place = place_of(walk, a.parts.parts);
    const int i = place.vector * VECTOR, count = min(a.sink.c - i, (int)VECTOR);
    const bool is_shared = a.sink.data == a.grad; /* the output's gradient is the operand's */
    const Storage storage = {a.grad_pitch, a.is_split};
    ChannelSums sums = {};
    for (int row = place.first; place.vector >= 0 && row < a.rows; row += WALK_AHEAD * place.stride) {
        uint4 g[WALK_AHEAD], z[WALK_AHEAD];
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            g[k] = z[k] = make_uint4(0, 0, 0, 0);
            if (r < a.rows) {
                g[k] = load_logical(a.grad + (size_t)r * (size_t)a.grad_pitch, storage, a.offset + i, count);
                if (a.sink.z.scale)
                    z[k] = fetch_view(a.sink.z, (size_t)r, i);
            }
        }
#pragma unroll
        for (int k = 0; k < WALK_AHEAD; k++) {
            const int r = row + k * place.stride;
            if (r >= a.rows)
                break;
            if (!is_shared)
                (void)store_sink(a.sink, (size_t)r, i, g[k]);
            if (a.sink.z.scale)
                add_sums(sums, a.sink.z, g[k], z[k], i);
        }
    }
    if (a.sink.z.scale)
        write_walk_sums(a.parts.partial, walk, place, sums, shared);
}

extern "C" cudaError_t sq_cuda_join_backward_run(const sq_cuda_join_backward *args, cudaStream_t stream)
{
    const sq_cuda_join_backward a = *args;
    const int vectors = sq_cuda_padded(a.sink.c) / VECTOR;
    const Walk walk = walk_of(vectors);
    LAUNCH(join_backward_kernel, (unsigned)(a.parts.parts * walk.slabs), WALK_THREADS, 0, stream, a, walk);
    return cudaGetLastError();
}

extern "C" const sq_cuda_instance sq_cuda_join_instances[] = {
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_JOIN_BLOCKS, join_kernel),
    SQ_CUDA_INSTANCE(WALK_THREADS, 0, SQ_CUDA_JOIN_BACKWARD_BLOCKS, join_backward_kernel), SQ_CUDA_INSTANCES_END};
