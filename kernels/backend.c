/* Which machines this build knows, and how one is chosen. */
#include "kernels/backend.h"

#include <stdio.h>
#include <string.h>

static sq_status open_reference(int threads, sq_backend **out)
{
    (void)threads; /* plain loops run alone */
    return sq_reference_open(out);
}

static const struct {
    const char *name;
    sq_status (*open)(int, sq_backend **);
    const char *about;
} backends[] = {
    {"cpu", sq_cpu_open, "OpenMP and CBLAS in FP32"},
    {"reference", open_reference, "plain loops in FP32 with FP64 sums, the oracle of the tests; slow"},
};

enum { BACKENDS = sizeof backends / sizeof *backends };

sq_status sq_backend_open(const char *name, int threads, sq_backend **out)
{
    const char *wanted = strcmp(name, "auto") == 0 ? backends[0].name : name;
    for (int i = 0; i < BACKENDS; i++)
        if (strcmp(backends[i].name, wanted) == 0)
            return backends[i].open(threads, out);
    if (strcmp(name, "cuda") == 0)
        return sq_fail(SQ_INVALID, "device cuda: this build has no CUDA backend; it has auto, cpu, reference");
    return sq_fail(SQ_INVALID, "device %s: unknown; this build has auto, cpu, reference", name);
}

void sq_backend_close(sq_backend *b)
{
    if (b)
        b->ops->close(b);
}

bool sq_backend_describe(int line, char *text, size_t text_bytes)
{
    if (line < BACKENDS)
        (void)snprintf(text, text_bytes, "%-10s %s%s", backends[line].name, backends[line].about,
                       line == 0 ? " (auto takes it)" : "");
    else if (line == BACKENDS)
        (void)snprintf(text, text_bytes, "%-10s not in this build", "cuda");
    return line <= BACKENDS;
}
