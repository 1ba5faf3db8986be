/* count_launch.h - is included before a .cu file of the project. The launchers in this .cu file then pass each launch
 * to count_machine.cpp instead of the emulator. The parameters of the launch have the layout of PTX. */
#ifndef COUNT_LAUNCH_H
#define COUNT_LAUNCH_H

#include "cuda_emu.h"

#include "kernels/cuda/launch.cuh"

#include <vector>

typedef std::vector<unsigned char> CountParameters;

/* name: __PRETTY_FUNCTION__ of count_name<kernel>, for example "... K = pointwise_kernel<64, 0>]". */
void count_launch(const char *name, dim3 grid, dim3 block, size_t dynamic_bytes, const CountParameters &parameters);

template <auto K> static inline const char *count_name(void) { return __PRETTY_FUNCTION__; }

#undef LAUNCH
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                         \
    ((void)(stream), count_launch(count_name<(kernel)>(), dim3(grid), dim3(block), (shared_bytes), emu_pack((kernel), __VA_ARGS__)))

#endif
