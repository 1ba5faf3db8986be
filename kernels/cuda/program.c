/* Compiles graphs and runs programs. */
#include "kernels/cuda/program.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/device_error.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/launches/lower_graph.h"
#include "kernels/cuda/memory.h"

void sq_cuda_discard(sq_backend *base, sq_program *p)
{
    const sq_cuda_backend *b = (sq_cuda_backend *)base;
    if (!p)
        return;
    sq_collective_drain(b->collective);
    (void)cudaStreamSynchronize(b->stream); /* the device may still run the program; wait() reports errors */
    if (p->graph)
        (void)cudaGraphExecDestroy(p->graph); /* a failure cannot be handled */
    sq_cuda_launches_free(p->launches, p->count);
    free(p);
}

/* ---- Workspace ---- */

static sq_cuda_lowering lowering_of(const sq_cuda_backend *b, const sq_graph *g)
{
    return (sq_cuda_lowering){.graph = g, .machine = b->machine, .vendor = b->vendor};
}

static sq_status measure_workspace(sq_cuda_lowering *l, size_t *bytes)
{
    struct sq_program program = {0};
    l->program = &program;
    const sq_status status = sq_cuda_lower(l);
    sq_cuda_launches_free(program.launches, program.count);
    if (status == SQ_OK)
        *bytes = l->peak_bytes;
    return status;
}

/* With engine auto the choice is not known yet: the sum of both engines' needs is enough for any mixture. */
sq_status sq_cuda_workspace(sq_backend *base, const sq_graph *g, size_t *bytes)
{
    const sq_cuda_backend *b = (sq_cuda_backend *)base;
    sq_cuda_lowering squall = lowering_of(b, g), vendor = lowering_of(b, g);
    size_t squall_bytes = 0, vendor_bytes = 0;
    if (b->engine != SQ_ENGINE_VENDOR)
        SQ_TRY(measure_workspace(&squall, &squall_bytes));
    if (b->engine != SQ_ENGINE_SQUALL) {
        sq_cuda_assign_vendor(&vendor, b->engine == SQ_ENGINE_AUTO);
        SQ_TRY(measure_workspace(&vendor, &vendor_bytes));
    }
    *bytes = squall_bytes + vendor_bytes;
    return SQ_OK;
}

/* ---- Running ---- */

static sq_status launch_all(const sq_cuda_backend *b, const sq_program *p)
{
    for (int i = 0; i < p->count; i++) {
        const sq_cuda_launch *launch = &p->launches[i];
        const cudaError_t error = sq_cuda_launch_run(launch, b->stream);
        if (error != cudaSuccess)
            return sq_fail(SQ_DEVICE, "%s: %s: operation %d, %s: %s", SQ_CUDA_NAME, p->name, launch->op,
                           sq_cuda_kernel_name(launch->kernel),
                           sq_cuda_launch_is_vendor(launch) ? sq_error_text() : cudaGetErrorString(error));
    }
    return SQ_OK;
}

sq_status sq_cuda_run(sq_backend *base, const sq_program *p)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    if (p->graph)
        SQ_CUDA(b, cudaGraphLaunch(p->graph, b->stream), p->name);
    else
        SQ_TRY(launch_all(b, p));
    if (!b->first_name[0])
        memcpy(b->first_name, p->name, sizeof b->first_name);
    memcpy(b->last_name, p->name, sizeof b->last_name);
    return SQ_OK;
}

/* ---- Compiling ---- */

static sq_status record_graph(sq_cuda_backend *b, sq_program *p)
{
    cudaGraph_t graph = NULL;
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal;
    for (int i = 0; i < p->count; i++)
        if (sq_cuda_launch_is_vendor(&p->launches[i])) /* the libraries may load kernels at their first launch */
            mode = cudaStreamCaptureModeRelaxed;
    SQ_CUDA(b, cudaStreamBeginCapture(b->stream, mode), p->name);
    const sq_status status = launch_all(b, p);
    const cudaError_t ended = cudaStreamEndCapture(b->stream, &graph);
    SQ_TRY(status);
    SQ_CUDA(b, ended, p->name);
    const cudaError_t made = cudaGraphInstantiate(&p->graph, graph, 0);
    (void)cudaGraphDestroy(graph); /* the executable graph is a copy */
    if (made != cudaSuccess)
        p->graph = NULL;
    SQ_CUDA(b, made, p->name);
    return SQ_OK;
}

/* Compiles with the engine that l->is_vendor assigns to each operation. */
static sq_status compile_lowering(sq_cuda_backend *b, sq_cuda_lowering *l, const sq_binding *at, sq_program **out)
{
    sq_program *p = calloc(1, sizeof *p);
    if (!p)
        return sq_fail(SQ_NO_MEMORY, "%s: program", l->graph->name);
    memcpy(p->name, l->graph->name, sizeof p->name);
    l->program = p;
    l->at = at;
    sq_status status = sq_cuda_lower(l);
    if (status == SQ_OK && b->has_graphs && p->count > 0)
        status = record_graph(b, p);
    if (status == SQ_OK)
        *out = p;
    else
        sq_cuda_discard(&b->base, p);
    return status;
}

/* An sq_cuda_timer: compiles and runs the graph on temporary memory. */
static sq_status time_engine(sq_backend *base, sq_cuda_lowering *l, double *seconds)
{
    enum { REPEATS = 7 };
    sq_cuda_lowering sized = *l;
    sq_device_ptr scratch = {NULL};
    sq_binding at;
    sq_program *program = NULL;
    size_t workspace_bytes = 0;
    SQ_TRY(measure_workspace(&sized, &workspace_bytes));
    SQ_TRY(sq_cuda_allocate(base, sq_cuda_scratch_bytes(l->graph) + workspace_bytes, &scratch));
    sq_cuda_scratch_bind(l->graph, scratch, &at);
    sq_status status = compile_lowering((sq_cuda_backend *)base, l, &at, &program);
    if (status == SQ_OK)
        status = base->ops->measure(base, program, REPEATS, seconds);
    sq_cuda_discard(base, program);
    sq_cuda_release(base, scratch);
    return status;
}

sq_status sq_cuda_compile(sq_backend *base, const sq_graph *g, const sq_binding *at, sq_program **out)
{
    sq_cuda_backend *b = (sq_cuda_backend *)base;
    sq_cuda_lowering l = lowering_of(b, g);
    SQ_TRY(sq_graph_check(g));
    if (b->engine == SQ_ENGINE_VENDOR)
        sq_cuda_assign_vendor(&l, false);
    if (b->engine == SQ_ENGINE_AUTO)
        SQ_TRY(sq_cuda_autotune(b->timings, base, time_engine, &l));
    return compile_lowering(b, &l, at, out);
}
