/* Compares searchers with each other and with enumeration, and tests properties of all searchers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/state.h"
#include "tests/search/enumerated_space.h"

enum { SEEDS = 16 };

/* Returns the mean over seeds of the true accuracy of the path that the searcher finds. */
static double mean_found(sq_searcher_kind kind, int population, int generations, bool is_noisy, int chains)
{
    double sum = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        search_trial *t = open_trial(kind, seed, population, generations);
        t->is_noisy = is_noisy;
        t->options.chains = chains;
        run_trial(t);
        sum += accuracy_of(best_of(t)->path);
        free(t);
    }
    return sum / SEEDS;
}

/* ---- Comparison with random search ---- */

Test(searchers, each_beats_random_at_the_same_budget)
{
    const double optimum = best_accuracy(), random = mean_found(SQ_SEARCHER_RANDOM, 14, 7, false, 1);
    const double evolution = mean_found(SQ_SEARCHER_EVOLUTION, 14, 7, false, 1);
    const double annealing = mean_found(SQ_SEARCHER_ANNEALING, 14, 7, false, 1);
    const double chains = mean_found(SQ_SEARCHER_ANNEALING, 14, 7, false, 7);
    cr_log_info("optimum %.4f random %.4f evolution %.4f annealing %.4f, of 7 chains %.4f", optimum, random, evolution,
                annealing, chains);
    cr_expect_gt(evolution, random + 0.5 * (optimum - random), "%t, random %t", evolution, random);
    cr_expect_gt(annealing, random + 0.5 * (optimum - random), "%t, random %t", annealing, random);
    cr_expect_gt(chains, random + 0.2 * (optimum - random), "%t, random %t", chains, random);
}

Test(searchers, halving_beats_random_for_the_same_images)
{
    const double random = mean_found(SQ_SEARCHER_RANDOM, 10, 9, true, 1);
    const double halving = mean_found(SQ_SEARCHER_HALVING, 10, 9, true, 1);
    cr_log_info("random %.4f halving %.4f", random, halving);
    cr_expect_gt(halving, random + 0.005, "%t, random %t", halving, random);
}

/* ---- Every searcher ---- */

static void expect_same_proposals(const search_trial *t, const search_trial *resumed, int from, int count)
{
    for (int i = 0; i < count; i++) {
        const sq_candidate *a = &t->observed[from + i], *b = &resumed->proposed[i];
        cr_expect(memcmp(a->path, b->path, sizeof t->paths[0]) == 0 && a->generation == b->generation &&
                      a->macs == b->macs && a->images == (b->images ? b->images : IMAGES),
                  "%s: resumed after %d: question %d", sq_searcher_name(t->options.kind), from, i);
    }
}

Test(searchers, resumes_with_the_same_proposals_after_any_candidate)
{
    for (int kind = 0; kind < SQ_SEARCHERS; kind++) {
        search_trial *t = open_trial((sq_searcher_kind)kind, 5, 12, 5),
                     *resumed = open_trial((sq_searcher_kind)kind, 5, 12, 5);
        t->is_noisy = true;
        t->options.chains = resumed->options.chains = 5; /* 72 candidates, so the last generation has two */
        run_trial(t);
        cr_expect_eq(t->searcher.observed_count, sq_searcher_budget(&t->searcher));
        resumed->searcher.observed = t->observed;
        for (int observed = 0; observed <= t->searcher.observed_count; observed++) {
            int count = 0, left = 0;
            resumed->searcher.observed_count = observed;
            MUST(sq_searcher_ask(&resumed->searcher, resumed->proposed, &count));
            while (observed + left < t->searcher.observed_count &&
                   (left == 0 || t->observed[observed + left].generation == t->observed[observed].generation))
                left++;
            cr_expect_eq(count, left, "%s: %d proposed after %d", sq_searcher_name((sq_searcher_kind)kind), count,
                         observed);
            expect_same_proposals(t, resumed, observed, count < left ? count : left);
        }
        free(t);
        free(resumed);
    }
}

Test(searchers, proposes_legal_paths_and_none_twice)
{
    for (int kind = 0; kind < SQ_SEARCHERS; kind++) {
        search_trial *t = open_trial((sq_searcher_kind)kind, 9, 15, 5);
        sq_search_mask search_mask;
        sq_search_mask_all(&search_mask, &t->space);
        sq_search_mask_fix(&search_mask, 1, 2);
        search_mask.count[3] = 2;
        search_mask.choices[3][0] = 1;
        search_mask.choices[3][1] = 3;
        t->options.search_mask = &search_mask;
        t->options.limits.macs = 18;
        run_trial(t);
        cr_expect_geq(t->searcher.observed_count, 80);
        for (int i = 0; i < t->searcher.observed_count; i++) {
            cr_expect(sq_search_mask_allows(&search_mask, &t->space, t->observed[i].path) && t->observed[i].macs <= 18,
                      "%s: candidate %d", sq_searcher_name((sq_searcher_kind)kind), i);
            for (int j = 0; j < i; j++)
                cr_expect(memcmp(t->paths[i], t->paths[j], sizeof t->paths[0]) != 0 ||
                              (kind == SQ_SEARCHER_HALVING && t->observed[i].generation != t->observed[j].generation),
                          "%s: %d and %d", sq_searcher_name((sq_searcher_kind)kind), i, j);
        }
        free(t);
    }
}

