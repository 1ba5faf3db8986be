/* Implements non-dominated sorting, crowding distance and hypervolume. Ties are sorted by position, so that equal
 * inputs give equal bits. */
#include "search/searchers/pareto.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    double key;
    int position;
    const double *point;
} entry;

static int ascending(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

bool sq_dominates(const double *a, const double *b, int objectives)
{
    bool is_better = false;
    for (int m = 0; m < objectives; m++) {
        if (a[m] > b[m])
            return false;
        is_better = is_better || a[m] < b[m];
    }
    return is_better;
}

/* Computes the ranks. memory: [2 * count], for the number of points that dominate each point, and for a queue of the
 * points whose rank is known. */
static void peel(const double *values, int count, int objectives, int *rank, int *memory)
{
    int *dominators = memory, *queue = memory + count;
    int done = 0, queued = 0;
    for (int i = 0; i < count; i++) {
        dominators[i] = 0;
        for (int j = 0; j < count; j++)
            dominators[i] += sq_dominates(values + j * objectives, values + i * objectives, objectives);
        rank[i] = 0;
        if (dominators[i] == 0)
            queue[queued++] = i;
    }
    for (; done < queued; done++)
        for (int j = 0, i = queue[done]; j < count; j++)
            if (sq_dominates(values + i * objectives, values + j * objectives, objectives) && --dominators[j] == 0) {
                rank[j] = rank[i] + 1;
                queue[queued++] = j;
            }
}

sq_status sq_pareto_ranks(const double *values, int count, int objectives, int *rank)
{
    int *memory = calloc(2 * (size_t)count + 1, sizeof *memory);
    if (!memory)
        return sq_fail(SQ_NO_MEMORY, "search: ranks of %d points", count);
    peel(values, count, objectives, rank, memory);
    free(memory);
    return SQ_OK;
}

sq_status sq_pareto_crowding(const double *values, int objectives, const int *members, int count, double *distance)
{
    entry *sorted = calloc((size_t)count + 1, sizeof *sorted);
    if (!sorted)
        return sq_fail(SQ_NO_MEMORY, "search: crowding of %d points", count);
    for (int i = 0; i < count; i++)
        distance[i] = 0;
    for (int m = 0; m < objectives; m++) {
        for (int i = 0; i < count; i++)
            sorted[i] = (entry){values[members[i] * objectives + m], i, NULL};
        qsort(sorted, (size_t)count, sizeof *sorted, ascending);
        const double range = count ? sorted[count - 1].key - sorted[0].key : 0;
        if (!(range > 0))
            continue;
        distance[sorted[0].position] = distance[sorted[count - 1].position] = INFINITY;
        for (int i = 1; i + 1 < count; i++)
            distance[sorted[i].position] += (sorted[i + 1].key - sorted[i - 1].key) / range;
    }
    free(sorted);
    return SQ_OK;
}

/* ---- Hypervolume ---- */

/* Returns the area that points, sorted by the first objective, dominate. Each point whose second objective is the
 * lowest so far adds a rectangle, from the previous lowest value down to the point's value. */
static double sweep(const entry *sorted, int count, const double *reference)
{
    double area = 0, lowest = reference[1];
    for (int i = 0; i < count; i++)
        if (sorted[i].point[1] < lowest) {
            area += (reference[0] - sorted[i].point[0]) * (lowest - sorted[i].point[1]);
            lowest = sorted[i].point[1];
        }
    return area;
}

/* Returns the volume that the points dominate. from: `count` points in any order; room: `count` entries per
 * objective. */
static double volume(const entry *from, int count, int objectives, const double *reference, entry *room)
{
    const int along = objectives > 2 ? objectives - 1 : 0;
    double total = 0;
    for (int i = 0; i < count; i++)
        room[i] = (entry){from[i].point[along], i, from[i].point};
    qsort(room, (size_t)count, sizeof *room, ascending);
    if (objectives == 1)
        return count ? reference[0] - room[0].key : 0;
    if (objectives == 2)
        return sweep(room, count, reference);
    for (int i = 0; i < count; i++) {
        const double thick = (i + 1 < count ? room[i + 1].key : reference[along]) - room[i].key;
        if (thick > 0)
            total += thick * volume(room, i + 1, objectives - 1, reference, room + count);
    }
    return total;
}

sq_status sq_hypervolume(const double *values, int count, int objectives, const double *reference, double *out)
{
    entry *room = calloc((size_t)count * ((size_t)objectives + 1) + 1, sizeof *room);
    int inside = 0;
    if (!room)
        return sq_fail(SQ_NO_MEMORY, "search: hypervolume of %d points", count);
    for (int i = 0; i < count; i++) {
        bool is_inside = true;
        for (int m = 0; m < objectives; m++)
            is_inside = is_inside && values[i * objectives + m] < reference[m];
        if (is_inside)
            room[inside++].point = values + i * objectives;
    }
    *out = volume(room, inside, objectives, reference, room + inside);
    free(room);
    return SQ_OK;
}
