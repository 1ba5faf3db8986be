/* The metadata contains a checksum of header and data, so every damaged byte is detected. The checksum is computed with
 * zeros instead of its digits in the header. */
#include "supernet/export/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"

enum { DIGITS = 16, LARGEST_HEADER = 100 << 20 };
static const char checksum_key[] = "\"checksum_fnv1a64\":\"";
static const char no_digits[DIGITS + 1] = "0000000000000000";

/* ---- Writing ---- */

static json_t *describe(const sq_tensor *t, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->dim_count; i++)
        json_array_append_new(shape, json_integer(t->dims[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + t->count * sizeof(float)));
}

/* Returns the header as text, which the caller frees. The text is padded to a multiple of 8 bytes, and the digits of
 * the checksum are zeros. */
static char *make_header(const sq_tensor *tensors, int tensor_count, const sq_metadata *metadata, int metadata_count,
                         size_t *bytes)
{
    json_t *root = json_object(), *meta = json_object();
    size_t begin = 0;
    for (int i = 0; i < metadata_count; i++)
        json_object_set_new(meta, metadata[i].key, json_string(metadata[i].value));
    json_object_set_new(meta, "checksum_fnv1a64", json_string(no_digits));
    json_object_set_new(root, "__metadata__", meta);
    for (int i = 0; i < tensor_count; i++) {
        json_object_set_new(root, tensors[i].name, describe(&tensors[i], begin));
        begin += tensors[i].count * sizeof(float);
    }
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!text)
        return NULL;
    const size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    char *header = malloc(padded + 1);
    if (header) {
        memcpy(header, text, length);
        memset(header + length, ' ', padded - length);
        header[padded] = 0;
        *bytes = padded;
    }
    free(text);
    return header;
}

static uint64_t hash_header(const unsigned char length[8], const char *header, size_t bytes)
{
    return sq_hash(sq_hash(SQ_HASH_START, length, 8), header, bytes);
}

sq_status sq_safetensors_write(const char *path, const sq_tensor *tensors, int tensor_count,
                               const sq_metadata *metadata, int metadata_count)
{
    size_t bytes = 0;
    unsigned char length[8];
    char digits[DIGITS + 1];
    char *header = make_header(tensors, tensor_count, metadata, metadata_count, &bytes);
    sq_piece *pieces = calloc((size_t)tensor_count + 2, sizeof *pieces);
    sq_status status = header && pieces ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: header", path);
    if (status == SQ_OK) {
        for (int i = 0; i < 8; i++)
            length[i] = (unsigned char)(bytes >> 8 * i);
        uint64_t hash = hash_header(length, header, bytes);
        pieces[0] = (sq_piece){length, sizeof length};
        pieces[1] = (sq_piece){header, bytes};
        for (int i = 0; i < tensor_count; i++) {
            pieces[i + 2] = (sq_piece){tensors[i].data, tensors[i].count * sizeof(float)};
            hash = sq_hash(hash, tensors[i].data, tensors[i].count * sizeof(float));
        }
        (void)snprintf(digits, sizeof digits, "%016" PRIx64, hash);
        memcpy(strstr(header, checksum_key) + sizeof checksum_key - 1, digits, DIGITS);
        status = sq_file_replace(path, pieces, tensor_count + 2);
    }
    free(header);
    free(pieces);
    return status;
}

/* ---- Reading ---- */

struct sq_safetensors {
    char path[1024];
    unsigned char *map;
    size_t bytes;
    json_t *root; /* owns the names */
    sq_tensor *tensors;
    int tensor_count;
};

static sq_status damaged(const sq_safetensors *file, const char *why)
{
    return sq_fail(SQ_INVALID, "%s: incomplete or damaged safetensors file: %s", file->path, why);
}

static sq_status map_file(sq_safetensors *file, const char *path)
{
    struct stat info;
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    sq_status status = fstat(descriptor, &info) == 0 ? SQ_OK : sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    if (status == SQ_OK && info.st_size < 10)
        status = damaged(file, "shorter than a header");
    if (status == SQ_OK) {
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (map == MAP_FAILED) {
            status = sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
        } else {
            file->map = map;
            file->bytes = (size_t)info.st_size;
        }
    }
    (void)close(descriptor); /* the mapping remains valid */
    return status;
}

static sq_status check_sum(const sq_safetensors *file, size_t header_bytes)
{
    char *header = malloc(header_bytes + 1), digits[DIGITS + 1];
    if (!header)
        return sq_fail(SQ_NO_MEMORY, "%s: header", file->path);
    memcpy(header, file->map + 8, header_bytes);
    header[header_bytes] = 0;
    char *key = strstr(header, checksum_key);
    char *written = key ? key + sizeof checksum_key - 1 : NULL;
    bool is_right = false;
    if (written && strlen(written) >= DIGITS) {
        char wanted[DIGITS + 1];
        (void)snprintf(wanted, sizeof wanted, "%.16s", written);
        memcpy(written, no_digits, DIGITS);
        uint64_t hash = hash_header(file->map, header, header_bytes);
        hash = sq_hash(hash, file->map + 8 + header_bytes, file->bytes - 8 - header_bytes);
        (void)snprintf(digits, sizeof digits, "%016" PRIx64, hash);
        is_right = strcmp(digits, wanted) == 0;
    }
    free(header);
    return is_right ? SQ_OK : damaged(file, "wrong or missing checksum");
}

