/* Tests the keys of blocks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/block_key.h"
#include "search/cost/block_list.h"
#include "tests/search/made_up_table.h"

Test(block_key, keys_print_and_parse_back_for_every_block_of_every_space)
{
    static const char *const names[] = {"spos", "proxyless", "samples", "small64", "tiny", "bench-widths"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        sq_space *space = open_at(names[n], 0);
        sq_block_list list;
        MUST(sq_block_list_make(&list, space));
        for (int i = 0; i < list.count; i++) {
            char text[SQ_BLOCK_KEY_BYTES], *rest = text;
            const char *fields[SQ_BLOCK_KEY_FIELDS];
            sq_block_key key;
            cr_assert_lt(sq_block_key_print(&list.blocks[i].key, text, sizeof text), (int)sizeof text);
            for (int f = 0; f < SQ_BLOCK_KEY_FIELDS; f++)
                fields[f] = strsep(&rest, ",");
            cr_assert_null(rest);
            MUST(sq_block_key_parse(fields, names[n], &key));
            cr_expect_eq(sq_block_key_compare(&key, &list.blocks[i].key), 0, "%s block %d", names[n], i);
            cr_expect_eq(sq_block_list_find(&list, &key), i);
        }
        sq_block_list_clear(&list);
        sq_space_free(space);
    }
}
