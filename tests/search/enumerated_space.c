/* Implements the enumerated space, and searches on it. */
#include "tests/search/enumerated_space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double drawn(uint64_t stream, uint64_t index)
{
    sq_rng rng = sq_rng_open(stream, SQ_RNG_TEST, index);
    return sq_rng_uniform(&rng);
}

/* Choices with a higher index are more accurate on average and cost more. Each pair of neighbouring layers adds a
 * random term. */
double accuracy_of(const int *path)
{
    double sum = 0;
    for (int l = 0; l < LAYERS; l++) {
        sum += 0.03 * path[l] + 0.06 * drawn(1, (uint64_t)(l * CHOICES + path[l]));
        if (l > 0)
            sum += 0.05 * drawn(2, (uint64_t)((l * CHOICES + path[l - 1]) * CHOICES + path[l]));
    }
    return 0.2 + 0.8 * sum;
}

/* Returns the share of the first `images` images that the path classifies correctly. The difficulty of an image depends
 * on the image and on the path. */
static double score_on(const int *path, double accuracy, int images)
{
    int right = 0, number = 0;
    for (int l = 0; l < LAYERS; l++)
        number = number * CHOICES + path[l];
    for (int i = 0; i < images; i++)
        right += 0.5 * (drawn(3, (uint64_t)i) + drawn(4 + (uint64_t)i, (uint64_t)number)) < accuracy;
    return (double)right / images;
}

static void set_defaults(sq_search_options *options)
{
    for (int i = 0; i < sq_searcher_option_count(); i++) {
        const sq_searcher_option *row = sq_searcher_option_at(i);
        void *field = (char *)options + row->offset;
        if (row->is_integer)
            *(int *)field = (int)row->initial;
        else
            *(double *)field = row->initial;
    }
}

search_trial *open_trial(sq_searcher_kind kind, uint64_t seed, int population, int generations)
{
    search_trial *t = calloc(1, sizeof *t);
    t->options = (sq_search_options){.kind = kind,
                                     .seed = seed,
                                     .population = population,
                                     .generations = generations,
                                     .parents = population / 4 + 1,
                                     .crossover = population / 2,
                                     .mutation = population / 2,
                                     .mutation_probability = 0.1,
                                     .tries = 10};
    set_defaults(&t->options);
    cr_assert(sq_objectives_read("accuracy, macs", &t->options.objectives));
    t->space.layer_count = t->space.searched_count = LAYERS;
    t->searcher.options = &t->options;
    t->searcher.space = &t->space;
    t->searcher.observed = t->observed;
    t->searcher.evaluation_images = IMAGES;
    for (int l = 0; l < LAYERS; l++) {
        t->space.layers[l].choice_count = CHOICES;
        for (int c = 0; c < CHOICES; c++) {
            t->searcher.block_macs[l][c] = 1 + c * (1 + drawn(5, (uint64_t)(l * CHOICES + c)));
            t->searcher.block_parameters[l][c] = 1 + 3 * drawn(6, (uint64_t)(l * CHOICES + c));
            t->searcher.block_memory_mb[l][c] = drawn(7, (uint64_t)(l * CHOICES + c));
        }
    }
    for (int i = 0; i < PATHS; i++) {
        t->observed[i].path = t->paths[i];
        t->proposed[i].path = t->proposed_paths[i];
    }
    MUST(sq_searcher_check(&t->searcher));
    return t;
}

void observe(search_trial *t, const sq_candidate *proposed)
{
    sq_candidate *c = &t->observed[t->searcher.observed_count++];
    int *path = c->path;
    memcpy(path, proposed->path, sizeof t->paths[0]);
    *c = *proposed;
    c->path = path;
    c->images = c->images ? c->images : IMAGES;
    c->top1 = accuracy_of(path);
    if (t->is_noisy)
        c->top1 = score_on(path, c->top1, c->images);
    c->top5 = c->top1;
}

void run_trial(search_trial *t)
{
    for (int count = 1; count;) {
        MUST(sq_searcher_ask(&t->searcher, t->proposed, &count));
        cr_assert_leq(count, sq_searcher_generation_limit(&t->searcher));
        for (int i = 0; i < count; i++)
            observe(t, &t->proposed[i]);
    }
    cr_expect_leq(t->searcher.observed_count, sq_searcher_budget(&t->searcher));
}

void path_from_number(int number, int *path)
{
    for (int l = LAYERS - 1; l >= 0; l--, number /= CHOICES)
        path[l] = number % CHOICES;
}

double best_accuracy(void)
{
    double best = 0;
    for (int i = 0, path[LAYERS]; i < PATHS; i++) {
        path_from_number(i, path);
        best = fmax(best, accuracy_of(path));
    }
    return best;
}

const sq_candidate *best_of(const search_trial *t)
{
    return sq_candidate_best(t->observed, t->searcher.observed_count);
}
