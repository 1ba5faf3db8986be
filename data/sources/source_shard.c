/* Packed shards as a source. */
#include "data/sources/source_shard.h"

#include <stdio.h>
#include <string.h>

#include "data/sources/shard_set.h"

enum { NAME_BYTES = 3 * 4096 };

static sq_status add_records(sq_dataset *d, int shard_index)
{
    char name[NAME_BYTES];
    const sq_shard *s = d->shards[shard_index];
    const size_t count = sq_shard_get_header(s)->count;
    for (size_t i = 0; i < count; i++) {
        const sq_shard_record *r = sq_shard_record_at(s, i);
        const int prefix = snprintf(name, sizeof name, "%s:%s/", sq_shard_path(s), sq_shard_class_name(s, r->label));
        if (prefix < 0 || (size_t)prefix + strlen(sq_shard_image_name(s, i)) >= sizeof name)
            return sq_fail(SQ_DATA, "%s: record %zu: the name is too long: expected less than %d bytes",
                           sq_shard_path(s), i, NAME_BYTES);
        (void)strcat(name, sq_shard_image_name(s, i));
        SQ_TRY(sq_listing_add(d, name, NULL, 0,
                              (sq_dataset_entry){.inner_name_offset = (size_t)prefix,
                                                 .label = (int)r->label,
                                                 .tar = -1,
                                                 .shard = shard_index,
                                                 .offset = i,
                                                 .size = r->size}));
    }
    return SQ_OK;
}

sq_status sq_source_list_shards(sq_dataset *d, const char *folder, const sq_listing_options *options)
{
    if (options->is_optional && !sq_shards_exist(folder, options->split))
        return SQ_OK;
    SQ_TRY(sq_shards_open(&d->shards, &d->shard_count, folder, options->split));
    const uint32_t class_count = sq_shard_get_header(d->shards[0])->class_count;
    for (uint32_t c = 0; c < class_count; c++)
        SQ_TRY(sq_listing_add_class(d, sq_shard_class_name(d->shards[0], c)));
    for (int i = 0; i < d->shard_count; i++)
        SQ_TRY(add_records(d, i));
    return d->count ? SQ_OK : sq_fail(SQ_DATA, "%s: no images in the shards of split %s", folder, options->split);
}
