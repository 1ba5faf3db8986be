/* Has the table of searchers, and the functions that work in the same way for every searcher. */
#include "search/searchers/searchers.h"

#include <stddef.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/pareto_front.h"
#include "search/searchers/generation.h"

static const struct {
    const char *word;
    const sq_searcher_ops *ops;
} searchers[] = {
#define SEARCHER(NAME, word, STREAM) [SQ_SEARCHER_##NAME] = {#word, &sq_searcher_##word},
    SQ_SEARCHER_TABLE(SEARCHER)};
_Static_assert(sizeof searchers / sizeof *searchers == SQ_SEARCHERS, "one row per searcher");

/* KIND_<word> is the kind of a searcher, for the rows of options */
enum {
#define KIND_OF_WORD(NAME, word, STREAM) KIND_##word = SQ_SEARCHER_##NAME,
    SQ_SEARCHER_TABLE(KIND_OF_WORD)
};

static const sq_searcher_option options[] = {
#define INTEGER(searcher, name, initial, least, most, meaning)                                                         \
    {(sq_searcher_kind)KIND_##searcher, #name, true, offsetof(sq_search_options, name), initial, least, most, meaning},
#define REAL(searcher, name, initial, least, most, meaning)                                                            \
    {(sq_searcher_kind)KIND_##searcher, #name, false, offsetof(sq_search_options, name), initial, least, most, meaning},
    SQ_SEARCHER_OPTION_TABLE(INTEGER, REAL)};
enum { OPTIONS = sizeof options / sizeof *options };

static const sq_searcher_ops *ops_of(const sq_searcher *s)
{
    return searchers[s->options->kind].ops;
}

const char *sq_searcher_name(sq_searcher_kind kind)
{
    return searchers[kind].word;
}

const char *sq_searcher_summary(sq_searcher_kind kind)
{
    return searchers[kind].ops->summary;
}

sq_searcher_kind sq_searcher_find(const char *word)
{
    int kind = 0;
    while (kind < SQ_SEARCHERS && strcmp(searchers[kind].word, word) != 0)
        kind++;
    return (sq_searcher_kind)kind;
}

bool sq_searcher_reads_objectives(sq_searcher_kind kind)
{
    return searchers[kind].ops->reads_objectives;
}

bool sq_searcher_varies_images(sq_searcher_kind kind)
{
    return searchers[kind].ops->varies_images;
}

bool sq_searcher_has_equal_generations(sq_searcher_kind kind)
{
    return searchers[kind].ops->generation_limit == sq_generation_population;
}

int sq_searcher_option_count(void)
{
    return OPTIONS;
}

const sq_searcher_option *sq_searcher_option_at(int index)
{
    return &options[index];
}

/* ---- Asking ---- */

static int last_generation_start(const sq_searcher *s)
{
    int start = s->observed_count;
    while (start > 0 && s->observed[start - 1].generation == s->observed[s->observed_count - 1].generation)
        start--;
    return start;
}

static sq_status ask(const sq_searcher *s, sq_candidate *candidates, int *count)
{
    sq_generation g = {
        .candidates = candidates, .limit = sq_searcher_generation_limit(s), .number = sq_generation_next_number(s)};
    SQ_TRY(ops_of(s)->ask(s, &g));
    *count = g.count;
    return SQ_OK;
}

sq_status sq_searcher_ask(const sq_searcher *s, sq_candidate *candidates, int *count)
{
    sq_searcher before = *s;
    int proposed = 0;
    before.observed_count = last_generation_start(s);
    const int known = s->observed_count - before.observed_count;
    if (known > 0)
        SQ_TRY(ask(&before, candidates, &proposed));
    if (proposed <= known)
        return ask(s, candidates, count);
    for (int i = known; i < proposed; i++) { /* swapped, so that no path pointer is lost */
        const sq_candidate first = candidates[i - known];
        candidates[i - known] = candidates[i];
        candidates[i] = first;
    }
    *count = proposed - known;
    return SQ_OK;
}

int sq_searcher_generation_limit(const sq_searcher *s)
{
    return ops_of(s)->generation_limit(s);
}

int sq_searcher_budget(const sq_searcher *s)
{
    return ops_of(s)->budget(s);
}

/* ---- Options ---- */

static double value_of(const sq_searcher_option *row, const sq_search_options *o)
{
    const void *field = (const char *)o + row->offset;
    return row->is_integer ? *(const int *)field : *(const double *)field;
}

static sq_status check_common(const sq_search_options *o)
{
    if (o->population < 1 || o->generations < 0 || o->parents < 1 || o->crossover < 0 || o->mutation < 0 ||
        o->tries < 1 || !(o->mutation_probability >= 0 && o->mutation_probability <= 1))
        return sq_fail(SQ_INVALID,
                       "search: population %d, generations %d, parents %d, crossover %d, mutation %d, tries %d, "
                       "mutation probability %g: expected at least 1, 0, 1, 0, 0, 1, and 0..1",
                       o->population, o->generations, o->parents, o->crossover, o->mutation, o->tries,
                       o->mutation_probability);
    if ((double)o->population * (o->generations + 1.0) > SQ_LARGEST_BUDGET)
        return sq_fail(SQ_INVALID, "search: population %d, generations %d: more than %d candidates", o->population,
                       o->generations, SQ_LARGEST_BUDGET);
    return SQ_OK;
}

static sq_status check_ranges(const sq_search_options *o)
{
    for (int i = 0; i < OPTIONS; i++) {
        const sq_searcher_option *row = &options[i];
        const double value = value_of(row, o);
        if (row->kind == o->kind && !(value >= row->least && value <= row->most))
            return sq_fail(SQ_INVALID, "search: %s: %s: found %g, expected %g to %g", sq_searcher_name(o->kind),
                           row->name, value, row->least, row->most);
    }
    return SQ_OK;
}

sq_status sq_searcher_check(const sq_searcher *s)
{
    SQ_TRY(check_common(s->options));
    SQ_TRY(check_ranges(s->options));
    SQ_TRY(sq_pareto_front_check(s));
    return ops_of(s)->check(s);
}

static uint64_t hash_objectives(uint64_t hash, const sq_objectives *objectives)
{
    for (int m = 0; m < objectives->count; m++) {
        const int objective[] = {(int)objectives->list[m].kind, objectives->list[m].device};
        hash = sq_hash(hash, objective, sizeof objective);
    }
    return hash;
}

uint64_t sq_searcher_hash(uint64_t hash, const sq_searcher *s)
{
    const sq_search_options *o = s->options;
    const int image_counts[] = {s->evaluation_images, s->calibration_images};
    if (ops_of(s)->reads_objectives)
        hash = hash_objectives(hash, &o->objectives);
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].kind == o->kind)
            hash = sq_hash(hash, (const char *)o + options[i].offset,
                           options[i].is_integer ? sizeof(int) : sizeof(double));
    return ops_of(s)->varies_images ? sq_hash(hash, image_counts, sizeof image_counts) : hash;
}
