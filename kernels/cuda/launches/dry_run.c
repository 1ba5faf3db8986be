/* What a graph would launch on a GPU, without one: a plan for addresses that nothing dereferences. */
#include <assert.h>
#include <stdlib.h>

#include "kernels/cuda/launches/launch_list.h"

/* Distinct and far apart: the planner must see which operands are there, and only adds offsets. */
static sq_binding imaginary_addresses(void)
{
    sq_binding at;
    for (int role = 0; role < SQ_ROLES; role++)
        at.base[role].address = (unsigned char *)((uintptr_t)(role + 1) << 42);
    return at;
}

sq_status sq_cuda_dry_run(const sq_graph *graph, int multiprocessors, sq_program_part *out, int limit, int *count)
{
    const sq_binding at = imaginary_addresses();
    struct sq_program program = {0};
    sq_cuda_lowering planner = {
        .graph = graph, .at = &at, .machine = {.multiprocessors = multiprocessors}, .program = &program};
    assert(multiprocessors > 0 && limit >= 0);
    sq_status status = sq_graph_check(graph);
    if (status == SQ_OK)
        status = sq_cuda_lower(&planner);
    for (int i = 0; status == SQ_OK && i < program.count && i < limit; i++)
        out[i] = sq_cuda_describe_launch(&program.launches[i]);
    if (status == SQ_OK)
        *count = program.count;
    free(program.launches); /* without the vendor engine they own nothing */
    return status;
}
