/* Tests building graphs, and the checks of slots and norms. */
#include <string.h>

#include "kernels/graph.h"
#include "tests/support/support.h"

static const sq_slot good = {.role = SQ_ROLE_BOUNDARY, .n = 1, .h = 2, .w = 2, .c = 8, .pitch = 8};

static void expect_slot_refused(sq_slot slot, const char *text)
{
    sq_graph graph = {.name = "probe"};
    (void)sq_graph_slot(&graph, slot);
    cr_expect_eq(sq_graph_check(&graph), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(), text);
    sq_graph_clear(&graph);
}

Test(graph, grows_and_returns_indices)
{
    sq_graph graph = {0};
    for (int i = 0; i < 100; i++)
        cr_assert_eq(sq_graph_slot(&graph, good), i);
    cr_expect_eq(graph.slot_count, 100);
    cr_expect_eq(memcmp(&graph.slots[99], &good, sizeof good), 0);
    MUST(sq_graph_check(&graph));
    sq_graph_clear(&graph);
    cr_expect(!graph.slots && graph.slot_count == 0);
}

Test(graph, slots_that_are_no_tensors_are_refused)
{
    sq_slot slot = good;
    slot.h = 0;
    expect_slot_refused(slot, "probe: slot 0: found 1x0x2x8 with pitch 8, expected sizes above 0 and pitch >= c");
    slot = good;
    slot.pitch = 7;
    expect_slot_refused(slot, "probe: slot 0: found 1x2x2x8 with pitch 7, expected sizes above 0 and pitch >= c");
    slot = good;
    slot.offset = 32;
    expect_slot_refused(slot, "probe: slot 0: found offset 32, expected a multiple of 64 bytes");
    slot = good;
    slot.c = 7;
    slot.is_split = true;
    expect_slot_refused(slot, "probe: slot 0: split: found 7 channels and pitch 8, expected even numbers");
}

Test(graph, a_norm_without_its_slots_is_refused)
{
    sq_graph graph = {.name = "probe"};
    (void)sq_graph_norm(&graph, (sq_norm){.c = 8, .live = SQ_NONE});
    cr_expect_eq(sq_graph_check(&graph), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "probe: norm 0: a slot is missing"));
    sq_graph_clear(&graph);
}
