/* Reads stages, and makes search masks for stages. */
#include "search/stages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads "9-20" or "7". Returns the text after the range; NULL: the text does not begin with a range. */
static const char *read_range(const char *text, int *first, int *last)
{
    int used = 0;
    if (sscanf(text, " %d - %d%n", first, last, &used) == 2)
        return text + used;
    if (sscanf(text, " %d%n", first, &used) == 1) {
        *last = *first;
        return text + used;
    }
    return NULL;
}

static sq_status read_groups(sq_stages *s, const sq_space *space, const char *groups)
{
    bool is_taken[SQ_MAX_LAYERS] = {false};
    for (const char *p = groups; *p;) {
        sq_stage *stage = &s->list[s->count];
        if (s->count == SQ_MAX_STAGES)
            return sq_fail(SQ_INVALID, "stages.groups: '%s': more than %d groups", groups, SQ_MAX_STAGES);
        p = read_range(p, &stage->first, &stage->last);
        if (!p || stage->first < 1 || stage->last < stage->first || stage->last > space->searched_count)
            return sq_fail(SQ_INVALID, "stages.groups: '%s', expected ranges of 1 .. %d like '9-20, 1-8'", groups,
                           space->searched_count);
        p += strspn(p, " ,");
        stage->first--, stage->last--;
        for (int l = stage->first; l <= stage->last; l++) {
            if (is_taken[l])
                return sq_fail(SQ_INVALID, "stages.groups: '%s': layer %d is in two groups", groups, l + 1);
            is_taken[l] = true;
        }
        s->count++;
    }
    for (int l = 0; l < space->searched_count; l++)
        if (!is_taken[l])
            return sq_fail(SQ_INVALID, "stages.groups: '%s': layer %d is in no group", groups, l + 1);
    return SQ_OK;
}

/* A list of numbers in the configuration. */
typedef struct {
    const char *key, *text;
    double minimum, initial; /* initial: value if the text is empty */
} number_list;

/* Reads one number per stage, or one number for all stages, into out[count]. */
static sq_status read_numbers(const number_list *list, int count, double *out)
{
    int found = 0;
    for (const char *p = list->text; *p; found++) {
        char *end;
        const double value = strtod(p, &end);
        if (end == p || !isfinite(value) || value < list->minimum || found == count)
            return sq_fail(SQ_INVALID, "%s: '%s', expected one number from %g per stage (%d stages), or a common one",
                           list->key, list->text, list->minimum, count);
        out[found] = value;
        p = end + strspn(end, " ,");
    }
    if (found > 1 && found < count)
        return sq_fail(SQ_INVALID, "%s: '%s': %d numbers for %d stages", list->key, list->text, found, count);
    for (int i = found; i < count; i++)
        out[i] = found ? out[0] : list->initial;
    return SQ_OK;
}

sq_status sq_stages_read(sq_stages *out, const sq_space *space, const sq_stages_text *text)
{
    const number_list steps = {"stages.steps", text->steps, 1, (double)text->initial_steps};
    const number_list lrs = {"stages.lr", text->lrs, 0, text->initial_lr};
    sq_stages s = {.count = 0};
    double step_list[SQ_MAX_STAGES], lr_list[SQ_MAX_STAGES];
    if (*text->groups) {
        SQ_TRY(read_groups(&s, space, text->groups));
    } else {
        s.list[0] = (sq_stage){0, space->searched_count - 1, 0, 0};
        s.count = 1;
    }
    SQ_TRY(read_numbers(&steps, s.count, step_list));
    SQ_TRY(read_numbers(&lrs, s.count, lr_list));
    for (int i = 0; i < s.count; i++) {
        s.list[i].steps = (int64_t)step_list[i];
        s.list[i].lr = lr_list[i];
    }
    *out = s;
    return SQ_OK;
}

void sq_stages_search_mask(const sq_stages *stages, int stage, const sq_space *space, const int *path,
                           sq_search_mask *out)
{
    sq_search_mask_all(out, space);
    for (int l = 0; l < space->layer_count; l++) {
        const int searched = space->layers[l].searched_index;
        if (searched != SQ_NONE && (searched < stages->list[stage].first || searched > stages->list[stage].last))
            sq_search_mask_fix(out, l, path[l]);
    }
}

sq_status sq_search_mask_read(sq_search_mask *out, const sq_space *space, const char *ranges, const int *path)
{
    bool is_free[SQ_MAX_LAYERS] = {false};
    for (const char *p = ranges; *p;) {
        int first, last;
        p = read_range(p, &first, &last);
        if (!p || first < 1 || last < first || last > space->searched_count)
            return sq_fail(SQ_INVALID, "layers.search: '%s', expected ranges of 1 .. %d like '9-20'", ranges,
                           space->searched_count);
        for (int l = first - 1; l < last; l++)
            is_free[l] = true;
        p += strspn(p, " ,");
    }
    sq_search_mask_all(out, space);
    for (int l = 0; l < space->layer_count; l++) {
        const int searched = space->layers[l].searched_index;
        if (searched != SQ_NONE && !is_free[searched])
            sq_search_mask_fix(out, l, path[l]);
    }
    return SQ_OK;
}

int64_t sq_stages_steps(const sq_stages *stages)
{
    int64_t steps = 0;
    for (int i = 0; i < stages->count; i++)
        steps += stages->list[i].steps;
    return steps;
}
