/* Tests configurations: keys, overrides, old names, writing and reading. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "tests/support/support.h"
#include "tools/run/config/config.h"
#include "tools/run/config/keys.h"
#include "tools/run/config/renamed.h"
#include "tools/run/config/value.h"
#include "tools/run/config/writer.h"

TestSuite(config, .init = open_test_folder, .fini = close_test_folder);

static const char *write_config(const char *name, const char *text)
{
    static char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", test_folder, name);
    put_text(test_folder, name, text);
    return path;
}

static sq_config *read_with(const char *path, const char *override)
{
    sq_config *config = NULL;
    MUST(sq_config_read(&config, path, &override, override ? 1 : 0));
    return config;
}

static void expect_refused(const char *path, const char *override, const char *text)
{
    sq_config *config = NULL;
    cr_expect_eq(sq_config_read(&config, path, &override, override ? 1 : 0), SQ_INVALID, "%s", text);
    cr_expect_not_null(strstr(sq_error_text(), text), "found '%s', expected '%s'", sq_error_text(), text);
    cr_expect_null(config);
}

Test(config, every_key_has_a_default_and_a_meaning)
{
    sq_config *config = read_with(NULL, NULL);
    for (int i = 0; i < sq_key_count; i++) {
        int device;
        cr_expect(*sq_keys[i].meaning && strchr(sq_keys[i].meaning, '\n') == NULL, "%s", sq_keys[i].key);
        cr_expect_eq(sq_key_find(sq_keys[i].key, &device), &sq_keys[i], "%s is listed twice", sq_keys[i].key);
        MUST(sq_value_set(config, &sq_keys[i], 0, sq_keys[i].initial, "default"));
    }
    sq_config_free(config);
}

Test(config, finds_keys_of_devices)
{
    int device = 9;
    cr_expect_str_eq(sq_key_find("latency.2.limit_ms", &device)->key, "latency.limit_ms");
    cr_expect_eq(device, 1);
    cr_expect_str_eq(sq_key_find("latency", &device)->key, "latency.device");
    cr_expect_eq(device, 0);
    cr_expect_null(sq_key_find("latency.0.limit_ms", &device));
    cr_expect_null(sq_key_find("latency.2.nothing", &device));
}

Test(config, names_what_was_found_and_expected)
{
    const char *path = write_config("bad.yaml", "train:\n  batch: 8\n  stesp: 5\n");
    expect_refused(path, NULL, "bad.yaml:3: unknown key 'train.stesp', did you mean 'train.steps'?");
    expect_refused(NULL, "train.batch=1", "--set: train.batch: found '1', expected a whole number from 2 to 65536");
    expect_refused(NULL, "train.schedule=cosin", "found 'cosin', expected one of: constant linear cosine");
    expect_refused(NULL, "train.batch", "--set: found 'train.batch', expected key=value");
    expect_refused(NULL, "data.mean=1, 2", "data.mean: found '1, 2', expected three numbers");
    expect_refused(NULL, "train.warmup_steps=150001", "train.warmup_steps: found 150001, expected at most train.steps");
    expect_refused(NULL, "latency.limit_ms=3", "latency: found a limit without a device; give --latency");
}

Test(config, accepts_old_keys_with_a_hint)
{
    const char *path = write_config(
        "old.yaml", "scope:\n  free: 1-4\n  fixed: \"(0, 1)\"\npublished:\n  name: Other\n  top1: 0\n  source: \"\"\n");
    char text[1024] = "";
    cr_redirect_stderr();
    sq_config *config = read_with(path, NULL);
    (void)fflush(stderr);
    FILE *file = cr_get_redirected_stderr();
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    cr_expect_str_eq(config->layers_search, "1-4");
    cr_expect_str_eq(config->layers_fixed, "(0, 1)");
    cr_expect_not_null(
        strstr(text, "old.yaml:2: key scope.free is now layers.search; it is accepted in this version\n"));
    cr_expect_not_null(
        strstr(text, "old.yaml:3: key scope.fixed is now layers.fixed; it is accepted in this version\n"));
    cr_expect_not_null(strstr(text, "old.yaml:5: key published.name no longer has an effect; remove it\n"));
    cr_expect_null(strstr(text, "top1"), "a key without a value needs no hint");
    sq_config_free(config);
}

Test(config, old_names_are_no_current_keys)
{
    static const char *const old[] = {"scope.free", "scope.fixed", "published.name"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
        const char *name = old[i];
        int device;
        cr_expect_null(sq_key_find(old[i], &device));
        cr_expect(sq_renamed_find(old[i], &name) && (!name || sq_key_find(name, &device)), "%s", old[i]);
    }
    const char *name = "train.steps";
    cr_expect(!sq_renamed_find("train.steps", &name) && strcmp(name, "train.steps") == 0);
}

Test(config, writes_each_section_once_and_reads_it_back)
{
    char path[600], *text, *again;
    sq_config *config = read_with(NULL, "train.from=/some/run"), *copy;
    (void)snprintf(path, sizeof path, "%s/written.yaml", test_folder);
    MUST(sq_config_write(config, path));
    text = read_text(test_folder, "written.yaml");
    const char *first = strstr(text, "\ntrain:\n");
    cr_assert_not_null(first);
    cr_expect_null(strstr(first + 1, "\ntrain:\n"));
    copy = read_with(path, NULL);
    MUST(sq_config_write(copy, path));
    again = read_text(test_folder, "written.yaml");
    cr_expect_str_eq(text, again);
    cr_expect_null(sq_config_difference(config, copy));
    free(text);
    free(again);
    sq_config_free(config);
    sq_config_free(copy);
}

Test(config, only_keys_that_decide_a_training_differ)
{
    static const struct {
        const char *override, *key;
    } rows[] = {{"train.lr=0.25", "train.lr"}, {"seed=7", "seed"},         {"data.flip=0.25", "data.flip"},
                {"train.keep=7", NULL},        {"data.cache=ram", NULL},   {"search.population=7", NULL},
                {"device=cpu", NULL},          {"train.log_every=7", NULL}};
    sq_config *config = read_with(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sq_config *other = read_with(NULL, rows[i].override);
        const char *key = sq_config_difference(config, other);
        cr_expect(rows[i].key ? key && strcmp(key, rows[i].key) == 0 : !key, "%s: %s", rows[i].override,
                  key ? key : "none");
        sq_config_free(other);
    }
    sq_config_free(config);
}

Test(config, compares_objectives_and_points_as_a_whole)
{
    int device;
    const sq_key *objectives = sq_key_find("search.objectives", &device),
                 *point = sq_key_find("search.reference", &device);
    sq_config *a = read_with(NULL, "search.objectives=accuracy, macs"),
              *b = read_with(NULL, "search.objectives=accuracy, memory");
    cr_expect(sq_value_is_same(a, a, objectives) && !sq_value_is_same(a, b, objectives));
    sq_config_free(b);
    b = read_with(NULL, "search.reference=0, 5");
    cr_expect(sq_value_is_same(b, b, point) && !sq_value_is_same(a, b, point));
    sq_config_free(a);
    sq_config_free(b);
}