Test(searchers, proposes_every_path_of_a_small_space_then_ends)
{
    for (int kind = 0; kind < SQ_SEARCHERS; kind++) {
        search_trial *t = open_trial((sq_searcher_kind)kind, 2, 20, 9);
        sq_search_mask search_mask;
        sq_search_mask_all(&search_mask, &t->space);
        for (int l = 0; l < 4; l++)
            sq_search_mask_fix(&search_mask, l, l % CHOICES);
        t->options.search_mask = &search_mask;
        t->options.chains = 3;
        run_trial(t);
        int whole = 0; /* candidates; for halving only those of the first rung, which has 16 */
        for (int i = 0; i < t->searcher.observed_count; i++)
            whole += kind != SQ_SEARCHER_HALVING || t->observed[i].generation == 0;
        cr_expect_eq(whole, 16, "%s: %d", sq_searcher_name((sq_searcher_kind)kind), whole);
        cr_expect_eq(t->searcher.observed_count, kind == SQ_SEARCHER_HALVING ? 16 + 5 + 1 : 16);
        free(t);
    }
}

Test(searchers, breaks_ties_by_order_and_repeats)
{
    for (int kind = 0; kind < SQ_SEARCHERS; kind++) {
        search_trial *a = open_trial((sq_searcher_kind)kind, 1, 10, 5),
                     *b = open_trial((sq_searcher_kind)kind, 1, 10, 5);
        for (int side = 0; side < 2; side++) {
            search_trial *t = side ? b : a;
            for (int count = 1; count;) {
                MUST(sq_searcher_ask(&t->searcher, t->proposed, &count));
                for (int i = 0; i < count; i++) {
                    observe(t, &t->proposed[i]);
                    t->observed[t->searcher.observed_count - 1].top1 =
                        t->observed[t->searcher.observed_count - 1].top5 = 0.5;
                }
            }
        }
        cr_expect(a->searcher.observed_count == b->searcher.observed_count &&
                  memcmp(a->paths, b->paths, sizeof a->paths) == 0);
        const sq_candidate *best = best_of(a);
        cr_expect(best == a->observed || (best[-1].images < best->images), "%s",
                  sq_searcher_name((sq_searcher_kind)kind));
        free(a);
        free(b);
    }
}

static int distance_of(const int *a, const int *b)
{
    int changed = 0;
    for (int l = 0; l < LAYERS; l++)
        changed += a[l] != b[l];
    return changed;
}

/* At a temperature near 0, a chain climbs. It proposes neighbours of its current path until most neighbours are
 * proposed. */
Test(searchers, a_cold_chain_proposes_neighbours_of_its_best)
{
    search_trial *t = open_trial(SQ_SEARCHER_ANNEALING, 3, 20, 4);
    int far = 0;
    t->options.temperature = t->options.final_temperature = 1e-9;
    run_trial(t);
    for (int i = 1, at = 0; i < t->searcher.observed_count; i++) {
        int neighbours = 0;
        for (int j = 0; j < i; j++)
            neighbours += distance_of(t->paths[j], t->paths[at]) == 1;
        if (distance_of(t->paths[i], t->paths[at]) > 1) {
            cr_expect_geq(neighbours, LAYERS * (CHOICES - 1) / 2, "candidate %d", i);
            far++;
        }
        at = t->observed[i].top1 >= t->observed[at].top1 ? i : at;
    }
    cr_expect_gt(far, 0);
    t->options.final_temperature = 1;
    cr_expect_eq(sq_searcher_check(&t->searcher), SQ_INVALID);
    free(t);
}

/* ---- Options and resuming ---- */

static void change_option(sq_search_options *options, const sq_searcher_option *row)
{
    void *field = (char *)options + row->offset;
    if (row->is_integer)
        *(int *)field += *(int *)field < row->most ? 1 : -1;
    else
        *(double *)field *= 0.5;
}

/* Writes the state of one search and reads it with the options of a different search. */
static sq_status resume_with(const search_trial *written, const search_trial *resumed)
{
    char folder[SQ_PATH_BYTES], path[SQ_PATH_BYTES];
    const sq_search_scored none = {.count = 0};
    sq_candidate *candidates = NULL;
    int count = 0;
    MUST(sq_folder_scratch(folder, sizeof folder, "squall-test"));
    MUST(sq_text_path(path, sizeof path, folder, "state.json"));
    MUST(sq_search_state_write(path, sq_search_fingerprint(&written->searcher, 1), &none, &written->space));
    const sq_status status =
        sq_search_state_read(path, sq_search_fingerprint(&resumed->searcher, 1), &resumed->space, &candidates, &count);
    free(candidates);
    MUST(sq_path_remove(folder));
    return status;
}

