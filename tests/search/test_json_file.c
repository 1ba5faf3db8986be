/* Tests the JSON helpers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/json_file.h"
#include "tests/support/support.h"

Test(json_file, writes_numbers_that_read_back_exactly)
{
    char *folder = make_folder(), path[SQ_PATH_BYTES];
    json_error_t error;
    MUST(sq_text_path(path, sizeof path, folder, "x.json"));
    MUST(sq_json_write(path, json_pack("{s:o, s:o}", "third", sq_json_real(1.0 / 3), "none", sq_json_real(NAN))));
    json_t *read = json_load_file(path, 0, &error);
    cr_expect_eq(sq_json_number(json_object_get(read, "third")), 1.0 / 3);
    cr_expect(json_is_null(json_object_get(read, "none")) && isnan(sq_json_number(json_object_get(read, "none"))));
    json_decref(read);
    cr_expect_eq(sq_json_write(path, NULL), SQ_NO_MEMORY);
    drop_folder(folder);
}

Test(json_file, a_path_lists_the_searched_layers)
{
    sq_space *space = NULL;
    int path[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    draw_path(space, 3, path);
    json_t *list = sq_json_path(space, path);
    cr_assert_eq((int)json_array_size(list), space->searched_count);
    for (int l = 0; l < space->layer_count; l++) {
        const int index = space->layers[l].searched_index;
        if (index != SQ_NONE)
            cr_expect_eq(json_integer_value(json_array_get(list, (size_t)index)), path[l]);
    }
    json_decref(list);
    sq_space_free(space);
}
