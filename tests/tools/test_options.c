/* Tests option tables: values, ranges, errors, overrides. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "tests/support/support.h"
#include "tools/commands/command.h"
#include "tools/run/options.h"

typedef struct {
    const char *out;
    int count, is_resumed;
    int64_t steps;
    double share;
    bool is_quiet;
} arguments;

static const sq_option table[] = {SQ_TEXT("-o", out),
                                  SQ_TEXT("--out", out),
                                  SQ_INT("--count", count, 1, 9),
                                  SQ_LONG("--steps", steps, 1, 1e12),
                                  SQ_REAL("--share", share, 0, 1),
                                  SQ_WORD("--resume", is_resumed, "never auto"),
                                  SQ_FLAG("--quiet", is_quiet),
                                  SQ_KEY("--fill", "latency.fill"),
                                  SQ_KEY("--seed", "own.seed"),
                                  SQ_OPTIONS_END};

static int read_words(sq_options *out, arguments *a, const char *const *words, bool has_config)
{
    const sq_option_set set = {"test", table, has_config};
    int count = 0;
    while (words[count])
        count++;
    cr_redirect_stderr();
    return sq_options_read(out, a, &set, count, (char **)words);
}

Test(options, reads_every_type)
{
    sq_options options = {0};
    arguments a = {.count = 5};
    const char *const words[] = {"test", "one",     "-o",  "folder",   "--count=7", "--steps", "1000000000000",
                                 "two",  "--share", "0.5", "--resume", "auto",      "--quiet", NULL};
    cr_assert_eq(read_words(&options, &a, words, false), 0);
    cr_expect(strcmp(a.out, "folder") == 0 && a.count == 7 && a.steps == INT64_C(1000000000000) && a.share == 0.5 &&
              a.is_resumed == 1 && a.is_quiet);
    cr_expect(options.argument_count == 2 && strcmp(options.arguments[1], "two") == 0 && options.override_count == 0);
    sq_options_clear(&options);
}

Test(options, rejects_bad_values)
{
    static const char *const cases[][4] = {
        {"test", "--count", "0", NULL},    {"test", "--count=10", NULL},     {"test", "--count", "3x", NULL},
        {"test", "--share", "1.5", NULL},  {"test", "--share", "nan", NULL}, {"test", "--resume", "maybe", NULL},
        {"test", "--steps", "1e3", NULL},  {"test", "--out", NULL},          {"test", "--unknown", NULL},
        {"test", "--device", "cpu", NULL}, {"test", "--resume", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sq_options options = {0};
        arguments a = {.count = 5};
        cr_expect_eq(read_words(&options, &a, cases[i], false), 2, "case %zu", i);
        cr_expect(a.count == 5 && a.share == 0 && a.is_resumed == 0, "case %zu changed a field", i);
        sq_options_clear(&options);
    }
}

Test(options, collects_overrides_in_order)
{
    sq_options options = {0};
    arguments a = {0};
    const char *const words[] = {"test",  "--set",  "train.steps=3", "--fill", "roofline", "--device=cpu",
                                 "--set", "fill=2", "--seed",        "4",      NULL};
    cr_assert_eq(read_words(&options, &a, words, true), 0);
    static const char *const expected[] = {"train.steps=3", "latency.fill=roofline", "device=cpu", "fill=2",
                                           "own.seed=4"}; /* the --seed of the command replaces the common --seed */
    cr_assert_eq(options.override_count, 5);
    for (int i = 0; i < 5; i++)
        cr_expect_str_eq(options.overrides[i], expected[i]);
    cr_expect_str_eq(sq_options_find(&options, "device"), "cpu");
    cr_expect_null(sq_options_find(&options, "fil"));
    sq_options_clear(&options);
}

Test(options, grows_and_truncates_the_overrides)
{
    sq_options options = {0};
    char value[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(value, sizeof value, "%d", i);
        MUST(sq_options_add(&options, "key", value));
    }
    cr_expect_str_eq(sq_options_find(&options, "key"), "999");
    sq_options_truncate(&options, 10);
    cr_expect(options.override_count == 10 && strcmp(sq_options_find(&options, "key"), "9") == 0);
    sq_options_clear(&options);
    cr_expect(!options.overrides && options.override_count == 0);
}

Test(options, lists_own_options_and_hides_common_ones)
{
    const sq_option_set set = {"test", table, true}, own = {"test", table, false};
    int count = 0, seeds = 0, own_count = 0;
    for (const sq_option *o = sq_option_at(&set, 0); o; o = sq_option_at(&set, ++count))
        seeds += strcmp(o->name, "--seed") == 0;
    while (sq_option_at(&own, own_count))
        own_count++;
    cr_expect(seeds == 1 && own_count == 9 && count == 9 + 5, "%d options, %d own, %d --seed", count, own_count, seeds);
}

/* ---- Commands ---- */

static int run_command(const sq_options *options, const void *given)
{
    const arguments *a = given;
    return options->argument_count == 1 && a->count == 3 && a->is_quiet ? 0 : 1;
}

Test(options, a_command_gets_defaults_and_the_number_of_arguments)
{
    static const arguments defaults = {.count = 3};
    const sq_command command = {.name = "test",
                                .options = table,
                                .defaults = &defaults,
                                .arguments_bytes = sizeof(arguments),
                                .argument_min = 1,
                                .argument_max = 1,
                                .expected = "one word",
                                .run = run_command};
    char *none[] = {"test", "--quiet", NULL}, *one[] = {"test", "--quiet", "a", NULL},
         *two[] = {"test", "a", "b", NULL};
    cr_redirect_stderr();
    cr_expect_eq(sq_command_run(&command, "test", 3, one), 0);
    cr_expect_eq(sq_command_run(&command, "test", 2, none), 2);
    cr_expect_eq(sq_command_run(&command, "test", 3, two), 2);
    cr_expect_eq(defaults.count, 3);
}
