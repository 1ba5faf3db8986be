/* criterion.h - the part of Criterion's interface that the tests need. Tests run in one process, without forking.
 *
 * ThreadSanitizer and Criterion's process arena need the same addresses ("Could not initialize inheritable arena").
 * Therefore, the TSan build puts this folder first on the include path. test_cuda_gpu also uses this folder, because it
 * must run without Criterion. The sources of the tests are the same as with Criterion. A failed expectation ends the
 * program; with --keep-going, a failed assertion ends only its test. Tests with .signal or .exit_code are skipped,
 * because they need a separate process. */
#ifndef CRITERION_SHIM_H
#define CRITERION_SHIM_H
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct criterion_test_params {
    size_t size;
    void *params;
    size_t length;
};
struct shim_options {
    void (*init)(void), (*fini)(void);
    int signal, exit_code;
    bool disabled;
    double timeout;
    const char *description;
};
struct shim_test {
    const char *name;
    void (*run)(void *);
    struct criterion_test_params (*params)(void);
    struct shim_options options;
    struct shim_test *next;
};
void shim_add(struct shim_test *test);
void shim_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void shim_end(void) __attribute__((noreturn)); /* ends the running test */
void shim_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void shim_skip(void) __attribute__((noreturn));
/* Returns the name of a missing requirement, or NULL. If a requirement is missing, the program exits with 77. */
const char *shim_missing(void) __attribute__((weak));

#define SHIM_REGISTER(suite, test, params_function, ...)                                                               \
    static struct shim_test suite##_##test##_entry = {                                                                 \
        #suite "/" #test, suite##_##test##_run, params_function, {__VA_ARGS__}, NULL};                                 \
    __attribute__((constructor)) static void suite##_##test##_register(void)                                           \
    {                                                                                                                  \
        shim_add(&suite##_##test##_entry);                                                                             \
    }

#define TestSuite(...) struct shim_test
#define Test(suite, test, ...)                                                                                         \
    static void suite##_##test##_run(void *);                                                                          \
    SHIM_REGISTER(suite, test, NULL, __VA_ARGS__)                                                                      \
    static void suite##_##test##_run(void *shim_unused __attribute__((unused)))
#define ParameterizedTestParameters(suite, test) static struct criterion_test_params suite##_##test##_params(void)
#define ParameterizedTest(param, suite, test, ...)                                                                     \
    static void suite##_##test##_body(param);                                                                          \
    static void suite##_##test##_run(void *p)                                                                          \
    {                                                                                                                  \
        suite##_##test##_body(p);                                                                                      \
    }                                                                                                                  \
    SHIM_REGISTER(suite, test, suite##_##test##_params, __VA_ARGS__)                                                   \
    static void suite##_##test##_body(param)
#define cr_make_param_array(type, array, count) ((struct criterion_test_params){sizeof(type), (array), (count)})

#define SHIM_EXPECT(ok, text, ...)                                                                                     \
    do {                                                                                                               \
        if (!(ok))                                                                                                     \
            shim_fail(__FILE__, __LINE__, text, " " __VA_ARGS__);                                                      \
    } while (0)
#define SHIM_ASSERT(ok, text, ...)                                                                                     \
    do {                                                                                                               \
        if (!(ok)) {                                                                                                   \
            shim_fail(__FILE__, __LINE__, text, " " __VA_ARGS__);                                                      \
            shim_end();                                                                                                \
        }                                                                                                              \
    } while (0)

#define cr_assert(ok, ...) SHIM_ASSERT(ok, #ok, __VA_ARGS__)
#define cr_assert_not(ok, ...) SHIM_ASSERT(!(ok), "not " #ok, __VA_ARGS__)
#define cr_assert_fail(...) SHIM_ASSERT(0, "fail", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) SHIM_ASSERT((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) SHIM_ASSERT((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) SHIM_ASSERT((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) SHIM_ASSERT((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) SHIM_ASSERT((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) SHIM_ASSERT((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(p, ...) SHIM_ASSERT((p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...) SHIM_ASSERT((p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) SHIM_ASSERT(strcmp((a), (b)) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) SHIM_ASSERT(strcmp((a), (b)) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, bytes, ...) SHIM_ASSERT(memcmp((a), (b), (bytes)) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...) SHIM_ASSERT(fabs((double)((a) - (b))) <= (e), #a " is about " #b, __VA_ARGS__)
#define cr_expect(ok, ...) SHIM_EXPECT(ok, #ok, __VA_ARGS__)
#define cr_expect_not(ok, ...) SHIM_EXPECT(!(ok), "not " #ok, __VA_ARGS__)
#define cr_expect_fail(...) SHIM_EXPECT(0, "fail", __VA_ARGS__)
#define cr_expect_eq(a, b, ...) SHIM_EXPECT((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) SHIM_EXPECT((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) SHIM_EXPECT((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) SHIM_EXPECT((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) SHIM_EXPECT((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) SHIM_EXPECT((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_expect_null(p, ...) SHIM_EXPECT((p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_expect_not_null(p, ...) SHIM_EXPECT((p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) SHIM_EXPECT(strcmp((a), (b)) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) SHIM_EXPECT(strcmp((a), (b)) != 0, #a " is not " #b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, bytes, ...) SHIM_EXPECT(memcmp((a), (b), (bytes)) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_float_eq(a, b, e, ...) SHIM_EXPECT(fabs((double)((a) - (b))) <= (e), #a " is about " #b, __VA_ARGS__)
#define cr_skip_test(...) shim_skip()
#define cr_log_info(...) shim_log(" " __VA_ARGS__)
#define cr_log_warn(...) shim_log(" " __VA_ARGS__)
#define cr_log_error(...) shim_log(" " __VA_ARGS__)
#endif
