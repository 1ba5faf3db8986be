/* Strict fairness. A layer with m choices assigns them to the m paths of a step in a random order, so each choice is in
 * exactly one path (Chu et al. 2021, "FairNAS", algorithm 1). In a layer with n < m choices, each choice is in
 * floor(m / n) paths, and m mod n choices, which are drawn in each step, are in one more path. */
#include "supernet/train/sampler_row.h"

/* Fisher and Yates's shuffle. */
static void shuffle(int *list, int count, sq_rng *rng)
{
    for (int i = count - 1; i > 0; i--) {
        const int j = (int)sq_rng_below(rng, (uint32_t)i + 1), swap = list[i];
        list[i] = list[j];
        list[j] = swap;
    }
}

/* Writes the choice that each path takes in the layer, as indices into the mask: assigned[path_count]. */
static void assign(const sq_sampler *s, int layer, sq_rng *rng, int *assigned)
{
    const int count = sq_search_mask_count(s->options.search_mask, s->space, layer), paths = s->path_count;
    for (int i = 0; i < count; i++)
        assigned[i] = i;
    if (count < paths)
        shuffle(assigned, count, rng); /* the first elements are repeated below */
    for (int i = count; i < paths; i++)
        assigned[i] = assigned[i - count];
    if (count > 1)
        shuffle(assigned, paths, rng);
}

static void draw(const sq_sampler *s, sq_rng *rng, int index, int *path)
{
    int assigned[SQ_MAX_PATHS];
    for (int l = 0; l < s->space->layer_count; l++) {
        assign(s, l, rng, assigned);
        path[l] = sq_search_mask_choice(s->options.search_mask, l, assigned[index]);
    }
}

const sq_sampler_row sq_sampler_fair = {.draw = draw, .deals_choices = true};
