/* Defines the properties of operators that a device can exclude. */
#include "search/select/device_constraints.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "supernet/space/block_kinds.h"

static bool has_se(const sq_choice *c)
{
    return c->has_se;
}

static bool has_kernel_3(const sq_choice *c)
{
    return c->kernel == 3;
}

static bool has_kernel_5(const sq_choice *c)
{
    return c->kernel == 5;
}

static bool has_kernel_7(const sq_choice *c)
{
    return c->kernel == 7;
}

/* The properties except the block kinds. Block kinds have their own table (block_kinds.h). */
static const struct {
    const char *word;
    bool (*has)(const sq_choice *choice);
} rows[] = {
    [SQ_PROPERTY_SE] = {"se", has_se},
    [SQ_PROPERTY_KERNEL_3] = {"kernel_3", has_kernel_3},
    [SQ_PROPERTY_KERNEL_5] = {"kernel_5", has_kernel_5},
    [SQ_PROPERTY_KERNEL_7] = {"kernel_7", has_kernel_7},
};
_Static_assert(sizeof rows / sizeof *rows == SQ_PROPERTY_KIND, "one row per property");

const char *sq_operator_property_name(sq_operator_property property)
{
    return property < SQ_PROPERTY_KIND ? rows[property].word
                                       : sq_block_name((sq_block_kind)(property - SQ_PROPERTY_KIND));
}

static bool can_be_dropped(const sq_block_kind_row *row)
{
    return row->can_be_dropped;
}

sq_status sq_device_constraints_add(sq_device_constraints *constraints, const char *name, const char *where)
{
    const char *known[SQ_PROPERTIES];
    char kinds[256];
    int count = 0;
    for (int p = 0; p < SQ_PROPERTIES; p++) {
        if (p >= SQ_PROPERTY_KIND && !sq_block_kind_of((sq_block_kind)(p - SQ_PROPERTY_KIND))->can_be_dropped)
            continue;
        known[count++] = sq_operator_property_name((sq_operator_property)p);
        if (strcmp(known[count - 1], name) == 0) {
            constraints->drops[p] = true;
            return SQ_OK;
        }
    }
    const char *nearest = sq_text_nearest(name, known, count);
    if (nearest)
        return sq_fail(SQ_INVALID, "%s: unknown property '%s', did you mean '%s'?", where, name, nearest);
    char words[128] = "";
    for (int p = 0, used = 0; p < SQ_PROPERTY_KIND; p++)
        used += snprintf(words + used, sizeof words - (size_t)used, "%s, ", rows[p].word);
    return sq_fail(SQ_INVALID, "%s: unknown property '%s', expected %s%s", where, name, words,
                   sq_block_list(kinds, sizeof kinds, can_be_dropped));
}

static bool has(const sq_choice *c, sq_operator_property property)
{
    return property < SQ_PROPERTY_KIND ? rows[property].has(c) : (int)c->kind == (int)property - SQ_PROPERTY_KIND;
}

sq_operator_property sq_device_constraints_find(const sq_device_constraints *constraints, const sq_choice *choice)
{
    int p = 0;
    if (choice->kind == SQ_BLOCK_SKIP) /* a skip block has no kernel */
        return SQ_PROPERTIES;
    while (p < SQ_PROPERTIES && !(constraints->drops[p] && has(choice, (sq_operator_property)p)))
        p++;
    return (sq_operator_property)p;
}

void sq_device_constraints_print(const sq_device_constraints *constraints, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < SQ_PROPERTIES && used < bytes; i++)
        if (constraints->drops[i])
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? ", " : "",
                                     sq_operator_property_name((sq_operator_property)i));
}
