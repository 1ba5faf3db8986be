#include "supernet/ranks/launcher.h"

#include <stdlib.h>

#include "tests/support/support.h"

static void clear(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE",
                                        "OMPI_COMM_WORLD_RANK",
                                        "OMPI_COMM_WORLD_LOCAL_RANK",
                                        "PMI_SIZE",
                                        "PMI_RANK",
                                        "PMIX_SIZE",
                                        "PMIX_RANK",
                                        "MV2_COMM_WORLD_SIZE",
                                        "SLURM_STEP_NUM_TASKS",
                                        "SLURM_NTASKS",
                                        "SLURM_LOCALID",
                                        "LOCAL_RANK",
                                        "MPI_LOCALRANKID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(unsetenv(names[i]), 0);
}

Test(launcher, one_process_without_a_launcher, .init = clear)
{
    cr_expect_eq(sq_launcher_rank_count(), 1);
    cr_expect_eq(sq_launcher_rank(), 0);
    cr_expect_eq(sq_launcher_local_rank(5), 5);
}

Test(launcher, reads_open_mpis_variables, .init = clear)
{
    cr_assert_eq(setenv("OMPI_COMM_WORLD_SIZE", "8", 1) + setenv("OMPI_COMM_WORLD_RANK", "6", 1) +
                     setenv("OMPI_COMM_WORLD_LOCAL_RANK", "2", 1),
                 0);
    cr_expect_eq(sq_launcher_rank_count(), 8);
    cr_expect_eq(sq_launcher_rank(), 6);
    cr_expect_eq(sq_launcher_local_rank(5), 2);
}

/* srun sets the number of tasks even for programs without MPI, so the number counts only together with a rank. */
Test(launcher, slurms_tasks_count_only_with_a_rank, .init = clear)
{
    cr_assert_eq(setenv("SLURM_NTASKS", "4", 1), 0);
    cr_expect_eq(sq_launcher_rank_count(), 1);
    cr_assert_eq(setenv("PMI_RANK", "3", 1), 0);
    cr_expect_eq(sq_launcher_rank_count(), 4);
    cr_expect_eq(sq_launcher_rank(), 3);
    cr_assert_eq(unsetenv("SLURM_NTASKS"), 0);
    cr_expect_eq(sq_launcher_rank_count(), 2);
}

Test(launcher, ignores_values_that_are_not_numbers, .init = clear)
{
    cr_assert_eq(setenv("OMPI_COMM_WORLD_SIZE", "many", 1), 0);
    cr_expect_eq(sq_launcher_rank_count(), 1);
}
