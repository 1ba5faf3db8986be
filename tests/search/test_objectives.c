/* Tests reading objectives from text, and their values. */
#include <string.h>

#include "search/objectives.h"
#include "tests/support/support.h"

Test(objectives, reads_lists_and_refuses_wrong_ones)
{
    sq_objectives o;
    char name[32];
    cr_assert(sq_objectives_read("[macs, accuracy,latency.2 ,energy]", &o));
    cr_expect(o.count == 4 && o.list[0].kind == SQ_OBJECTIVE_MACS && o.list[2].device == 1);
    cr_expect_str_eq(sq_objective_name(&o.list[2], name, sizeof name), "latency.2");
    cr_expect_str_eq(sq_objective_name(&o.list[3], name, sizeof name), "energy");
    const char *const wrong[] = {"",
                                 "accuracy",
                                 "macs, memory",
                                 "accuracy, latenc",
                                 "accuracy, latency.0",
                                 "accuracy, latency.5",
                                 "accuracy, latency.",
                                 "accuracy, latency, latency.1",
                                 "accuracy, macs.2",
                                 "accuracy, macs, memory, parameters, latency"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect(!sq_objectives_read(wrong[i], &o), "'%s'", wrong[i]);
    cr_expect(o.count == 4); /* unchanged after the errors */
    sq_point p;
    cr_expect(sq_point_read("[0.5, 300]", &p) && p.count == 2 && p.values[1] == 300);
    cr_expect(sq_point_read("", &p) && p.count == 0 && sq_point_read("[]", &p));
    cr_expect(!sq_point_read("1, x", &p) && !sq_point_read("1, 2, 3, 4, 5", &p) && !sq_point_read("nan", &p) &&
              !sq_point_read("1x", &p));
}
