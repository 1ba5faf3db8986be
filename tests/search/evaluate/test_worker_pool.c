/* Tests the worker pool with one rank. tests/supernet/ranks/check_ranks.py tests several ranks. */
#include <stdlib.h>
#include <string.h>

#include "search/evaluate/worker_pool.h"
#include "tests/support/support.h"

Test(worker_pool, one_rank_scores_like_its_candidate_group)
{
    enum { COUNT = 3 };
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 4);
    sq_image_set images = random_images(s.space, 8, 1);
    const sq_candidate_group_options options = {{&images, &images, 4, 4, false}, (size_t)1 << 30};
    sq_candidate_group *group = NULL;
    sq_worker_pool *pool = NULL;
    int paths[COUNT][SQ_MAX_LAYERS];
    const int *list[COUNT];
    sq_result alone[COUNT], pooled[COUNT];
    for (int i = 0; i < COUNT; i++) {
        draw_path(s.space, (uint64_t)i, paths[i]);
        list[i] = paths[i];
    }
    MUST(sq_candidate_group_create(&group, s.backend, s.space, s.model, &options));
    MUST(sq_candidate_group_evaluate(group, list, COUNT, 0, alone));
    MUST(sq_worker_pool_create(&pool, group, s.space, NULL, NULL));
    sq_worker_pool_start(pool);
    MUST(sq_worker_pool_evaluate(pool, list, COUNT, 0, pooled));
    MUST(sq_worker_pool_check(pool));
    cr_expect_eq(memcmp(alone, pooled, sizeof alone), 0);
    cr_expect(sq_worker_pool_size(pool) == 1 && sq_worker_pool_counters(pool, 0).candidates == COUNT);
    sq_worker_pool_destroy(pool);
    sq_candidate_group_destroy(group);
    sq_image_set_clear(&images);
    close_subject(&s);
}
