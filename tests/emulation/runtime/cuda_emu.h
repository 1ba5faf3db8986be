/* cuda_emu.h - compiles a .cu file as host C++ and runs it, with checks, on a machine without a GPU.
 *
 *   g++ -x c++ -std=c++17 -fno-strict-aliasing -include cuda_emu.h -c kernel.cu
 *
 * Each CUDA thread is a fibre, which runs until it reaches a barrier or a warp intrinsic. Types and bf16/fp16
 * arithmetic come from NVIDIA's own headers, which compile on the host. Checks:
 *   ASan   global and shared memory out of bounds, device pointers touched by host code, memory used after cudaFree;
 *   UBSan  misaligned vector accesses, signed overflow in index arithmetic, oversized shifts;
 *   TSan   races between CUDA threads on shared or global memory (the emulator informs TSan of barriers), between a
 *          stream and the host, between a copy in one stream and a kernel in another;
 *   here   divergent barriers, warp intrinsics with wrong masks, launch limits, reads of uninitialised shared or device
 *          memory (both are filled with NaN bytes), results read before a wait for the stream.
 * Not emulated: textures, cooperative groups, PTX assembly, cp.async, TMA, wgmma, blocks that wait for each other.
 * The emulator does not model the speed of a GPU. */
#ifndef CUDA_EMU_H
#define CUDA_EMU_H
#ifdef __CUDACC__
#error "cuda_emu.h is for host compilers; nvcc does not need it"
#endif
#ifndef CUDA_EMU
#define CUDA_EMU 1
#endif

/* This definition must come before CUDA's host_defines.h, which keeps an existing definition. It makes a plain
 * __shared__ array work. The SHARED macro of launch.cuh is better, because it gives each block new memory. */
#define __shared__ static
#define __launch_bounds__(...)
#define __grid_constant__

#include <cuda_runtime.h>

/* CUDA's headers declare `half`, which triggers this warning; nvcc does not have it. */
#pragma GCC diagnostic ignored "-Wshadow"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cassert>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>
#include <math.h>

/* ---- Indices are plain variables; the scheduler sets them whenever it switches to another fibre ---- */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
enum { warpSize = 32 };

/* ---- A launch goes into the queue of its stream, or into the graph that the stream captures ---- */
struct EmuKernel {
    const char *name;
    const void *function; /* host address of the kernel, as for cudaFuncSetAttribute */
    dim3 grid, block;
    size_t shared_bytes;
    std::function<void()> body; /* runs one thread */
    std::vector<unsigned char> parameters; /* parameters in the layout of PTX */
};
void emu_submit(const EmuKernel &kernel, cudaStream_t stream);

template <class P, class A> static inline void emu_pack_one(std::vector<unsigned char> &bytes, const A &a)
{
    const P value = static_cast<P>(a);
    const size_t at = (bytes.size() + alignof(P) - 1) / alignof(P) * alignof(P);
    bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}
template <class... P, class... A> static inline std::vector<unsigned char> emu_pack(void (*)(P...), const A &...a)
{
    std::vector<unsigned char> bytes;
    (emu_pack_one<P>(bytes, a), ...);
    return bytes;
}

/* Returns the array of the running block with this key. NULL selects the dynamic array, which is aligned to 128 bytes.
 * Other arrays have exactly the alignment of their type. With a larger alignment, a vector access to an array of
 * scalars would pass here but fault on a GPU. */
void *emu_shared(const void *key, size_t bytes, size_t alignment);

/* ---- Barriers and warp intrinsics: every call passes its source line, which reports name ---- */
struct EmuWhere {
    const char *file;
    int line;
};
#define EMU_HERE (EmuWhere{__FILE__, __LINE__})
#define EMU_CALLER const char *file = __builtin_FILE(), int line = __builtin_LINE() /* the source line of the call */
enum EmuOp { EMU_SYNC, EMU_BALLOT, EMU_COLLECTIVE, EMU_IDX, EMU_UP, EMU_DOWN, EMU_XOR };

int emu_syncthreads(EmuWhere where, int vote); /* returns the number of threads of the block with vote 1 */
struct EmuWarpOp { /* the operation of one lane */
    EmuWhere where;
    EmuOp op;
    unsigned mask;
    uint64_t value;
    int arg, width;
};
uint64_t emu_warp_op(const EmuWarpOp &op);
void emu_fence(void);

/* For the .aligned instructions of PTX: all 32 lanes pass their operands, and the last lane computes the results of all
 * lanes. If a lane of the warp is missing, the behaviour is undefined on a GPU and an error here. */
typedef void (*EmuCompute)(void *const operands[32]);
void emu_warp_collective(EmuWhere where, EmuCompute compute, void *operands);
struct EmuMatrixLoad { /* one lane's part of an ldmatrix of `count` matrices */
    EmuWhere where;
    unsigned *words;
    int count;
    bool is_transposed;
    const void *address;
    uint4 row; /* the 16 bytes at address */
};
unsigned emu_lane(void);                        /* lane of the running thread */
bool emu_is_shared(const void *p, size_t bytes); /* whether the address is in the running block's shared memory */
[[noreturn]] void emu_fail(const char *what, EmuWhere where);

