/* Reads a run periodically. The terminal view and the server share each reading, so that the run is read only once. */
#include <math.h>

#include "kernels/base/clock.h"
#include "tools/report/report.h"
#include "tools/report/watch.h"

enum { SHORTEST_SECONDS = 1, LONGEST_SECONDS = 30 };

static sq_status read_data(sq_live *live)
{
    json_t *data = json_pack("{s:s, s:b, s:[], s:[]}", "version", SQUALL_VERSION, "live", true, "runs", "stages");
    const sq_status status =
        data ? sq_report_run(live->run, live->devices, json_object_get(data, "runs"), json_object_get(data, "stages"))
             : sq_fail(SQ_NO_MEMORY, "watch");
    if (status != SQ_OK) {
        json_decref(data);
        return status;
    }
    json_decref(live->data);
    live->data = data;
    live->readings++;
    return SQ_OK;
}

sq_status sq_live_read(sq_live *live)
{
    const double begin = sq_seconds_now();
    const sq_status status = read_data(live);
    const double now = sq_seconds_now(), pause = 10 * (now - begin);
    live->next_seconds = now + fmin(fmax(pause, SHORTEST_SECONDS), LONGEST_SECONDS);
    return status;
}

void sq_live_refresh(sq_live *live)
{
    if (sq_seconds_now() >= live->next_seconds && sq_live_read(live) != SQ_OK)
        return; /* the folder may be moved or removed at this moment, so the last reading is kept */
}

void sq_live_clear(sq_live *live)
{
    json_decref(live->data);
    live->data = NULL;
}
