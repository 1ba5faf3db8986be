/* Tests the tree of candidates that share their first layers. */
#include <stdlib.h>
#include <string.h>

#include "search/evaluate/prefix_tree.h"
#include "tests/support/support.h"

Test(prefix_tree, holds_every_path_once_in_depth_first_order)
{
    subject s = {0};
    sq_prefix_tree tree;
    MUST(sq_space_read(&s.space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    int paths[40][SQ_MAX_LAYERS], walked[SQ_MAX_LAYERS];
    const int *list[40];
    const int layers = s.space->layer_count;
    for (int i = 0; i < 40; i++) {
        draw_path(s.space, (uint64_t)i, paths[i]);
        if (i % 2)
            memcpy(paths[i], paths[i - 1], 12 * sizeof(int));
        list[i] = paths[i];
    }
    MUST(sq_prefix_tree_make(&tree, s.space, list, 40, 2));
    cr_expect_leq(tree.count, 40 * (layers - 2) - 20 * 10);
    for (int i = 0; i < tree.count; i++) {
        const sq_prefix_node *n = &tree.nodes[i];
        cr_expect(i == 0 ? n->layer == 2 : n->layer <= tree.nodes[i - 1].layer + 1, "a parent comes before its child");
        walked[n->layer] = n->choice;
        if (n->candidate != SQ_NONE)
            cr_expect_eq(memcmp(walked + 2, paths[n->candidate] + 2, (size_t)(layers - 2) * sizeof(int)), 0);
        bool is_elsewhere = false;
        for (int j = 0; j < tree.count; j++)
            is_elsewhere |= j != i && tree.nodes[j].layer == n->layer && tree.nodes[j].choice == n->choice;
        cr_expect_eq(n->is_repeated, is_elsewhere);
    }
    for (int i = 0; i < 40; i++)
        cr_expect_eq(memcmp(paths[tree.nodes[tree.leaf[i]].candidate], paths[i], (size_t)layers * sizeof(int)), 0);
    sq_prefix_tree_clear(&tree);
    sq_space_free(s.space);
}
