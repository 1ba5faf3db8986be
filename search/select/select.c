/* Scores and ranks operators and chooses the operators to keep. The array sq_selection.operators has the operators of a
 * layer in the pool's order. */
#include "search/select/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "supernet/space/block_kinds.h"
#include "supernet/space/cost.h"

#define LARGEST_EXPONENT 10.0

sq_block_kind sq_select_family(sq_block_kind kind)
{
    return sq_block_kind_of(kind)->family;
}

const sq_choice *sq_select_choice(const sq_selection *s, const sq_select_operator *o)
{
    return &s->space->choices[s->space->layers[o->layer].choices[o->choice]];
}

static sq_block_kind family_of(const sq_selection *s, const sq_select_operator *o)
{
    return sq_select_family(sq_select_choice(s, o)->kind);
}

/* ---- Scores ---- */

static sq_status score(const sq_selection *s, const sq_latency_cache *cache, sq_select_operator *o)
{
    const sq_cost cost = sq_cost_block(s->space, o->layer, o->choice);
    double deviation_ms;
    o->macs = (double)cost.macs;
    o->parameters = (double)(cost.weights + cost.norm_weights);
    o->ms = sq_latency_block_ms(cache, o->layer, o->choice, &deviation_ms);
    if (!(o->ms > 0) || !isfinite(o->ms))
        return sq_fail(SQ_DATA, "%s: layer %d, choice '%s': %g ms, expected more than 0 to score by", s->device.name,
                       o->layer, sq_select_choice(s, o)->name, o->ms);
    o->capacity = pow(1e-6 * o->macs, s->options.a) * pow(1e-3 * o->parameters, s->options.b);
    o->score = o->capacity / o->ms;
    return SQ_OK;
}

static sq_status score_all(sq_selection *s, const sq_latency_cache *cache)
{
    int count = 0;
    for (int l = 0; l < s->space->layer_count; l++) {
        const sq_layer *layer = &s->space->layers[l];
        s->first[l] = count;
        for (int c = 0; layer->searched_index != SQ_NONE && c < layer->choice_count; c++) {
            sq_select_operator *o = &s->operators[count++];
            *o = (sq_select_operator){.layer = l, .choice = c, .rule = SQ_PROPERTIES};
            o->rule = sq_device_constraints_find(&s->device.constraints, sq_select_choice(s, o));
            o->reason = sq_select_choice(s, o)->kind == SQ_BLOCK_SKIP ? SQ_SELECT_SKIP
                        : o->rule != SQ_PROPERTIES                    ? SQ_SELECT_RULE
                                                                      : SQ_SELECT_RANK;
            if (o->reason != SQ_SELECT_SKIP)
                SQ_TRY(score(s, cache, o));
        }
    }
    s->first[s->space->layer_count] = count;
    return SQ_OK;
}

/* ---- Ranks ---- */

/* Orders the best operator first, and ties in the pool's order. */
static int by_score(const void *a, const void *b)
{
    const sq_select_operator *const *x = a, *const *y = b;
    if ((*x)->score != (*y)->score)
        return (*x)->score > (*y)->score ? -1 : 1;
    return (*x)->choice - (*y)->choice;
}

/* Writes the layer's operators, sorted by score, to `ranked` and sets their ranks. Returns the number of ranked
 * operators. */
static int rank_layer(sq_selection *s, int layer, sq_select_operator **ranked)
{
    int count = 0;
    for (int i = s->first[layer]; i < s->first[layer + 1]; i++)
        if (s->operators[i].reason == SQ_SELECT_RANK)
            ranked[count++] = &s->operators[i];
    if (count)
        qsort(ranked, (size_t)count, sizeof *ranked, by_score);
    for (int i = 0; i < count; i++)
        ranked[i]->rank = i + 1;
    return count;
}

/* ---- Kept operators ---- */

/* Marks the best operator of each family as kept. Returns the number of families. */
static int keep_families(const sq_selection *s, sq_select_operator *const *ranked, int count)
{
    bool has[SQ_BLOCK_KINDS] = {false};
    int families = 0;
    for (int i = 0; i < count; i++) {
        const sq_block_kind family = family_of(s, ranked[i]);
        if (has[family])
            continue;
        has[family] = ranked[i]->is_kept = true;
        if (ranked[i]->rank > s->options.keep)
            ranked[i]->reason = SQ_SELECT_FAMILY;
        families++;
    }
    return families;
}

static sq_status keep_layer(sq_selection *s, int layer)
{
    sq_select_operator *ranked[SQ_MAX_CHOICES];
    char rules[128];
    const int count = rank_layer(s, layer, ranked), keep = s->options.keep;
    sq_device_constraints_print(&s->device.constraints, rules, sizeof rules);
    s->ranked_count[layer] = count;
    if (count < keep)
        return sq_fail(SQ_INVALID, "%s: layer %d has %d operators for %s%s%s%s, expected at least the %d to keep",
                       s->space->name, layer, count, s->device.name, *rules ? " (rules: no " : "", rules,
                       *rules ? ")" : "", keep);
    int kept = s->options.is_per_family ? keep_families(s, ranked, count) : 0;
    if (kept > keep)
        return sq_fail(SQ_INVALID, "%s: layer %d has %d families of operators, expected at most the %d to keep",
                       s->space->name, layer, kept, keep);
    for (int i = 0; i < count && kept < keep; i++)
        if (!ranked[i]->is_kept) {
            ranked[i]->is_kept = true;
            kept++;
        }
    for (int i = s->first[layer]; i < s->first[layer + 1]; i++)
        s->operators[i].is_kept = s->operators[i].is_kept || s->operators[i].reason == SQ_SELECT_SKIP;
    return SQ_OK;
}

