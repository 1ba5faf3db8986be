#ifndef SQ_PREFIX_TREE_H
#define SQ_PREFIX_TREE_H

#include "supernet/space/space.h"

/* Arranges candidates as a tree of blocks. Paths that share their first layers share the nodes of these layers. */

/* Sorts paths lexicographically, so that paths with common first layers are neighbours. order[i] becomes the index of
 * the i-th path in the sorted order. Equal paths keep their order. */
SQ_MUST_USE sq_status sq_prefix_tree_order(int *order, const sq_space *space, const int *const *paths, int count);

typedef struct {
    int layer, choice;
    int candidate;    /* leaf: index of the first path that ends here; other nodes: SQ_NONE */
    bool is_repeated; /* another node has the same block */
} sq_prefix_node;

typedef struct {
    sq_prefix_node *nodes; /* in depth-first order: a node's descendants follow the node */
    int count;
    int *leaf; /* [paths] index of each path's last node */
} sq_prefix_tree;

/* Builds the tree of layers first .. layer_count - 1. The paths must agree in the layers before `first`. */
SQ_MUST_USE sq_status sq_prefix_tree_make(sq_prefix_tree *out, const sq_space *space, const int *const *paths,
                                          int count, int first);
void sq_prefix_tree_clear(sq_prefix_tree *tree);

#endif
