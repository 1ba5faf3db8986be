/* Convolutions through cuDNN's graph API. An execution plan has a graph of one operation, and the first engine from the
 * heuristics that is deterministic and can be finalized. A call is a variant pack. Attribute types and counts are from
 * "cuDNN backend API", section "Descriptor types" (docs.nvidia.com, cuDNN 9). */
#include "kernels/cuda/vendor/vendor_library.h"

#include <string.h>

enum { FIRST = 1, SECOND, OUT, TENSORS = 3, DIMENSIONS = 4, SPATIAL = 2, MAX_CONFIGS = 24, ALIGNMENT = 16 };

/* The state while a plan is made. It stores the first failure; after it all calls do nothing. */
typedef struct {
    sq_vendor_plan *plan;
    const sq_cudnn_functions *cudnn;
    cudnnStatus_t status;
    const char *what; /* the step that failed */
} plan_builder;

static void note(plan_builder *m, cudnnStatus_t status, const char *what)
{
    if (m->status != CUDNN_STATUS_SUCCESS || status == CUDNN_STATUS_SUCCESS)
        return;
    m->status = status;
    m->what = what;
}

static sq_status fail(sq_status code, const sq_vendor_plan *plan, cudnnStatus_t status, const char *what)
{
    static const char *const directions[] = {"forward", "data gradient", "weight gradient"};
    const sq_vendor_convolution *c = &plan->shape.convolution;
    const sq_cudnn_functions *cudnn = &plan->vendor->cudnn;
    char detail[256] = "";
    cudnn->last_error(detail, sizeof detail);
    return sq_fail(
        code,
        "engine vendor: cuDNN: %s of a convolution, %d x %d x %d x %d to %d x %d x %d, kernel %d, stride %d, "
        "groups %d: %s: %s: %s",
        directions[c->direction], c->n, c->h_in, c->w_in, c->c_in, c->h_out, c->w_out, c->c_out, c->kernel, c->stride,
        c->groups, what, cudnn->error_string(status), detail);
}

/* Makes a descriptor that the plan owns. */
static cudnnBackendDescriptor_t create(plan_builder *m, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t made = NULL;
    if (m->status != CUDNN_STATUS_SUCCESS)
        return NULL;
    if (m->plan->descriptor_count == SQ_VENDOR_DESCRIPTORS)
        note(m, CUDNN_STATUS_BAD_PARAM, "too many descriptors");
    else
        note(m, m->cudnn->create(type, &made), "descriptor");
    if (made)
        m->plan->descriptors[m->plan->descriptor_count++] = made;
    return made;
}

static void set(plan_builder *m, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (m->status == CUDNN_STATUS_SUCCESS)
        note(m, m->cudnn->set(of, name, type, count, values), "attribute");
}

static void finish(plan_builder *m, cudnnBackendDescriptor_t d, const char *what)
{
    if (m->status == CUDNN_STATUS_SUCCESS)
        note(m, m->cudnn->finalize(d), what);
}

/* ---- The operation ---- */

typedef struct {
    int64_t n, c, h, w;
} extent;

