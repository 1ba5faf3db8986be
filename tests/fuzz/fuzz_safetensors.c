/* fuzz_safetensors.c - reads any bytes as a safetensors file, unchanged and with a corrected checksum. Tensors must be
 * aligned, inside the file and disjoint. */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "supernet/export/safetensors.h"

enum { DIGITS = 16 };

/* Reads every value, so that a sanitizer detects missing values. */
static void check_tensor(const sq_tensor *t)
{
    size_t count = 1;
    uint32_t sum = 0;
    for (int i = 0; i < t->dim_count; i++)
        count *= (size_t)t->dims[i];
    fuzz_require(count == t->count && (uintptr_t)t->data % sizeof *t->data == 0);
    for (size_t i = 0; i < t->count; i++) {
        uint32_t bits;
        memcpy(&bits, &t->data[i], sizeof bits);
        sum += bits;
    }
    fuzz_require(sum != 1 || t->count > 0);
}

static void check(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    sq_safetensors *tensors = NULL;
    if (!fuzz_open(&file, bytes, size))
        return;
    if (sq_safetensors_open(&tensors, file.path) == SQ_OK) {
        const int count = sq_safetensors_count(tensors);
        for (int i = 0; i < count; i++) {
            const sq_tensor *t = sq_safetensors_at(tensors, i);
            check_tensor(t);
            fuzz_require(sq_safetensors_find(tensors, t->name) == t);
            for (int j = 0; j < i; j++) {
                const sq_tensor *other = sq_safetensors_at(tensors, j);
                fuzz_require(t->data + t->count <= other->data || other->data + other->count <= t->data);
            }
        }
        const char *checksum = sq_safetensors_metadata(tensors, "checksum_fnv1a64");
        fuzz_require(!checksum || strlen(checksum) < size);
        sq_safetensors_close(tensors);
    }
    fuzz_close(&file);
}

/* Corrects the checksum. Like sq_safetensors_write, computes it over the whole file, with zeros in place of the
 * checksum's digits. */
static void seal(uint8_t *bytes, size_t size)
{
    static const char key[] = "\"checksum_fnv1a64\":\"";
    char digits[DIGITS + 1];
    size_t at = 8;
    while (at + sizeof key - 1 + DIGITS <= size && memcmp(bytes + at, key, sizeof key - 1) != 0)
        at++;
    at += sizeof key - 1;
    if (at + DIGITS > size)
        return;
    memset(bytes + at, '0', DIGITS);
    (void)snprintf(digits, sizeof digits, "%016" PRIx64, sq_hash(SQ_HASH_START, bytes, size));
    memcpy(bytes + at, digits, DIGITS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_sealed(bytes, size, check, seal);
    return 0;
}
