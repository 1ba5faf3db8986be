/* Has the table of objectives, and reads lists of objectives. */
#include "search/objectives.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double accuracy(const sq_candidate *c, int device)
{
    (void)device;
    return c->top1;
}

static double macs(const sq_candidate *c, int device)
{
    (void)device;
    return c->macs;
}

static double parameters(const sq_candidate *c, int device)
{
    (void)device;
    return c->parameters;
}

static double memory(const sq_candidate *c, int device)
{
    (void)device;
    return c->memory_mb;
}

static double latency(const sq_candidate *c, int device)
{
    return c->on[device].ms;
}

static double energy(const sq_candidate *c, int device)
{
    return c->on[device].energy_mj;
}

static bool has_all(const sq_latency_cache *cache)
{
    (void)cache;
    return true;
}

static bool has_energy(const sq_latency_cache *cache)
{
    return cache->energy_mj != NULL;
}

typedef struct {
    const char *word, *unit, *summary;
    bool is_maximised, has_device;
    double (*value)(const sq_candidate *candidate, int device);
    bool (*is_available)(const sq_latency_cache *cache);
} objective_row;

static const objective_row rows[] = {
#define ROW(NAME, word, unit, is_maximised, has_device, available, summary)                                            \
    [SQ_OBJECTIVE_##NAME] = {#word, unit, summary, is_maximised, has_device, word, available},
    SQ_OBJECTIVE_TABLE(ROW)};
_Static_assert(sizeof rows / sizeof *rows == SQ_OBJECTIVE_KINDS, "one row per objective");

const char *sq_objective_word(sq_objective_kind kind)
{
    return rows[kind].word;
}

const char *sq_objective_unit(sq_objective_kind kind)
{
    return rows[kind].unit;
}

const char *sq_objective_summary(sq_objective_kind kind)
{
    return rows[kind].summary;
}

bool sq_objective_has_device(sq_objective_kind kind)
{
    return rows[kind].has_device;
}

bool sq_objective_is_maximised(sq_objective_kind kind)
{
    return rows[kind].is_maximised;
}

bool sq_objective_is_available(sq_objective_kind kind, const sq_latency_cache *cache)
{
    return rows[kind].is_available(cache);
}

double sq_objective_cost(const sq_objective *o, const sq_candidate *c)
{
    const double value = rows[o->kind].value(c, o->device);
    return rows[o->kind].is_maximised ? -value : value;
}

static bool read_one(const char *word, size_t length, sq_objective *out)
{
    for (int k = 0; k < SQ_OBJECTIVE_KINDS; k++) {
        const size_t known = strlen(rows[k].word);
        if (length < known || strncmp(word, rows[k].word, known) != 0)
            continue;
        if (length == known) {
            *out = (sq_objective){(sq_objective_kind)k, 0};
            return true;
        }
        const int device = word[known + 1] - '1'; /* one digit: SQ_MAX_DEVICES is below 10 */
        if (!rows[k].has_device || length != known + 2 || word[known] != '.' || device < 0 || device >= SQ_MAX_DEVICES)
            return false;
        *out = (sq_objective){(sq_objective_kind)k, device};
        return true;
    }
    return false;
}

static bool is_among(const sq_objective *o, const sq_objectives *list)
{
    for (int i = 0; i < list->count; i++)
        if (list->list[i].kind == o->kind && list->list[i].device == o->device)
            return true;
    return false;
}

bool sq_objectives_read(const char *text, sq_objectives *out)
{
    sq_objectives read = {.count = 0};
    for (const char *p = text + strspn(text, " [,]"); *p; p += strspn(p, " [,]")) {
        const size_t length = strcspn(p, " [,]");
        sq_objective one;
        if (read.count == SQ_MAX_OBJECTIVES || !read_one(p, length, &one) || is_among(&one, &read))
            return false;
        read.list[read.count++] = one;
        p += length;
    }
    const sq_objective accuracy = {SQ_OBJECTIVE_ACCURACY, 0};
    if (read.count < 2 || !is_among(&accuracy, &read))
        return false;
    *out = read;
    return true;
}

const char *sq_objective_name(const sq_objective *o, char *text, size_t bytes)
{
    char device[16] = "";
    if (o->device > 0)
        (void)snprintf(device, sizeof device, ".%d", o->device + 1);
    (void)snprintf(text, bytes, "%s%s", rows[o->kind].word, device);
    return text;
}

bool sq_point_read(const char *text, sq_point *out)
{
    sq_point read = {.count = 0};
    for (const char *p = text + strspn(text, " [,]"); *p; p += strspn(p, " ,]")) {
        char *end;
        const double number = strtod(p, &end);
        if (end == p || !isfinite(number) || read.count == SQ_MAX_OBJECTIVES || (*end && !strchr(" ,]", *end)))
            return false;
        read.values[read.count++] = number;
        p = end;
    }
    *out = read;
    return true;
}
