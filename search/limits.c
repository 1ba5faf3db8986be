/* Computes the costs of paths and checks the limits on these costs. */
#include "search/limits.h"

#include <math.h>

#include "supernet/space/cost.h"

static const double millions = 1e-6;

void sq_limits_fill_block_costs(sq_searcher *s)
{
    for (int l = 0; l < s->space->layer_count; l++)
        for (int c = 0; c < s->space->layers[l].choice_count; c++) {
            const sq_cost cost = sq_cost_block(s->space, l, c);
            s->block_macs[l][c] = millions * (double)cost.macs;
            s->block_parameters[l][c] = millions * (double)(cost.weights + cost.norm_weights);
            s->block_memory_mb[l][c] = millions * (double)cost.activation_bytes;
        }
}

void sq_limits_fill_costs(const sq_searcher *s, sq_candidate *candidate)
{
    candidate->macs = candidate->parameters = candidate->memory_mb = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        candidate->macs += s->block_macs[l][candidate->path[l]];
        candidate->parameters += s->block_parameters[l][candidate->path[l]];
        candidate->memory_mb = fmax(candidate->memory_mb, s->block_memory_mb[l][candidate->path[l]]);
    }
    for (int d = 0; s->devices && d < s->devices->count; d++)
        candidate->on[d] = sq_latency_predict(s->devices->list[d].cache, s->space, candidate->path);
}

static bool is_within(double limit, double value)
{
    return limit == 0 || value <= limit;
}

bool sq_limits_hold(const sq_searcher *s, const sq_candidate *c)
{
    const sq_limits *limits = &s->options->limits;
    for (int d = 0; s->devices && d < s->devices->count; d++) {
        const sq_search_device *device = &s->devices->list[d];
        const sq_prediction *p = &c->on[d];
        if (!is_within(device->limit_ms, p->ms + device->margin * p->deviation_ms) ||
            !is_within(device->limit_energy_mj, p->energy_mj) || !is_within(device->limit_area_mm2, p->area_mm2))
            return false;
    }
    return is_within(limits->macs, c->macs) && is_within(limits->parameters, c->parameters) &&
           is_within(limits->memory_mb, c->memory_mb);
}

static sq_status check_limit(const char *where, const char *what, double limit, double least, const char *unit)
{
    if (is_within(limit, least))
        return SQ_OK;
    return sq_fail(SQ_INVALID, "search: %s%s%s limit %.6g %s: no path can meet it, the smallest has %.6g %s", where,
                   *where ? ": " : "", what, limit, unit, least, unit);
}

typedef enum { SUM, MAXIMUM } over_layers;

/* Returns the smallest value that a path can have: the sum (or, with MAXIMUM, the maximum) over layers of the smallest
 * value among the allowed choices. */
static double least_of(const sq_searcher *s, const double *values, int pitch, over_layers how)
{
    const sq_search_mask *mask = s->options->search_mask;
    double total = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        double least = INFINITY;
        for (int i = 0; i < sq_search_mask_count(mask, s->space, l); i++)
            least = fmin(least, values[l * pitch + sq_search_mask_choice(mask, l, i)]);
        total = how == MAXIMUM ? fmax(total, least) : total + least;
    }
    return total;
}

static sq_status check_device(const sq_searcher *s, const sq_search_device *d)
{
    const sq_latency_cache *cache = d->cache;
    const sq_device_info *info = &cache->info;
    const int pitch = cache->choice_limit;
    const bool lacks_energy = d->limit_energy_mj > 0 && !cache->energy_mj;
    if (lacks_energy || (d->limit_area_mm2 > 0 && !cache->area_mm2))
        return sq_fail(SQ_INVALID, "search: %s: a limit on %s, but the table does not have it for every block", d->name,
                       lacks_energy ? "energy" : "area");
    SQ_TRY(check_limit(
        d->name, "latency", d->limit_ms,
        info->base_ms + info->scale * least_of(s, cache->mean, pitch, SUM) + d->margin * info->residual_ms, "ms"));
    if (d->limit_energy_mj > 0)
        SQ_TRY(check_limit(d->name, "energy", d->limit_energy_mj,
                           info->base_energy_mj + least_of(s, cache->energy_mj, pitch, SUM), "mJ"));
    if (d->limit_area_mm2 > 0)
        SQ_TRY(check_limit(d->name, "area", d->limit_area_mm2,
                           info->base_area_mm2 + least_of(s, cache->area_mm2, pitch, SUM), "mm2"));
    return SQ_OK;
}

sq_status sq_limits_check(const sq_searcher *s)
{
    const sq_limits *limits = &s->options->limits;
    SQ_TRY(check_limit("", "multiply-add", limits->macs, least_of(s, *s->block_macs, SQ_MAX_CHOICES, SUM), "M"));
    SQ_TRY(
        check_limit("", "parameter", limits->parameters, least_of(s, *s->block_parameters, SQ_MAX_CHOICES, SUM), "M"));
    SQ_TRY(
        check_limit("", "memory", limits->memory_mb, least_of(s, *s->block_memory_mb, SQ_MAX_CHOICES, MAXIMUM), "MB"));
    for (int d = 0; s->devices && d < s->devices->count; d++)
        SQ_TRY(check_device(s, &s->devices->list[d]));
    return SQ_OK;
}
