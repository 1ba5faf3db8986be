/* Tests the list of distinct blocks of a space. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/block_list.h"
#include "tests/search/made_up_table.h"

Test(block_list, spos_has_four_choices_for_each_of_its_shapes)
{
    sq_space *space = open_at("spos", 0);
    sq_block_list list;
    MUST(sq_block_list_make(&list, space));
    /* The list has the stem, the head, the classifier, and for each of four stages the choices of a block with stride 2
     * and of a block with stride 1. */
    cr_expect_eq(list.count, 3 + 4 * 2 * 4);
    sq_block_list_clear(&list);
    sq_space_free(space);
}