#define __syncthreads() ((void)emu_syncthreads(EMU_HERE, 0))
#define __syncthreads_count(p) emu_syncthreads(EMU_HERE, (p) != 0)
#define __syncthreads_or(p) (emu_syncthreads(EMU_HERE, (p) != 0) != 0)
#define __syncthreads_and(p) (emu_syncthreads(EMU_HERE, (p) == 0) == 0)
#define __shfl_sync(...) emu_shuffle({EMU_HERE, EMU_IDX}, __VA_ARGS__)
#define __shfl_up_sync(...) emu_shuffle({EMU_HERE, EMU_UP}, __VA_ARGS__)
#define __shfl_down_sync(...) emu_shuffle({EMU_HERE, EMU_DOWN}, __VA_ARGS__)
#define __shfl_xor_sync(...) emu_shuffle({EMU_HERE, EMU_XOR}, __VA_ARGS__)
#define __ballot_sync(mask, p) ((unsigned)emu_warp_op({EMU_HERE, EMU_BALLOT, (mask), (p) != 0, 0, 32}))
#define __any_sync(mask, p) (__ballot_sync((mask), (p)) != 0)
#define __all_sync(mask, p) (__ballot_sync((mask), !(p)) == 0)
#define __trap() emu_fail("__trap", EMU_HERE)

static inline void __syncwarp(unsigned mask = 0xffffffffu, EMU_CALLER)
{
    emu_warp_op({{file, line}, EMU_SYNC, mask, 0, 0, 32});
}

struct EmuShuffle {
    EmuWhere where;
    EmuOp op;
};
template <class T>
static inline T emu_shuffle(const EmuShuffle &shuffle, unsigned mask, T value, int arg, int width = 32)
{
    static_assert(sizeof(T) <= sizeof(uint64_t), "shuffles move at most 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = emu_warp_op({shuffle.where, shuffle.op, mask, bits, arg, width});
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- Atomics ----
 *
 * They are real atomics, so that TSan sees them. They are relaxed, because only a fence orders other memory on a
 * GPU. */
template <class T> struct EmuSame { typedef T type; }; /* converts the value to the type of the target */
template <class T, class F> static inline T emu_atomic(T *p, F next)
{
    T old, desired;
    __atomic_load(p, &old, __ATOMIC_RELAXED);
    do
        desired = next(old);
    while (!__atomic_compare_exchange(p, &old, &desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
#define EMU_ATOMIC(name, result)                                                                                       \
    template <class T> static inline T name(T *p, typename EmuSame<T>::type v)                                         \
    {                                                                                                                  \
        return emu_atomic(p, [=](T o) -> T { (void)o; return result; });                                               \
    }
EMU_ATOMIC(atomicAdd, o + v)
EMU_ATOMIC(atomicSub, o - v)
EMU_ATOMIC(atomicMax, o > v ? o : v)
EMU_ATOMIC(atomicMin, o < v ? o : v)
EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicAnd, o & v)
EMU_ATOMIC(atomicOr, o | v)
EMU_ATOMIC(atomicXor, o ^ v)
EMU_ATOMIC(atomicInc, o >= v ? 0 : o + 1)
template <class T> static inline T atomicCAS(T *p, typename EmuSame<T>::type c, typename EmuSame<T>::type v)
{
    return emu_atomic(p, [=](T o) { return o == c ? v : o; });
}
static inline void __threadfence(void) { emu_fence(); }
static inline void __threadfence_block(void) { emu_fence(); }
static inline void __threadfence_system(void) { emu_fence(); }

/* ---- Device functions that kernels of this project use or may use ---- */
void emu_read_only(const void *p, size_t bytes); /* read_only.cpp */
template <class T> static inline T __ldg(const T *p) { return emu_read_only(p, sizeof *p), *p; }
template <class T> static inline T __ldcg(const T *p) { return *p; }
template <class T> static inline T __ldca(const T *p) { return *p; }
template <class T> static inline T __ldcs(const T *p) { return *p; }
template <class T> static inline T __ldlu(const T *p) { return *p; }
template <class T> static inline void __stcs(T *p, typename EmuSame<T>::type v) { *p = v; }
template <class T> static inline void __stcg(T *p, typename EmuSame<T>::type v) { *p = v; }
template <class T> static inline void __stwb(T *p, typename EmuSame<T>::type v) { *p = v; }
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
#define __expf(x) expf(x) /* macros, because glibc declares functions of these names */
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; } /* NaN becomes 0 */
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline int __float2int_rn(float x) { return (int)rintf(x); }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline int __float2int_ru(float x) { return (int)ceilf(x); }
static inline unsigned __float2uint_rn(float x) { return (unsigned)rintf(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
static inline float __double2float_rn(double x) { return (float)x; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline unsigned __brev(unsigned x)
{
    unsigned y = 0;
    for (int i = 0; i < 32; i++)
        y |= (x >> i & 1) << (31 - i);
    return y;
}
/* The prmt instruction without its mode that repeats the sign. */
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector)
{
    const uint64_t bytes = (uint64_t)b << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; i++)
        result |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return result;
}
static inline int __float_as_int(float f) { int i; std::memcpy(&i, &f, 4); return i; }
static inline unsigned __float_as_uint(float f) { return (unsigned)__float_as_int(f); }
static inline float __int_as_float(int i) { float f; std::memcpy(&f, &i, 4); return f; }
static inline float __uint_as_float(unsigned i) { return __int_as_float((int)i); }

/* The C++ overload for kernels. cuda_runtime.h declares it only for nvcc. */
template <class R, class... A>
static inline cudaError_t cudaFuncSetAttribute(R (*kernel)(A...), enum cudaFuncAttribute attribute, int value)
{
    return cudaFuncSetAttribute((const void *)kernel, attribute, value);
}

#endif /* CUDA_EMU_H */
