/* Tests the list of processors and memory nodes. */
#define _GNU_SOURCE /* CPU sets */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/cores.h"
#include "tests/support/support.h"

Test(cores, spreads_threads_over_memory_nodes)
{
    char *folder = make_folder(), first[32], rest[SQ_MAX_CORES * 5] = "";
    static sq_cores all, two, none;
    sq_cores_find(&all, NULL);
    cr_assert(all.count >= 1 && all.node_count >= 1);
    sq_cores_find(&none, folder); /* a system without memory nodes */
    cr_expect(none.node_count == 1 && none.count == all.count);
    if (all.count < 2)
        cr_skip_test("one processor");
    (void)snprintf(first, sizeof first, "%d\n", all.core[0]);
    for (int i = 1; i < all.count; i++)
        (void)snprintf(rest + strlen(rest), sizeof rest - strlen(rest), "%s%d", i > 1 ? "," : "", all.core[i]);
    put_bytes(folder, "node0/cpulist", "\n", 1); /* a node without processors */
    put_bytes(folder, "node1/cpulist", first, strlen(first));
    put_bytes(folder, "node7/cpulist", rest, strlen(rest));
    sq_cores_find(&two, folder);
    cr_expect(two.node_count == 2 && two.count == all.count && two.node[0] == 0 && two.node[1] == 1);
    cr_expect_eq(sq_cores_node(&two, 0, all.count), 0);
    cr_expect_eq(sq_cores_node(&two, all.count - 1, all.count), 1);
    cr_expect_eq(sq_cores_node(&two, 4 * all.count - 1, 4 * all.count), 1);
    sq_cores_pin(&two, 0);
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    cr_expect(CPU_COUNT(&set) == 1 && CPU_ISSET((size_t)all.core[0], &set));
    drop_folder(folder);
}

Test(cores, reads_ranges_of_processors)
{
    char *folder = make_folder();
    static sq_cores cores;
    put_bytes(folder, "node0/cpulist", "0-2000\n", 7);
    sq_cores_find(&cores, folder);
    cr_expect_eq(cores.node_count, 1);
    for (int i = 1; i < cores.count; i++)
        cr_expect_gt(cores.core[i], cores.core[i - 1]);
    drop_folder(folder);
}
