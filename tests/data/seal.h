#ifndef SQ_TEST_SEAL_H
#define SQ_TEST_SEAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xxhash.h>

#include "data/sources/shard.h"

/* Recomputes the checksums of an edited shard in memory. With valid checksums, only the reader's other checks can
 * detect the edit. */
static inline void seal_shard(uint8_t *bytes, size_t size)
{
    sq_shard_header head;
    if (size < sizeof head)
        return;
    memcpy(&head, bytes, sizeof head);
    if (head.classes_offset <= size)
        head.tables_checksum = XXH3_64bits(bytes + head.classes_offset, size - head.classes_offset);
    head.header_checksum = XXH3_64bits(&head, offsetof(sq_shard_header, header_checksum));
    memcpy(bytes, &head, sizeof head);
}

#endif
