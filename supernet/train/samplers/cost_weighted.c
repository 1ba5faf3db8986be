/* Draws paths whose costs are uniform over the range of costs. If choices are drawn uniformly, the cost of a path is a
 * sum of independent terms, which is almost always near the mean. The cheapest and the most expensive paths are then
 * hardly trained.
 *
 * The range from the cheapest to the most expensive path is divided into equal bins. A draw first takes one of the bins
 * that contain a path, with equal probability, then one of the paths of that bin, with equal probability. Dynamic
 * programming counts the paths. Costs are rounded to cells, 256 cells per bin, and ways[l][cell] is the number of ways
 * in which the costs of layers 0 .. l - 1 add up to the cell. A draw walks from the last layer to the first one, and
 * takes each choice with a probability in proportion to the number of ways to complete the path after that choice.
 * Rounding changes the cost of a path by at most half a cell per layer. */
#include <math.h>
#include <stdlib.h>

#include "supernet/train/sampler_row.h"

enum { BINS = 32, CELLS_PER_BIN = 256, CELLS = BINS * CELLS_PER_BIN, WIDTH = CELLS + SQ_MAX_LAYERS };

typedef struct {
    int cells[SQ_MAX_LAYERS][SQ_MAX_CHOICES]; /* cost above the layer's cheapest choice, by index into the mask */
    int bins[BINS], bin_count;                /* bins that contain a path */
    double bin_ways[BINS];
    double ways[][WIDTH]; /* [layer_count + 1] */
} state;

static double cost_at(const sq_sampler *s, int layer, int index)
{
    return s->costs[layer][sq_search_mask_choice(s->options.search_mask, layer, index)];
}

static int count_at(const sq_sampler *s, int layer)
{
    return sq_search_mask_count(s->options.search_mask, s->space, layer);
}

static int bin_of(int cell)
{
    return cell < CELLS ? cell / CELLS_PER_BIN : BINS - 1;
}

/* Rounds costs to cells. */
static void place_costs(const sq_sampler *s, state *w)
{
    double least[SQ_MAX_LAYERS], range = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        double most = cost_at(s, l, 0);
        least[l] = most;
        for (int i = 1; i < count_at(s, l); i++) {
            least[l] = fmin(least[l], cost_at(s, l, i));
            most = fmax(most, cost_at(s, l, i));
        }
        range += most - least[l];
    }
    for (int l = 0; l < s->space->layer_count; l++)
        for (int i = 0; i < count_at(s, l); i++)
            w->cells[l][i] = range > 0 ? (int)lround((cost_at(s, l, i) - least[l]) / range * (CELLS - 1)) : 0;
}

static void count_ways(const sq_sampler *s, state *w)
{
    const int layers = s->space->layer_count;
    w->ways[0][0] = 1;
    for (int l = 0; l < layers; l++)
        for (int i = 0; i < count_at(s, l); i++)
            for (int cell = w->cells[l][i]; cell < WIDTH; cell++)
                w->ways[l + 1][cell] += w->ways[l][cell - w->cells[l][i]];
    for (int cell = 0; cell < WIDTH; cell++)
        w->bin_ways[bin_of(cell)] += w->ways[layers][cell];
    for (int bin = 0; bin < BINS; bin++)
        if (w->bin_ways[bin] > 0)
            w->bins[w->bin_count++] = bin;
}

static sq_status open(sq_sampler *s)
{
    state *w = calloc(1, sizeof *w + (size_t)(s->space->layer_count + 1) * sizeof *w->ways);
    if (!w)
        return sq_fail(SQ_NO_MEMORY, "sampler cost_weighted");
    s->state = w;
    place_costs(s, w);
    count_ways(s, w);
    return SQ_OK;
}

/* Draws a cell of the bin, with a probability in proportion to the cell's number of paths. */
static int draw_cell(const state *w, const double *ways, int bin, sq_rng *rng)
{
    const int end = bin == BINS - 1 ? WIDTH : (bin + 1) * CELLS_PER_BIN;
    double left = sq_rng_uniform(rng) * w->bin_ways[bin];
    int found = SQ_NONE;
    for (int cell = bin * CELLS_PER_BIN; cell < end && left >= 0; cell++) {
        if (ways[cell] > 0)
            found = cell;
        left -= ways[cell];
    }
    return found;
}

static void draw(const sq_sampler *s, sq_rng *rng, int index, int *path)
{
    const state *w = s->state;
    const int bin = w->bins[sq_rng_below(rng, (uint32_t)w->bin_count)];
    int cell = draw_cell(w, w->ways[s->space->layer_count], bin, rng);
    (void)index;
    for (int l = s->space->layer_count; l-- > 0;) {
        double left = sq_rng_uniform(rng) * w->ways[l + 1][cell];
        int taken = 0;
        for (int i = 0; i < count_at(s, l) && left >= 0; i++) {
            const int before = cell - w->cells[l][i];
            const double ways = before >= 0 ? w->ways[l][before] : 0;
            if (ways > 0)
                taken = i;
            left -= ways;
        }
        path[l] = sq_search_mask_choice(s->options.search_mask, l, taken);
        cell -= w->cells[l][taken];
    }
}

const sq_sampler_row sq_sampler_cost_weighted = {.open = open, .draw = draw};
