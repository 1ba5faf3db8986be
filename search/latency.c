/* Latency tables: the native format (device.yaml and table.csv), lookup with the missing key named, prediction by
 * addition. Tables in ProxylessNAS's dialect are read by proxyless.c into the same form. */
#include "search/latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "search/latency_table.h"
#include "supernet/describe.h"

enum { PATH_BYTES = 4096, LARGEST_TABLE = 64 << 20, COLUMNS = 13, KEY_COLUMNS = 10 };

/* ---- Entries ---- */

sq_status sq_latency_add(sq_latency *latency, const char *key, double mean, double deviation)
{
    if (latency->count == latency->limit) {
        const size_t limit = latency->limit ? 2 * latency->limit : 128;
        sq_latency_entry *more = realloc(latency->entries, limit * sizeof *more);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "latency table: %zu entries", limit);
        latency->entries = more;
        latency->limit = limit;
    }
    sq_latency_entry *e = &latency->entries[latency->count++];
    (void)snprintf(e->key, sizeof e->key, "%s", key);
    e->mean = mean;
    e->deviation = deviation;
    return SQ_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const sq_latency_entry *)a)->key, ((const sq_latency_entry *)b)->key);
}

static const sq_latency_entry *find(const sq_latency *latency, const char *key)
{
    sq_latency_entry wanted;
    (void)snprintf(wanted.key, sizeof wanted.key, "%s", key);
    return latency->count ? bsearch(&wanted, latency->entries, latency->count, sizeof wanted, by_key) : NULL;
}

sq_status sq_latency_sort(sq_latency *latency, const char *path)
{
    if (latency->count)
        qsort(latency->entries, latency->count, sizeof *latency->entries, by_key);
    for (size_t i = 1; i < latency->count; i++)
        if (by_key(&latency->entries[i - 1], &latency->entries[i]) == 0)
            return sq_fail(SQ_INVALID, "%s: '%s' stands there twice", path, latency->entries[i].key);
    return SQ_OK;
}

/* ---- table.csv ---- */

static const char csv_header[] = "kind,h,w,c_in,c_out,mid,kernel,stride,se,act,mean_ms,std_ms,count";

/* "kind,...,act,mean,std,count" */
static sq_status read_row(sq_latency *latency, const char *path, int line, char *row)
{
    char *fields[COLUMNS + 1];
    int count = 0;
    double mean, deviation;
    int64_t samples;
    const size_t length = strlen(row);
    for (char *p = row; p && count <= COLUMNS; count++) {
        fields[count] = p;
        p = strchr(p, ',');
        if (p)
            *p++ = 0;
    }
    if (count != COLUMNS)
        return sq_fail(SQ_INVALID, "%s:%d: %d columns, wanted %d: %s", path, line, count, COLUMNS, csv_header);
    if (!sq_text_double(fields[10], 0, 1e9, &mean) || !sq_text_double(fields[11], 0, 1e9, &deviation) ||
        !sq_text_int(fields[12], 1, INT64_MAX, &samples))
        return sq_fail(SQ_INVALID, "%s:%d: mean_ms '%s', std_ms '%s', count '%s', wanted numbers >= 0 and a count >= 1",
                       path, line, fields[10], fields[11], fields[12]);
    for (size_t i = 0; i < length && row + i < fields[KEY_COLUMNS] - 1; i++)
        if (!row[i])
            row[i] = ','; /* the first ten columns again as one key */
    if (strlen(row) >= SQ_LATENCY_KEY_BYTES)
        return sq_fail(SQ_INVALID, "%s:%d: a key of %zu bytes", path, line, strlen(row));
    return sq_latency_add(latency, row, mean, deviation);
}

static sq_status read_csv(sq_latency *latency, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    SQ_TRY(sq_file_read(path, LARGEST_TABLE, &text, &bytes));
    sq_status status = SQ_OK;
    int line = 0;
    for (char *next = text; status == SQ_OK && next && *next;) {
        char *row = next, *end = strchr(row, '\n');
        next = end ? end + 1 : NULL;
        if (end)
            *end = 0;
        row[strcspn(row, "\r")] = 0;
        line++;
        if (line == 1 && strcmp(row, csv_header) != 0)
            status = sq_fail(SQ_INVALID, "%s:1: header '%.80s', wanted '%s'", path, row, csv_header);
        else if (line > 1 && *row && *row != '#')
            status = read_row(latency, path, line, row);
    }
    free(text);
    if (status == SQ_OK && latency->count == 0)
        status = sq_fail(SQ_INVALID, "%s: no entries", path);
    return status == SQ_OK ? sq_latency_sort(latency, path) : status;
}

/* ---- device.yaml ---- */

