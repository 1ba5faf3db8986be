/* squall lut: makes, checks and uses latency tables. */
#include "tools/commands/lut/lut.h"

#include <stdio.h>

#include "tools/commands/commands.h"
#include "tools/run/share_folder.h"

sq_status sq_lut_space(sq_space **out, const char *file, const sq_lut_shape *shape)
{
    char shared[4096];
    return sq_space_read(out, sq_share_find(shared, sizeof shared, file), shape->resolution, shape->classes);
}

sq_status sq_lut_device(sq_latency **out, const char *device)
{
    char shared[4096];
    return sq_latency_open(out, sq_share_find(shared, sizeof shared, device));
}

const char *sq_lut_threads(char *out, size_t bytes, int threads, bool is_all)
{
    *out = 0;
    if (threads > 0)
        (void)snprintf(out, bytes, ", %s%d thread%s", is_all ? "all " : "", threads, threads == 1 ? "" : "s");
    return out;
}

static const sq_command *const parts[] = {&sq_lut_template,  &sq_lut_measure, &sq_lut_networks,
                                          &sq_lut_import,    &sq_lut_check,   &sq_lut_predict,
                                          &sq_lut_calibrate, &sq_lut_compare, NULL};

const sq_command sq_command_lut = {.name = "lut", .parts = parts};
