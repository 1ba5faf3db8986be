/* launch.cuh - macros for the CUDA syntax that C++ lacks: launches and the two kinds of shared memory.
 *
 *   LAUNCH((kernel<3, 1>), grid, block, shared_bytes, stream, args...);
 *   SHARED(float, tile, [8][64]);      float tile[8][64] for the block
 *   DYNAMIC_SHARED(float, partial);    float *partial, with the number of bytes that the launch requested
 *
 * All .cu files include this header. With nvcc the macros expand to plain CUDA. With g++ and `-include cuda_emu.h` the
 * kernels run on the host (tests/emulation). */
#ifndef LAUNCH_H
#define LAUNCH_H

#ifdef CUDA_EMU

/* Captures the arguments by value, as the CUDA driver does, and as bytes for the PTX interpreter. */
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                         \
    emu_submit({#kernel, (const void *)(kernel), dim3(grid), dim3(block), (size_t)(shared_bytes),                      \
                [=] { (kernel)(__VA_ARGS__); }, emu_pack((kernel), __VA_ARGS__)},                                      \
               (stream))
#define SHARED(type, name, ...)                                                                                        \
    static char name##_key;                                                                                            \
    using name##_array = type __VA_ARGS__;                                                                             \
    name##_array &name = *static_cast<name##_array *>(                                                                 \
        emu_shared(&name##_key, sizeof(name##_array), alignof(name##_array)))
#define DYNAMIC_SHARED(type, name) type *const name = static_cast<type *>(emu_shared(nullptr, 0, 16))

#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                       \
    (kernel)<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__)
#define SHARED(type, name, ...) __shared__ type name __VA_ARGS__
#define DYNAMIC_SHARED(type, name)                                                   \
    extern __shared__ __align__(16) unsigned char launch_dynamic_shared[];           \
    type *const name = reinterpret_cast<type *>(launch_dynamic_shared)

#endif
#endif /* LAUNCH_H */
