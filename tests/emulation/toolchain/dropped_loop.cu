/* dropped_loop.cu - the smallest kernel that nvcc 13.0.88 compiles wrongly. The source has a discarded `if constexpr`
 * without braces, whose body is an `if` that ends in a `switch`. nvcc drops it together with the statement after it.
 * unbraced<0> compiles to an empty kernel, but braced<0> stores four words. check_toolchain.py compiles this file.
 * check_sources.py rejects this form in the sources. */
#define PICK(v, ...)                                                                                                   \
    switch (v) {                                                                                                       \
    case 1: { __VA_ARGS__; } break;                                                                                    \
    default: { __VA_ARGS__; } break;                                                                                   \
    }

template <int MODE> __global__ void unbraced(int *out, int v, int n)
{
    if constexpr (MODE == 1)
        if (v < n)
            PICK(v, out[9] = 1)
#pragma unroll
    for (int i = 0; i < 4; i++)
        out[i] = v;
}

template <int MODE> __global__ void braced(int *out, int v, int n)
{
    if constexpr (MODE == 1) {
        if (v < n)
            PICK(v, out[9] = 1)
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        out[i] = v;
}

template __global__ void unbraced<0>(int *, int, int);
template __global__ void braced<0>(int *, int, int);
