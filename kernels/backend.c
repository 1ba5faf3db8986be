/* The table of the backends of this build, and the functions that open a backend by name. */
#include "kernels/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name, *about;
    sq_status (*open)(const sq_backend_options *options, sq_backend **out);
    void (*describe)(char *text, size_t text_bytes); /* the device, or why none can be used; NULL: always usable */
    bool has_devices;                                /* "<name>:1" opens device 1 */
} backend_row;

static const backend_row backends[] = {
    {"cuda", "NVIDIA GPUs, BF16 on the tensor cores", sq_cuda_open, sq_cuda_describe, true},
    {"cpu", "OpenMP and CBLAS in FP32", sq_cpu_open, NULL, false},
    {"reference", "plain loops in FP32 with FP64 sums, the oracle of the tests; slow", sq_reference_open, NULL, false},
};

enum { BACKENDS = sizeof backends / sizeof *backends, LARGEST_DEVICE = 1000 };

static const backend_row *find_row(const char *name, size_t length)
{
    for (int i = 0; i < BACKENDS; i++)
        if (strlen(backends[i].name) == length && strncmp(backends[i].name, name, length) == 0)
            return &backends[i];
    return NULL;
}

/* Returns the device number in a name such as "cuda:1" from the text after the colon. Returns -1 if that text is not a
 * number from 0 to LARGEST_DEVICE. */
static int device_number(const char *text)
{
    char *end;
    const long number = strtol(text, &end, 10);
    return end == text || *end || number < 0 || number > LARGEST_DEVICE ? -1 : (int)number;
}

static sq_status fail_unknown(const char *name)
{
    char known[128] = "auto";
    for (int i = 0; i < BACKENDS; i++) {
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", i + 1 < BACKENDS ? ", " : " or ", backends[i].name);
    }
    return sq_fail(SQ_INVALID, "device %s: unknown; expected %s", name, known);
}

sq_status sq_backend_open_with(const char *name, const sq_backend_options *options, sq_backend **out)
{
    sq_backend_options own = options ? *options : (sq_backend_options){0};
    if (strcmp(name, "auto") == 0)
        return sq_cuda_open(&own, out) == SQ_OK ? SQ_OK : sq_cpu_open(&own, out);
    const char *colon = strchr(name, ':');
    const backend_row *row = find_row(name, colon ? (size_t)(colon - name) : strlen(name));
    if (colon) {
        own.device = device_number(colon + 1);
        own.is_local_rank = false;
        if (!row || !row->has_devices || own.device < 0)
            return sq_fail(SQ_INVALID, "device %s: expected a name like cuda:0", name);
    }
    return row ? row->open(&own, out) : fail_unknown(name);
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
    if (line < 0 || line >= BACKENDS)
        return false;
    const backend_row *row = &backends[line];
    if (row->describe)
        row->describe(device, sizeof device);
    (void)snprintf(text, text_bytes, "%-10s %s%s%s", row->name, row->about, row->describe ? ": " : "",
                   row->describe ? device : "");
    return true;
}
