/* Chooses the instruction set, and settings for OpenBLAS and OpenMP. */
#include "kernels/cpu/processor.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cpu/cpu.h"

#if defined(__x86_64__)

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const sq_cpu_table *sq_cpu_choose_table(const char **name)
{
    if (has_avx512()) {
        *name = "avx512";
        return &sq_cpu_table_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *name = "avx2";
        return &sq_cpu_table_avx2;
    }
    *name = "baseline";
    return &sq_cpu_table_baseline;
}

/* Overrides the core type that OpenBLAS chooses if the processor is too new for the detection in OpenBLAS. Returns
 * whether the environment was changed. */
static bool improve_blas(void)
{
    static const char *const older[] = {"Haswell",  "Zen",       "Sandybridge", "Nehalem",
                                        "Prescott", "Excavator", "Steamroller"};
    const char *core = openblas_get_corename();
    if (getenv("OPENBLAS_CORETYPE") || !has_avx512())
        return false;
    for (size_t i = 0; i < sizeof older / sizeof *older; i++)
        if (strcmp(core, older[i]) == 0)
            return setenv("OPENBLAS_CORETYPE", "SkylakeX", 1) == 0;
    return false;
}

#else

const sq_cpu_table *sq_cpu_choose_table(const char **name)
{
    *name = "baseline";
    return &sq_cpu_table_baseline;
}

static bool improve_blas(void)
{
    return false; /* on architectures other than x86-64, OpenBLAS chooses correctly */
}

#endif

/* Makes waiting threads yield the core after a few microseconds. If another process uses the cores, spinning for
 * milliseconds costs 90 % of the speed. Returns whether the environment was changed. */
static bool improve_waiting(void)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return false;
    return setenv("GOMP_SPINCOUNT", "1000", 1) == 0;
}

void sq_cpu_choose_kernels(char **argv)
{
    const bool has_blas = improve_blas(), has_waiting = improve_waiting();
    if (has_blas || has_waiting)
        (void)execv("/proc/self/exe", argv); /* if execv fails, the program runs correctly, but slower */
}

void sq_cpu_describe(char *text, size_t bytes)
{
    const char *name;
    (void)sq_cpu_choose_table(&name);
    (void)snprintf(text, bytes, "%s, OpenBLAS %s, %ld cores", name, openblas_get_corename(),
                   sysconf(_SC_NPROCESSORS_ONLN));
}
