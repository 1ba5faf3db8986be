/* count_launch.h - included before a .cu file of the project: its launchers then pass each launch, with its
 * parameters in the layout of PTX, to the counting machine (count_machine.cpp) instead of the emulator. */
#ifndef COUNT_LAUNCH_H
#define COUNT_LAUNCH_H

#include "cuda_emu.h"

#include "kernels/cuda/launch.cuh"

#include <vector>

typedef std::vector<unsigned char> CountParameters;

/* name: of this instance, as the compiler spells it: "... K = pointwise_kernel<64, 0>]". */
void count_launch(const char *name, dim3 grid, dim3 block, size_t dynamic_bytes, const CountParameters &parameters);

template <auto K> static inline const char *count_name(void) { return __PRETTY_FUNCTION__; }

template <class P, class A> static inline void count_pack_one(CountParameters &bytes, const A &a)
{
    const P value = static_cast<P>(a);
    const size_t at = (bytes.size() + alignof(P) - 1) / alignof(P) * alignof(P);
    bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}
template <class... P, class... A> static inline CountParameters count_pack(void (*)(P...), const A &...a)
{
    CountParameters bytes;
    (count_pack_one<P>(bytes, a), ...);
    return bytes;
}

#undef LAUNCH
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                         \
    ((void)(stream), count_launch(count_name<(kernel)>(), dim3(grid), dim3(block), (shared_bytes), count_pack((kernel), __VA_ARGS__)))

#endif
