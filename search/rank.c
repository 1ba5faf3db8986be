/* Draws paths, compares supernet scores with stand-alone scores, and writes the report. */
#include "search/rank.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/candidate.h"
#include "search/cost/fit/fit.h"
#include "search/json_file.h"
#include "supernet/space/cost.h"

enum { POOL = 64 /* random paths per path to draw */, MAX_PAIRS = SQ_MAX_RANKED * (SQ_MAX_RANKED - 1) / 2 };

/* ---- Drawing ---- */

/* Compares by multiply-adds, then by choices, so that equal paths are neighbours after sorting. */
static int by_cost(const void *a, const void *b)
{
    const sq_ranked *x = a, *y = b;
    const int order = (x->macs > y->macs) - (x->macs < y->macs);
    return order ? order : memcmp(x->path, y->path, sizeof x->path);
}

static void fill_pool(sq_ranked *pool, int count, const sq_space *space, const sq_search_mask *search_mask,
                      uint64_t seed)
{
    for (int i = 0; i < count; i++) {
        sq_rng rng = sq_rng_open(seed, SQ_RNG_RANK, (uint64_t)i + 1);
        for (int l = 0; l < space->layer_count; l++)
            pool[i].path[l] = sq_search_mask_draw(search_mask, space, l, &rng);
        const sq_cost cost = sq_cost_path(space, pool[i].path);
        pool[i].macs = 1e-6 * (double)cost.macs;
        pool[i].parameters = 1e-6 * (double)(cost.weights + cost.norm_weights);
    }
}

static int drop_equal(sq_ranked *sorted, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (kept == 0 || memcmp(sorted[kept - 1].path, sorted[i].path, sizeof sorted[i].path) != 0)
            sorted[kept++] = sorted[i];
    return kept;
}

sq_status sq_rank_draw(sq_ranked *out, int count, const sq_space *space, const sq_search_mask *search_mask,
                       uint64_t seed)
{
    if (count < 2 || count > SQ_MAX_RANKED)
        return sq_fail(SQ_INVALID, "rank: %d paths, expected 2 to %d", count, SQ_MAX_RANKED);
    sq_ranked *pool = calloc((size_t)count * POOL, sizeof *pool);
    if (!pool)
        return sq_fail(SQ_NO_MEMORY, "rank: %d paths", count * POOL);
    fill_pool(pool, count * POOL, space, search_mask, seed);
    qsort(pool, (size_t)count * POOL, sizeof *pool, by_cost);
    const int different = drop_equal(pool, count * POOL);
    sq_rng rng = sq_rng_open(seed, SQ_RNG_RANK, 0);
    for (int i = 0; different >= count && i < count; i++) {
        const int begin = i * different / count, end = (i + 1) * different / count;
        out[i] = pool[begin + (int)sq_rng_below(&rng, (uint32_t)(end - begin))];
    }
    free(pool);
    return different >= count ? SQ_OK
                              : sq_fail(SQ_INVALID, "rank: found %d different paths in %s, expected %d", different,
                                        space->name, count);
}

sq_status sq_rank_measure(sq_rank_score *out, sq_evaluator *evaluator, const int *path)
{
    sq_result result;
    SQ_TRY(sq_evaluator_calibrate(evaluator, path));
    SQ_TRY(sq_evaluator_score(evaluator, path, 0, &result));
    const double images = (double)result.images;
    *out = (sq_rank_score){true, result.nonfinite ? SQ_NONFINITE_LOSS : result.loss / images,
                           (double)result.top1 / images, (double)result.top5 / images};
    return SQ_OK;
}

/* ---- Agreement ---- */

/* Returns P(|tau| >= limit) for two unrelated orders of n elements. The number of inversions that element i adds is
 * uniform in 0 .. i and independent of the other elements. */
static double chance_of(int n, double limit)
{
    double now[MAX_PAIRS + 1] = {1}, next[MAX_PAIRS + 1], sum = 0;
    const int pairs = n * (n - 1) / 2;
    for (int i = 1; i < n; i++) {
        double window = 0;
        for (int k = 0; k <= pairs; k++) {
            window += now[k] - (k > i ? now[k - i - 1] : 0);
            next[k] = window / (i + 1);
        }
        memcpy(now, next, sizeof now);
    }
    for (int k = 0; k <= pairs; k++)
        sum += fabs(1 - 2.0 * k / pairs) >= limit - 1e-9 ? now[k] : 0;
    return sum < 1 ? sum : 1;
}

sq_status sq_rank_compare(sq_rank_agreement *out, const sq_ranked *list, int count)
{
    double supernet[SQ_MAX_RANKED], alone[SQ_MAX_RANKED];
    sq_quality quality;
    int n = 0;
    for (int i = 0; i < count && n < SQ_MAX_RANKED; i++)
        if (list[i].supernet.is_known && list[i].alone.is_known) {
            supernet[n] = 1 + list[i].supernet.top1; /* sq_fit_quality requires values above 0 */
            alone[n++] = 1 + list[i].alone.top1;
        }
    if (n < 2)
        return sq_fail(SQ_INVALID, "rank: %d paths have both scores, expected 2 or more", n);
    SQ_TRY(sq_fit_quality(&quality, supernet, alone, (size_t)n));
    *out = (sq_rank_agreement){.pairs = (size_t)n * (size_t)(n - 1) / 2,
                               .tau = quality.tau,
                               .spearman = quality.spearman,
                               .chance = isnan(quality.tau) ? NAN : chance_of(n, fabs(quality.tau))};
    return SQ_OK;
}

/* ---- Report ---- */

static json_t *score_object(const sq_rank_score *s)
{
    return s->is_known ? json_pack("{s:o, s:o, s:o}", "loss", sq_json_real(s->loss), "top1_acc", sq_json_real(s->top1),
                                   "top5_acc", sq_json_real(s->top5))
                       : json_null();
}

static json_t *path_object(const sq_space *space, const sq_ranked *r)
{
    return json_pack("{s:o, s:f, s:f, s:o, s:o}", "arch", sq_json_path(space, r->path), "macs_m", r->macs,
                     "parameters_m", r->parameters, "supernet", score_object(&r->supernet), "alone",
                     score_object(&r->alone));
}

sq_status sq_rank_write(const char *file, const sq_rank_facts *facts, const sq_space *space, const sq_ranked *list,
                        int count)
{
    sq_rank_agreement agreement;
    if (sq_rank_compare(&agreement, list, count) != SQ_OK) /* too few scores so far */
        agreement = (sq_rank_agreement){0, NAN, NAN, NAN};
    json_t *paths = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(paths, path_object(space, &list[i]));
    json_t *whole = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:I, s:o}", "space", space->name,
                              "supernet_step", (json_int_t)facts->step, "steps_alone", (json_int_t)facts->steps_alone,
                              "seed", (json_int_t)facts->seed, "images", (json_int_t)facts->images, "scored_on",
                              facts->is_test ? "test" : "held out", "kendall_tau_b", sq_json_real(agreement.tau),
                              "chance", sq_json_real(agreement.chance), "spearman", sq_json_real(agreement.spearman),
                              "pairs", (json_int_t)agreement.pairs, "paths", paths);
    return sq_json_write(file, whole);
}
