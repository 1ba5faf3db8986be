#ifndef SQ_SAFETENSORS_H
#define SQ_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* The safetensors file format (huggingface/safetensors README): 8-byte length, JSON header, tensors without gaps. The
 * reader only supports files of the writer: F32 tensors of up to 4 dimensions, string metadata, and a checksum of the
 * whole file.
 */

typedef struct {
    const char *name;
    int dims[4], dim_count;
    const float *data; /* writing: the values; reading: into the mapped file */
    size_t count;
} sq_tensor;

typedef struct {
    const char *key, *value;
} sq_metadata;

/* Writes to path.tmp, syncs, renames. The bytes depend only on the arguments. The metadata contains an FNV-1a checksum,
 * which sq_safetensors_open verifies. */
SQ_MUST_USE sq_status sq_safetensors_write(const char *path, const sq_tensor *tensors, int tensor_count,
                                           const sq_metadata *metadata, int metadata_count);

typedef struct sq_safetensors sq_safetensors;

/* SQ_INVALID "<path>: why" for any damage: header, offsets, gaps, checksum. */
SQ_MUST_USE sq_status sq_safetensors_open(sq_safetensors **out, const char *path);
void sq_safetensors_close(sq_safetensors *file);
const sq_tensor *sq_safetensors_find(const sq_safetensors *file, const char *name); /* NULL when absent */
const char *sq_safetensors_metadata(const sq_safetensors *file, const char *key);   /* NULL when absent */
int sq_safetensors_count(const sq_safetensors *file);
const sq_tensor *sq_safetensors_at(const sq_safetensors *file, int index);

#endif
