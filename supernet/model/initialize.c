/* Each tensor has its own stream of random numbers, identified by the tensor's name. */
#include "supernet/model/initialize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"
#include "kernels/base/text.h"

/* Returns the standard deviation of a parameter's initial values by the space's rule; 0 if all values are equal.
 * Source: SPOS, src/Supernet/network.py (stem 0.01, others 1 / shape[1]); He et al. 2015, eq. 10, fan-out. */
static double deviation(const sq_space *space, const sq_parameter *p)
{
    if (p->kind == SQ_PARAMETER_LINEAR)
        return 0.01;
    if (p->kind != SQ_PARAMETER_CONV && p->kind != SQ_PARAMETER_DEPTHWISE)
        return 0;
    if (space->init == SQ_INIT_SPOS)
        return p->layer == 0 ? 0.01 : 1.0 / p->dims[1];
    return sqrt(2.0 / ((double)p->dims[0] * p->dims[2] * p->dims[3]));
}

static float constant(const sq_space *space, const sq_parameter *p)
{
    if (p->kind == SQ_PARAMETER_GAMMA || p->kind == SQ_PARAMETER_VARIANCE)
        return 1;
    return p->kind == SQ_PARAMETER_BETA && space->init == SQ_INIT_SPOS ? 1e-4f : 0;
}

static void fill(const sq_space *space, const sq_parameter *p, uint64_t seed, float *values)
{
    const double scale = deviation(space, p);
    sq_rng rng = sq_rng_open(seed, SQ_RNG_WEIGHTS, sq_hash(SQ_HASH_START, p->name, strlen(p->name)));
    for (size_t i = 0; i < p->count; i++)
        values[i] = scale > 0 ? (float)(scale * sq_rng_normal(&rng)) : constant(space, p);
}

sq_status sq_model_initialize(sq_model *model, uint64_t seed)
{
    const sq_memory_plan *plan = sq_model_plan(model);
    sq_status status = SQ_OK;
    size_t largest = 0;
    for (int i = 0; i < plan->parameter_count; i++)
        if (plan->parameters[i].count > largest)
            largest = plan->parameters[i].count;
    float *values = malloc(largest * sizeof *values), *zeros = calloc(largest, sizeof *zeros);
    if (!values || !zeros)
        status = sq_fail(SQ_NO_MEMORY, "initial weights: %zu values", largest);
    for (int i = 0; status == SQ_OK && i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        const bool is_weight = p->role == SQ_ROLE_WEIGHT;
        fill(plan->space, p, seed, values);
        status = sq_model_write(model, p->role, p->offset, values, p->count * sizeof *values);
        if (status == SQ_OK && is_weight && plan->role_bytes[SQ_ROLE_AVERAGE] > 0)
            status = sq_model_write(model, SQ_ROLE_AVERAGE, p->offset, values, p->count * sizeof *values);
        if (status == SQ_OK && is_weight && plan->role_bytes[SQ_ROLE_MOMENTUM] > 0)
            status = sq_model_write(model, SQ_ROLE_MOMENTUM, p->offset, zeros, p->count * sizeof *zeros);
    }
    free(values);
    free(zeros);
    return status;
}
