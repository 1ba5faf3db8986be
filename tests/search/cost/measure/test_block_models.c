/* Tests the ONNX files of blocks and paths, and the drawn paths. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/measure/block_models.h"
#include "tests/search/made_up_table.h"

Test(block_models, names_blocks_before_networks)
{
    const sq_block_list list = {.count = 3};
    char path[64];
    MUST(sq_block_models_name(&list, "f", 2, path, sizeof path));
    cr_expect_str_eq(path, "f/block_0002.onnx");
    MUST(sq_block_models_name(&list, "f", 4, path, sizeof path));
    cr_expect_str_eq(path, "f/network_0001.onnx");
    cr_expect_eq(sq_block_models_name(&list, "f", 4, path, 10), SQ_INVALID);
}

Test(block_models, draws_distinct_paths_by_seed)
{
    sq_space *space = open_at("tiny", 0);
    sq_path_list a, b;
    MUST(sq_path_list_draw(&a, space, 1, 20));
    MUST(sq_path_list_draw(&b, space, 1, 20));
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(memcmp(a.paths[i], b.paths[i], sizeof a.paths[i]), 0);
        for (int j = 0; j < i; j++)
            cr_expect_neq(memcmp(a.paths[i], a.paths[j], (size_t)space->layer_count * sizeof(int)), 0);
    }
    sq_path_list_clear(&a);
    sq_path_list_clear(&b);
    sq_space_free(space);
}

Test(block_models, writes_every_block_and_both_lists)
{
    sq_space *space = open_at("tiny", 0);
    sq_block_list blocks;
    sq_path_list paths;
    sq_block_models *models = NULL;
    char *folder = make_folder(), path[SQ_PATH_BYTES];
    MUST(sq_block_list_make(&blocks, space));
    MUST(sq_path_list_draw(&paths, space, 1, 2));
    MUST(sq_block_models_open(&models, space, &(sq_block_models_options){.batch = 1, .opset = 13}));
    MUST(sq_block_models_write_all(models, &blocks, &paths, folder));
    for (int i = 0; i < blocks.count + paths.count; i++) {
        MUST(sq_block_models_name(&blocks, folder, i, path, sizeof path));
        cr_expect(sq_path_exists(path), "%s", path);
    }
    MUST(sq_text_path(path, sizeof path, folder, "networks.csv"));
    cr_expect(sq_path_exists(path));
    sq_block_models_close(models);
    sq_path_list_clear(&paths);
    sq_block_list_clear(&blocks);
    drop_folder(folder);
    sq_space_free(space);
}
