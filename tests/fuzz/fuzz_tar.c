/* Any bytes as a tar: walked as a source of images, with every form of it, and every image's bytes read. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "data/sources/source.h"

static void walk(const char *path, bool has_labels)
{
    static const char *const classes[] = {"zero", "one", "two"};
    const sq_listing_options asked = {
        .split = "train", .classes = has_labels ? classes : NULL, .class_count = 3, .has_labels = has_labels};
    sq_dataset *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    if (sq_source_list_tar(d, path, &asked) == SQ_OK)
        for (size_t i = 0; i < d->count; i++)
            fuzz_read(d, i);
    sq_dataset_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    if (!fuzz_open(&file, bytes, size))
        return 0;
    walk(file.path, false);
    walk(file.path, true);
    fuzz_close(&file);
    return 0;
}
