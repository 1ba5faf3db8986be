/* Packed shards as a source: entries, classes and labels are theirs, in their order. */
#include <stdio.h>
#include <string.h>

#include "data/sources/source.h"

enum { NAME_BYTES = 3 * 4096 };

sq_status sq_source_list_shards(sq_dataset *d, const char *folder, const char *split)
{
    char name[NAME_BYTES];
    SQ_TRY(sq_shards_open(&d->shards, &d->shard_count, folder, split));
    for (int i = 0; i < d->shard_count; i++) {
        const sq_shard *s = d->shards[i];
        const sq_shard_header *head = sq_shard_get_header(s);
        for (uint32_t c = 0; i == 0 && c < head->class_count; c++)
            SQ_TRY(sq_source_add_class(d, sq_shard_class_name(s, c)));
        for (size_t k = 0; k < head->count; k++) {
            const sq_shard_record *r = sq_shard_record_at(s, k);
            const int before =
                snprintf(name, sizeof name, "%s:%s/", sq_shard_path(s), sq_shard_class_name(s, r->label));
            if (before < 0 || (size_t)before + strlen(sq_shard_image_name(s, k)) >= sizeof name)
                return sq_fail(SQ_DATA, "%s: record %zu: the name is too long", sq_shard_path(s), k);
            (void)strcat(name, sq_shard_image_name(s, k));
            SQ_TRY(sq_source_add(d, name, NULL, 0,
                                 (sq_dataset_entry){.inner = (size_t)before,
                                                    .label = (int)r->label,
                                                    .tar = -1,
                                                    .shard = i,
                                                    .offset = k,
                                                    .size = r->size}));
        }
    }
    return d->count ? SQ_OK : sq_fail(SQ_DATA, "%s: no images in the shards of %s", folder, split);
}
