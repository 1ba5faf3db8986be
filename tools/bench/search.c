/* Times the evaluation of the candidates of an evolution in two ways: all candidates of a generation together, as
 * `squall search` does, and one by one. Weights are initial and images random, so the accuracies mean nothing, but the
 * work equals that of a search. Both ways must give the same scores, bit for bit.
 *
 * usage: bench_search SPACE CALIBRATION VALIDATION BATCH GENERATIONS FIRST LAST
 *
 * The searched layers FIRST to LAST (from 0) vary; the other searched layers are fixed. With FIRST 0 and LAST -1, all
 * layers vary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/rng.h"
#include "kernels/cpu/processor.h"
#include "search/evaluate/candidate_group.h"
#include "search/searchers/searchers.h"
#include "supernet/model/initialize.h"

enum { POPULATION = 50, MOST = 1000 };

static sq_status random_images(sq_image_set *out, const sq_space *space, size_t count, uint64_t number)
{
    const size_t bytes = count * (size_t)space->resolution * (size_t)space->resolution * 3;
    sq_image_set set = {.count = count, .resolution = space->resolution};
    set.images = malloc(bytes);
    set.labels = malloc(count * sizeof *set.labels);
    if (!set.images || !set.labels)
        return sq_fail(SQ_NO_MEMORY, "bench: %zu images", count);
    sq_rng rng = sq_rng_open(3, SQ_RNG_TEST, number);
    for (size_t i = 0; i < bytes; i++)
        set.images[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
    for (size_t i = 0; i < count; i++)
        set.labels[i] = (int32_t)sq_rng_below(&rng, (uint32_t)space->classes);
    *out = set;
    return SQ_OK;
}

typedef struct {
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
    sq_image_set calibration, validation;
    sq_evaluator *evaluator;
    sq_candidate_group *group;
    sq_searcher searcher;
    sq_search_options options;
    sq_search_mask search_mask;
    double together, alone;
} bench;

static sq_status open_bench(bench *b, char **argv)
{
    const int batch = atoi(argv[4]), first = atoi(argv[6]), last = atoi(argv[7]);
    SQ_TRY(sq_space_read(&b->space, argv[1], 0, 0));
    SQ_TRY(sq_backend_open("cpu", 0, &b->backend));
    const sq_model_options model = {.block = {.batch = batch, .is_supernet = true}};
    SQ_TRY(sq_model_create(&b->model, b->backend, b->space, &model));
    SQ_TRY(sq_model_initialize(b->model, 1));
    SQ_TRY(random_images(&b->calibration, b->space, (size_t)atoi(argv[2]), 1));
    SQ_TRY(random_images(&b->validation, b->space, (size_t)atoi(argv[3]), 2));
    const sq_evaluation_data data = {&b->calibration, &b->validation, batch, batch, false};
    SQ_TRY(sq_evaluator_create(&b->evaluator, b->backend, b->space, b->model, &data));
    const sq_candidate_group_options group = {.data = data, .budget_bytes = (size_t)4 << 30};
    SQ_TRY(sq_candidate_group_create(&b->group, b->backend, b->space, b->model, &group));
    sq_search_mask_all(&b->search_mask, b->space);
    int fixed[SQ_MAX_LAYERS], depth = 0;
    for (int l = 0; l < b->space->layer_count; l++) {
        const int searched = b->space->layers[l].searched_index;
        fixed[l] = searched == SQ_NONE ? 0 : searched % b->space->layers[l].choice_count;
        if (last >= first && (searched < first || searched > last))
            sq_search_mask_fix(&b->search_mask, l, fixed[l]);
    }
    while (b->search_mask.count[depth] == 1)
        depth++;
    sq_candidate_group_fix(b->group, fixed, depth);
    (void)printf("%s: layers 0 .. %d fixed, %zu calibration and %zu validation images, batch %d\n", b->space->name,
                 depth - 1, b->calibration.count, b->validation.count, batch);
    b->options = (sq_search_options){.seed = 1,
                                     .population = POPULATION,
                                     .generations = atoi(argv[5]) - 1,
                                     .parents = 10,
                                     .crossover = 25,
                                     .mutation = 25,
                                     .mutation_probability = 0.1,
                                     .tries = 10,
                                     .search_mask = &b->search_mask};
    b->searcher = (sq_searcher){.options = &b->options, .space = b->space};
    b->searcher.observed = calloc(MOST, sizeof *b->searcher.observed);
    return b->searcher.observed ? SQ_OK : sq_fail(SQ_NO_MEMORY, "bench: %d candidates", MOST);
}

/* Evaluates the candidates together and one by one, and adds the times to b->together and b->alone. is_swapped selects
 * which evaluation runs first. Passes the scores to the searcher. Returns SQ_INVALID if the two evaluations
 * differ. */
