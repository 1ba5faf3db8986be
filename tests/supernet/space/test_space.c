/* Tests spaces and architectures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "supernet/space/cost.h"
#include "tests/support/support.h"

static sq_space *read_space(const char *path)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, path, 0, 0));
    return space;
}

Test(space, proxyless_has_21_searched_layers_and_skips_only_where_they_fit)
{
    sq_space *space = read_space(SOURCE("configs/spaces/proxyless.yaml"));
    cr_expect_eq(space->searched_count, 21);
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        const bool fits = layer->stride == 1 && layer->c_in == layer->c_out;
        if (layer->choice_count > 1)
            cr_expect_eq(layer->choice_count, fits ? 7 : 6);
    }
    sq_space_free(space);
}

Test(space, nni_dialect_gives_the_same_path)
{
    sq_space *space = read_space(SOURCE("configs/spaces/spos.yaml"));
    int a[SQ_MAX_LAYERS], b[SQ_MAX_LAYERS];
    char nni[4096], tuple[256];
    MUST(sq_arch_read(space, "(2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)", a));
    (void)sq_arch_print_nni(space, a, nni, sizeof nni);
    cr_expect_not_null(strstr(nni, "\"LayerChoice1\": \"2\""));
    cr_expect_not_null(strstr(nni, "\"LayerChoice20\": \"3\""));
    MUST(sq_arch_read(space, nni, b));
    cr_expect_eq(memcmp(a, b, (size_t)space->layer_count * sizeof *a), 0);
    (void)sq_arch_print(space, b, tuple, sizeof tuple);
    cr_expect_str_eq(tuple, "(2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)");
    sq_space_free(space);
}

Test(space, bad_architectures_are_refused)
{
    static const struct {
        const char *arch, *text;
    } rows[] = {
        {"1,2", "2 numbers, expected 20"},
        {"(0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,4)", "4 at position 20, expected 0..3"},
        {"0,0,0,x", "'x' at position 4"},
        {"{\"LayerChoice1\": \"2\", \"LayerChoice3\": \"1\"}", "no 'LayerChoice2'"},
        {"{broken", "architecture:1:"},
        {"no/such/file.json", "no/such/file.json"},
    };
    sq_space *space = read_space(SOURCE("configs/spaces/spos.yaml"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int path[SQ_MAX_LAYERS] = {7};
        cr_expect_neq(sq_arch_read(space, rows[i].arch, path), SQ_OK, "%s", rows[i].arch);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "%s: %s", rows[i].arch, sq_error_text());
        cr_expect_eq(path[0], 7, "touched on failure");
    }
    sq_space_free(space);
}

Test(space, numbers_become_a_path_up_to_the_first_that_is_no_choice)
{
    sq_space *space = read_space(SOURCE("configs/spaces/spos.yaml"));
    int numbers[SQ_MAX_LAYERS], path[SQ_MAX_LAYERS], read[SQ_MAX_LAYERS];
    for (int i = 0; i < space->searched_count; i++)
        numbers[i] = i % 4;
    cr_expect_eq(sq_arch_path(space, numbers, path), SQ_NONE);
    MUST(sq_arch_read(space, "0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3,0,1,2,3", read));
    cr_expect_eq(memcmp(path, read, (size_t)space->layer_count * sizeof *path), 0);
    for (int wrong = -1; wrong <= 4; wrong += 5) {
        numbers[7] = wrong;
        const int layer = sq_arch_path(space, numbers, path);
        cr_assert_neq(layer, SQ_NONE, "%d", wrong);
        cr_expect_eq(space->layers[layer].searched_index, 7);
        cr_expect_eq(path[layer], wrong);
    }
    sq_space_free(space);
}

/* Each row makes a valid space invalid by replacing one text, and gives a part of the expected message. */
static const struct {
    const char *from, *to, *text;
} invalid_spaces[] = {
    {"choices:\n", "chioces:\n", "unknown key 'chioces', did you mean 'choices'?"},
    {"kernel: 3}", "kernal: 3}", "did you mean 'kernel'?"},
    {"resolution: 16", "resolution: big", ":4: resolution: Invalid INT value: 'big'"},
    {"resolution: 16", "resolution: 0", "resolution 0, expected 1.."},
    {"classes: 4", "classes: -4", "classes -4, expected 1.."},
    {"kind: xception", "kind: exception", "Invalid ENUM value: exception"},
    {"kernel: 5, se: true", "kernel: 4, se: true", "kernel 4, expected 1, 3, 5 or 7"},
    {"{width: 8, choices: [stem]}", "{width: 8, stride: 3, choices: [stem]}", "stride 3, expected 1 or 2"},
    {"{width: 8, choices: [stem]}", "{width: 0, choices: [stem]}", "width 0, expected 1.."},
    {"{width: 8, choices: [stem]}", "{width: 8, choices: [stam]}", "unknown choice 'stam', did you mean 'stem'?"},
    {"{width: 8, choices: [stem]}", "{width: 8, choices: []}", "choices"},
    {"{width: 24, repeat: 2,", "{width: 32, repeat: 2,", "keeps the width"},
    {"{width: 16, choices: [head]}", "{width: 16, choices: [skip]}", "no choice fits this layer"},
    {"name: tiny\n", "", "Missing required mapping field: name"},
    {"- {name: head, kind: conv, kernel: 1}", "- {name: stem, kind: conv, kernel: 1}", "'stem' is defined twice"},
};