typedef struct {
    char *name, *runtime, *dtype, *date, *source, *licence;
    int batch, threads;
    double base_ms, scale;
    bool measured;
} raw_device;

#define POINTER_OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
static const cyaml_schema_field_t device_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, raw_device, name, 1, SQ_NAME_BYTES - 1),
    CYAML_FIELD_STRING_PTR("runtime", POINTER_OPTIONAL, raw_device, runtime, 0, 127),
    CYAML_FIELD_STRING_PTR("dtype", POINTER_OPTIONAL, raw_device, dtype, 0, 15),
    CYAML_FIELD_STRING_PTR("date", POINTER_OPTIONAL, raw_device, date, 0, 31),
    CYAML_FIELD_STRING_PTR("source", POINTER_OPTIONAL, raw_device, source, 0, 255),
    CYAML_FIELD_STRING_PTR("licence", POINTER_OPTIONAL, raw_device, licence, 0, 63),
    CYAML_FIELD_INT("batch", CYAML_FLAG_OPTIONAL, raw_device, batch),
    CYAML_FIELD_INT("threads", CYAML_FLAG_OPTIONAL, raw_device, threads),
    CYAML_FIELD_FLOAT("base_ms", CYAML_FLAG_OPTIONAL, raw_device, base_ms),
    CYAML_FIELD_FLOAT("scale", CYAML_FLAG_OPTIONAL, raw_device, scale),
    CYAML_FIELD_BOOL("measured", CYAML_FLAG_DEFAULT, raw_device, measured),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t device_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, raw_device, device_fields)};

static void copy(char *to, size_t bytes, const char *from)
{
    (void)snprintf(to, bytes, "%s", from ? from : "");
}

static sq_status read_device(sq_device_info *info, const char *path)
{
    void *data = NULL;
    SQ_TRY(sq_yaml_load(&data, path, &device_schema));
    const raw_device *raw = data;
    *info = (sq_device_info){.batch = raw->batch ? raw->batch : 1,
                             .threads = raw->threads,
                             .base_ms = raw->base_ms,
                             .scale = raw->scale != 0 ? raw->scale : 1,
                             .is_measured = raw->measured};
    copy(info->name, sizeof info->name, raw->name);
    copy(info->runtime, sizeof info->runtime, raw->runtime);
    copy(info->dtype, sizeof info->dtype, raw->dtype);
    copy(info->date, sizeof info->date, raw->date);
    copy(info->source, sizeof info->source, raw->source);
    copy(info->licence, sizeof info->licence, raw->licence);
    sq_yaml_free(data, &device_schema);
    return SQ_OK;
}

sq_status sq_latency_write(const char *folder, const sq_device_info *info, const sq_latency_entry *entries,
                           size_t count, int samples)
{
    char path[PATH_BYTES];
    raw_device raw = {(char *)(uintptr_t)info->name,
                      (char *)(uintptr_t)info->runtime,
                      (char *)(uintptr_t)info->dtype,
                      (char *)(uintptr_t)info->date,
                      (char *)(uintptr_t)info->source,
                      (char *)(uintptr_t)info->licence,
                      info->batch,
                      info->threads,
                      info->base_ms,
                      info->scale,
                      info->is_measured};
    char *text = malloc((count + 1) * (SQ_LATENCY_KEY_BYTES + 80));
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: table", folder);
    size_t used = (size_t)sprintf(text, "%s\n", csv_header);
    for (size_t i = 0; i < count; i++)
        used += (size_t)sprintf(text + used, "%s,%.6f,%.6f,%d\n", entries[i].key, entries[i].mean, entries[i].deviation,
                                samples);
    const sq_piece piece = {text, used};
    sq_status status = sq_folder_make(folder);
    if (status == SQ_OK && sq_text_path(path, sizeof path, folder, "table.csv"))
        status = sq_file_replace(path, &piece, 1);
    if (status == SQ_OK && sq_text_path(path, sizeof path, folder, "device.yaml"))
        status = sq_yaml_save(&raw, path, &device_schema);
    free(text);
    return status;
}

/* ---- Opening ---- */

sq_status sq_latency_open(sq_latency **out, const char *path)
{
    char inner[PATH_BYTES];
    struct stat info;
    sq_latency *latency = calloc(1, sizeof *latency);
    if (!latency)
        return sq_fail(SQ_NO_MEMORY, "%s: latency table", path);
    (void)snprintf(latency->path, sizeof latency->path, "%s", path);
    const bool is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    sq_status status = SQ_OK;
    if (is_folder && sq_text_path(inner, sizeof inner, path, "device.yaml"))
        status = read_device(&latency->info, inner);
    if (status == SQ_OK && is_folder && sq_text_path(inner, sizeof inner, path, "proxyless.yaml") &&
        sq_path_exists(inner))
        status = sq_latency_read_proxyless(latency, inner);
    else if (status == SQ_OK && is_folder && sq_text_path(inner, sizeof inner, path, "table.csv"))
        status = read_csv(latency, inner);
    else if (status == SQ_OK)
        status = sq_latency_read_proxyless(latency, path);
    if (status == SQ_OK)
        *out = latency;
    else
        sq_latency_close(latency);
    return status;
}

