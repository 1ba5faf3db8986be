/* Tests groups of layers, and the choices that each stage may draw. */
#include <string.h>

#include "search/stages.h"
#include "tests/support/support.h"

static sq_space *open_spos(void)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    return space;
}

Test(stages, groups_steps_and_rates_are_read_in_order)
{
    sq_space *space = open_spos();
    sq_stages s;
    MUST(sq_stages_read(&s, space, &(sq_stages_text){"9-20, 1-8", "700, 300", "0.5, 0.1", 5, 7}));
    cr_assert_eq(s.count, 2);
    cr_expect(s.list[0].first == 8 && s.list[0].last == 19 && s.list[0].steps == 700 && s.list[0].lr == 0.5);
    cr_expect(s.list[1].first == 0 && s.list[1].last == 7 && s.list[1].steps == 300 && s.list[1].lr == 0.1);
    cr_expect_eq(sq_stages_steps(&s), 1000);
    MUST(sq_stages_read(&s, space, &(sq_stages_text){"20, 1-7, 12-19, 8-11", "50", "", 5, 7}));
    cr_assert_eq(s.count, 4);
    cr_expect(s.list[0].first == 19 && s.list[0].last == 19 && s.list[3].first == 7 && s.list[3].steps == 50 &&
              s.list[2].lr == 7);
    MUST(sq_stages_read(&s, space, &(sq_stages_text){"", "", "", 5, 7}));
    cr_expect(s.count == 1 && s.list[0].first == 0 && s.list[0].last == 19 && s.list[0].steps == 5 && s.list[0].lr == 7,
              "one group is SPOS");
    sq_space_free(space);
}

Test(stages, refuses_invalid_groups_and_numbers)
{
    static const struct {
        const char *groups, *steps, *lrs, *text;
    } rows[] = {
        {"9-20", "", "", "layer 1 is in no group"},
        {"9-20, 1-9", "", "", "layer 9 is in two groups"},
        {"9-21, 1-8", "", "", "expected ranges of 1 .. 20"},
        {"20-9, 1-8", "", "", "expected ranges of 1 .. 20"},
        {"late, early", "", "", "expected ranges of 1 .. 20"},
        {"9-20, 1-8", "1, 2, 3", "", "stages.steps: '1, 2, 3', expected one number"},
        {"9-20, 1-8", "0", "", "stages.steps: '0', expected one number from 1"},
        {"9-20, 1-8", "many", "", "stages.steps: 'many'"},
        {"9-20, 1-8", "", "-1", "stages.lr: '-1'"},
        {"9-20, 1-4, 5-8", "1, 2", "", "2 numbers for 3 stages"},
    };
    sq_space *space = open_spos();
    sq_stages s = {.count = 77};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_eq(sq_stages_read(&s, space, &(sq_stages_text){rows[i].groups, rows[i].steps, rows[i].lrs, 1, 1}),
                     SQ_INVALID);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "row %zu: %s", i, sq_error_text());
    }
    cr_expect_eq(s.count, 77, "untouched on failure");
    sq_space_free(space);
}

Test(stages, a_stage_draws_its_own_layers_and_fixes_the_others)
{
    sq_space *space = open_spos();
    sq_stages s;
    sq_search_mask search_mask;
    int path[SQ_MAX_LAYERS];
    draw_path(space, 4, path);
    MUST(sq_stages_read(&s, space, &(sq_stages_text){"9-20, 1-8", "", "", 1, 1}));
    for (int stage = 0; stage < 2; stage++) {
        sq_stages_search_mask(&s, stage, space, path, &search_mask);
        for (int l = 0; l < space->layer_count; l++) {
            const int searched = space->layers[l].searched_index;
            const bool is_free = searched != SQ_NONE && (stage == 0 ? searched >= 8 : searched < 8);
            cr_expect_eq(search_mask.count[l], is_free ? space->layers[l].choice_count : 1);
            if (!is_free)
                cr_expect_eq(search_mask.choices[l][0], path[l]);
        }
        cr_expect(sq_search_mask_allows(&search_mask, space, path));
    }
    sq_space_free(space);
}