Test(space, impossible_spaces_are_refused_by_name)
{
    char *text = NULL, *folder = make_folder(), path[256];
    size_t bytes = 0;
    MUST(sq_file_read(SOURCE("configs/spaces/tiny.yaml"), 1 << 20, &text, &bytes));
    (void)snprintf(path, sizeof path, "%s/space.yaml", folder);
    for (size_t i = 0; i < sizeof invalid_spaces / sizeof *invalid_spaces; i++) {
        const char *at = strstr(text, invalid_spaces[i].from);
        cr_assert_not_null(at, "%s", invalid_spaces[i].from);
        const sq_piece pieces[3] = {{text, (size_t)(at - text)},
                                    {invalid_spaces[i].to, strlen(invalid_spaces[i].to)},
                                    {at + strlen(invalid_spaces[i].from), strlen(at + strlen(invalid_spaces[i].from))}};
        sq_space *space = NULL;
        MUST(sq_file_replace(path, pieces, 3));
        cr_expect_neq(sq_space_read(&space, path, 0, 0), SQ_OK, "%s", invalid_spaces[i].to);
        cr_expect_null(space);
        cr_expect_not_null(strstr(sq_error_text(), invalid_spaces[i].text), "%s: %s", invalid_spaces[i].to,
                           sq_error_text());
        cr_expect_not_null(strstr(sq_error_text(), "space.yaml"), "%s", sq_error_text());
    }
    free(text);
    drop_folder(folder);
}

/* Writes every space and reads it again. The result must be equal in every bit of every number. */
Test(space, written_spaces_read_back)
{
    static const char *const files[] = {"configs/spaces/bench-widths.yaml",
                                        "configs/spaces/hurricane-pool.yaml",
                                        "configs/spaces/proxyless.yaml",
                                        "configs/spaces/samples.yaml",
                                        "configs/spaces/spos.yaml",
                                        "configs/spaces/tiny.yaml",
                                        "configs/spaces/tunas-proxyless.yaml",
                                        "configs/spaces/networks/proxyless-mobile.yaml",
                                        "tests/fixtures/odd_widths_pad.yaml",
                                        "tests/fixtures/odd_widths_keep.yaml",
                                        "tests/fixtures/oracle.yaml",
                                        "tests/fixtures/oracle_fused_mb.yaml",
                                        "tests/fixtures/oracle_uib.yaml"};
    char *folder = make_folder(), path[600];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE(""), files[i]);
        sq_space *space = read_space(path);
        (void)snprintf(path, sizeof path, "%s/%zu.yaml", folder, i);
        MUST(sq_space_write(space, "one line\nanother", path));
        sq_space *again = read_space(path);
        cr_expect_eq(sq_space_hash(again), sq_space_hash(space), "%s", files[i]);
        cr_expect_str_eq(again->source, space->source);
        cr_expect_eq(again->searched_count, space->searched_count);
        cr_expect(again->init == space->init && again->resolution == space->resolution &&
                  again->layers[0].pitch_out == space->layers[0].pitch_out);
        sq_space_free(again);
        sq_space_free(space);
    }
    drop_folder(folder);
}

Test(space, divisible_is_mobilenets_rule)
{
    static const int rows[][2] = {{1, 8},     {11, 16}, {12, 16}, {20, 24}, {36, 40},
                                  {116, 120}, {32, 32}, {90, 88}, {17, 16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(sq_divisible(rows[i][0]), rows[i][1], "%d gives %d", rows[i][0], sq_divisible(rows[i][0]));
}
