/* Reads descriptions of GPUs. NUMBERS has one row per key: the schema and the range check follow from it. */
#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "kernels/speed/gpu.h"

enum { LARGEST_FILE = 1 << 20, NAME_BYTES = 32, MOST_NAMES = 64 };

typedef struct {
    char *name, *architecture;
    sq_gpu gpu;
} raw_gpu;

/* key, least, most */
#define NUMBERS(ROW)                                                                                                   \
    ROW(multiprocessors, 1, 1024)                                                                                      \
    ROW(clock_ghz, 0.1, 10)                                                                                            \
    ROW(schedulers, 1, 16)                                                                                             \
    ROW(issue_per_clock, 0.25, 4)                                                                                      \
    ROW(fma_per_clock, 0.25, 64)                                                                                       \
    ROW(alu_per_clock, 0.25, 64)                                                                                       \
    ROW(special_per_clock, 0.05, 64)                                                                                   \
    ROW(wavefronts_per_clock, 0.1, 16)                                                                                 \
    ROW(mma_per_clock, 1, 1e6)                                                                                         \
    ROW(registers, 1024, 1e7)                                                                                          \
    ROW(shared_kib, 1, 4096)                                                                                           \
    ROW(shared_reserved_kib, 0, 64)                                                                                    \
    ROW(warps, 1, 1024)                                                                                                \
    ROW(blocks, 1, 1024)                                                                                               \
    ROW(l2_mib, 0.1, 1e5)                                                                                              \
    ROW(l2_gb_per_s, 1, 1e6)                                                                                           \
    ROW(dram_gb_per_s, 1, 1e6)                                                                                         \
    ROW(copy_gb_per_s, 1, 1e6)                                                                                         \
    ROW(latency_ns, 1, 1e5)                                                                                            \
    ROW(node_us, 0, 1000)                                                                                              \
    ROW(graph_us, 0, 1000)                                                                                             \
    ROW(efficiency_low, 0.01, 1)                                                                                       \
    ROW(efficiency_high, 0.01, 1)                                                                                      \
    ROW(warps_low, 1, 1024)                                                                                            \
    ROW(warps_high, 1, 1024)                                                                                           \
    ROW(pipe_efficiency, 0.01, 1)                                                                                      \
    ROW(memory_efficiency, 0.01, 1)                                                                                    \
    ROW(error, 0, 0.9)

#define FIELD(key, least, most) CYAML_FIELD_FLOAT(#key, CYAML_FLAG_DEFAULT, raw_gpu, gpu.key),
static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, raw_gpu, name, 1, sizeof((sq_gpu *)0)->name - 1),
    CYAML_FIELD_STRING_PTR("architecture", CYAML_FLAG_POINTER, raw_gpu, architecture, 1,
                           sizeof((sq_gpu *)0)->architecture - 1),
    NUMBERS(FIELD) CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, raw_gpu, fields)};

typedef struct {
    const char *key;
    size_t offset;
    double least, most;
} range;

#define RANGE(key, least, most) {#key, offsetof(sq_gpu, key), least, most},
static const range ranges[] = {NUMBERS(RANGE)};

static int line_of(const char *path, const char *key)
{
    char *text = NULL;
    size_t bytes;
    if (sq_file_read(path, LARGEST_FILE, &text, &bytes) != SQ_OK)
        return 0;
    const int line = sq_yaml_line(text, key, 1);
    free(text);
    return line;
}

static sq_status check(const sq_gpu *gpu, const char *path)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        const double value = *(const double *)(const void *)((const char *)gpu + r->offset);
        if (!(value >= r->least && value <= r->most)) /* also rejects NaN */
            return sq_fail(SQ_INVALID, "%s:%d: %s: found %g, expected %g to %g", path, line_of(path, r->key), r->key,
                           value, r->least, r->most);
    }
    if (gpu->copy_gb_per_s > gpu->dram_gb_per_s)
        return sq_fail(SQ_INVALID, "%s:%d: copy_gb_per_s: found %g, expected at most dram_gb_per_s (%g)", path,
                       line_of(path, "copy_gb_per_s"), gpu->copy_gb_per_s, gpu->dram_gb_per_s);
    if (gpu->l2_gb_per_s < gpu->copy_gb_per_s)
        return sq_fail(SQ_INVALID, "%s:%d: l2_gb_per_s: found %g, expected at least copy_gb_per_s (%g)", path,
                       line_of(path, "l2_gb_per_s"), gpu->l2_gb_per_s, gpu->copy_gb_per_s);
    if (gpu->efficiency_low > gpu->efficiency_high)
        return sq_fail(SQ_INVALID, "%s:%d: efficiency_low: found %g, expected at most efficiency_high (%g)", path,
                       line_of(path, "efficiency_low"), gpu->efficiency_low, gpu->efficiency_high);
    if (gpu->warps_low >= gpu->warps_high)
        return sq_fail(SQ_INVALID, "%s:%d: warps_low: found %g, expected less than warps_high (%g)", path,
                       line_of(path, "warps_low"), gpu->warps_low, gpu->warps_high);
    return SQ_OK;
}

sq_status sq_gpu_read(sq_gpu *out, const char *path)
{
    void *data = NULL;
    SQ_TRY(sq_yaml_load(&data, path, &schema));
    const raw_gpu *raw = data;
    sq_gpu gpu = raw->gpu;
    (void)snprintf(gpu.name, sizeof gpu.name, "%s", raw->name); /* the schema limits the length */
    (void)snprintf(gpu.architecture, sizeof gpu.architecture, "%s", raw->architecture);
    sq_yaml_free(data, &schema);
    SQ_TRY(check(&gpu, path));
    *out = gpu;
    return SQ_OK;
}

/* ---- Names ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Writes the sorted names of the folder's *.yaml to out: "a100, h100, h200". */
static void list_names(const char *folder, char *out, size_t bytes)
{
    static const char suffix[] = ".yaml";
    char names[MOST_NAMES][NAME_BYTES];
    size_t count = 0, used = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && count < MOST_NAMES && (e = readdir(d));) {
        const size_t length = strlen(e->d_name), stem = length < sizeof suffix ? 0 : length - (sizeof suffix - 1);
        if (stem > 0 && stem < NAME_BYTES && strcmp(e->d_name + stem, suffix) == 0) {
            memcpy(names[count], e->d_name, stem);
            names[count++][stem] = '\0';
        }
    }
    if (d)
        (void)closedir(d); /* nothing was written */
    qsort(names, count, sizeof *names, by_name);
    out[0] = '\0';
    for (size_t i = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%s", i ? ", " : "", names[i]);
}

sq_status sq_gpu_find(sq_gpu *out, const char *folder, const char *name)
{
    char path[SQ_PATH_BYTES], file[NAME_BYTES + 8], known[MOST_NAMES * NAME_BYTES];
    if (sq_path_exists(name))
        return sq_gpu_read(out, name);
    const int length = snprintf(file, sizeof file, "%s.yaml", name);
    if (length > 0 && (size_t)length < sizeof file && !strchr(name, '/') &&
        sq_path_find(path, sizeof path, folder, file))
        return sq_gpu_read(out, path);
    list_names(folder, known, sizeof known);
    return sq_fail(SQ_INVALID, "GPU: found '%.100s', expected one of %.500s, or a file that describes one", name,
                   known);
}
