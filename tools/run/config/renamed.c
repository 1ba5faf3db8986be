/* Keys of version 0.1 that were renamed or removed. */
#include "tools/run/config/renamed.h"

#include <stdio.h>
#include <string.h>

#include "supernet/ranks/launcher.h"

/* name NULL: the key was removed. */
static const struct {
    const char *old, *name;
} renamed[] = {
    {"scope.free", "layers.search"}, {"scope.fixed", "layers.fixed"}, {"published.name", NULL},
    {"published.top1", NULL},        {"published.latency_ms", NULL},  {"published.source", NULL},
};

bool sq_renamed_section(const char *section)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strncmp(renamed[i].old, section, strlen(section)) == 0)
            return true;
    return false;
}

bool sq_renamed_find(const char *key, const char **name)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].old, key) == 0) {
            *name = renamed[i].name;
            return true;
        }
    return false;
}

/* Returns whether a key has a value. The configurations in run folders of version 0.1 hold every key, and a key without
 * a value needs no hint. */
static bool has_value(const char *value)
{
    return *value && strcmp(value, "0") != 0;
}

const char *sq_renamed_key(const char *key, const char *value, const char *where)
{
    const char *name = key;
    if (!sq_renamed_find(key, &name) || !has_value(value) || sq_launcher_rank() != 0)
        return name;
    if (name)
        (void)fprintf(stderr, "%s: key %s is now %s; it is accepted in this version\n", where, key, name);
    else
        (void)fprintf(stderr, "%s: key %s no longer has an effect; remove it\n", where, key);
    return name;
}
