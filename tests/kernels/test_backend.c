/* Tests choosing a backend by name. */
#include <string.h>

#include "kernels/backend.h"
#include "tests/support/support.h"

static void expect_refused(const char *name, const char *text)
{
    sq_backend *b = NULL;
    cr_expect_eq(sq_backend_open(name, 1, &b), SQ_INVALID);
    cr_expect_str_eq(sq_error_text(), text);
    cr_expect_null(b);
}

Test(backend, names_that_are_none_are_refused)
{
    expect_refused("tpu", "device tpu: unknown; expected auto, cuda, cpu or reference");
    expect_refused("cp", "device cp: unknown; expected auto, cuda, cpu or reference");
    expect_refused("cuda:x", "device cuda:x: expected a name like cuda:0");
    expect_refused("cuda:-1", "device cuda:-1: expected a name like cuda:0");
    expect_refused("cpu:0", "device cpu:0: expected a name like cuda:0");
}

Test(backend, host_backends_open)
{
    static const char *const names[] = {"cpu", "reference"};
    for (size_t i = 0; i < 2; i++) {
        sq_backend *b = NULL;
        MUST(sq_backend_open(names[i], 1, &b));
        cr_expect_str_eq(b->ops->name, names[i]);
        sq_backend_close(b);
    }
    sq_backend_close(NULL);
}

Test(backend, each_backend_is_described_in_one_line)
{
    char text[512];
    int lines = 0;
    for (; sq_backend_describe(lines, text, sizeof text); lines++)
        cr_expect(!strchr(text, '\n') && strlen(text) > 10);
    cr_expect_eq(lines, 3);
    cr_expect(!sq_backend_describe(-1, text, sizeof text));
}