static sq_status check_options(const sq_select_options *o, const sq_space *space)
{
    if (o->keep < 1 || o->keep > SQ_MAX_CHOICES)
        return sq_fail(SQ_INVALID, "%s: %d operators to keep, expected 1..%d", space->name, o->keep, SQ_MAX_CHOICES);
    if (!(o->a >= 0 && o->a <= LARGEST_EXPONENT && o->b >= 0 && o->b <= LARGEST_EXPONENT))
        return sq_fail(SQ_INVALID, "%s: exponents a %g, b %g: expected 0..%g", space->name, o->a, o->b,
                       LARGEST_EXPONENT);
    if (space->searched_count == 0)
        return sq_fail(SQ_INVALID, "%s: no layer is searched, nothing to select", space->name);
    return SQ_OK;
}

sq_status sq_select_run(sq_selection *out, const sq_space *space, const sq_latency_cache *cache,
                        const sq_select_options *options)
{
    SQ_TRY(check_options(options, space));
    size_t count = 0;
    for (int l = 0; l < space->layer_count; l++)
        count += (size_t)space->layers[l].choice_count;
    sq_selection s = {.space = space, .options = *options, .device = cache->info, .filled_count = cache->filled_count};
    s.operators = calloc(count, sizeof *s.operators);
    sq_status status = s.operators ? score_all(&s, cache) : sq_fail(SQ_NO_MEMORY, "%s: selection", space->name);
    for (int l = 0; status == SQ_OK && l < space->layer_count; l++)
        if (space->layers[l].searched_index != SQ_NONE)
            status = keep_layer(&s, l);
    if (status == SQ_OK)
        *out = s;
    else
        sq_select_clear(&s);
    return status;
}

void sq_select_clear(sq_selection *selection)
{
    free(selection->operators);
    selection->operators = NULL;
}

/* ---- Results ---- */

static int by_rank(const void *a, const void *b)
{
    const sq_select_operator *const *x = a, *const *y = b;
    if (((*x)->rank == 0) != ((*y)->rank == 0))
        return (*x)->rank == 0 ? 1 : -1;
    return (*x)->rank - (*y)->rank;
}

int sq_select_kept(const sq_selection *selection, int layer, const sq_select_operator **kept)
{
    int count = 0;
    for (int i = selection->first[layer]; i < selection->first[layer + 1]; i++)
        if (selection->operators[i].is_kept)
            kept[count++] = &selection->operators[i];
    if (count)
        qsort(kept, (size_t)count, sizeof *kept, by_rank);
    return count;
}

void sq_select_best(const sq_selection *selection, int *path)
{
    for (int l = 0; l < selection->space->layer_count; l++) {
        path[l] = 0;
        for (int i = selection->first[l]; i < selection->first[l + 1]; i++)
            if (selection->operators[i].rank == 1)
                path[l] = selection->operators[i].choice;
    }
}

static bool is_before(const sq_select_operator *a, const sq_select_operator *b)
{
    return a->ms < b->ms || (a->ms == b->ms && a->choice < b->choice);
}

void sq_select_middle(const sq_selection *selection, int *path)
{
    for (int l = 0; l < selection->space->layer_count; l++) {
        path[l] = 0;
        for (int i = selection->first[l]; i < selection->first[l + 1]; i++) {
            const sq_select_operator *o = &selection->operators[i];
            int below = 0, count = 0;
            for (int k = selection->first[l]; k < selection->first[l + 1]; k++) {
                count += selection->operators[k].rank > 0;
                below += selection->operators[k].rank > 0 && is_before(&selection->operators[k], o);
            }
            if (o->rank > 0 && below == count / 2)
                path[l] = o->choice;
        }
    }
}

/* Writes <pool>_<device> to `name`. Characters that are not valid in names of files and keys become underscores. */
static void name_space(const sq_selection *s, char name[SQ_NAME_BYTES])
{
    char text[2 * SQ_NAME_BYTES];
    (void)snprintf(text, sizeof text, "%s_%s", s->space->name, s->device.name);
    for (char *p = text; *p; p++)
        if (!strchr(SQ_TEXT_NAME_LETTERS, *p))
            *p = '_';
    text[SQ_NAME_BYTES - 1] = 0;
    memcpy(name, text, SQ_NAME_BYTES);
}

sq_status sq_select_space(sq_space **out, const sq_selection *selection)
{
    int counts[SQ_MAX_LAYERS];
    char name[SQ_NAME_BYTES];
    int(*numbers)[SQ_MAX_CHOICES] = calloc(SQ_MAX_LAYERS, sizeof *numbers);
    if (!numbers)
        return sq_fail(SQ_NO_MEMORY, "%s: selected space", selection->space->name);
    for (int l = 0; l < selection->space->layer_count; l++) {
        const sq_select_operator *kept[SQ_MAX_CHOICES];
        const int count = sq_select_kept(selection, l, kept);
        for (int i = 0; i < count; i++)
            numbers[l][i] = kept[i]->choice;
        counts[l] = count ? count : 1; /* a layer that is not searched keeps its only choice */
    }
    name_space(selection, name);
    const sq_status status =
        sq_space_restrict(out, selection->space, name, counts, (const int(*)[SQ_MAX_CHOICES])numbers);
    free(numbers);
    return status;
}
