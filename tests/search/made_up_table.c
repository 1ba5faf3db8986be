/* Makes a latency table for tests. */
#include "tests/search/made_up_table.h"

#include <stdio.h>

#include "search/cost/block_list.h"

sq_space *open_at(const char *name, int resolution)
{
    sq_space *space = NULL;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s.yaml", SOURCE("configs/spaces"), name);
    MUST(sq_space_read(&space, path, resolution, 0));
    return space;
}

sq_latency *make_table(const sq_space *space)
{
    sq_latency *latency = NULL;
    sq_block_list list;
    MUST(sq_latency_create(&latency, "made up"));
    MUST(sq_block_list_make(&list, space));
    for (int i = 0; i < list.count; i++) {
        const sq_block_key *k = &list.blocks[i].key;
        sq_block_time time =
            sq_block_time_of(1e-3 * k->h + 1e-6 * k->h * k->w * (k->c_in + k->mid) * k->kernel, 0.01 * k->kernel, 10);
        time.energy_mj = 2 * time.mean;
        MUST(sq_latency_add(latency, k, &time));
    }
    sq_block_list_clear(&list);
    (void)snprintf(latency->info.name, sizeof latency->info.name, "made up");
    MUST(sq_latency_sort(latency, "made up"));
    return latency;
}
