/* Imports a latency table of another project. */
#include "tools/run/device_import.h"

#include <stdio.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "tools/run/messages.h"

static sq_status check_out(const char *folder, bool replaces, char device[SQ_PATH_BYTES])
{
    SQ_TRY(sq_text_path(device, SQ_PATH_BYTES, folder, "device.yaml"));
    if (sq_path_exists(device) && !replaces)
        return sq_fail(SQ_INVALID, "%s: already exists; choose another folder or give --replace", device);
    return SQ_OK;
}

/* Writes a device folder. First removes device.yaml, so that an interrupted replacement leaves no valid device. Also
 * removes the table of the other kind (table.csv or layers.csv). */
static sq_status write_device(const sq_latency *latency, const char *folder, const char *device)
{
    char other[SQ_PATH_BYTES];
    SQ_TRY(sq_text_path(other, sizeof other, folder, latency->layer_count ? "table.csv" : "layers.csv"));
    SQ_TRY(sq_path_remove(device));
    SQ_TRY(sq_path_remove(other));
    return sq_latency_write(latency, folder);
}

sq_status sq_device_import(const char *file, const char *folder, bool replaces, const sq_dialect_options *options)
{
    char device[SQ_PATH_BYTES];
    sq_latency *latency = NULL;
    sq_dialect_report report;
    SQ_TRY(check_out(folder, replaces, device));
    SQ_TRY(sq_dialect_read(&latency, &report, file, options));
    const sq_status status = write_device(latency, folder, device);
    if (status == SQ_OK) {
        const bool is_by_layer = latency->layer_count > 0;
        sq_dialect_print(&report, stdout);
        sq_print_row("dialect", "%s", report.dialect);
        sq_print_row("device", "%s, %s, batch %d", latency->info.name,
                     latency->info.is_measured ? "measured" : "modelled", latency->info.batch);
        sq_print_row("entries", "%zu by %s, base %g ms", is_by_layer ? latency->layer_count : latency->count,
                     is_by_layer ? "layer" : "block", latency->info.base_ms);
        if (*latency->info.space)
            sq_print_row("space", "%s", latency->info.space);
        sq_print_row("files", "%s, %s/%s", device, folder, is_by_layer ? "layers.csv" : "table.csv");
    }
    sq_latency_close(latency);
    return status;
}
