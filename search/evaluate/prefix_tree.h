#ifndef SQ_PREFIX_TREE_H
#define SQ_PREFIX_TREE_H

#include "supernet/space/space.h"

/* Candidates as a tree of blocks, in the order in which it is walked. */

/* order[i]: index of the path that comes i-th when they are sorted as words are; equal ones stay in their order. What
 * paths share lies side by side then. */
SQ_MUST_USE sq_status sq_prefix_tree_order(int *order, const sq_space *space, const int *const *paths, int count);

typedef struct {
    int layer, choice;
    int candidate;    /* of a leaf: index of the first path that ends here; else SQ_NONE */
    bool is_repeated; /* the same block stands at another node too */
} sq_prefix_node;

typedef struct {
    sq_prefix_node *nodes; /* depth first: behind a node come its descendants */
    int count;
    int *leaf; /* [paths] index of the node that ends each path */
} sq_prefix_tree;

/* Layers first .. layer_count - 1 of the paths; all must agree before `first`. */
SQ_MUST_USE sq_status sq_prefix_tree_make(sq_prefix_tree *out, const sq_space *space, const int *const *paths,
                                          int count, int first);
void sq_prefix_tree_clear(sq_prefix_tree *tree);

#endif
