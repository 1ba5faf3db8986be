#include "supernet/train/log/timeline.h"

#include <jansson.h>
#include <stdio.h>

#include "tests/support/support.h"

Test(timeline, writes_a_trace_and_drops_what_does_not_fit)
{
    char *folder = make_folder(), path[256];
    sq_timeline *timeline = NULL;
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/trace.json", folder);
    MUST(sq_timeline_open(&timeline, 3, NULL));
    const double begin = sq_timeline_now(timeline);
    sq_timeline_add(timeline, SQ_TIME_REDUCTION, 1024, 0, begin);
    sq_timeline_add(timeline, SQ_TIME_WAIT, 0, 0, begin);
    sq_timeline_add(timeline, SQ_TIME_STEP, 1, 0, begin);
    sq_timeline_add(timeline, SQ_TIME_STEP, 2, 0, begin);
    MUST(sq_timeline_write(timeline, path));
    sq_timeline_close(timeline);
    json_t *root = json_load_file(path, 0, &error);
    cr_assert_not_null(root, "%s", error.text);
    /* Expects five entries: the track's name, the start and the end of the reduction, the wait, and the first step. */
    cr_expect_eq(json_array_size(json_object_get(root, "traceEvents")), 5);
    json_decref(root);
    drop_folder(folder);
}

Test(timeline, null_records_nothing)
{
    cr_expect_eq(sq_timeline_now(NULL), 0);
    sq_timeline_add(NULL, SQ_TIME_STEP, 1, 0, 0);
    MUST(sq_timeline_write(NULL, "unused"));
    sq_timeline_close(NULL);
}