/* A packed NHWC tensor. cuDNN orders the dimensions n, c, h, w for any layout. */
static cudnnBackendDescriptor_t tensor(plan_builder *m, int64_t id, extent e, cudnnDataType_t type)
{
    const int64_t dimensions[DIMENSIONS] = {e.n, e.c, e.h, e.w},
                  strides[DIMENSIONS] = {e.h * e.w * e.c, 1, e.w * e.c, e.c};
    const int64_t alignment = ALIGNMENT;
    cudnnBackendDescriptor_t t = create(m, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(m, t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(m, t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(m, t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(m, t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, DIMENSIONS, dimensions);
    set(m, t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, DIMENSIONS, strides);
    finish(m, t, "tensor");
    return t;
}

static cudnnBackendDescriptor_t convolution(plan_builder *m)
{
    const sq_vendor_convolution *c = &m->plan->shape.convolution;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t spatial = SPATIAL, dilations[SPATIAL] = {1, 1}, strides[SPATIAL] = {c->stride, c->stride};
    const int64_t padding[SPATIAL] = {c->kernel / 2, c->kernel / 2};
    cudnnBackendDescriptor_t d = create(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(m, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(m, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(m, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial);
    set(m, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, SPATIAL, dilations);
    set(m, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, SPATIAL, strides);
    set(m, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, SPATIAL, padding);
    set(m, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, SPATIAL, padding);
    finish(m, d, "convolution");
    return d;
}

/* By direction: the operation and its attributes. FIRST, SECOND and OUT are x, w, y; dy, w, dx; dy, x, dw. */
static const struct {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t first, second, out, convolution, alpha, beta;
} directions[] = {
    [SQ_VENDOR_FORWARD] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    [SQ_VENDOR_DATA_GRADIENT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    [SQ_VENDOR_WEIGHT_GRADIENT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                   CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static cudnnBackendDescriptor_t operation(plan_builder *m, cudnnDataType_t result)
{
    const sq_vendor_convolution *c = &m->plan->shape.convolution;
    const extent x = {c->n, c->c_in, c->h_in, c->w_in}, y = {c->n, c->c_out, c->h_out, c->w_out};
    const extent w = {c->c_out, c->c_in / c->groups, c->kernel, c->kernel};
    const bool is_forward = c->direction == SQ_VENDOR_FORWARD, is_data = c->direction == SQ_VENDOR_DATA_GRADIENT;
    const float alpha = 1, beta = 0;
    const int k = c->direction;
    cudnnBackendDescriptor_t first = tensor(m, FIRST, is_forward ? x : y, CUDNN_DATA_BFLOAT16);
    cudnnBackendDescriptor_t second = tensor(m, SECOND, is_forward || is_data ? w : x, CUDNN_DATA_BFLOAT16);
    cudnnBackendDescriptor_t out = tensor(m, OUT, is_forward ? y : is_data ? x : w, result);
    cudnnBackendDescriptor_t shape = convolution(m), d = create(m, directions[k].type);
    set(m, d, directions[k].first, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &first);
    set(m, d, directions[k].second, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &second);
    set(m, d, directions[k].out, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &out);
    set(m, d, directions[k].convolution, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &shape);
    set(m, d, directions[k].alpha, CUDNN_TYPE_FLOAT, 1, &alpha);
    set(m, d, directions[k].beta, CUDNN_TYPE_FLOAT, 1, &beta);
    finish(m, d, "operation");
    return d;
}

static cudnnBackendDescriptor_t graph_of(plan_builder *m, cudnnBackendDescriptor_t op)
{
    sq_vendor *v = m->plan->vendor;
    cudnnBackendDescriptor_t graph = create(m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(m, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &op);
    if (!v->device) /* required before cuDNN 9.8, optional since */
        set(m, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &v->cudnn_handle);
    finish(m, graph, "operation graph");
    return graph;
}

/* ---- The engine ---- */

static bool repeats_bits(const sq_cudnn_functions *cudnn, cudnnBackendDescriptor_t config)
{
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0, got = 0;
    bool repeats = false;
    if (cudnn->create(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS)
        return false;
    if (cudnn->get(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &got, &engine) ==
            CUDNN_STATUS_SUCCESS &&
        cudnn->get(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT,
                   &count, notes) == CUDNN_STATUS_SUCCESS) {
        repeats = true;
        for (int64_t i = 0; i < count && i < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; i++)
            repeats = repeats && notes[i] != CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    }
    (void)cudnn->destroy(engine); /* get() copied it */
    return repeats;
}

/* An execution plan of one configuration; NULL if it is not supported or needs too much workspace. */
static cudnnBackendDescriptor_t try_config(const sq_vendor *v, cudnnBackendDescriptor_t config, size_t *workspace_bytes,
                                           cudnnStatus_t *why)
{
    const sq_cudnn_functions *cudnn = &v->cudnn;
    cudnnBackendDescriptor_t engine = NULL;
    int64_t bytes = -1, got = 0;
    cudnnStatus_t status = cudnn->create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &engine);
    if (status == CUDNN_STATUS_SUCCESS)
        status =
            v->device
                ? cudnn->set(engine, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v->device)
                : cudnn->set(engine, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &v->cudnn_handle);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->set(engine, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->finalize(engine);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->get(engine, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &got, &bytes);
    if (status == CUDNN_STATUS_SUCCESS && bytes >= 0 && bytes <= SQ_VENDOR_MAX_WORKSPACE) {
        *workspace_bytes = (size_t)bytes;
        return engine;
    }
    *why = status == CUDNN_STATUS_SUCCESS ? CUDNN_STATUS_NOT_SUPPORTED : status;
    if (engine)
        (void)cudnn->destroy(engine);
    return NULL;
}

/* Queries the configurations of one heuristic. Returns their number, or -1 on failure. */
static int query_configs(plan_builder *m, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                         cudnnBackendDescriptor_t configs[MAX_CONFIGS])
{
    const sq_vendor *v = m->plan->vendor;
    int64_t found = 0;
    cudnnBackendDescriptor_t heuristic = create(m, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set(m, heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
    set(m, heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (v->device)
        set(m, heuristic, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v->device);
    finish(m, heuristic, "heuristic");
    for (int i = 0; i < MAX_CONFIGS && m->status == CUDNN_STATUS_SUCCESS; i++)
        note(m, m->cudnn->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[i]), "engine configuration");
    if (m->status == CUDNN_STATUS_SUCCESS)
        note(m,
             m->cudnn->get(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_CONFIGS, &found,
                           configs),
             "engine configurations");
    return m->status == CUDNN_STATUS_SUCCESS ? (int)(found < MAX_CONFIGS ? found : MAX_CONFIGS) : -1;
}

/* Takes the first suitable engine of a heuristic. The plan owns its configuration. */
static bool search(plan_builder *m, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode, cudnnStatus_t *why)
{
    sq_vendor_plan *plan = m->plan;
    cudnnBackendDescriptor_t configs[MAX_CONFIGS] = {NULL};
    const int count = query_configs(m, graph, mode, configs);
    int taken = -1;
    for (int i = 0; i < count && taken < 0; i++) {
        if (!repeats_bits(m->cudnn, configs[i]))
            continue;
        plan->engine = try_config(plan->vendor, configs[i], &plan->workspace_bytes, why);
        taken = plan->engine ? i : -1;
    }
    for (int i = 0; i < MAX_CONFIGS; i++)
        if (configs[i] && i != taken)
            (void)m->cudnn->destroy(configs[i]); /* a failure cannot be handled */
    if (taken < 0)
        return false;
    plan->descriptors[plan->descriptor_count++] = configs[taken];
    plan->descriptors[plan->descriptor_count++] = plan->engine;
    return true;
}

static sq_status make_with(sq_vendor_plan *plan, cudnnDataType_t result)
{
    static const cudnnBackendHeurMode_t modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
    plan_builder m = {plan, &plan->vendor->cudnn, CUDNN_STATUS_SUCCESS, ""};
    cudnnStatus_t why = CUDNN_STATUS_NOT_SUPPORTED;
    cudnnBackendDescriptor_t graph = graph_of(&m, operation(&m, result));
    if (m.status != CUDNN_STATUS_SUCCESS)
        return fail(m.status / 1000 == 3 ? SQ_UNSUPPORTED : SQ_DEVICE, plan, m.status,
                    m.what); /* codes 3000 to 3999: "not supported" */
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        plan_builder trial = m;
        if (search(&trial, graph, modes[i], &why))
            return SQ_OK;
        why = trial.status == CUDNN_STATUS_SUCCESS ? why : trial.status;
    }
    return fail(SQ_UNSUPPORTED, plan, why, "no deterministic engine");
}

void sq_cudnn_unmake(sq_vendor_plan *plan)
{
    while (plan->descriptor_count > 0)
        (void)plan->vendor->cudnn.destroy(
            plan->descriptors[--plan->descriptor_count]); /* a failure cannot be handled */
    plan->engine = NULL;
}

sq_status sq_cudnn_make(sq_vendor_plan *plan)
{
    const bool is_weight = plan->shape.convolution.direction == SQ_VENDOR_WEIGHT_GRADIENT;
    sq_status status = make_with(plan, is_weight ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16);
    if (status == SQ_UNSUPPORTED && is_weight) { /* some engines write BF16 only */
        sq_cudnn_unmake(plan);
        status = make_with(plan, CUDNN_DATA_BFLOAT16);
        plan->leaves_bf16 = status == SQ_OK;
    }
    if (status != SQ_OK)
        sq_cudnn_unmake(plan);
    return status;
}

/* ---- Calls ---- */

sq_status sq_cudnn_bind(sq_vendor_call *call)
{
    const sq_cudnn_functions *cudnn = &call->plan->vendor->cudnn;
    const int64_t ids[TENSORS] = {FIRST, SECOND, OUT};
    const void *const pointers[TENSORS] = {call->at.first, call->at.second, call->at.out};
    cudnnStatus_t status = cudnn->create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &call->pack);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->set(call->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, TENSORS, ids);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->set(call->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, TENSORS, pointers);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->set(call->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &call->at.workspace);
    if (status == CUDNN_STATUS_SUCCESS)
        status = cudnn->finalize(call->pack);
    return status == CUDNN_STATUS_SUCCESS ? SQ_OK : fail(SQ_DEVICE, call->plan, status, "variant pack");
}

sq_status sq_cudnn_run(const sq_vendor_call *call)
{
    const sq_vendor *v = call->plan->vendor;
    const cudnnStatus_t status = v->cudnn.execute(v->cudnn_handle, call->plan->engine, call->pack);
    return status == CUDNN_STATUS_SUCCESS ? SQ_OK : fail(SQ_DEVICE, call->plan, status, "execution");
}
