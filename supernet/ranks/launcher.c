/* What a launcher left in the environment of its processes. */
#include "supernet/ranks/launcher.h"

#include <stdint.h>
#include <stdlib.h>

#include "kernels/base/text.h"

static int number_of(const char *const *names, int otherwise)
{
    for (; *names; names++) {
        const char *text = getenv(*names);
        int64_t value;
        if (text && sq_text_int(text, 0, 1 << 20, &value))
            return (int)value;
    }
    return otherwise;
}

int sq_launcher_rank_count(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "MV2_COMM_WORLD_SIZE", NULL};
    const int count = number_of(names, 0);
    static const char *const tasks[] = {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", NULL};
    /* srun sets these for every step, whether MPI is meant or not. */
    return count > 0 ? count : getenv("PMIX_RANK") || getenv("PMI_RANK") ? number_of(tasks, 2) : 1;
}

int sq_launcher_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", NULL};
    return number_of(names, 0);
}

int sq_launcher_local_rank(int otherwise)
{
    static const char *const names[] = {"LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK",
                                        NULL};
    return number_of(names, otherwise);
}
