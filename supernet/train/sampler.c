/* Uniform paths, SPOS's bins, and FairNAS's strict fairness. */
#include "supernet/train/sampler.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "supernet/space/cost.h"

enum { TRIES = 500 };

struct sq_sampler {
    const sq_space *space;
    sq_sampler_options options;
    int path_count;
    int bin_count;
    double macs[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* in millions */
};

static sq_status check_bins(const sq_sampler_options *o)
{
    if (o->sampling == SQ_SAMPLE_COST_BINS && !(o->bin_width > 0 && o->bin_high > o->bin_low))
        return sq_fail(SQ_INVALID, "train.sampler: bins of %g from %g to %g, wanted a width above 0 and low < high",
                       o->bin_width, o->bin_low, o->bin_high);
    return SQ_OK;
}

static sq_status count_paths(const sq_space *space, const sq_sampler_options *o, int *out)
{
    const int asked = o->paths == 0 ? 1 : o->paths;
    int most = 1;
    for (int l = 0; l < space->layer_count; l++) {
        const int count = sq_search_mask_count(o->search_mask, space, l);
        most = count > most ? count : most;
    }
    if (asked < 1 || asked > SQ_MAX_PATHS)
        return sq_fail(SQ_INVALID, "train.paths: %d, wanted 1 to %d", asked, SQ_MAX_PATHS);
    if (o->sampling == SQ_SAMPLE_FAIR && most > 1 && asked != 1 && asked != most)
        return sq_fail(SQ_INVALID, "train.paths: %d, but the sampler fair takes %d, the most choices of a layer", asked,
                       most);
    *out = most == 1 ? 1 : o->sampling == SQ_SAMPLE_FAIR ? most : asked;
    return SQ_OK;
}

sq_status sq_sampler_open(sq_sampler **out, const sq_space *space, const sq_sampler_options *options)
{
    int path_count = 1;
    SQ_TRY(check_bins(options));
    SQ_TRY(count_paths(space, options, &path_count));
    sq_sampler *s = calloc(1, sizeof *s);
    if (!s)
        return sq_fail(SQ_NO_MEMORY, "sampler");
    s->space = space;
    s->options = *options;
    s->path_count = path_count;
    if (options->sampling == SQ_SAMPLE_COST_BINS)
        s->bin_count = (int)ceil((options->bin_high - options->bin_low) / options->bin_width - 1e-9);
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++)
            s->macs[l][c] = 1e-6 * (double)sq_cost_block(space, l, c).macs;
    *out = s;
    return SQ_OK;
}

void sq_sampler_close(sq_sampler *sampler)
{
    free(sampler);
}

int sq_sampler_paths(const sq_sampler *sampler)
{
    return sampler->path_count;
}

/* A uniform path; returns its cost. */
static double draw(const sq_sampler *s, sq_rng *rng, int *path)
{
    double macs = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        path[l] = sq_search_mask_draw(s->options.search_mask, s->space, l, rng);
        macs += s->macs[l][path[l]];
    }
    return macs;
}

static void draw_in_bin(const sq_sampler *s, sq_rng *rng, int *path)
{
    const double low = s->options.bin_low + s->options.bin_width * sq_rng_below(rng, (uint32_t)s->bin_count);
    for (int i = 0; i < TRIES; i++) {
        const double macs = draw(s, rng, path);
        if (macs >= low && macs < low + s->options.bin_width)
            return;
    }
    (void)draw(s, rng, path);
}

/* Fisher and Yates's shuffle. */
static void shuffle(int *list, int count, sq_rng *rng)
{
    for (int i = count - 1; i > 0; i--) {
        const int j = (int)sq_rng_below(rng, (uint32_t)i + 1), swap = list[i];
        list[i] = list[j];
        list[j] = swap;
    }
}

/* What each path takes of one layer: dealt[path_count] are places in the scope's list of choices. */
static void deal(const sq_sampler *s, int layer, sq_rng *rng, int *dealt)
{
    const int count = sq_search_mask_count(s->options.search_mask, s->space, layer), paths = s->path_count;
    for (int i = 0; i < count; i++)
        dealt[i] = i;
    if (count < paths)
        shuffle(dealt, count, rng); /* whose turn it is to come once more */
    for (int i = count; i < paths; i++)
        dealt[i] = dealt[i - count];
    if (count > 1)
        shuffle(dealt, paths, rng);
}

static void draw_fair(const sq_sampler *s, sq_rng *rng, int index, int *path)
{
    int dealt[SQ_MAX_PATHS];
    for (int l = 0; l < s->space->layer_count; l++) {
        deal(s, l, rng, dealt);
        path[l] = sq_search_mask_choice(s->options.search_mask, l, dealt[index]);
    }
}

void sq_sampler_draw(const sq_sampler *s, uint64_t seed, uint64_t step, int index, int *path)
{
    assert(index >= 0 && index < s->path_count);
    const bool is_fair = s->options.sampling == SQ_SAMPLE_FAIR;
    sq_rng rng = sq_rng_open(seed, SQ_RNG_PATH, is_fair ? step : step * (uint64_t)s->path_count + (uint64_t)index);
    if (is_fair)
        draw_fair(s, &rng, index, path);
    else if (s->options.sampling == SQ_SAMPLE_COST_BINS)
        draw_in_bin(s, &rng, path);
    else
        (void)draw(s, &rng, path);
}
