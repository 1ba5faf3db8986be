/* Tests that every kind has a complete row in the table of kinds, and tests what the table is used for. */
#include "supernet/space/block_kinds.h"

#include <stdio.h>
#include <string.h>

#include "search/cost/block_key.h"
#include "tests/support/support.h"

Test(block_kinds, every_row_is_complete)
{
    for (int kind = 0; kind < SQ_BLOCK_KINDS; kind++) {
        const sq_block_kind_row *row = sq_block_kind_of((sq_block_kind)kind);
        const char *name = sq_block_name((sq_block_kind)kind);
        cr_assert_not_null(name);
        cr_expect(row->label && row->describe && row->middle, "%s", name);
        cr_expect_lt((int)row->family, SQ_BLOCK_KINDS, "%s", name);
        for (int i = 0; i < SQ_BLOCK_TINTS; i++)
            cr_expect(row->tints[i] && row->tints[i][0] == '#' && strlen(row->tints[i]) == 7, "%s", name);
    }
}

Test(block_kinds, words_are_unique_and_find_their_kind)
{
    for (int kind = 0; kind < SQ_BLOCK_KINDS; kind++)
        cr_expect_eq((int)sq_block_find(sq_block_name((sq_block_kind)kind)), kind);
    cr_expect_eq((int)sq_block_find("conf"), SQ_BLOCK_KINDS);
    cr_expect_eq((int)sq_block_find(""), SQ_BLOCK_KINDS);
}

static bool is_conv_or_sep(const sq_block_kind_row *row)
{
    return row == &sq_block_conv || row == &sq_block_sep;
}

static bool is_sep(const sq_block_kind_row *row)
{
    return row == &sq_block_sep;
}

static bool is_none(const sq_block_kind_row *row)
{
    (void)row;
    return false;
}

Test(block_kinds, lists_are_for_messages)
{
    char text[256], small[8];
    cr_expect_str_eq(sq_block_list(text, sizeof text, is_conv_or_sep), "conv or sep");
    cr_expect_str_eq(sq_block_list(text, sizeof text, is_sep), "sep");
    cr_expect_str_eq(sq_block_list(text, sizeof text, is_none), "");
    cr_expect_str_eq(sq_block_list(small, sizeof small, is_conv_or_sep), "conv or");
}

/* Reads a space whose layer 1 has the kind twice, with expansions 2 and 4. */
static sq_space *read_two_expansions(const char *kind)
{
    char *folder = make_folder(), path[256];
    sq_space *space = NULL;
    (void)snprintf(path, sizeof path, "%s/space.yaml", folder);
    FILE *file = fopen(path, "w");
    (void)fprintf(file,
                  "name: two\nresolution: 8\nclasses: 2\nchoices:\n  - {name: stem, kind: conv}\n"
                  "  - {name: narrow, kind: %s, expansion: 2}\n  - {name: wide, kind: %s, expansion: 4}\n"
                  "layers:\n  - {width: 16, choices: [stem]}\n  - {width: 16, choices: [narrow, wide]}\n",
                  kind, kind);
    (void)fclose(file);
    MUST(sq_space_read(&space, path, 0, 0));
    drop_folder(folder);
    return space;
}

Test(block_kinds, blocks_that_differ_in_expansion_differ_in_latency_key)
{
    for (int kind = 0; kind < SQ_BLOCK_KINDS; kind++) {
        if (!sq_block_kind_of((sq_block_kind)kind)->takes_expansion)
            continue;
        sq_space *space = read_two_expansions(sq_block_name((sq_block_kind)kind));
        const sq_block_key a = sq_block_key_of(space, 1, 0), b = sq_block_key_of(space, 1, 1);
        cr_expect_neq(sq_block_key_compare(&a, &b), 0, "%s", sq_block_name((sq_block_kind)kind));
        cr_expect(a.mid > 0 && b.mid > a.mid, "%s: %d, %d", sq_block_name((sq_block_kind)kind), a.mid, b.mid);
        sq_space_free(space);
    }
}

/* Writes a space whose layer 1 has two operators of kind uib, and reads it. */
static sq_status read_uib(const char *first, const char *second, int stride, sq_space **out)
{
    char *folder = make_folder(), path[256];
    (void)snprintf(path, sizeof path, "%s/space.yaml", folder);
    FILE *file = fopen(path, "w");
    (void)fprintf(
        file,
        "name: two\nresolution: 8\nclasses: 2\nchoices:\n  - {name: stem, kind: conv}\n  - {name: a, kind: uib%s}\n"
        "  - {name: b, kind: uib%s}\nlayers:\n  - {width: 16, choices: [stem]}\n"
        "  - {width: 16, stride: %d, choices: [a, b]}\n",
        first, second, stride);
    (void)fclose(file);
    const sq_status status = sq_space_read(out, path, 0, 0);
    drop_folder(folder);
    return status;
}

Test(block_kinds, uib_blocks_that_differ_in_a_kernel_differ_in_latency_key_and_hash)
{
    static const char *const kernels[] = {"", ", start_kernel: 3", ", mid_kernel: 3",
                                          ", start_kernel: 3, mid_kernel: 5", ", start_kernel: 5, mid_kernel: 3"};
    enum { COUNT = sizeof kernels / sizeof *kernels };
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < i; k++) {
            sq_space *space = NULL, *swapped = NULL;
            MUST(read_uib(kernels[i], kernels[k], 1, &space));
            MUST(read_uib(kernels[k], kernels[i], 1, &swapped));
            const sq_block_key a = sq_block_key_of(space, 1, 0), b = sq_block_key_of(space, 1, 1);
            cr_expect_neq(sq_block_key_compare(&a, &b), 0, "'%s' and '%s'", kernels[i], kernels[k]);
            cr_expect_neq(sq_space_hash(space), sq_space_hash(swapped), "'%s' and '%s'", kernels[i], kernels[k]);
            sq_space_free(space);
            sq_space_free(swapped);
        }
}

Test(block_kinds, uib_refuses_what_it_cannot_do)
{
    static const struct {
        const char *parameters;
        int stride;
        const char *text;
    } rows[] = {{"", 2, "uib without start_kernel and mid_kernel needs stride 1"},
                {", kernel: 3", 1, "kind uib has no kernel; use start_kernel and mid_kernel"},
                {", mid_kernel: 4", 1, "mid_kernel 4, expected 0, 3, 5 or 7"},
                {", start_kernel: 1", 1, "start_kernel 1, expected 0, 3, 5 or 7"},
                {", mid_kernel: 3, se: true", 1, "kind uib has no se"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sq_space *space = NULL;
        cr_expect_eq(read_uib(rows[i].parameters, ", mid_kernel: 5", rows[i].stride, &space), SQ_INVALID);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "%s", sq_error_text());
    }
}

/* Every checkpoint contains the space's hash, so the hash must not change for spaces of older versions. */
Test(block_kinds, hashes_of_older_spaces_do_not_change)
{
    const struct {
        const char *path;
        uint64_t hash;
    } rows[] = {{SOURCE("configs/spaces/spos.yaml"), 0x402987d17f70957b},
                {SOURCE("configs/spaces/proxyless.yaml"), 0xf935c193e07c9de8},
                {SOURCE("configs/spaces/hurricane-pool.yaml"), 0x9b21da3ca5a38046}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sq_space *space = NULL;
        MUST(sq_space_read(&space, rows[i].path, 0, 0));
        cr_expect_eq(sq_space_hash(space), rows[i].hash, "%s", rows[i].path);
        sq_space_free(space);
    }
}
