/* Names of objectives. */
#include "search/objectives.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/search.h"

static const char *const names[SQ_OBJECTIVE_KINDS] = {"accuracy", "macs", "parameters", "memory", "latency", "energy"};

static bool has_device(sq_objective_kind kind)
{
    return kind == SQ_OBJECTIVE_LATENCY || kind == SQ_OBJECTIVE_ENERGY;
}

static bool read_one(const char *word, size_t length, sq_objective *out)
{
    for (int k = 0; k < SQ_OBJECTIVE_KINDS; k++) {
        const size_t known = strlen(names[k]);
        if (length < known || strncmp(word, names[k], known) != 0)
            continue;
        if (length == known) {
            *out = (sq_objective){(sq_objective_kind)k, 0};
            return true;
        }
        const int device = word[known + 1] - '1'; /* one digit: SQ_MAX_DEVICES is below 10 */
        if (!has_device((sq_objective_kind)k) || length != known + 2 || word[known] != '.' || device < 0 ||
            device >= SQ_MAX_DEVICES)
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
    (void)snprintf(text, bytes, "%s%s", names[o->kind], device);
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
