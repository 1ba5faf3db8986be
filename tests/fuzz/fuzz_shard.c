/* fuzz_shard.c - reads any bytes as a packed shard, unchanged and with corrected checksums. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "data/sources/shard.h"
#include "tests/data/seal.h"

static void check(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    sq_shard *shard = NULL;
    if (!fuzz_open(&file, bytes, size))
        return;
    if (sq_shard_open(&shard, file.path) == SQ_OK) {
        const sq_shard_header *header = sq_shard_get_header(shard);
        for (size_t i = 0; i < header->count; i++) {
            const sq_shard_record *r = sq_shard_record_at(shard, i);
            void *out = malloc((size_t)r->size + 1);
            if (!out || strlen(sq_shard_image_name(shard, i)) + strlen(sq_shard_class_name(shard, r->label)) > size)
                abort();
            if (sq_shard_read(shard, i, out) == SQ_OK && !sq_shard_view(shard, i))
                abort(); /* read and view must return the same bytes */
            free(out);
        }
        sq_shard_close(shard);
    }
    fuzz_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_sealed(bytes, size, check, seal_shard);
    return 0;
}
