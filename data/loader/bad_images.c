/* Counts and logs bad images. A resumed run appends to the log of the earlier run, so the log is searched before a line
 * is added. */
#include "data/loader/bad_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4300 };

sq_status sq_bad_images_init(sq_bad_images *out, size_t image_count, const char *log, int max_count)
{
    *out = (sq_bad_images){.log = log, .max_count = max_count};
    out->is_counted = calloc(image_count + 1, sizeof *out->is_counted);
    return out->is_counted ? SQ_OK
                           : sq_fail(SQ_NO_MEMORY, "loader: out of memory for a list of %zu images", image_count);
}

void sq_bad_images_free(sq_bad_images *bad)
{
    free(bad->is_counted);
    bad->is_counted = NULL;
}

/* Returns true if the log already has the line `message`, or another line that begins with the image's name. A message
 * about a record of a shard does not begin with that name, but the message is the same in each run. */
static bool is_logged(const char *path, const char *name, const char *message)
{
    char line[LINE_BYTES];
    bool found = false;
    const size_t length = strlen(name);
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        found = strcmp(line, message) == 0 || (strncmp(line, name, length) == 0 && line[length] == ':');
    }
    if (file)
        (void)fclose(file); /* nothing was written */
    return found;
}

sq_status sq_bad_images_add(sq_bad_images *bad, size_t index, const char *name, const char *message)
{
    if (bad->is_counted[index])
        return SQ_OK;
    bad->is_counted[index] = true;
    bad->count++;
    if (bad->log && !is_logged(bad->log, name, message)) {
        FILE *file = fopen(bad->log, "a");
        if (file) { /* a log that cannot be written does not stop a run */
            (void)fprintf(file, "%s\n", message);
            (void)fclose(file);
        }
    }
    if (bad->count > bad->max_count)
        return sq_fail(SQ_DATA, "%lld bad images exceed data.max_bad (%d); the last one: %s", (long long)bad->count,
                       bad->max_count, message);
    return SQ_OK;
}
