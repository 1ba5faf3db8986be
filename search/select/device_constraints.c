/* Properties of operators that a device's rules can name. */
#include "search/select/device_constraints.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"

static const char *const names[SQ_PROPERTIES] = {"se",      "kernel_3", "kernel_5", "kernel_7",
                                                 "shuffle", "xception", "mb",       "sep"};

const char *sq_operator_property_name(sq_operator_property property)
{
    return names[property];
}

sq_status sq_device_constraints_add(sq_device_constraints *constraints, const char *name, const char *where)
{
    for (int i = 0; i < SQ_PROPERTIES; i++)
        if (strcmp(names[i], name) == 0) {
            constraints->drops[i] = true;
            return SQ_OK;
        }
    const char *nearest = sq_text_nearest(name, names, SQ_PROPERTIES);
    if (nearest)
        return sq_fail(SQ_INVALID, "%s: unknown property '%s', did you mean '%s'?", where, name, nearest);
    return sq_fail(SQ_INVALID,
                   "%s: unknown property '%s', wanted se, kernel_3, kernel_5, kernel_7, shuffle, xception, mb or sep",
                   where, name);
}

static bool has(const sq_choice *c, sq_operator_property property)
{
    switch (property) {
    case SQ_PROPERTY_SE:
        return c->has_se;
    case SQ_PROPERTY_KERNEL_3:
    case SQ_PROPERTY_KERNEL_5:
    case SQ_PROPERTY_KERNEL_7:
        return c->kernel == 3 + 2 * (int)(property - SQ_PROPERTY_KERNEL_3);
    default:
        return strcmp(sq_block_name(c->kind), names[property]) == 0;
    }
}

sq_operator_property sq_device_constraints_find(const sq_device_constraints *constraints, const sq_choice *choice)
{
    int p = 0;
    if (choice->kind == SQ_BLOCK_SKIP) /* no operator: its kernel means nothing */
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
            used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? ", " : "", names[i]);
}
