/* Compares candidates and finds a candidate by its path. */
#include "search/candidate.h"

bool sq_candidate_is_better(const sq_candidate *a, const sq_candidate *b)
{
    if (a->top1 != b->top1)
        return a->top1 > b->top1;
    if (a->top5 != b->top5)
        return a->top5 > b->top5;
    return a->loss < b->loss;
}

const sq_candidate *sq_candidate_best(const sq_candidate *candidates, int count)
{
    const sq_candidate *best = NULL;
    for (int i = 0; i < count; i++) {
        const sq_candidate *c = &candidates[i];
        if (!best || c->images > best->images || (c->images == best->images && sq_candidate_is_better(c, best)))
            best = c;
    }
    return best;
}

/* A loop is faster than memcmp here, because paths are short and most of them differ in the first layers. */
static bool is_same_path(const int *a, const int *b, int layer_count)
{
    int l = 0;
    while (l < layer_count && a[l] == b[l])
        l++;
    return l == layer_count;
}

int sq_candidate_find(const sq_candidate *candidates, int count, const int *path, int layer_count)
{
    for (int i = 0; i < count; i++)
        if (is_same_path(candidates[i].path, path, layer_count))
            return i;
    return SQ_NONE;
}