Test(searchers, every_row_is_complete)
{
    for (int kind = 0; kind < SQ_SEARCHERS; kind++) {
        search_trial *t = open_trial((sq_searcher_kind)kind, 1, 4, 1);
        cr_expect(strlen(sq_searcher_name((sq_searcher_kind)kind)) > 0);
        cr_expect(strlen(sq_searcher_summary((sq_searcher_kind)kind)) > 0);
        cr_expect(sq_searcher_generation_limit(&t->searcher) > 0 && sq_searcher_budget(&t->searcher) > 0);
        free(t);
    }
    for (int i = 0; i < sq_searcher_option_count(); i++) {
        const sq_searcher_option *row = sq_searcher_option_at(i);
        cr_expect(row->least <= row->initial && row->initial <= row->most && *row->meaning, "%s", row->name);
    }
}

Test(searchers, refuses_to_resume_with_another_value_of_an_own_option)
{
    int tried = 0;
    for (int kind = 0; kind < SQ_SEARCHERS; kind++)
        for (int i = 0; i < sq_searcher_option_count(); i++) {
            const sq_searcher_option *row = sq_searcher_option_at(i);
            if ((int)row->kind != kind)
                continue;
            search_trial *written = open_trial(row->kind, 1, 12, 3), *resumed = open_trial(row->kind, 1, 12, 3);
            MUST(resume_with(written, resumed));
            change_option(&resumed->options, row);
            cr_expect_eq(resume_with(written, resumed), SQ_INVALID, "%s: %s", sq_searcher_name(row->kind), row->name);
            cr_expect_not_null(strstr(sq_error_text(), "--resume never"), "%s", sq_error_text());
            free(written);
            free(resumed);
            tried++;
        }
    cr_expect_eq(tried, sq_searcher_option_count());
}

/* Returns whether two searches observe the same candidates. */
static bool is_same_course(const search_trial *a, const search_trial *b)
{
    for (int i = 0; i < a->searcher.observed_count && i < b->searcher.observed_count; i++)
        if (memcmp(a->paths[i], b->paths[i], sizeof a->paths[i]) != 0 || a->observed[i].images != b->observed[i].images)
            return false;
    return a->searcher.observed_count == b->searcher.observed_count;
}

/* If a searcher read an option that is not in its fingerprint, a run that is resumed with a different value would
 * continue with wrong candidates. */
Test(searchers, options_outside_the_fingerprint_change_no_candidate)
{
    enum { OBJECTIVES = -2, IMAGE_COUNTS = -1 }; /* two more changes, before the rows of the table */
    for (int kind = 0; kind < SQ_SEARCHERS; kind++)
        for (int i = OBJECTIVES; i < sq_searcher_option_count(); i++) {
            search_trial *a = open_trial((sq_searcher_kind)kind, 7, 12, 5);
            search_trial *b = open_trial((sq_searcher_kind)kind, 7, 12, 5);
            a->is_noisy = b->is_noisy = true;
            if (i == OBJECTIVES)
                cr_assert(sq_objectives_read("accuracy, parameters", &b->options.objectives));
            else if (i == IMAGE_COUNTS)
                b->searcher.calibration_images = 1000;
            else
                change_option(&b->options, sq_searcher_option_at(i));
            b->options.cache_mb = b->options.together = b->options.write_retries = 3;
            run_trial(a);
            run_trial(b);
            cr_expect(sq_search_fingerprint(&a->searcher, 1) != sq_search_fingerprint(&b->searcher, 1) ||
                          is_same_course(a, b),
                      "%s: %s", sq_searcher_name((sq_searcher_kind)kind), i < 0 ? "" : sq_searcher_option_at(i)->name);
            free(a);
            free(b);
        }
}

/* States of version 0.1 must remain usable. The expected fingerprints come from the hand-written code of that
 * version. */
Test(searchers, fingerprints_are_those_of_the_first_release)
{
    const uint64_t wanted[] = {UINT64_C(0xc019b4bc8b90eeb6), UINT64_C(0x1e7270d84f94c135), UINT64_C(0x162036a264fb8b14),
                               UINT64_C(0xd77793c6f3acbb16), UINT64_C(0xc25b7c45bec8d8b5)};
    for (size_t kind = 0; kind < sizeof wanted / sizeof *wanted; kind++) {
        search_trial *t = open_trial((sq_searcher_kind)kind, 5, 12, 3);
        t->searcher.calibration_images = 100;
        (void)snprintf(t->space.name, sizeof t->space.name, "made up");
        const uint64_t found = sq_search_fingerprint(&t->searcher, 77);
        cr_expect_eq(found, wanted[kind], "%s: %016" PRIx64, sq_searcher_name((sq_searcher_kind)kind), found);
        free(t);
    }
}
