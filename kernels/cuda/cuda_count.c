/* What a graph would launch on a GPU, without one: the planner runs with nothing to resolve, as it does for memory
 * plans. */
#include <assert.h>
#include <stdlib.h>

#include "kernels/cuda/cuda_program.h"

/* A planner without addresses cannot tell a bias that is not there, and plans its gradient too. */
static bool is_absent(const sq_graph *graph, const sq_cuda_launch *launch)
{
    return launch->kernel == SQ_CUDA_COLUMN_SUMS && graph->ops[launch->op].bias_grad == SQ_NONE;
}

sq_status sq_cuda_count(const sq_graph *graph, int multiprocessors, sq_program_part *out, int limit, int *count)
{
    struct sq_program program = {0};
    sq_cuda_planner planner = {.graph = graph, .machine = {.multiprocessors = multiprocessors}, .program = &program};
    assert(multiprocessors > 0 && limit >= 0);
    sq_status status = sq_graph_check(graph);
    if (status == SQ_OK)
        status = sq_cuda_plan(&planner);
    int found = 0;
    for (int i = 0; status == SQ_OK && i < program.count; i++) {
        const sq_cuda_launch *launch = &program.launches[i];
        if (is_absent(graph, launch))
            continue;
        if (found < limit)
            out[found] =
                (sq_program_part){sq_cuda_kernel_name(launch->kernel), launch->op, launch->bytes, launch->operations};
        found++;
    }
    free(program.launches);
    if (status == SQ_OK)
        *count = found;
    return status;
}
