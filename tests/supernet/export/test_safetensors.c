/* Tests that safetensors files read back, and that every damage is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/export/safetensors.h"
#include "tests/support/support.h"

static const float values[] = {1, 2.5f, -3, 4, 5, 6};

static void write_tensors(const char *path)
{
    const sq_tensor tensors[] = {{"a.weight", {2, 2}, 2, values, 4}, {"b", {2}, 1, values + 4, 2}};
    const sq_metadata metadata[] = {{"format", "pt"}};
    MUST(sq_safetensors_write(path, tensors, 2, metadata, 1));
}

Test(safetensors, safetensors_read_back_what_was_written)
{
    char *folder = make_folder(), path[256];
    sq_safetensors *file = NULL;
    (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
    write_tensors(path);
    MUST(sq_safetensors_open(&file, path));
    const sq_tensor *a = sq_safetensors_find(file, "a.weight");
    cr_assert_not_null(a);
    cr_expect(a->dim_count == 2 && a->dims[0] == 2 && a->count == 4 && memcmp(a->data, values, 16) == 0);
    cr_expect_null(sq_safetensors_find(file, "c"));
    cr_expect_str_eq(sq_safetensors_metadata(file, "format"), "pt");
    sq_safetensors_close(file);
    drop_folder(folder);
}

/* Writes a file with the given header, 8 bytes of data and a valid checksum. */
static void write_sealed(const char *path, const char *header)
{
    static const char key[] = "\"checksum_fnv1a64\":\"";
    const size_t length = strlen(header), bytes = 8 + length + 8;
    char *text = calloc(1, bytes + 1), digits[17];
    cr_assert_not_null(text);
    text[0] = (char)length;
    (void)memcpy(text + 8, header, length);
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)sq_hash(SQ_HASH_START, text, bytes));
    (void)memcpy(strstr(text + 8, key) + sizeof key - 1, digits, 16);
    MUST(sq_file_replace(path, &(sq_piece){text, bytes}, 1));
    free(text);
}

Test(safetensors, rejects_files_with_a_valid_checksum_and_invalid_tensors)
{
#define SEALED "{\"__metadata__\":{\"checksum_fnv1a64\":\"0000000000000000\"},\"a\":{\"dtype\":\"F32\",\"shape\":"
    static const struct {
        const char *header, *wanted;
    } cases[] = {
        {SEALED "[2],\"data_offsets\":[0,8]}}   ", NULL},
        {SEALED "[2],\"data_offsets\":[0,8]}}  ", "is not aligned to 4 bytes"},
        {SEALED "[\"x\"],\"data_offsets\":[0,0]}}     ", "invalid shape of a tensor"},
        {SEALED "[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  ",
         "outside of all tensors, or in two"},
    };
    char *folder = make_folder(), path[256];
    (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sq_safetensors *file = NULL;
        write_sealed(path, cases[i].header);
        cr_expect_eq(sq_safetensors_open(&file, path), cases[i].wanted ? SQ_INVALID : SQ_OK, "case %zu: %s", i,
                     sq_error_text());
        cr_expect(!cases[i].wanted || strstr(sq_error_text(), cases[i].wanted), "case %zu: %s", i, sq_error_text());
        sq_safetensors_close(file);
    }
    drop_folder(folder);
}

Test(safetensors, safetensors_refuse_every_damaged_byte_and_length)
{
    char *folder = make_folder(), path[256], *text = NULL;
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
    write_tensors(path);
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    for (size_t i = 0; i < bytes; i++)
        for (int how = 0; how < 2; how++) {
            sq_safetensors *file = NULL;
            const char kept = text[i];
            text[i] = (char)(how ? kept ^ 0x20 : kept + 1);
            const sq_piece piece = {text, bytes};
            MUST(sq_file_replace(path, &piece, 1));
            text[i] = kept;
            cr_expect_eq(sq_safetensors_open(&file, path), SQ_INVALID, "byte %zu", i);
            sq_safetensors_close(file);
        }
    for (size_t length = 0; length < bytes; length++) {
        sq_safetensors *file = NULL;
        const sq_piece piece = {text, length};
        MUST(sq_file_replace(path, &piece, 1));
        cr_expect_eq(sq_safetensors_open(&file, path), SQ_INVALID, "length %zu", length);
        sq_safetensors_close(file);
    }
    free(text);
    drop_folder(folder);
}
