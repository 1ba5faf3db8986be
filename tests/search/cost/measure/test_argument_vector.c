/* Tests splitting a command line and filling in its placeholders. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/measure/argument_vector.h"
#include "tests/support/support.h"

static void expect_arguments(const char *text, int count, const char *const *wanted)
{
    char **words = NULL;
    MUST(sq_argument_vector_split(&words, text, "test"));
    for (int i = 0; i < count; i++) {
        cr_assert_not_null(words[i], "%s: %d words", text, i);
        cr_assert_str_eq(words[i], wanted[i], "%s", text);
    }
    cr_assert_null(words[count], "%s", text);
    sq_argument_vector_free(words);
}

Test(argument_vector, splits_as_a_shell_does)
{
    expect_arguments("a  b\tc\nd", 4, (const char *[]){"a", "b", "c", "d"});
    expect_arguments(" 'a b' \"c d\" e\\ f ", 3, (const char *[]){"a b", "c d", "e f"});
    expect_arguments("a'b'\"c\"d ''", 2, (const char *[]){"abcd", ""});
    expect_arguments("'a\\b' \"a\\b\\\"\\\\\" \\'", 3, (const char *[]){"a\\b", "a\\b\"\\", "'"});
    expect_arguments("sh -c 'echo \"$1\" * ; x' sh", 4, (const char *[]){"sh", "-c", "echo \"$1\" * ; x", "sh"});
    expect_arguments("a\\", 1, (const char *[]){"a\\"});
}

Test(argument_vector, rejects_open_quotes_and_nothing)
{
    static const char *const bad[] = {"a 'b", "a \"b", "", "   ", "'' a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char **words = NULL;
        cr_assert_eq(sq_argument_vector_split(&words, bad[i], "here"), SQ_INVALID, "%s", bad[i]);
        cr_assert_null(words);
        cr_assert_not_null(strstr(sq_error_text(), "here: "), "%s", sq_error_text());
    }
}

Test(argument_vector, replaces_inside_words_once)
{
    char **words = NULL, **filled = NULL;
    const sq_argument_value values[] = {
        {"model", "a b {threads} '$(x)'"}, {"threads", "7"}, {"unset", NULL}, {NULL, NULL}};
    MUST(sq_argument_vector_split(&words, "run --m={model}={threads} {threads}{threads} ${model} {other} {unset} {}",
                                  "test"));
    MUST(sq_argument_vector_fill(&filled, words, values));
    static const char *const wanted[] = {"run", "--m=a b {threads} '$(x)'=7", "77", "${model}", "{other}", "{unset}",
                                         "{}"};
    for (int i = 0; i < 7; i++)
        cr_assert_str_eq(filled[i], wanted[i]);
    cr_assert_null(filled[7]);
    sq_argument_vector_free(words);
    sq_argument_vector_free(filled);
}
