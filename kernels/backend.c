/* Which machines this build knows, and how one is chosen. */
#include "kernels/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    sq_status (*open)(const sq_backend_options *, sq_backend **);
    const char *about;
} backends[] = {
    {"cuda", sq_cuda_open, "NVIDIA GPUs, BF16 on the tensor cores"},
    {"cpu", sq_cpu_open, "OpenMP and CBLAS in FP32"},
    {"reference", sq_reference_open, "plain loops in FP32 with FP64 sums, the oracle of the tests; slow"},
};

enum { BACKENDS = sizeof backends / sizeof *backends };

/* "cuda:1" is device 1 of cuda. */
static sq_status split_name(const char *name, char *kind, size_t kind_bytes, sq_backend_options *options)
{
    const char *colon = strchr(name, ':');
    const size_t length = colon ? (size_t)(colon - name) : strlen(name);
    if (colon) {
        char *end;
        const long number = strtol(colon + 1, &end, 10);
        if (strncmp(name, "cuda:", 5) != 0 || end == colon + 1 || *end || number < 0 || number > 1000)
            return sq_fail(SQ_INVALID, "device %s: wanted a name like cuda:0", name);
        options->device = (int)number;
        options->is_dealt = false;
    }
    (void)snprintf(kind, kind_bytes, "%.*s", (int)length, name);
    return SQ_OK;
}

sq_status sq_backend_open_with(const char *name, const sq_backend_options *options, sq_backend **out)
{
    sq_backend_options own = options ? *options : (sq_backend_options){0};
    char kind[32];
    if (strcmp(name, "auto") == 0)
        return sq_cuda_open(&own, out) == SQ_OK ? SQ_OK : sq_cpu_open(&own, out);
    SQ_TRY(split_name(name, kind, sizeof kind, &own));
    for (int i = 0; i < BACKENDS; i++)
        if (strcmp(backends[i].name, kind) == 0)
            return backends[i].open(&own, out);
    return sq_fail(SQ_INVALID, "device %s: unknown; wanted auto, cuda, cpu or reference", name);
}

sq_status sq_backend_open(const char *name, int threads, sq_backend **out)
{
    return sq_backend_open_with(name, &(sq_backend_options){.threads = threads}, out);
}

void sq_backend_close(sq_backend *b)
{
    if (b)
        b->ops->close(b);
}

bool sq_backend_describe(int line, char *text, size_t text_bytes)
{
    char device[256];
    if (line >= BACKENDS)
        return false;
    (void)snprintf(text, text_bytes, "%-10s %s", backends[line].name, backends[line].about);
    if (line == 0) {
        sq_cuda_describe(device, sizeof device);
        const size_t used = strlen(text);
        (void)snprintf(text + used, text_bytes - used, ": %s", device);
    }
    return true;
}
