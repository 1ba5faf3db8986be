/* Finds and opens all shards of a split. */
#include "data/sources/shard_set.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/text.h"

sq_status sq_shard_make_path(char *out, size_t bytes, const char *folder, const char *split, int shard)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%.32s-%05d.shard", split, shard);
    return sq_text_path(out, bytes, folder, name);
}

/* Returns the number in a file name such as "<split>-00017.shard"; -1 if the name has another form. split NULL: any
 * split. */
static int parse_number(const char *name, const char *split)
{
    const char *dash = strrchr(name, '-');
    int number = -1, used = 0;
    if (!dash || (split && (strlen(split) != (size_t)(dash - name) || strncmp(name, split, strlen(split)) != 0)))
        return -1;
    if (strspn(dash + 1, "0123456789") != 5 || sscanf(dash + 1, "%5d.shard%n", &number, &used) != 1 || used == 0)
        return -1;
    return dash[1 + used] ? -1 : number;
}

/* Returns the lowest number among the shards of the split; -1 if there are none. */
static int find_lowest(const char *folder, const char *split)
{
    int found = -1;
    DIR *list = opendir(folder);
    for (struct dirent *e = list ? readdir(list) : NULL; e; e = readdir(list)) {
        const int number = parse_number(e->d_name, split);
        if (number >= 0 && (found < 0 || number < found))
            found = number;
    }
    if (list)
        (void)closedir(list); /* nothing was written */
    return found;
}

bool sq_shards_exist(const char *folder, const char *split)
{
    return find_lowest(folder, split) >= 0;
}

static bool has_same_classes(const sq_shard *a, const sq_shard *b)
{
    const uint32_t count = sq_shard_get_header(a)->class_count;
    if (count != sq_shard_get_header(b)->class_count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(sq_shard_class_name(a, i), sq_shard_class_name(b, i)) != 0)
            return false;
    return true;
}

/* Checks that a shard belongs to the pack of shard 0, is number i, and begins with image `first`. */
static sq_status check_position(const sq_shard *shard_0, const sq_shard *s, int i, uint64_t first)
{
    const sq_shard_header *a = sq_shard_get_header(shard_0), *b = sq_shard_get_header(s);
    if (b->pack != a->pack || b->shard_count != a->shard_count || b->total != a->total || !has_same_classes(shard_0, s))
        return sq_fail(SQ_DATA, "%s: comes from a different pack than %s; pack the split again", sq_shard_path(s),
                       sq_shard_path(shard_0));
    if (b->shard != (uint32_t)i || b->first != first ||
        (i + 1 == (int)a->shard_count && b->first + b->count != b->total))
        return sq_fail(SQ_DATA,
                       "%s: wrong shard: found shard %u with images from %" PRIu64 ", expected shard %d with images "
                       "from %" PRIu64,
                       sq_shard_path(s), b->shard, b->first, i, first);
    return SQ_OK;
}

/* Reads the number of shards of a split from the header of the shard with the lowest number. */
static sq_status read_shard_count(const char *folder, const char *split, int *out)
{
    char path[SQ_PATH_BYTES];
    sq_shard *shard = NULL;
    const int number = find_lowest(folder, split);
    if (number < 0)
        return sq_fail(SQ_DATA, "%s: no shards of split %s", folder, split);
    SQ_TRY(sq_shard_make_path(path, sizeof path, folder, split, number));
    SQ_TRY(sq_shard_open(&shard, path));
    *out = (int)sq_shard_get_header(shard)->shard_count;
    sq_shard_close(shard);
    return SQ_OK;
}

static sq_status open_all(sq_shard **shards, int count, const char *folder, const char *split)
{
    char path[SQ_PATH_BYTES];
    uint64_t first = 0;
    for (int i = 0; i < count; i++) {
        SQ_TRY(sq_shard_make_path(path, sizeof path, folder, split, i));
        if (access(path, F_OK) != 0)
            return sq_fail(SQ_DATA, "%s: missing shard: expected %d shards of split %s", path, count, split);
        SQ_TRY(sq_shard_open(&shards[i], path));
        SQ_TRY(check_position(shards[0], shards[i], i, first));
        first += sq_shard_get_header(shards[i])->count;
    }
    return SQ_OK;
}

sq_status sq_shards_open(sq_shard ***out, int *count, const char *folder, const char *split)
{
    int expected = 0;
    SQ_TRY(read_shard_count(folder, split, &expected));
    sq_shard **shards = calloc((size_t)expected, sizeof *shards);
    const sq_status status = shards ? open_all(shards, expected, folder, split)
                                    : sq_fail(SQ_NO_MEMORY, "%s: out of memory for %d shards", folder, expected);
    if (status == SQ_OK) {
        *out = shards;
        *count = expected;
    } else
        sq_shards_close(shards, expected);
    return status;
}

void sq_shards_close(sq_shard **shards, int count)
{
    for (int i = 0; shards && i < count; i++)
        sq_shard_close(shards[i]);
    free(shards);
}
