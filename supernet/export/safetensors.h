#ifndef SQ_SAFETENSORS_H
#define SQ_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* The safetensors file format (huggingface/safetensors README): 8-byte length, JSON header, tensors without holes. Only
 * what Squall writes is read: F32 tensors of up to 4 dimensions, string metadata, and a checksum over all of it there.
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

/* Writes to path.tmp, syncs, renames. The bytes depend on the arguments alone. A checksum of the tensors' bytes goes
 * into the metadata as "xxh64"-like text and is verified by sq_safetensors_open. */
SQ_MUST_USE sq_status sq_safetensors_write(const char *path, const sq_tensor *tensors, int tensor_count,
                                           const sq_metadata *metadata, int metadata_count);

typedef struct sq_safetensors sq_safetensors;

/* SQ_INVALID "<path>: why" for anything damaged: header, offsets, holes, checksum. */
SQ_MUST_USE sq_status sq_safetensors_open(sq_safetensors **out, const char *path);
void sq_safetensors_close(sq_safetensors *file);
const sq_tensor *sq_safetensors_find(const sq_safetensors *file, const char *name); /* NULL when absent */
const char *sq_safetensors_metadata(const sq_safetensors *file, const char *key);   /* NULL when absent */
int sq_safetensors_count(const sq_safetensors *file);
const sq_tensor *sq_safetensors_at(const sq_safetensors *file, int index);

#endif
