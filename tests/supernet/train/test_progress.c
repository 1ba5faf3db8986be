#include "supernet/train/log/progress.h"

#include <stdlib.h>

#include "tests/support/support.h"

static void expect_log(int64_t from, const char *before, const char *after)
{
    char *folder = make_folder();
    sq_progress *progress = NULL;
    put_text(folder, "log.jsonl", before);
    MUST(sq_progress_open(&progress, folder, from, 0, true));
    MUST(sq_progress_log(progress, json_pack("{s:i}", "step", 9)));
    sq_progress_close(progress);
    char *found = read_text(folder, "log.jsonl");
    cr_expect_str_eq(found, after);
    free(found);
    drop_folder(folder);
}

Test(progress, a_resumed_run_removes_the_lines_that_it_writes_again)
{
    const char *log = "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n";
    expect_log(2, log, "{\"step\":1}\n{\"step\":2}\n{\"step\":9}\n");
    expect_log(0, log, "{\"step\":9}\n");
    expect_log(-1, log, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"step\":9}\n");
}

Test(progress, an_incomplete_last_line_is_removed)
{
    expect_log(-1, "{\"step\":1}\n{\"st", "{\"step\":1}\n{\"step\":9}\n");
}
