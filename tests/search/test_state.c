/* Tests state.json. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/state.h"
#include "tests/support/support.h"

Test(state, reads_back_what_was_written)
{
    sq_space *space = NULL;
    int paths[3][SQ_MAX_LAYERS], count = 0;
    sq_candidate list[3], *read = NULL;
    char *folder = make_folder(), path[SQ_PATH_BYTES];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    MUST(sq_text_path(path, sizeof path, folder, "state.json"));
    MUST(sq_search_state_read(path, 5, space, &read, &count));
    cr_expect_eq(count, 0, "there is no file");
    for (int i = 0; i < 3; i++) {
        draw_path(space, (uint64_t)i, paths[i]);
        list[i] = (sq_candidate){.path = paths[i], .images = 10 + i, .loss = 1.0 / 3, .top1 = 0.1 * i, .top5 = 0.7};
    }
    MUST(sq_search_state_write(path, 5, &(sq_search_scored){list, 3, 9}, space));
    MUST(sq_search_state_read(path, 5, space, &read, &count));
    cr_assert_eq(count, 3);
    for (int i = 0; i < 3; i++) {
        cr_expect(memcmp(read[i].path, paths[i], (size_t)space->layer_count * sizeof(int)) == 0 &&
                  read[i].images == list[i].images && read[i].loss == list[i].loss && read[i].top1 == list[i].top1 &&
                  read[i].top5 == list[i].top5);
        free(read[i].path);
    }
    free(read);
    cr_expect_eq(sq_search_state_read(path, 6, space, &read, &count), SQ_INVALID);
    put_text(folder, "state.json", "{}");
    cr_expect_eq(sq_search_state_read(path, 5, space, &read, &count), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "not the state of a search"), "%s", sq_error_text());
    drop_folder(folder);
    sq_space_free(space);
}
