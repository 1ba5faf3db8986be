#ifndef SQ_FUZZ_H
#define SQ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/sources/dataset.h"

/* Helpers of the fuzz targets. Each target defines libFuzzer's entry point. replay.c calls this entry point with the
 * files of a corpus. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A file in memory that can be opened by its path. */
typedef struct {
    int file;
    char path[64];
} fuzz_file;
bool fuzz_open(fuzz_file *out, const uint8_t *bytes, size_t size);
void fuzz_close(fuzz_file *file);

/* Returns the path of a file in a temporary folder, which is in /dev/shm if possible. The path is valid until the next
 * call. The folder is removed at exit. */
const char *fuzz_scratch(const char *name);

/* Aborts if `holds` is false. The fuzzer then saves the input. */
void fuzz_require(bool holds);

/* Calls check on a copy of the bytes, and calls it again after seal has corrected the checksums in the copy. The second
 * call reaches checks that come after the comparison of checksums. */
void fuzz_sealed(const uint8_t *bytes, size_t size, void (*check)(const uint8_t *, size_t),
                 void (*seal)(uint8_t *, size_t));

/* Reads one image of a data set, and the image's header. */
void fuzz_read(const sq_dataset *dataset, size_t index);

#endif
