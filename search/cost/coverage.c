/* Finds the blocks of a space that a table lacks. */
#include "search/cost/coverage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8, LIST_BYTES = SHOWN * (SQ_BLOCK_KEY_BYTES + 4) };

static sq_status check_space(const sq_latency *latency, const sq_space *space)
{
    const sq_device_info *info = &latency->info;
    if (*info->space && strcmp(info->space, space->name) != 0)
        return sq_fail(SQ_INVALID, "%s: found a table for the layers of space '%s', expected '%s'", latency->path,
                       info->space, space->name);
    if (info->resolution && info->resolution != space->resolution)
        return sq_fail(SQ_INVALID, "%s: found a table for %d pixels, but the networks of %s read %d", latency->path,
                       info->resolution, space->name, space->resolution);
    return SQ_OK;
}

/* Holds the distinct blocks that were found so far, and which of these blocks are missing. */
typedef struct {
    const sq_latency *latency;
    const sq_space *space;
    sq_missing_block *blocks;
    bool *is_missing;
    int count;
} walk;

static int find(const walk *w, const sq_missing_block *block)
{
    for (int i = 0; i < w->count; i++) {
        const sq_missing_block *other = &w->blocks[i];
        if (block->is_by_layer ? other->layer == block->layer && other->choice == block->choice
                               : sq_block_key_compare(&other->key, &block->key) == 0)
            return i;
    }
    return SQ_NONE;
}

static void add_block(walk *w, int layer, int choice)
{
    const sq_latency *latency = w->latency;
    const int searched = w->space->layers[layer].searched_index;
    const bool is_by_layer = latency->layer_count > 0;
    sq_missing_block block = {.layer = layer,
                              .choice = choice,
                              .uses = 1,
                              .is_by_layer = is_by_layer,
                              .key = sq_block_key_of(w->space, layer, choice)};
    /* In a table by layer, the base includes layers without a choice, and skip blocks have separate entries. A table by
     * block does not require entries for skip blocks. */
    if (is_by_layer ? searched == SQ_NONE : block.key.kind == SQ_BLOCK_SKIP)
        return;
    const int known = find(w, &block);
    if (known != SQ_NONE) {
        w->blocks[known].uses++;
        return;
    }
    w->is_missing[w->count] = is_by_layer ? !sq_latency_find_layer(latency, searched, choice)
                                          : !sq_latency_is_modelled(latency) && !sq_latency_find(latency, &block.key);
    if (w->is_missing[w->count] && !is_by_layer)
        block.nearest = sq_latency_nearest(latency, &block.key);
    if (block.nearest)
        block.distance = sq_block_key_distance(&block.nearest->key, &block.key);
    w->blocks[w->count++] = block;
}

sq_status sq_coverage_find(sq_coverage *out, const sq_latency *latency, const sq_space *space, const int *path)
{
    size_t most = 1;
    SQ_TRY(check_space(latency, space));
    for (int l = 0; l < space->layer_count; l++)
        most += (size_t)space->layers[l].choice_count;
    walk w = {latency, space, calloc(most, sizeof *w.blocks), calloc(most, sizeof *w.is_missing), 0};
    if (!w.blocks || !w.is_missing) {
        free(w.blocks);
        free(w.is_missing);
        return sq_fail(SQ_NO_MEMORY, "%s: %zu blocks", space->name, most);
    }
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++)
            if (!path || path[l] == c)
                add_block(&w, l, c);
    sq_coverage coverage = {.missing = w.blocks, .block_count = w.count};
    for (int i = 0; i < w.count; i++)
        if (w.is_missing[i])
            coverage.missing[coverage.missing_count++] = w.blocks[i];
    free(w.is_missing);
    *out = coverage;
    return SQ_OK;
}

void sq_coverage_clear(sq_coverage *coverage)
{
    free(coverage->missing);
    *coverage = (sq_coverage){0};
}

static void name_block(const sq_missing_block *b, const sq_space *space, char *text, size_t bytes)
{
    if (b->is_by_layer)
        (void)snprintf(text, bytes, "layer %d, choice %d", space->layers[b->layer].searched_index, b->choice);
    else
        (void)sq_block_key_print(&b->key, text, bytes);
}

sq_status sq_coverage_fail(const sq_coverage *coverage, const sq_latency *latency, const sq_space *space)
{
    const sq_missing_block *first = &coverage->missing[0];
    char key[SQ_BLOCK_KEY_BYTES], nearest[SQ_BLOCK_KEY_BYTES], more[LIST_BYTES] = "", rest[64] = "";
    const char *choice = space->choices[space->layers[first->layer].choices[first->choice]].name;
    size_t used = 0;
    name_block(first, space, key, sizeof key);
    if (first->nearest)
        (void)sq_block_key_print(&first->nearest->key, nearest, sizeof nearest);
    if (coverage->missing_count > 1)
        (void)snprintf(rest, sizeof rest, "; %d more %s missing", coverage->missing_count - 1,
                       coverage->missing_count > 2 ? "are" : "is");
    for (int i = 1; i < coverage->missing_count && i <= SHOWN && used < sizeof more; i++) {
        char other[SQ_BLOCK_KEY_BYTES];
        name_block(&coverage->missing[i], space, other, sizeof other);
        used += (size_t)snprintf(more + used, sizeof more - used, "%s'%s'", i > 1 ? ", " : ": ", other);
    }
    return sq_fail(SQ_DATA, "%s: no entry '%s', needed by layer %d, choice '%s' of %s%s%s%s%s%s%s", latency->path, key,
                   first->layer, choice, space->name, first->nearest ? "; the nearest is '" : "",
                   first->nearest ? nearest : "", first->nearest ? "'" : "", rest, more,
                   coverage->missing_count > SHOWN + 1 ? ", ..." : "");
}
