/* squall lut: latency tables from end to end. */
#include "tools/commands/lut/lut.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "tools/run/share_folder.h"

sq_status sq_lut_space(sq_space **out, const char *file, const sq_lut_shape *shape)
{
    char shared[4096];
    int64_t resolution, classes;
    if (!sq_text_int(shape->resolution, 0, 4096, &resolution) || !sq_text_int(shape->classes, 0, 1000000, &classes))
        return sq_fail(SQ_INVALID, "--resolution %s, --classes %s: wanted whole numbers", shape->resolution,
                       shape->classes);
    return sq_space_read(out, sq_share_find(shared, sizeof shared, file), (int)resolution, (int)classes);
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

sq_status sq_lut_fill(const char *text, sq_fill *out)
{
    static const char *const names[] = {"none", "interpolate", "roofline"};
    for (int i = 0; i < 3; i++)
        if (strcmp(names[i], text) == 0) {
            *out = (sq_fill)i;
            return SQ_OK;
        }
    return sq_fail(SQ_INVALID, "--fill %s: wanted none, interpolate or roofline", text);
}

static const sq_command *const parts[] = {&sq_lut_template, &sq_lut_measure,   &sq_lut_networks, &sq_lut_import, &sq_lut_check,
                                          &sq_lut_predict,  &sq_lut_calibrate, &sq_lut_compare,  NULL};

const sq_command sq_command_lut = {
    .name = "lut",
    .summary = "latency tables: make, import, check, predict, calibrate",
    .usage = "squall lut template|measure|networks|import|check|predict|calibrate|compare ...",
    .help = "A latency table says how long each block of a search space takes on a device; --latency of search and "
            "this command\n"
            "read it (configs/devices/README.md).\n\n",
    .parts = parts,
};
