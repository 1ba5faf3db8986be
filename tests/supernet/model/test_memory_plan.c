#include "supernet/model/memory_plan.h"

#include "tests/support/support.h"

static sq_space *read_space(const char *path)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, path, 0, 0));
    return space;
}

Test(memory_plan, contains_every_slot)
{
    const char *const files[] = {SOURCE("configs/spaces/tiny.yaml"), SOURCE("tests/fixtures/odd_widths_pad.yaml")};
    for (int f = 0; f < 2; f++) {
        sq_space *space = read_space(files[f]);
        const sq_block_options options = {.batch = 3, .is_supernet = true, .has_average = true};
        sq_memory_plan plan;
        MUST(sq_memory_plan_make(&plan, space, &options, true, NULL));
        for (int l = 0; l < space->layer_count; l++)
            for (int c = 0; c < space->layers[l].choice_count; c++)
                for (int mode = 0; mode < SQ_MODES; mode++) {
                    sq_region region = plan.regions[l][c];
                    sq_graph graph = {0};
                    MUST(sq_block_build(&(sq_block_id){space, l, c}, (sq_mode)mode, &options, &region, &graph));
                    for (int i = 0; i < graph.op_count && mode != SQ_UPDATE; i++)
                        if (graph.ops[i].out != SQ_NONE) {
                            const sq_slot *s = &graph.slots[graph.ops[i].out];
                            cr_expect_leq(s->offset + sq_slot_bytes(s), plan.role_bytes[s->role], "%s", graph.name);
                        }
                    sq_graph_clear(&graph);
                }
        sq_memory_plan_clear(&plan);
        sq_space_free(space);
    }
}
