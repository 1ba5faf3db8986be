#include "supernet/train/sampler.h"

#include <assert.h>
#include <stdlib.h>

#include "supernet/space/cost.h"
#include "supernet/train/sampler_row.h"

#define ROW(constant, word, meaning)  [SQ_SAMPLE_##constant] = &sq_sampler_##word,
#define NAME(constant, word, meaning) [SQ_SAMPLE_##constant] = #word,

static const sq_sampler_row *const rows[] = {SQ_SAMPLER_LIST(ROW)};
static const char *const names[] = {SQ_SAMPLER_LIST(NAME)};
_Static_assert(sizeof rows / sizeof *rows == SQ_SAMPLERS, "one row per sampler");

static sq_status count_paths(sq_sampler *s)
{
    const int requested = s->options.paths == 0 ? 1 : s->options.paths;
    int most = 1;
    for (int l = 0; l < s->space->layer_count; l++) {
        const int count = sq_search_mask_count(s->options.search_mask, s->space, l);
        most = count > most ? count : most;
    }
    if (requested < 1 || requested > SQ_MAX_PATHS)
        return sq_fail(SQ_INVALID, "train.paths: %d, expected 1 to %d", requested, SQ_MAX_PATHS);
    if (s->row->deals_choices && most > 1 && requested != 1 && requested != most)
        return sq_fail(SQ_INVALID,
                       "train.paths: %d, but the sampler %s takes %d, the number of choices of the layer with most",
                       requested, names[s->options.sampling], most);
    s->path_count = most == 1 ? 1 : s->row->deals_choices ? most : requested;
    return SQ_OK;
}

sq_status sq_sampler_open(sq_sampler **out, const sq_space *space, const sq_sampler_options *options)
{
    assert((unsigned)options->sampling < SQ_SAMPLERS);
    sq_sampler *s = calloc(1, sizeof *s);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "sampler");
    s->space = space;
    s->options = *options;
    s->row = rows[options->sampling];
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++)
            s->costs[l][c] = 1e-6 * (double)sq_cost_block(space, l, c).macs;
    sq_status status = count_paths(s);
    if (status == SQ_OK && s->row->open)
        status = s->row->open(s);
    if (status == SQ_OK)
        *out = s;
    else
        sq_sampler_close(s);
    return status;
}

void sq_sampler_close(sq_sampler *s)
{
    if (!s)
        return;
    free(s->state);
    free(s);
}

int sq_sampler_paths(const sq_sampler *s)
{
    return s->path_count;
}

double sq_sampler_draw_uniform(const sq_sampler *s, sq_rng *rng, int *path)
{
    double cost = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        path[l] = sq_search_mask_draw(s->options.search_mask, s->space, l, rng);
        cost += s->costs[l][path[l]];
    }
    return cost;
}

void sq_sampler_draw(const sq_sampler *s, uint64_t seed, uint64_t step, int index, int *path)
{
    assert(index >= 0 && index < s->path_count);
    const uint64_t number = step * (uint64_t)s->path_count + (uint64_t)index;
    sq_rng rng = sq_rng_open(seed, SQ_RNG_PATH, s->row->deals_choices ? step : number);
    s->row->draw(s, &rng, index, path);
}