void sq_latency_close(sq_latency *latency)
{
    if (!latency)
        return;
    free(latency->entries);
    free(latency);
}

const sq_device_info *sq_latency_info(const sq_latency *latency)
{
    return &latency->info;
}

/* ---- Prediction ---- */

/* Channels between a block's first and last convolution; 0 where there is no such thing. */
static int middle(const sq_space *space, int layer, int choice)
{
    sq_description d;
    sq_describe_block(space, layer, choice, &d);
    const sq_block_kind kind = space->choices[space->layers[layer].choices[choice]].kind;
    if (kind == SQ_BLOCK_MB)
        return d.units[d.main].c_in;
    return kind == SQ_BLOCK_SHUFFLE ? d.units[0].c_out : kind == SQ_BLOCK_XCEPTION ? d.units[1].c_out : 0;
}

int sq_latency_key(const sq_space *space, int layer, int choice, char *text, size_t bytes)
{
    const sq_layer *l = &space->layers[layer];
    const sq_choice *c = &space->choices[l->choices[choice]];
    const sq_activation activation = c->activation == SQ_ACTIVATIONS ? l->activation : c->activation;
    return snprintf(text, bytes, "%s,%d,%d,%d,%d,%d,%d,%d,%d,%s", sq_block_name(c->kind), l->h_in, l->w_in, l->c_in,
                    l->c_out, middle(space, layer, choice), c->kernel, l->stride, c->has_se,
                    sq_activation_name(activation));
}

sq_status sq_latency_block(const sq_latency *latency, const sq_space *space, int layer, int choice, double *mean,
                           double *deviation)
{
    char key[SQ_LATENCY_KEY_BYTES];
    const sq_choice *c = &space->choices[space->layers[layer].choices[choice]];
    if (latency->is_proxyless && c->kind == SQ_BLOCK_SKIP) {
        *mean = *deviation = 0; /* a layer left out costs nothing in that dialect */
        return SQ_OK;
    }
    if (latency->is_proxyless)
        SQ_TRY(sq_latency_proxyless_key(space, layer, choice, key, sizeof key));
    else
        (void)sq_latency_key(space, layer, choice, key, sizeof key);
    const sq_latency_entry *e = find(latency, key);
    if (!e)
        return sq_fail(SQ_DATA, "%s: no entry '%s', wanted by layer %d, choice '%s' of %s", latency->path, key, layer,
                       c->name, space->name);
    *mean = e->mean;
    *deviation = e->deviation;
    return SQ_OK;
}

sq_status sq_latency_prepare(sq_latency_cache *out, const sq_latency *latency, const sq_space *space)
{
    sq_latency_cache cache = {.base = latency->info.base_ms,
                              .scale = latency->info.scale != 0 ? latency->info.scale : 1};
    for (int l = 0; l < space->layer_count; l++)
        cache.choice_limit =
            space->layers[l].choice_count > cache.choice_limit ? space->layers[l].choice_count : cache.choice_limit;
    const size_t count = (size_t)space->layer_count * (size_t)cache.choice_limit;
    cache.mean = calloc(count, sizeof *cache.mean);
    cache.deviation = calloc(count, sizeof *cache.deviation);
    sq_status status =
        cache.mean && cache.deviation ? SQ_OK : sq_fail(SQ_NO_MEMORY, "latency table: %zu blocks", count);
    for (int l = 0; status == SQ_OK && l < space->layer_count; l++)
        for (int c = 0; status == SQ_OK && c < space->layers[l].choice_count; c++) {
            const size_t i = (size_t)l * (size_t)cache.choice_limit + (size_t)c;
            status = sq_latency_block(latency, space, l, c, &cache.mean[i], &cache.deviation[i]);
        }
    if (status == SQ_OK)
        *out = cache;
    else
        sq_latency_cache_clear(&cache);
    return status;
}

void sq_latency_cache_clear(sq_latency_cache *cache)
{
    free(cache->mean);
    free(cache->deviation);
    memset(cache, 0, sizeof *cache);
}

double sq_latency_predict(const sq_latency_cache *cache, const sq_space *space, const int *path)
{
    double sum = 0;
    for (int l = 0; l < space->layer_count; l++)
        sum += cache->mean[(size_t)l * (size_t)cache->choice_limit + (size_t)path[l]];
    return cache->base + cache->scale * sum;
}
