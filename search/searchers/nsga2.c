/* NSGA-II for several objectives.
 *
 * The parents of generation g are selected from the parents and the candidates of generation g - 1: the best
 * `population` of them by rank, then by crowding distance, then by the order of observation. A child has two parents,
 * each of which wins a binary tournament. With probability nsga_crossover the child takes each layer from one of the
 * two parents; otherwise the child is a copy of the first parent. Then each layer is drawn again with probability
 * nsga_mutation. After population * tries draws, random paths fill the rest of a generation. No population is stored,
 * because the generations are replayed from the observed list. Source: Deb et al. 2002, "A fast and elitist
 * multiobjective genetic algorithm". */
#include <stdlib.h>

#include "search/searchers/generation.h"
#include "search/searchers/pareto.h"

typedef struct {
    int observed, rank; /* observed: index of the candidate */
    double crowding;
} member;

/* A population with room for its children. */
typedef struct {
    member *members; /* [count] used, best first */
    int count;
    double *values;               /* [room][objectives], of the members */
    int *ranks, *members_of_rank; /* members_of_rank: positions of the members of one rank */
    double *crowding;             /* of members_of_rank */
} population;

static bool open_population(population *p, size_t room)
{
    *p = (population){.members = calloc(room, sizeof *p->members),
                      .values = calloc(room * SQ_MAX_OBJECTIVES, sizeof *p->values),
                      .ranks = calloc(room, sizeof *p->ranks),
                      .members_of_rank = calloc(room, sizeof *p->members_of_rank),
                      .crowding = calloc(room, sizeof *p->crowding)};
    return p->members && p->values && p->ranks && p->members_of_rank && p->crowding;
}

static void close_population(population *p)
{
    free(p->members);
    free(p->values);
    free(p->ranks);
    free(p->members_of_rank);
    free(p->crowding);
}

static int by_rank(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->crowding != y->crowding)
        return x->crowding > y->crowding ? -1 : 1;
    return (x->observed > y->observed) - (x->observed < y->observed);
}

/* Computes ranks and crowding distances, sorts the members, and keeps the best `population` of them. */
static sq_status select_survivors(const sq_searcher *s, population *p)
{
    const sq_objectives *o = &s->options->objectives;
    for (int i = 0; i < p->count; i++)
        for (int m = 0; m < o->count; m++)
            p->values[i * o->count + m] = sq_objective_cost(&o->list[m], &s->observed[p->members[i].observed]);
    SQ_TRY(sq_pareto_ranks(p->values, p->count, o->count, p->ranks));
    for (int rank = 0, done = 0; done < p->count; rank++) {
        int size = 0;
        for (int i = 0; i < p->count; i++)
            if (p->ranks[i] == rank)
                p->members_of_rank[size++] = i;
        SQ_TRY(sq_pareto_crowding(p->values, o->count, p->members_of_rank, size, p->crowding));
        for (int i = 0; i < size; i++) {
            p->members[p->members_of_rank[i]].rank = rank;
            p->members[p->members_of_rank[i]].crowding = p->crowding[i];
        }
        done += size;
    }
    qsort(p->members, (size_t)p->count, sizeof *p->members, by_rank);
    p->count = p->count < s->options->population ? p->count : s->options->population;
    return SQ_OK;
}

static sq_status replay(const sq_searcher *s, population *p)
{
    for (int i = 0; i < s->observed_count; i++) {
        p->members[p->count++] = (member){.observed = i};
        if (i + 1 == s->observed_count || s->observed[i + 1].generation != s->observed[i].generation)
            SQ_TRY(select_survivors(s, p));
    }
    return SQ_OK;
}

/* Returns the path that wins a binary tournament between two random members. The member with the lower position wins,
 * because the members are sorted. */
static const int *choose(const sq_searcher *s, const population *p, sq_rng *rng)
{
    const uint32_t a = sq_rng_below(rng, (uint32_t)p->count), b = sq_rng_below(rng, (uint32_t)p->count);
    return s->observed[p->members[a < b ? a : b].observed].path;
}

static void breed(const sq_searcher *s, const population *p, sq_generation *g)
{
    sq_rng rng = sq_generation_rng(s, (uint64_t)g->number);
    const long long tries = (long long)s->options->population * s->options->tries;
    for (long long t = 0; t < tries && g->count < g->limit; t++) {
        int *path = g->candidates[g->count].path;
        const int *a = choose(s, p, &rng), *b = choose(s, p, &rng);
        sq_generation_cross(s, &rng, a, sq_rng_uniform(&rng) < s->options->nsga_crossover ? b : a, path);
        sq_generation_mutate(s, s->options->nsga_mutation, &rng, path, path);
        (void)sq_generation_add(s, g); /* the next draw replaces a child that is not added */
    }
}

static sq_status ask(const sq_searcher *s, sq_generation *g)
{
    population p;
    if (g->number > s->options->generations)
        return SQ_OK;
    sq_status status = open_population(&p, 2 * (size_t)s->options->population)
                           ? replay(s, &p)
                           : sq_fail(SQ_NO_MEMORY, "search: a population of %d", s->options->population);
    if (status == SQ_OK) {
        if (p.count)
            breed(s, &p, g);
        sq_generation_fill(s, g);
    }
    close_population(&p);
    return status;
}

static sq_status check(const sq_searcher *s)
{
    if (s->options->objectives.count < 2)
        return sq_fail(SQ_INVALID, "search: nsga2: %d objectives, expected at least 2; set search.objectives",
                       s->options->objectives.count);
    return SQ_OK;
}

const sq_searcher_ops sq_searcher_nsga2 = {
    .summary = "NSGA-II: a Pareto front of several objectives",
    .ask = ask,
    .generation_limit = sq_generation_population,
    .budget = sq_generation_population_budget,
    .check = check,
    .reads_objectives = true,
};
