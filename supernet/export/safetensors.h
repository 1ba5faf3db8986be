#ifndef SQ_SAFETENSORS_H
#define SQ_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* The safetensors file format (huggingface/safetensors README): 8-byte length, JSON header, tensors without gaps. The
 * reader only supports files of sq_safetensors_write: F32 tensors of up to 4 dimensions, string metadata, and a
 * checksum of the whole file. */

typedef struct {
    const char *name;
    int dims[4], dim_count;
    const float *data; /* the values; when reading, they are in the mapped file */
    size_t count;
} sq_tensor;

typedef struct {
    const char *key, *value;
} sq_metadata;

/* Writes path.tmp, syncs it and renames it to path. The bytes of the file depend only on the arguments. The metadata
 * contains an FNV-1a checksum, which sq_safetensors_open verifies. */
SQ_MUST_USE sq_status sq_safetensors_write(const char *path, const sq_tensor *tensors, int tensor_count,
                                           const sq_metadata *metadata, int metadata_count);

typedef struct sq_safetensors sq_safetensors;

/* Maps and verifies a file. SQ_INVALID "<path>: why": the header, an offset or the checksum is wrong, or the tensors
 * leave gaps. */
SQ_MUST_USE sq_status sq_safetensors_open(sq_safetensors **out, const char *path);
void sq_safetensors_close(sq_safetensors *file);
const sq_tensor *sq_safetensors_find(const sq_safetensors *file, const char *name); /* NULL when absent */
const char *sq_safetensors_metadata(const sq_safetensors *file, const char *key);   /* NULL when absent */
int sq_safetensors_count(const sq_safetensors *file);
const sq_tensor *sq_safetensors_at(const sq_safetensors *file, int index);

#endif
