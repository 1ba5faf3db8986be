/* Estimates the times of missing blocks. This file has the table of methods, and interpolation. */
#include "search/cost/fill.h"

#include <math.h>
#include <string.h>

#include "search/cost/latency_table.h"

enum { TERMS = 7, MIN_ENTRIES = 3, MAX_SWEEPS = 2000 };
#define CONVERGED 1e-9 /* largest change of a prediction relative to the measured time */

/* Writes the terms of a block's time: a constant overhead, values read, values written, the products of the input and
 * inner widths and of the inner and output widths, kernel taps, weights. The fitted factors of these terms are not
 * negative. */
static void terms_of(const sq_block_key *k, double out[TERMS])
{
    const double pixels = (double)k->h * k->w, after = pixels / ((double)k->stride * k->stride);
    const double inside = k->mid > 0 ? k->mid : k->c_out;
    out[0] = 1;
    out[1] = pixels * (k->c_in + inside);
    out[2] = after * (inside + k->c_out);
    out[3] = pixels * k->c_in * inside;
    out[4] = after * inside * k->c_out;
    out[5] = after * inside * k->kernel * k->kernel;
    out[6] = (double)k->c_in * k->c_out + (double)k->se * inside;
}

/* The normal equations of the least-squares fit of the entries' relative errors. */
typedef struct {
    double products[TERMS][TERMS], right[TERMS];
    int count;
} equations;

static equations gather(const sq_latency *latency, const sq_block_key *key)
{
    equations e = {.count = 0};
    for (size_t i = 0; i < latency->count; i++) {
        const sq_latency_entry *entry = &latency->entries[i];
        double terms[TERMS];
        if (!sq_block_key_is_alike(&entry->key, key))
            continue;
        terms_of(&entry->key, terms);
        for (int a = 0; a < TERMS; a++) {
            e.right[a] += terms[a] / entry->time.mean;
            for (int b = 0; b < TERMS; b++)
                e.products[a][b] += terms[a] * terms[b] / (entry->time.mean * entry->time.mean);
        }
        e.count++;
    }
    return e;
}

/* Solves the non-negative least-squares problem by coordinate descent, which converges because the problem is convex.
 * Source: Franc, Hlavac & Navara 2005. */
static void solve(const equations *e, double factors[TERMS])
{
    memset(factors, 0, TERMS * sizeof *factors);
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        double largest = 0;
        for (int a = 0; a < TERMS; a++) {
            double rest = e->right[a];
            for (int b = 0; b < TERMS; b++)
                rest -= b == a ? 0 : e->products[a][b] * factors[b];
            const double next = e->products[a][a] > 0 && rest > 0 ? rest / e->products[a][a] : 0;
            const double change = fabs(next - factors[a]) * sqrt(e->products[a][a] / e->count);
            largest = change > largest ? change : largest;
            factors[a] = next;
        }
        if (largest < CONVERGED)
            break;
    }
}

static double value_of(const double factors[TERMS], const sq_block_key *key)
{
    double terms[TERMS], sum = 0;
    terms_of(key, terms);
    for (int a = 0; a < TERMS; a++)
        sum += factors[a] * terms[a];
    return sum;
}

sq_status sq_fill_interpolate(const sq_latency *latency, const sq_block_key *key, double *ms, double *deviation_ms)
{
    double factors[TERMS], below = 0, above = INFINITY, squares = 0;
    const equations e = gather(latency, key);
    if (e.count < MIN_ENTRIES) {
        char text[SQ_BLOCK_KEY_BYTES];
        (void)sq_block_key_print(key, text, sizeof text);
        return sq_fail(
            SQ_DATA,
            "%s: '%s': found %d blocks of this kind, stride and activation, expected at least %d to interpolate",
            latency->path, text, e.count, MIN_ENTRIES);
    }
    solve(&e, factors);
    for (size_t i = 0; i < latency->count; i++) {
        const sq_latency_entry *entry = &latency->entries[i];
        if (!sq_block_key_is_alike(&entry->key, key))
            continue;
        squares += pow(value_of(factors, &entry->key) / entry->time.mean - 1, 2);
        if (sq_block_key_is_below(&entry->key, key))
            below = fmax(below, entry->time.mean);
        if (sq_block_key_is_below(key, &entry->key))
            above = fmin(above, entry->time.mean);
    }
    *ms = fmax(below, fmin(value_of(factors, key), above));
    *deviation_ms = *ms * sqrt(squares / e.count);
    return SQ_OK;
}

/* ---- Methods ---- */

static sq_status none(const sq_fill_request *r, double *ms, double *deviation_ms)
{
    char text[SQ_BLOCK_KEY_BYTES];
    const sq_block_key key = sq_block_key_of(r->space, r->layer, r->choice);
    (void)ms;
    (void)deviation_ms;
    (void)sq_block_key_print(&key, text, sizeof text);
    return sq_fail(SQ_DATA, "%s: no entry '%s'", r->latency->path, text);
}

static sq_status interpolate(const sq_fill_request *r, double *ms, double *deviation_ms)
{
    const sq_block_key key = sq_block_key_of(r->space, r->layer, r->choice);
    return sq_fill_interpolate(r->latency, &key, ms, deviation_ms);
}

static sq_status roofline(const sq_fill_request *r, double *ms, double *deviation_ms)
{
    if (!r->latency->has_roofline)
        return sq_fail(SQ_INVALID, "%s: no roofline.yaml to estimate missing blocks with", r->latency->path);
    *deviation_ms = 0;
    return sq_roofline_block(&r->latency->roofline, r->space, r->layer, r->choice, ms);
}

static const struct {
    const char *word, *summary;
    sq_status (*fill)(const sq_fill_request *request, double *ms, double *deviation_ms);
} methods[] = {
#define ROW(NAME, word, summary) [SQ_FILL_##NAME] = {#word, summary, word},
    SQ_FILL_TABLE(ROW)};
_Static_assert(sizeof methods / sizeof *methods == SQ_FILLS, "one row per method");

const char *sq_fill_word(sq_fill fill)
{
    return methods[fill].word;
}

const char *sq_fill_summary(sq_fill fill)
{
    return methods[fill].summary;
}

sq_fill sq_fill_find(const char *word)
{
    int fill = 0;
    while (fill < SQ_FILLS && strcmp(methods[fill].word, word) != 0)
        fill++;
    return (sq_fill)fill;
}

sq_status sq_fill_block(sq_fill fill, const sq_fill_request *request, double *ms, double *deviation_ms)
{
    return methods[fill].fill(request, ms, deviation_ms);
}
