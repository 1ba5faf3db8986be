/* shim_main.c - runs every registered test in this process; the first failure exits with 1.
 *
 * --filter PATTERN takes the tests "suite/test" that match, as Criterion does; other options are ignored. */
#include <criterion/criterion.h>

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>

#include "tests/emulation/emu_control.h"

static struct shim_test *first, **end = &first;
static const char *running = "";
static jmp_buf skipped;

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
    fprintf(stderr, "%s: %s:%d: failed: %s", running, file, line, what);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    fflush(NULL);
    _Exit(1); /* no report of leaks on top */
}

void shim_skip(void)
{
    longjmp(skipped, 1);
}

static void run(const struct shim_test *t, void *parameter)
{
    running = t->name;
    emu_reset(); /* Criterion would give each test a process of its own */
    if (t->options.init)
        t->options.init();
    if (setjmp(skipped) == 0)
        t->run(parameter);
    else
        printf("%s: skipped\n", t->name);
    if (t->options.fini)
        t->options.fini();
}

int main(int argc, char **argv)
{
    const char *filter = "*";
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--filter") == 0)
            filter = argv[i + 1];
    size_t count = 0;
    for (const struct shim_test *t = first; t; t = t->next) {
        if (t->options.disabled || t->options.signal || t->options.exit_code || fnmatch(filter, t->name, 0) != 0)
            continue;
        struct criterion_test_params p = {0, NULL, 1};
        if (t->params)
            p = t->params();
        for (size_t i = 0; i < p.length; i++, count++)
            run(t, (char *)p.params + i * p.size);
    }
    printf("%zu tests passed\n", count);
    return 0;
}
