/* Tests text functions: suggestions, numbers, paths, CSV, units, hashes. */
#include <string.h>

#include "kernels/base/text.h"
#include "tests/support/support.h"

Test(text, nearest_word_is_suggested_only_when_near)
{
    static const char *const words[] = {"train.batch", "train.steps", "seed"};
    cr_expect_str_eq(sq_text_nearest("train.bacth", words, 3), "train.batch");
    cr_expect_str_eq(sq_text_nearest("sed", words, 3), "seed");
    cr_expect_null(sq_text_nearest("zzzzzz", words, 3));
    char hint[SQ_TEXT_SUGGESTION] = "old";
    cr_expect_str_eq(sq_text_suggestion(hint, sizeof hint, "sed", words, 3), ", did you mean 'seed'?");
    cr_expect_str_eq(sq_text_suggestion(hint, sizeof hint, "zzzzzz", words, 3), "");
    cr_expect_str_eq(sq_text_suggestion(hint, sizeof ", did you mean 'seed'", "sed", words, 3), "", "no half of one");
}

Test(text, numbers_are_read_whole_and_in_range)
{
    int64_t i = 7;
    double d = 7;
    cr_expect(sq_text_int("12", 0, 12, &i) && i == 12);
    cr_expect(!sq_text_int("13", 0, 12, &i) && !sq_text_int("1x", 0, 12, &i) && !sq_text_int("", 0, 12, &i) && i == 12);
    cr_expect(!sq_text_int("99999999999999999999", 0, INT64_MAX, &i));
    cr_expect(sq_text_double("4e-5", 0, 1, &d) && d == 4e-5);
    cr_expect(!sq_text_double("nan", 0, 1, &d) && !sq_text_double("2", 0, 1, &d) && !sq_text_double("0.5 ", 0, 1, &d));
}

Test(text, path_joins_a_folder_and_a_name_or_says_what_is_too_long)
{
    char path[16];
    MUST(sq_text_path(path, sizeof path, "runs", "a.yaml"));
    cr_assert_str_eq(path, "runs/a.yaml");
    MUST(sq_text_path(path, sizeof path, "runs/", "a.yaml"));
    cr_assert_str_eq(path, "runs/a.yaml");
    MUST(sq_text_path(path, sizeof path, "0123456789", "abcd"));
    cr_assert(sq_text_path(path, sizeof path, "0123456789", "abcde") == SQ_INVALID);
    cr_assert_str_eq(sq_error_text(), "0123456789/abcde: the path is too long: found 16 bytes, expected at most 15");
}

Test(text, rows_skip_comments_and_count_lines)
{
    char text[] = "# a\n\r\none\r\n\n#\ntwo", empty[] = "";
    char *next = text, *none = empty;
    int line = 0;
    cr_expect_str_eq(sq_text_next_row(&next, &line), "one");
    cr_expect_eq(line, 3);
    cr_expect_str_eq(sq_text_next_row(&next, &line), "two");
    cr_expect_eq(line, 6);
    cr_expect_null(sq_text_next_row(&next, &line));
    cr_expect_null(sq_text_next_row(&next, &line), "again");
    cr_expect_null(sq_text_next_row(&none, &line));
    cr_expect_eq(line, 6);
}

Test(text, csv_fields_lose_their_quotes)
{
    char row[] = "a,\"b,\"\"c\"\"\",,d", open[] = "a,\"b";
    char *fields[3] = {NULL};
    cr_assert_eq(sq_text_csv(row, fields, 3), 4, "fields beyond the limit are counted");
    cr_expect_str_eq(fields[0], "a");
    cr_expect_str_eq(fields[1], "b,\"c\"");
    cr_expect_str_eq(fields[2], "");
    cr_expect_eq(sq_text_csv(open, fields, 3), -1);
}

Test(text, quantities_have_three_digits_and_a_prefix)
{
    char out[32];
    cr_expect_str_eq(sq_text_si(out, sizeof out, 1234567, "B"), "1.23 MB");
    cr_expect_str_eq(sq_text_si(out, sizeof out, 45600, "B"), "45.6 kB");
    cr_expect_str_eq(sq_text_si(out, sizeof out, 7, ""), "7 ");
    cr_expect_str_eq(sq_text_duration(out, sizeof out, 14.4), "14 s");
    cr_expect_str_eq(sq_text_duration(out, sizeof out, 200), "3 min 20 s");
    cr_expect_str_eq(sq_text_duration(out, sizeof out, 7500), "2 h 05 min");
}

/* The expected values are from the FNV-1a test suite. */
Test(text, hash_known_answers)
{
    cr_expect_eq(sq_hash(SQ_HASH_START, "", 0), UINT64_C(0xcbf29ce484222325));
    cr_expect_eq(sq_hash(SQ_HASH_START, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    cr_expect_eq(sq_hash(sq_hash(SQ_HASH_START, "foo", 3), "bar", 3), UINT64_C(0x85944171f73967e8));
}
