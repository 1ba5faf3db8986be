#define _GNU_SOURCE /* for memfd_create */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/decode/format.h"
#include "kernels/base/file.h"

bool fuzz_open(fuzz_file *out, const uint8_t *bytes, size_t size)
{
    out->file = memfd_create("fuzz", MFD_CLOEXEC);
    if (out->file < 0)
        return false;
    (void)snprintf(out->path, sizeof out->path, "/proc/self/fd/%d", out->file);
    if (size == 0 || write(out->file, bytes, size) == (ssize_t)size)
        return true;
    fuzz_close(out);
    return false;
}

void fuzz_close(fuzz_file *file)
{
    (void)close(file->file); /* closing cannot lose data, because the file is in memory */
}

static char scratch[64]; /* path of the temporary folder; "": not created yet */

static void remove_scratch(void)
{
    if (sq_path_remove(scratch) != SQ_OK)
        (void)fprintf(stderr, "%s\n", sq_error_text());
}

const char *fuzz_scratch(const char *name)
{
    static char path[256];
    if (!*scratch) {
        if (access("/dev/shm", W_OK) == 0)
            (void)setenv("TMPDIR", "/dev/shm", 1);
        fuzz_require(sq_folder_scratch(scratch, sizeof scratch, "squall-fuzz") == SQ_OK);
        (void)atexit(remove_scratch); /* if it fails, the folder remains */
    }
    (void)snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

void fuzz_require(bool holds)
{
    if (!holds)
        abort();
}

void fuzz_sealed(const uint8_t *bytes, size_t size, void (*check)(const uint8_t *, size_t),
                 void (*seal)(uint8_t *, size_t))
{
    uint8_t *sealed = malloc(size + 1);
    fuzz_require(sealed != NULL);
    memcpy(sealed, bytes, size);
    check(sealed, size);
    seal(sealed, size);
    check(sealed, size);
    free(sealed);
}

void fuzz_read(const sq_dataset *d, size_t index)
{
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    if (sq_dataset_size(d, index) > 1 << 26 ||
        strlen(sq_dataset_name(d, index)) < strlen(sq_dataset_inner_name(d, index)))
        abort();
    if (sq_dataset_read(d, index, &bytes, &capacity, &size) == SQ_OK) {
        const sq_image_probe probe = sq_image_probe_header(bytes, size);
        if (probe.h < 0 || probe.w < 0 || !sq_image_format_name(probe.format))
            abort();
    }
    free(bytes);
}
