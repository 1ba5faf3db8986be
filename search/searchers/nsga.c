/* NSGA-II: generations are replayed from what is told, so a population is never stored. */
#include <stdlib.h>

#include "search/searchers/pareto.h"
#include "search/searchers/searcher.h"

/* One of the candidates told. */
typedef struct {
    int observed, rank;
    double crowding;
} member;

/* A population (`count` members, best first), and room for its children beside it. */
typedef struct {
    member *members;
    int count;
    double *values;     /* of members; [room][objectives] */
    int *ranks, *front; /* front: members of one rank, as positions */
    double *crowding;   /* of front */
} population;

static int by_rank(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->crowding != y->crowding)
        return x->crowding > y->crowding ? -1 : 1;
    return (x->observed > y->observed) - (x->observed < y->observed);
}

/* Sets ranks and crowding distances, sorts, and keeps the best. */
static sq_status survive(const sq_searcher *s, population *p)
{
    const sq_objectives *o = &s->options->objectives;
    for (int i = 0; i < p->count; i++)
        for (int m = 0; m < o->count; m++)
            p->values[i * o->count + m] = sq_searcher_objective(&s->observed[p->members[i].observed], &o->list[m]);
    SQ_TRY(sq_pareto_ranks(p->values, p->count, o->count, p->ranks));
    for (int rank = 0, done = 0; done < p->count; rank++) {
        int size = 0;
        for (int i = 0; i < p->count; i++)
            if (p->ranks[i] == rank)
                p->front[size++] = i;
        SQ_TRY(sq_pareto_crowding(p->values, o->count, p->front, size, p->crowding));
        for (int i = 0; i < size; i++) {
            p->members[p->front[i]].rank = rank;
            p->members[p->front[i]].crowding = p->crowding[i];
        }
        done += size;
    }
    qsort(p->members, (size_t)p->count, sizeof *p->members, by_rank);
    p->count = p->count < s->options->population ? p->count : s->options->population;
    return SQ_OK;
}

/* Generation after generation joins and is thinned out. */
static sq_status replay(const sq_searcher *s, population *p)
{
    for (int i = 0; i < s->observed_count; i++) {
        p->members[p->count++] = (member){.observed = i};
        if (i + 1 == s->observed_count || s->observed[i + 1].generation != s->observed[i].generation)
            SQ_TRY(survive(s, p));
    }
    return SQ_OK;
}

/* The better of two: of their place in the order. */
static const int *choose(const sq_searcher *s, const population *p, sq_rng *rng)
{
    const uint32_t a = sq_rng_below(rng, (uint32_t)p->count), b = sq_rng_below(rng, (uint32_t)p->count);
    return s->observed[p->members[a < b ? a : b].observed].path;
}

static void breed(const sq_searcher *s, const population *p, sq_generation *g)
{
    sq_rng rng = sq_rng_open(s->options->seed, SQ_RNG_SEARCH, SQ_STREAM_NSGA + (uint64_t)g->number);
    const long long tries = (long long)s->options->population * s->options->tries;
    for (long long t = 0; t < tries && g->count < g->limit; t++) {
        int *path = g->out[g->count].path;
        const int *a = choose(s, p, &rng), *b = choose(s, p, &rng);
        sq_searcher_cross(s, &rng, a, sq_rng_uniform(&rng) < s->options->nsga_crossover ? b : a, path);
        sq_searcher_mutate(s, s->options->nsga_mutation, &rng, path, path);
        (void)sq_generation_take(s, g); /* refused: the next try takes its place */
    }
}

sq_status sq_nsga_ask(const sq_searcher *s, sq_candidate *out, int *count)
{
    const size_t room = 2 * (size_t)s->options->population;
    sq_generation g = {out, 0, s->options->population, sq_generation_next(s)};
    *count = 0;
    if (g.number > s->options->generations)
        return SQ_OK;
    population p = {.members = calloc(room, sizeof *p.members),
                    .values = calloc(room * SQ_MAX_OBJECTIVES, sizeof *p.values),
                    .ranks = calloc(room, sizeof *p.ranks),
                    .front = calloc(room, sizeof *p.front),
                    .crowding = calloc(room, sizeof *p.crowding)};
    sq_status status = p.members && p.values && p.ranks && p.front && p.crowding
                           ? replay(s, &p)
                           : sq_fail(SQ_NO_MEMORY, "search: a population of %d", s->options->population);
    if (status == SQ_OK) {
        if (p.count)
            breed(s, &p, &g);
        sq_generation_fill(s, &g);
        *count = g.count;
    }
    free(p.members);
    free(p.values);
    free(p.ranks);
    free(p.front);
    free(p.crowding);
    return status;
}
