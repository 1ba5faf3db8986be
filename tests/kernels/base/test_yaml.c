/* Tests YAML: the depth limit, strings and numbers that read back unchanged, and line numbers of keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/yaml.h"
#include "tests/support/support.h"

static sq_status take_nothing(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    (void)context, (void)path, (void)document, (void)root;
    return SQ_OK;
}

/* libyaml's parse time is quadratic in the nesting depth, so deep nesting must be rejected early. */
Test(yaml, yaml_of_brackets_is_refused_at_once)
{
    enum { DEPTH = 100000 };
    char *folder = make_folder(), path[256], *text = malloc(4 * DEPTH);
    cr_assert_not_null(text);
    (void)snprintf(path, sizeof path, "%s/x.yaml", folder);
    for (int i = 0; i < DEPTH; i++)
        (void)memcpy(text + 4 * (size_t)i, "{a: ", 4);
    MUST(sq_file_replace(path, &(sq_piece){text, 4 * DEPTH}, 1));
    cr_expect_eq(sq_yaml_visit(path, NULL, take_nothing), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "x.yaml:1: brackets are nested more than 64 deep"), "%s",
                       sq_error_text());
    free(text);
    drop_folder(folder);
}

Test(yaml, numbers_are_written_with_the_fewest_digits_that_read_back)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    sq_yaml_put_double(file, 0.1);
    (void)fputc(' ', file);
    sq_yaml_put_float(file, 0.1f);
    (void)fputc(' ', file);
    sq_yaml_put_double(file, 1e-7);
    (void)fclose(file);
    cr_expect_str_eq(text, "0.1 0.1 1.0e-07");
    free(text);
}

Test(yaml, words_are_quoted_only_if_yaml_would_not_read_them_as_text)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    sq_yaml_put_word(file, "relu");
    (void)fputc(' ', file);
    sq_yaml_put_word(file, "true");
    (void)fputc(' ', file);
    sq_yaml_put_string(file, "a\"b");
    (void)fclose(file);
    cr_expect_str_eq(text, "relu \"true\" \"a\\\"b\"");
    free(text);
}

Test(yaml, lines_of_keys_are_found)
{
    static const char text[] = "a: 1\nb:\n  c: 2\na: 3\n";
    cr_expect_eq(sq_yaml_line(text, "a", 1), 1);
    cr_expect_eq(sq_yaml_line(text, "c", 1), 3);
    cr_expect_eq(sq_yaml_line(text, "a", 2), 4);
    cr_expect_eq(sq_yaml_line(text, "d", 1), 0);
}
