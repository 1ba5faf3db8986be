#ifndef SQ_FUZZ_H
#define SQ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/sources/dataset.h"

/* Helpers of the fuzz targets. Each target defines libFuzzer's entry point; replay.c calls it for the files of a
 * corpus. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A file in memory that has a path. */
typedef struct {
    int file;
    char path[64];
} fuzz_file;
bool fuzz_open(fuzz_file *out, const uint8_t *bytes, size_t size);
void fuzz_close(fuzz_file *file);

/* The path of a file in a temporary folder, in /dev/shm if possible. The folder is removed at exit. Valid until the
 * next call. */
const char *fuzz_scratch(const char *name);

/* Aborts if the condition does not hold: the fuzzer then saves the input. */
void fuzz_require(bool holds);

/* Calls check on a copy of the bytes, and again after seal has corrected their checksums, so that the checks after the
 * checksums are reached too. */
void fuzz_sealed(const uint8_t *bytes, size_t size, void (*check)(const uint8_t *, size_t),
                 void (*seal)(uint8_t *, size_t));

/* Reads an image of a data set and its header. */
void fuzz_read(const sq_dataset *dataset, size_t index);

#endif