typedef struct {
    size_t begin, end;
} span;

typedef struct {
    const unsigned char *bytes; /* the data of all tensors */
    size_t size;
    span *spans; /* one per tensor */
    size_t count;
} tensor_data;

static int by_place(const void *a, const void *b)
{
    const span *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin) : (x->end > y->end) - (x->end < y->end);
}

/* Whether every byte of the data belongs to exactly one tensor. */
static bool is_covered(tensor_data *data)
{
    size_t at = 0;
    if (data->count)
        qsort(data->spans, data->count, sizeof *data->spans, by_place);
    for (size_t i = 0; i < data->count; at = data->spans[i++].end)
        if (data->spans[i].begin != at)
            return false;
    return at == data->size;
}

static sq_status read_tensor(sq_safetensors *file, const char *name, const json_t *value, tensor_data *data)
{
    const json_t *shape = json_object_get(value, "shape"), *offsets = json_object_get(value, "data_offsets");
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const json_int_t begin = json_integer_value(json_array_get(offsets, 0)),
                     end = json_integer_value(json_array_get(offsets, 1));
    sq_tensor *t = &file->tensors[file->tensor_count];
    if (!dtype || !json_is_array(shape) || json_array_size(offsets) != 2 || begin < 0 || end < begin ||
        (uint64_t)end > data->size)
        return damaged(file, "a tensor is outside of the file");
    data->spans[data->count++] = (span){(size_t)begin, (size_t)end};
    if (strcmp(dtype, "F32") != 0)
        return SQ_OK; /* sq_safetensors_find finds only F32 tensors */
    *t = (sq_tensor){.name = name, .count = 1};
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_int_t dim = json_integer_value(json_array_get(shape, i));
        if (i >= 4 || !json_is_integer(json_array_get(shape, i)) || dim < 0 || dim > INT32_MAX ||
            (dim > 0 && t->count > data->size / (size_t)dim))
            return damaged(file, "invalid shape of a tensor");
        t->dims[t->dim_count++] = (int)dim;
        t->count *= (size_t)dim;
    }
    if (t->count * sizeof(float) != (size_t)(end - begin))
        return damaged(file, "a tensor's bytes do not match its shape");
    if ((uintptr_t)(data->bytes + begin) % sizeof(float))
        return damaged(file, "a tensor is not aligned to 4 bytes");
    t->data = (const float *)(const void *)(data->bytes + begin);
    file->tensor_count++;
    return SQ_OK;
}

static sq_status read_tensors(sq_safetensors *file, size_t header_bytes)
{
    tensor_data data = {file->map + 8 + header_bytes, file->bytes - 8 - header_bytes, NULL, 0};
    const size_t limit = json_object_size(file->root) + 1;
    file->tensors = calloc(limit, sizeof *file->tensors);
    data.spans = calloc(limit, sizeof *data.spans);
    sq_status status = file->tensors && data.spans ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: tensor list", file->path);
    const char *name;
    json_t *value;
    json_object_foreach(file->root, name, value)
    {
        if (status == SQ_OK && strcmp(name, "__metadata__") != 0)
            status = read_tensor(file, name, value, &data);
    }
    if (status == SQ_OK && !is_covered(&data))
        status = damaged(file, "bytes outside of all tensors, or in two of them");
    free(data.spans);
    return status;
}

static sq_status read_header(sq_safetensors *file)
{
    uint64_t header_bytes = 0;
    for (int i = 0; i < 8; i++)
        header_bytes |= (uint64_t)file->map[i] << 8 * i;
    if (header_bytes > LARGEST_HEADER || header_bytes > file->bytes - 8)
        return damaged(file, "the header is longer than the file");
    SQ_TRY(check_sum(file, (size_t)header_bytes));
    json_error_t error;
    file->root = json_loadb((const char *)file->map + 8, (size_t)header_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(file->root))
        return damaged(file, "the header is not JSON");
    return read_tensors(file, (size_t)header_bytes);
}

sq_status sq_safetensors_open(sq_safetensors **out, const char *path)
{
    sq_safetensors *file = calloc(1, sizeof *file);
    if (!file)
        return sq_fail(SQ_NO_MEMORY, "%s: reader", path);
    sq_status status = map_file(file, path);
    if (status == SQ_OK)
        status = read_header(file);
    if (status == SQ_OK)
        *out = file;
    else
        sq_safetensors_close(file);
    return status;
}

void sq_safetensors_close(sq_safetensors *file)
{
    if (!file)
        return;
    if (file->map)
        (void)munmap(file->map, file->bytes);
    json_decref(file->root);
    free(file->tensors);
    free(file);
}

const sq_tensor *sq_safetensors_find(const sq_safetensors *file, const char *name)
{
    for (int i = 0; i < file->tensor_count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *sq_safetensors_metadata(const sq_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->root, "__metadata__"), key));
}

int sq_safetensors_count(const sq_safetensors *file)
{
    return file->tensor_count;
}

const sq_tensor *sq_safetensors_at(const sq_safetensors *file, int index)
{
    return &file->tensors[index];
}
