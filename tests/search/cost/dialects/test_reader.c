/* Tests the functions of the dialects' readers. */
#include <stdio.h>
#include <string.h>

#include "search/cost/dialects/reader.h"
#include "tests/support/support.h"

Test(reader, knows_other_names_of_activations)
{
    cr_expect(sq_dialect_activation("hard_swish") == SQ_HSWISH && sq_dialect_activation("h_swish") == SQ_HSWISH &&
              sq_dialect_activation("relu6") == SQ_RELU6 && sq_dialect_activation("swish") == SQ_ACTIVATIONS);
}

Test(reader, converts_units_and_counts_rows)
{
    const sq_dialect_options options = {.takes_near = false};
    sq_dialect_report report = {.rows = 0};
    sq_dialect_input input = {.path = "x", .options = &options, .report = &report, .unit = 1e-3};
    const sq_block_key key = {.h = 8, .w = 8, .c_in = 8, .c_out = 8, .kernel = 3, .stride = 1};
    const sq_block_time time = sq_block_time_of(500, 5, 1), none = sq_block_time_of(0, 0, 1);
    MUST(sq_latency_create(&input.latency, "x"));
    MUST(sq_dialect_add(&input, "x:1", &key, &time));
    MUST(sq_dialect_add_base(&input, "x:2", 2000));
    cr_expect(input.latency->entries[0].time.mean == 0.5 && input.latency->info.base_ms == 2);
    cr_expect_eq(sq_dialect_add(&input, "x:3", &key, &none), SQ_INVALID);
    cr_expect(!sq_dialect_takes_near(&input, "almost"));
    for (int i = 0; i < 2 * SQ_DIALECT_KINDS; i++) {
        char kind[16];
        (void)snprintf(kind, sizeof kind, "kind %d", i);
        sq_dialect_leave_out(&input, kind);
    }
    cr_expect(report.rows == 2 + 1 + 2 * SQ_DIALECT_KINDS && report.read == 2 && report.kind_count == SQ_DIALECT_KINDS);
    cr_expect_str_eq(report.kinds[SQ_DIALECT_KINDS - 1].text, "others");
    sq_latency_close(input.latency);
}
