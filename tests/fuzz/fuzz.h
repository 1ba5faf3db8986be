#ifndef SQ_FUZZ_H
#define SQ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/sources/dataset.h"

/* What fuzz_*.c share. Each defines libFuzzer's entry, which a plain program calls for every file of the corpus. */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A file in memory, with a path. */
typedef struct {
    int file;
    char path[64];
} fuzz_file;
bool fuzz_open(fuzz_file *out, const uint8_t *bytes, size_t size);
void fuzz_close(fuzz_file *file);

/* The path of a file in a folder of this process, which lies in memory where the system has such a place, and which
 * goes with it. Valid until the next call. */
const char *fuzz_scratch(const char *name);

/* Ends the program unless what a header promises holds. */
void fuzz_promise(bool is_kept);

/* Looks at the bytes as they are, and again with their checksums made right, so that the checks behind them are met. */
void fuzz_sealed(const uint8_t *bytes, size_t size, void (*look)(const uint8_t *, size_t),
                 void (*seal)(uint8_t *, size_t));

/* Reads an image's bytes and looks at all of them. */
void fuzz_read(const sq_dataset *dataset, size_t index);

#endif
