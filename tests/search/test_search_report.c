/* Tests search.json and arch.json. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/limits.h"
#include "search/search_report.h"
#include "tests/support/support.h"

Test(search_report, writes_candidates_front_and_the_best_architecture)
{
    static sq_searcher searcher;
    sq_search_options options = {.kind = SQ_SEARCHER_RANDOM, .limits = {.macs = 1000}, .write_retries = 0};
    int paths[2][SQ_MAX_LAYERS], front[] = {1};
    sq_candidate list[2];
    sq_space *space = NULL;
    json_error_t error;
    char *folder = make_folder(), path[SQ_PATH_BYTES];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    cr_assert(sq_objectives_read("accuracy, macs", &options.objectives));
    searcher.options = &options;
    searcher.space = space;
    sq_limits_fill_block_costs(&searcher);
    for (int i = 0; i < 2; i++) {
        draw_path(space, (uint64_t)i, paths[i]);
        list[i] = (sq_candidate){.path = paths[i], .images = 10, .top1 = 0.1 * i};
        sq_limits_fill_costs(&searcher, &list[i]);
    }
    const sq_search_result result = {.candidates = list,
                                     .candidate_count = 2,
                                     .best = 1,
                                     .random_mean_top1 = NAN,
                                     .front = {front, 1, 3.5, {{0, 9}, 2}}};
    MUST(sq_search_report_write(folder, &searcher, &result));
    MUST(sq_text_path(path, sizeof path, folder, "search.json"));
    json_t *report = json_load_file(path, 0, &error);
    cr_expect_str_eq(json_string_value(json_object_get(report, "searcher")), "random");
    cr_expect(json_array_size(json_object_get(report, "candidates")) == 2 &&
              json_is_null(json_object_get(report, "random_mean_top1_acc")) &&
              json_real_value(json_object_get(report, "hypervolume")) == 3.5);
    json_decref(report);
    MUST(sq_text_path(path, sizeof path, folder, "arch.json"));
    json_t *best = json_load_file(path, 0, &error);
    cr_expect_eq(json_number_value(json_object_get(best, "macs_m")), list[1].macs);
    json_decref(best);
    drop_folder(folder);
    sq_space_free(space);
}
