/* Paths sorted into a tree. */
#include "search/group_tree.h"

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

static int shared_layers(const entry *a, const entry *b, int first)
{
    int l = first;
    while (l < a->layers && a->path[l] == b->path[l])
        l++;
    return l;
}

static void mark_repeated(sq_tree *tree)
{
    static const int none = SQ_NONE;
    int seen[SQ_MAX_LAYERS][SQ_MAX_CHOICES];
    for (int l = 0; l < SQ_MAX_LAYERS; l++)
        for (int c = 0; c < SQ_MAX_CHOICES; c++)
            seen[l][c] = none;
    for (int i = 0; i < tree->count; i++) {
        sq_node *n = &tree->nodes[i];
        int *first = &seen[n->layer][n->choice];
        n->is_repeated = *first != SQ_NONE;
        if (n->is_repeated)
            tree->nodes[*first].is_repeated = true;
        else
            *first = i;
    }
}

static void add_path(sq_tree *tree, const entry *e, int from)
{
    for (int l = from; l < e->layers; l++)
        tree->nodes[tree->count++] = (sq_node){l, e->path[l], l == e->layers - 1 ? e->index : SQ_NONE, false};
    tree->leaf[e->index] = tree->count - 1;
}

sq_status sq_tree_make(sq_tree *out, const sq_space *space, const int *const *paths, int count, int first)
{
    const size_t most = (size_t)count * (size_t)(space->layer_count - first);
    sq_tree tree = {calloc(most + 1, sizeof *tree.nodes), 0, calloc((size_t)count + 1, sizeof *tree.leaf)};
    entry *entries = calloc((size_t)count + 1, sizeof *entries);
    if (!tree.nodes || !tree.leaf || !entries) {
        sq_tree_clear(&tree);
        free(entries);
        return sq_fail(SQ_NO_MEMORY, "%s: a tree of %d paths", space->name, count);
    }
    for (int i = 0; i < count; i++)
        entries[i] = (entry){paths[i], i, space->layer_count};
    qsort(entries, (size_t)count, sizeof *entries, by_path);
    for (int i = 0; i < count; i++) {
        const int from = i ? shared_layers(&entries[i - 1], &entries[i], first) : first;
        if (from == space->layer_count)
            tree.leaf[entries[i].index] = tree.leaf[entries[i - 1].index]; /* the same path twice */
        else
            add_path(&tree, &entries[i], from);
    }
    mark_repeated(&tree);
    free(entries);
    *out = tree;
    return SQ_OK;
}

void sq_tree_clear(sq_tree *tree)
{
    free(tree->nodes);
    free(tree->leaf);
    *tree = (sq_tree){0};
}
