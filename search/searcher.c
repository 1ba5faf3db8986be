/* Evolution as SPOS runs it, and random search. Facts: SPOS, src/Search/search.py; papers: arXiv 1904.00420,
 * section 3.4. */
#include "search/searcher.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/rng.h"

enum { RANDOM_TRIES = 20000 };

bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b)
{
    if (a->top1 != b->top1)
        return a->top1 > b->top1;
    if (a->top5 != b->top5)
        return a->top5 > b->top5;
    return a->loss < b->loss;
}

/* ---- Costs and limits ---- */

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
    const sq_scope *scope = s->options->scope;
    double total = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        double least = INFINITY;
        const int count = scope ? scope->count[l] : s->space->layers[l].choice_count;
        for (int c = 0; c < count; c++)
            least = fmin(least, values[l * pitch + (scope ? scope->choices[l][c] : c)]);
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
                           info->base_energy_mj + least_of(s, cache->energy_mj, cache->choice_limit, false),
                           "mJ"));
    if (d->limit_area_mm2 > 0)
        SQ_TRY(check_limit(d->name, "area", d->limit_area_mm2,
                           info->base_area_mm2 + least_of(s, cache->area_mm2, cache->choice_limit, false),
                           "mm2"));
    return SQ_OK;
}

sq_status sq_searcher_check_limits(const sq_searcher *s)
{
    const sq_limits *limits = &s->options->limits;
    SQ_TRY(check_limit("", "multiply-add", limits->macs, least_of(s, *s->macs, SQ_MAX_CHOICES, false), "M"));
    SQ_TRY(check_limit("", "parameter", limits->parameters, least_of(s, *s->parameters, SQ_MAX_CHOICES, false),
                       "M"));
    SQ_TRY(check_limit("", "memory", limits->memory_mb, least_of(s, *s->memory_mb, SQ_MAX_CHOICES, true), "MB"));
    for (int d = 0; s->devices && d < s->devices->count; d++)
        SQ_TRY(check_device(s, &s->devices->list[d]));
    return SQ_OK;
}

/* ---- Drawing ---- */

bool sq_searcher_knows(const sq_searcher *s, const int *path, const sq_candidate *more, int more_count)
{
    const size_t bytes = (size_t)s->space->layer_count * sizeof *path;
    for (int i = 0; i < s->told_count; i++)
        if (memcmp(s->told[i].path, path, bytes) == 0)
            return true;
    for (int i = 0; i < more_count; i++)
        if (memcmp(more[i].path, path, bytes) == 0)
            return true;
    return false;
}

static int draw_choice(const sq_searcher *s, int layer, sq_rng *rng)
{
    return sq_scope_draw(s->options->scope, s->space, layer, rng);
}

/* Whether the path may stand as a new candidate. */
static bool is_new(const sq_searcher *s, int *path, const sq_candidate *more, int more_count)
{
    sq_candidate candidate = {.path = path};
    sq_searcher_cost(s, &candidate);
    return sq_searcher_is_legal(s, &candidate) && !sq_searcher_knows(s, path, more, more_count);
}

bool sq_searcher_random(const sq_searcher *s, uint64_t number, const sq_candidate *more, int more_count, int *path)
{
    sq_rng rng = sq_rng_open(s->options->seed, SQ_RNG_SEARCH, number);
    for (int i = 0; i < RANDOM_TRIES; i++) {
        for (int l = 0; l < s->space->layer_count; l++)
            path[l] = draw_choice(s, l, &rng);
        if (is_new(s, path, more, more_count))
            return true;
    }
    return false;
}

/* ---- Evolution ---- */

/* The best `options.parents` of everything told, best first. */
static int choose_parents(const sq_searcher *s, const sq_candidate **parents)
{
    int count = 0;
    for (int i = 0; i < s->told_count; i++) {
        const sq_candidate *c = &s->told[i];
        int at = count < s->options->parents ? count++ : s->options->parents;
        while (at > 0 && sq_candidate_is_better(c, parents[at - 1])) {
            if (at < s->options->parents)
                parents[at] = parents[at - 1];
            at--;
        }
        if (at < s->options->parents)
            parents[at] = c;
    }
    return count;
}

static void mutate(const sq_searcher *s, const sq_candidate *const *parents, int count, sq_rng *rng, int *path)
{
    const int *from = parents[sq_rng_below(rng, (uint32_t)count)]->path;
    for (int l = 0; l < s->space->layer_count; l++)
        path[l] = sq_rng_uniform(rng) < s->options->mutation_probability ? draw_choice(s, l, rng) : from[l];
}

static void cross(const sq_searcher *s, const sq_candidate *const *parents, int count, sq_rng *rng, int *path)
{
    const int *a = parents[sq_rng_below(rng, (uint32_t)count)]->path,
              *b = parents[sq_rng_below(rng, (uint32_t)count)]->path;
    for (int l = 0; l < s->space->layer_count; l++)
        path[l] = sq_rng_below(rng, 2) ? a[l] : b[l];
}

typedef struct {
    sq_candidate *out;
    int count, limit;
} generation;

static void accept(const sq_searcher *s, generation *g, int number)
{
    g->out[g->count].generation = number;
    sq_searcher_cost(s, &g->out[g->count]);
    g->count++;
}

/* `wanted` children of one kind, each within `tries`; the first stream of a generation serves crossover, the second
 * mutation. */
static void breed(const sq_searcher *s, generation *g, int number, int wanted, bool is_crossover,
                  const sq_candidate *const *parents, int parent_count)
{
    sq_rng rng =
        sq_rng_open(s->options->seed, SQ_RNG_SEARCH, (UINT64_C(1) << 40) + 2 * (uint64_t)number + is_crossover);
    for (int tries = wanted * s->options->tries, made = 0; tries > 0 && made < wanted && g->count < g->limit; tries--) {
        int *path = g->out[g->count].path;
        (is_crossover ? cross : mutate)(s, parents, parent_count, &rng, path);
        if (is_new(s, path, g->out, g->count)) {
            accept(s, g, number);
            made++;
        }
    }
}

void sq_evolution_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    const sq_candidate **parents = NULL;
    const int number = s->told_count ? s->told[s->told_count - 1].generation + 1 : 0;
    generation g = {out, 0, s->options->population};
    if (number > 0 && number <= s->options->generations &&
        (parents = malloc((size_t)s->options->parents * sizeof *parents))) {
        const int parent_count = choose_parents(s, parents);
        breed(s, &g, number, s->options->crossover, true, parents, parent_count);
        breed(s, &g, number, s->options->mutation, false, parents, parent_count);
        free(parents);
    }
    while (number <= s->options->generations && g.count < g.limit &&
           sq_searcher_random(s, (uint64_t)(s->told_count + g.count), out, g.count, out[g.count].path))
        accept(s, &g, number);
    *count = g.count;
}

/* Random search has evolution's budget: population * (generations + 1). */
void sq_random_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    const int number = s->told_count ? s->told[s->told_count - 1].generation + 1 : 0;
    generation g = {out, 0, s->options->population};
    while (number <= s->options->generations && g.count < g.limit &&
           sq_searcher_random(s, (uint64_t)(s->told_count + g.count), out, g.count, out[g.count].path))
        accept(s, &g, number);
    *count = g.count;
}
