/* shim_main.c - runs every registered test in this process; the first failure exits with 1.
 *
 * --filter PATTERN selects the tests "suite/test" that match, as in Criterion; --list prints the names of the tests;
 * --keep-going runs all tests, even after a failure. Other options are ignored. The program exits with 77 if
 * shim_missing() names a missing requirement. */
#include <criterion/criterion.h>

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>

#include "tests/emulation/runtime/emu_control.h"

#pragma weak emu_reset /* absent on a GPU */

enum { MOST_REPORTS = 60 }; /* failures of one test that are printed */

static struct shim_test *first, **end = &first;
static const char *running = "";
static bool is_patient;
static int reports; /* failures of the running test */
static jmp_buf left;

void shim_add(struct shim_test *test)
{
    *end = test;
    end = &test->next;
}

void shim_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void shim_fail(const char *file, int line, const char *what, const char *format, ...)
{
    if (++reports <= MOST_REPORTS) {
        fprintf(stderr, "%s: %s:%d: failed: %s", running, file, line, what);
        va_list arguments;
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
    fflush(NULL);
    if (!is_patient)
        _Exit(1); /* _Exit suppresses the leak report */
}

void shim_end(void)
{
    longjmp(left, 1);
}

void shim_skip(void)
{
    longjmp(left, 2);
}

/* Runs one test with its parameter. Returns true if the test passed. */
static bool run(const struct shim_test *t, void *parameter)
{
    running = t->name;
    reports = 0;
    if (emu_reset)
        emu_reset(); /* a reset replaces the separate process in which Criterion runs each test */
    if (t->options.init)
        t->options.init();
    const int how = setjmp(left);
    if (how == 0)
        t->run(parameter);
    else if (how == 2)
        printf("%s: skipped\n", t->name);
    if (t->options.fini)
        t->options.fini();
    if (reports > MOST_REPORTS)
        fprintf(stderr, "%s: %d more failures\n", t->name, reports - MOST_REPORTS);
    return reports == 0;
}

int main(int argc, char **argv)
{
    const char *filter = "*", *missing;
    bool is_list = false;
    size_t count = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            filter = argv[++i];
        is_list = is_list || strcmp(argv[i], "--list") == 0;
        is_patient = is_patient || strcmp(argv[i], "--keep-going") == 0;
    }
    if (!is_list && shim_missing && (missing = shim_missing()) != NULL) {
        printf("skipped: %s\n", missing);
        return 77;
    }
    for (const struct shim_test *t = first; t; t = t->next) {
        if (t->options.disabled || t->options.signal || t->options.exit_code || fnmatch(filter, t->name, 0) != 0)
            continue;
        if (is_list) {
            printf("%s\n", t->name);
            continue;
        }
        struct criterion_test_params p = {0, NULL, 1};
        if (t->params)
            p = t->params();
        for (size_t i = 0; i < p.length; i++, count++)
            failed += !run(t, (char *)p.params + i * p.size);
    }
    if (!is_list)
        printf("%zu tests passed, %zu failed\n", count - failed, failed);
    return failed > 0;
}
