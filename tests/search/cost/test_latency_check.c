/* Tests the checks of a latency table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/latency_check.h"
#include "tests/search/made_up_table.h"

Test(latency_check, finds_unused_noisy_and_implausible_entries)
{
    sq_space *space = open_at("proxyless", 0), *other = open_at("spos", 0);
    sq_latency *latency = make_table(space);
    sq_block_list list;
    sq_latency_check c;
    MUST(sq_block_list_make(&list, space));
    for (size_t i = 0; i < latency->count; i++)
        latency->entries[i].time.deviation = 0;
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_expect(!c.unused_count && !c.noisy_count && !c.inversion_count, "%d", c.inversion_count);
    sq_latency_check_clear(&c);
    /* Choice 0 is 3x3 with expansion 3, choice 1 has expansion 6, choice 2 is 5x5. */
    const sq_block_key small = sq_block_key_of(space, 3, 0);
    sq_latency_entry *slow = (sq_latency_entry *)(uintptr_t)sq_latency_find(latency, &small);
    const double honest = slow->time.mean;
    slow->time.mean = 1000;
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_assert_gt(c.inversion_count, 0);
    cr_expect(c.inversions[0].smaller == slow && c.inversions[0].ratio >= c.inversions[c.inversion_count - 1].ratio);
    sq_latency_check_clear(&c);
    slow->time.deviation = 900; /* a deviation this large explains the inversion */
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_expect(c.inversion_count == 0 && c.noisy_count == 1);
    sq_latency_check_clear(&c);
    slow->time = sq_block_time_of(honest, 0, 1);
    sq_block_list_clear(&list);
    MUST(sq_block_list_make(&list, other));
    MUST(sq_latency_check_table(&c, latency, &list));
    cr_expect_eq(c.unused_count, (int)latency->count);
    sq_latency_check_clear(&c);
    sq_block_list_clear(&list);
    sq_latency_close(latency);
    sq_space_free(space);
    sq_space_free(other);
}
