/* Builds a prefix tree from sorted paths. */
#include "search/evaluate/prefix_tree.h"

#include <stdlib.h>

typedef struct {
    const int *path;
    int index, layers;
} entry;

static int by_path(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    for (int l = 0; l < x->layers; l++)
        if (x->path[l] != y->path[l])
            return x->path[l] < y->path[l] ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

sq_status sq_prefix_tree_order(int *order, const sq_space *space, const int *const *paths, int count)
{
    entry *entries = calloc((size_t)count + 1, sizeof *entries);
    if (!entries)
        return sq_fail(SQ_NO_MEMORY, "%s: %d paths", space->name, count);
    for (int i = 0; i < count; i++)
        entries[i] = (entry){paths[i], i, space->layer_count};
    qsort(entries, (size_t)count, sizeof *entries, by_path);
    for (int i = 0; i < count; i++)
        order[i] = entries[i].index;
    free(entries);
    return SQ_OK;
}

static int shared_layers(const int *a, const int *b, int first, int layers)
{
    int l = first;
    while (l < layers && a[l] == b[l])
        l++;
    return l;
}

static void mark_repeated(sq_prefix_tree *tree)
{
    static const int none = SQ_NONE;
    int seen[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    for (int l = 0; l < SQ_MAX_LAYERS; l++)
        for (int c = 0; c < SQ_MAX_CHOICES; c++)
            seen[l][c] = none;
    for (int i = 0; i < tree->count; i++) {
        sq_prefix_node *n = &tree->nodes[i];
        int *first = &seen[n->layer][n->choice];
        n->is_repeated = *first != SQ_NONE;
        if (n->is_repeated)
            tree->nodes[*first].is_repeated = true;
        else
            *first = i;
    }
}

/* Appends the nodes of a path from layer `from` on. */
static void add_path(sq_prefix_tree *tree, const int *path, int index, int from, int layers)
{
    for (int l = from; l < layers; l++)
        tree->nodes[tree->count++] = (sq_prefix_node){l, path[l], l == layers - 1 ? index : SQ_NONE, false};
    tree->leaf[index] = tree->count - 1;
}

sq_status sq_prefix_tree_make(sq_prefix_tree *out, const sq_space *space, const int *const *paths, int count, int first)
{
    const int layers = space->layer_count;
    const size_t most = (size_t)count * (size_t)(layers - first);
    sq_prefix_tree tree = {calloc(most + 1, sizeof *tree.nodes), 0, calloc((size_t)count + 1, sizeof *tree.leaf)};
    int *order = calloc((size_t)count + 1, sizeof *order);
    sq_status status = tree.nodes && tree.leaf && order
                           ? sq_prefix_tree_order(order, space, paths, count)
                           : sq_fail(SQ_NO_MEMORY, "%s: a tree of %d paths", space->name, count);
    for (int i = 0; status == SQ_OK && i < count; i++) {
        const int *path = paths[order[i]];
        const int from = i ? shared_layers(paths[order[i - 1]], path, first, layers) : first;
        if (from == layers)
            tree.leaf[order[i]] = tree.leaf[order[i - 1]]; /* the same path as before */
        else
            add_path(&tree, path, order[i], from, layers);
    }
    free(order);
    if (status != SQ_OK) {
        sq_prefix_tree_clear(&tree);
        return status;
    }
    mark_repeated(&tree);
    *out = tree;
    return SQ_OK;
}

void sq_prefix_tree_clear(sq_prefix_tree *tree)
{
    free(tree->nodes);
    free(tree->leaf);
    *tree = (sq_prefix_tree){0};
}
