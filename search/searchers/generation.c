/* Draws paths and adds them to a generation. */
#include "search/searchers/generation.h"

#include <string.h>

#include "search/limits.h"

enum { RANDOM_TRIES = 20000 };

int sq_generation_next_number(const sq_searcher *s)
{
    return s->observed_count ? s->observed[s->observed_count - 1].generation + 1 : 0;
}

static bool is_new_and_legal(const sq_searcher *s, int *path, const sq_candidate *others, int other_count)
{
    const int layers = s->space->layer_count;
    sq_candidate candidate = {.path = path};
    sq_limits_fill_costs(s, &candidate);
    return sq_limits_hold(s, &candidate) &&
           sq_candidate_find(s->observed, s->observed_count, path, layers) == SQ_NONE &&
           sq_candidate_find(others, other_count, path, layers) == SQ_NONE;
}

static void append(const sq_searcher *s, sq_generation *g)
{
    sq_candidate *c = &g->candidates[g->count++];
    *c = (sq_candidate){.path = c->path, .generation = g->number};
    sq_limits_fill_costs(s, c);
}

bool sq_generation_add(const sq_searcher *s, sq_generation *g)
{
    if (!is_new_and_legal(s, g->candidates[g->count].path, g->candidates, g->count))
        return false;
    append(s, g);
    return true;
}

bool sq_generation_draw(const sq_searcher *s, uint64_t stream, const sq_candidate *others, int other_count, int *path)
{
    sq_rng rng = sq_rng_open(s->options->seed, SQ_RNG_SEARCH, stream);
    for (int i = 0; i < RANDOM_TRIES; i++) {
        for (int l = 0; l < s->space->layer_count; l++)
            path[l] = sq_search_mask_draw(s->options->search_mask, s->space, l, &rng);
        if (is_new_and_legal(s, path, others, other_count))
            return true;
    }
    return false;
}

void sq_generation_fill(const sq_searcher *s, sq_generation *g)
{
    while (g->count < g->limit && sq_generation_draw(s, (uint64_t)(s->observed_count + g->count), g->candidates,
                                                     g->count, g->candidates[g->count].path))
        append(s, g);
}

/* ---- Neighbours ---- */

typedef struct {
    int layers[SQ_MAX_LAYERS]; /* layers that have more than one choice */
    int count;
} open_layers;

/* Changes an open layer `changes` times. The layers are drawn with replacement. */
static void change_layers(const sq_searcher *s, const open_layers *open, int changes, sq_rng *rng, int *path)
{
    for (int i = 0; i < changes; i++) {
        const int layer = open->layers[sq_rng_below(rng, (uint32_t)open->count)], from = path[layer];
        while (path[layer] == from)
            path[layer] = sq_search_mask_draw(s->options->search_mask, s->space, layer, rng);
    }
}

bool sq_generation_add_neighbour(const sq_searcher *s, sq_generation *g, const int *from, sq_rng *rng)
{
    open_layers open = {.count = 0};
    for (int l = 0; l < s->space->layer_count; l++)
        if (sq_search_mask_count(s->options->search_mask, s->space, l) > 1)
            open.layers[open.count++] = l;
    for (int changes = 1; changes <= open.count; changes++)
        for (int t = 0; t < s->options->tries; t++) {
            int *path = g->candidates[g->count].path;
            memcpy(path, from, (size_t)s->space->layer_count * sizeof *from);
            change_layers(s, &open, changes, rng, path);
            if (sq_generation_add(s, g))
                return true;
        }
    return false;
}

/* ---- Operators ---- */

sq_rng sq_generation_rng(const sq_searcher *s, uint64_t index)
{
    static const int streams[SQ_SEARCHERS] = {
#define STREAM_OF(NAME, word, STREAM) [SQ_SEARCHER_##NAME] = STREAM,
        SQ_SEARCHER_TABLE(STREAM_OF)};
    return sq_rng_open(s->options->seed, SQ_RNG_SEARCH, (UINT64_C(1) << streams[s->options->kind]) + index);
}

void sq_generation_mutate(const sq_searcher *s, double probability, sq_rng *rng, const int *from, int *path)
{
    for (int l = 0; l < s->space->layer_count; l++)
        path[l] = sq_rng_uniform(rng) < probability ? sq_search_mask_draw(s->options->search_mask, s->space, l, rng)
                                                    : from[l];
}

void sq_generation_cross(const sq_searcher *s, sq_rng *rng, const int *a, const int *b, int *path)
{
    for (int l = 0; l < s->space->layer_count; l++)
        path[l] = sq_rng_below(rng, 2) ? a[l] : b[l];
}

/* ---- Rows ---- */

int sq_generation_population(const sq_searcher *s)
{
    return s->options->population;
}

int sq_generation_population_budget(const sq_searcher *s)
{
    return s->options->population * (s->options->generations + 1);
}

sq_status sq_generation_no_check(const sq_searcher *s)
{
    (void)s;
    return SQ_OK;
}
