#include "supernet/train/search_mask.h"

#include "tests/support/support.h"

Test(search_mask, fixed_layers_allow_one_choice)
{
    sq_space *space = open_space(SOURCE("configs/spaces/tiny.yaml"));
    sq_search_mask mask;
    int path[SQ_MAX_LAYERS] = {0};
    sq_search_mask_all(&mask, space);
    cr_expect(sq_search_mask_allows(&mask, space, path));
    cr_expect_eq(sq_search_mask_hash(1, NULL, space), 1);
    const uint64_t all = sq_search_mask_hash(1, &mask, space);
    sq_search_mask_fix(&mask, 1, 2);
    cr_expect_neq(sq_search_mask_hash(1, &mask, space), all);
    cr_expect_not(sq_search_mask_allows(&mask, space, path));
    path[1] = 2;
    cr_expect(sq_search_mask_allows(&mask, space, path));
    cr_expect_eq(sq_search_mask_count(&mask, space, 1), 1);
    cr_expect_eq(sq_search_mask_choice(&mask, 1, 0), 2);
    cr_expect_eq(sq_search_mask_count(NULL, space, 1), space->layers[1].choice_count);
    for (uint64_t i = 0; i < 20; i++) {
        sq_rng rng = sq_rng_open(1, SQ_RNG_PATH, i);
        cr_expect_eq(sq_search_mask_draw(&mask, space, 1, &rng), 2);
    }
    sq_space_free(space);
}
