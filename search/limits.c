/* What a path costs, and which paths hold the limits. */
#include <math.h>

#include "search/searchers/searcher.h"

void sq_searcher_cost(const sq_searcher *s, sq_candidate *candidate)
{
    candidate->macs = candidate->parameters = candidate->memory_mb = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        candidate->macs += s->macs[l][candidate->path[l]];
        candidate->parameters += s->parameters[l][candidate->path[l]];
        candidate->memory_mb = fmax(candidate->memory_mb, s->memory_mb[l][candidate->path[l]]);
    }
    for (int d = 0; s->devices && d < s->devices->count; d++)
        candidate->on[d] = sq_latency_predict(s->devices->list[d].cache, s->space, candidate->path);
}

static bool holds(double limit, double value)
{
    return limit == 0 || value <= limit;
}

bool sq_searcher_is_legal(const sq_searcher *s, const sq_candidate *c)
{
    const sq_limits *limits = &s->options->limits;
    for (int d = 0; s->devices && d < s->devices->count; d++) {
        const sq_search_device *device = &s->devices->list[d];
        const sq_prediction *p = &c->on[d];
        if (!holds(device->limit_ms, p->ms + device->margin * p->deviation_ms) ||
            !holds(device->limit_energy_mj, p->energy_mj) || !holds(device->limit_area_mm2, p->area_mm2))
            return false;
    }
    return holds(limits->macs, c->macs) && holds(limits->parameters, c->parameters) &&
           holds(limits->memory_mb, c->memory_mb);
}

static sq_status check_limit(const char *where, const char *what, double limit, double least, const char *unit)
{
    if (holds(limit, least))
        return SQ_OK;
    return sq_fail(SQ_INVALID, "search: %s%s%s limit %.6g %s: no path can meet it, the smallest has %.6g %s", where,
                   *where ? ": " : "", what, limit, unit, least, unit);
}

/* Smallest sum, or (is_largest) smallest largest, of one value a layer, over what may be drawn. */
static double least_of(const sq_searcher *s, const double *values, int pitch, bool is_largest)
{
    const sq_search_mask *search_mask = s->options->search_mask;
    double total = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        double least = INFINITY;
        const int count = search_mask ? search_mask->count[l] : s->space->layers[l].choice_count;
        for (int c = 0; c < count; c++)
            least = fmin(least, values[l * pitch + (search_mask ? search_mask->choices[l][c] : c)]);
        total = is_largest ? fmax(total, least) : total + least;
    }
    return total;
}

static sq_status check_device(const sq_searcher *s, const sq_search_device *d)
{
    const sq_latency_cache *cache = d->cache;
    const sq_device_info *info = &cache->info;
    if ((d->limit_energy_mj > 0 && !cache->energy_mj) || (d->limit_area_mm2 > 0 && !cache->area_mm2))
        return sq_fail(SQ_INVALID, "search: %s: a limit on %s, but the table does not have it for every block", d->name,
                       d->limit_energy_mj > 0 && !cache->energy_mj ? "energy" : "area");
    SQ_TRY(check_limit(d->name, "latency", d->limit_ms,
                       info->base_ms + info->scale * least_of(s, cache->mean, cache->choice_limit, false) +
                           d->margin * info->residual_ms,
                       "ms"));
    if (d->limit_energy_mj > 0)
        SQ_TRY(check_limit(d->name, "energy", d->limit_energy_mj,
                           info->base_energy_mj + least_of(s, cache->energy_mj, cache->choice_limit, false), "mJ"));
    if (d->limit_area_mm2 > 0)
        SQ_TRY(check_limit(d->name, "area", d->limit_area_mm2,
                           info->base_area_mm2 + least_of(s, cache->area_mm2, cache->choice_limit, false), "mm2"));
    return SQ_OK;
}

sq_status sq_searcher_check_limits(const sq_searcher *s)
{
    const sq_limits *limits = &s->options->limits;
    SQ_TRY(check_limit("", "multiply-add", limits->macs, least_of(s, *s->macs, SQ_MAX_CHOICES, false), "M"));
    SQ_TRY(check_limit("", "parameter", limits->parameters, least_of(s, *s->parameters, SQ_MAX_CHOICES, false), "M"));
    SQ_TRY(check_limit("", "memory", limits->memory_mb, least_of(s, *s->memory_mb, SQ_MAX_CHOICES, true), "MB"));
    for (int d = 0; s->devices && d < s->devices->count; d++)
        SQ_TRY(check_device(s, &s->devices->list[d]));
    return SQ_OK;
}
