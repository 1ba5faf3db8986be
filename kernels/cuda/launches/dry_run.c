/* The launches that a graph would need on a GPU. No device is used: the addresses in the launches are never
 * dereferenced. */
#include <assert.h>
#include <stdlib.h>

#include "kernels/cuda/launches/describe.h"
#include "kernels/cuda/launches/lower_graph.h"

enum { ROLE_SHIFT = 42 }; /* 4 TiB for each role: no two slots overlap */

/* Lowering only adds offsets to addresses and compares them with NULL and with each other. */
static sq_binding invalid_addresses(void)
{
    sq_binding at;
    for (int role = 0; role < SQ_ROLES; role++)
        at.base[role].address = (unsigned char *)((uintptr_t)(role + 1) << ROLE_SHIFT);
    return at;
}

sq_status sq_cuda_dry_run(const sq_graph *graph, int multiprocessors, sq_program_part *out, int limit, int *count)
{
    const sq_binding at = invalid_addresses();
    struct sq_program program = {0};
    sq_cuda_lowering lowering = {
        .graph = graph, .at = &at, .machine = {.multiprocessors = multiprocessors}, .program = &program};
    assert(multiprocessors > 0 && limit >= 0);
    sq_status status = sq_graph_check(graph);
    if (status == SQ_OK)
        status = sq_cuda_lower(&lowering);
    for (int i = 0; status == SQ_OK && i < program.count && i < limit; i++)
        out[i] = sq_cuda_describe_launch(&program.launches[i]);
    if (status == SQ_OK)
        *count = program.count;
    free(program.launches); /* without the vendor engine the launches own nothing */
    return status;
}