static sq_status score(bench *b, sq_candidate *proposed, int count, bool is_swapped)
{
    const int *paths[POPULATION];
    sq_result together[POPULATION], alone[POPULATION];
    for (int i = 0; i < count; i++)
        paths[i] = proposed[i].path;
    for (int turn = 0; turn < 2; turn++) {
        const double begin = sq_seconds_now();
        if ((turn == 0) != is_swapped) {
            SQ_TRY(sq_candidate_group_evaluate(b->group, paths, count, 0, together));
            b->together += sq_seconds_now() - begin;
            continue;
        }
        for (int i = 0; i < count; i++) {
            SQ_TRY(sq_evaluator_calibrate(b->evaluator, paths[i]));
            SQ_TRY(sq_evaluator_score(b->evaluator, paths[i], 0, &alone[i]));
        }
        b->alone += sq_seconds_now() - begin;
    }
    if (memcmp(together, alone, (size_t)count * sizeof *alone) != 0)
        return sq_fail(SQ_INVALID, "bench: together and alone differ");
    for (int i = 0; i < count; i++) {
        sq_candidate *c = &b->searcher.observed[b->searcher.observed_count++];
        *c = proposed[i];
        c->path = malloc(SQ_MAX_LAYERS * sizeof *c->path);
        if (!c->path)
            return sq_fail(SQ_NO_MEMORY, "bench: a path");
        memcpy(c->path, proposed[i].path, (size_t)b->space->layer_count * sizeof *c->path);
        c->top1 = (double)together[i].top1 / (double)together[i].images;
        c->loss = together[i].loss / (double)together[i].images;
    }
    return SQ_OK;
}

static sq_status run(bench *b, char **argv)
{
    static int paths[POPULATION][SQ_MAX_LAYERS];
    sq_candidate proposed[POPULATION] = {{0}};
    SQ_TRY(open_bench(b, argv));
    for (int i = 0; i < POPULATION; i++)
        proposed[i].path = paths[i];
    for (int generation = 0;; generation++) {
        int count = 0;
        const double together = b->together, alone = b->alone;
        SQ_TRY(sq_searcher_ask(&b->searcher, proposed, &count));
        if (count == 0)
            break;
        SQ_TRY(score(b, proposed, count, generation % 2));
        (void)printf("generation %2d: %3d candidates, together %.3f s, one by one %.3f s, ratio %.2f\n", generation,
                     count, b->together - together, b->alone - alone, (b->alone - alone) / (b->together - together));
        (void)fflush(stdout);
    }
    const sq_evaluation_counters counts = sq_candidate_group_counters(b->group);
    (void)printf("%d candidates: %.2f times as fast; programs run %lld for %lld; %.0f MB kept\n",
                 b->searcher.observed_count, b->alone / b->together, (long long)counts.runs, (long long)counts.alone,
                 1e-6 * (double)counts.kept_bytes);
    return SQ_OK;
}

int main(int argc, char **argv)
{
    static bench b;
    sq_cpu_choose_kernels(argv);
    if (argc != 8) {
        (void)fprintf(stderr, "usage: bench_search SPACE CALIBRATION VALIDATION BATCH GENERATIONS FIRST LAST\n");
        return 2;
    }
    const sq_status status = run(&b, argv);
    if (status != SQ_OK)
        (void)fprintf(stderr, "bench_search: %s\n", sq_error_text());
    for (int i = 0; b.searcher.observed && i < b.searcher.observed_count; i++)
        free(b.searcher.observed[i].path);
    free(b.searcher.observed);
    sq_candidate_group_destroy(b.group);
    sq_evaluator_destroy(b.evaluator);
    sq_image_set_clear(&b.calibration);
    sq_image_set_clear(&b.validation);
    sq_model_destroy(b.model);
    sq_backend_close(b.backend);
    sq_space_free(b.space);
    return status == SQ_OK ? 0 : 1;
}
