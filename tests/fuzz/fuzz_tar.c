/* fuzz_tar.c - reads any bytes as a tar: lists the tar with and without a file of labels, and reads every image. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "data/sources/source_tar.h"

static void list(const char *path, bool has_labels)
{
    static const char *const classes[] = {"zero", "one", "two"};
    /* This file is not read; its presence selects the mode. */
    const sq_listing_options options = {.split = "train",
                                        .labels = has_labels ? "labels" : NULL,
                                        .classes = has_labels ? classes : NULL,
                                        .class_count = 3};
    sq_dataset *d = calloc(1, sizeof *d);
    fuzz_require(d != NULL);
    if (sq_source_list_tar(d, path, &options) == SQ_OK)
        for (size_t i = 0; i < d->count; i++)
            fuzz_read(d, i);
    sq_dataset_close(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    if (!fuzz_open(&file, bytes, size))
        return 0;
    list(file.path, false);
    list(file.path, true);
    fuzz_close(&file);
    return 0;
}
