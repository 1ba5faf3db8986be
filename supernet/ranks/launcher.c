#include "supernet/ranks/launcher.h"

#include <stdint.h>
#include <stdlib.h>

#include "kernels/base/text.h"

static int number_of(const char *const *names, int fallback)
{
    for (; *names; names++) {
        const char *text = getenv(*names);
        int64_t value;
        if (text && sq_text_int(text, 0, 1 << 20, &value))
            return (int)value;
    }
    return fallback;
}

int sq_launcher_rank_count(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "MV2_COMM_WORLD_SIZE", NULL};
    const int count = number_of(names, 0);
    static const char *const tasks[] = {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", NULL};
    /* srun sets these two variables even for programs without MPI, so they only count if a PMI variable is set. */
    return count > 0 ? count : getenv("PMIX_RANK") || getenv("PMI_RANK") ? number_of(tasks, 2) : 1;
}

int sq_launcher_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", NULL};
    return number_of(names, 0);
}

int sq_launcher_local_rank(int fallback)
{
    static const char *const names[] = {"LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK",
                                        NULL};
    return number_of(names, fallback);
}
