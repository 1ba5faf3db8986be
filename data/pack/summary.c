/* Counts the records of packed shards by their flags. */
#include "data/pack/summary.h"

#include <stdio.h>

#include "data/sources/shard_set.h"
#include "kernels/base/file.h"

/* Returns the image's format before packing. Formats of a later version of Squall count as unknown. */
static sq_image_format format_of(const sq_shard_record *r)
{
    const uint32_t format = r->flags & SQ_SHARD_FORMAT_MASK;
    return format < SQ_FORMATS ? (sq_image_format)format : SQ_FORMAT_UNKNOWN;
}

static void count_record(sq_pack_summary *out, const sq_shard_record *r)
{
    const sq_image_format format = format_of(r);
    out->images++;
    out->formats[format]++;
    out->reencoded += (r->flags & SQ_SHARD_REENCODED) != 0;
    out->raw += (r->flags & SQ_SHARD_RAW) != 0;
    out->grey += (r->flags & SQ_SHARD_GREY) != 0;
    out->cmyk += (r->flags & SQ_SHARD_CMYK) != 0;
    out->rotated += (r->flags & SQ_SHARD_ROTATED) != 0;
    out->undecodable += (r->flags & SQ_SHARD_UNDECODABLE) != 0;
}

/* Writes one line for each unusual property of a record. `usual` is the most frequent format. */
static void list_record(FILE *file, sq_pack_summary *out, const sq_shard *s, size_t i, sq_image_format usual)
{
    const sq_shard_record *r = sq_shard_record_at(s, i);
    const sq_image_format format = format_of(r);
    const struct {
        bool is_present;
        const char *name;
    } properties[] = {
        {(r->flags & SQ_SHARD_UNDECODABLE) != 0, "undecodable"},
        {format != usual, sq_image_format_name(format)},
        {r->flags & SQ_SHARD_GREY && 2 * out->grey <= out->images, "grey"},
        {(r->flags & SQ_SHARD_CMYK) != 0, "CMYK"},
        {(r->flags & SQ_SHARD_ROTATED) != 0, "EXIF-rotated"},
    };
    for (size_t k = 0; k < sizeof properties / sizeof *properties; k++)
        if (properties[k].is_present) {
            (void)fprintf(file, "%s\t%s/%s\n", properties[k].name, sq_shard_class_name(s, r->label),
                          sq_shard_image_name(s, i));
            out->listed++;
        }
}

static sq_status write_list(sq_pack_summary *out, sq_shard *const *shards, const char *list)
{
    sq_file_writer file;
    sq_image_format usual = SQ_FORMAT_UNKNOWN;
    for (int f = 0; f < SQ_FORMATS; f++)
        usual = out->formats[f] > out->formats[usual] ? (sq_image_format)f : usual;
    SQ_TRY(sq_file_begin(&file, list));
    for (int k = 0; k < out->shards; k++)
        for (size_t i = 0; i < sq_shard_get_header(shards[k])->count; i++)
            list_record(file.stream, out, shards[k], i, usual);
    return sq_file_finish(&file, list);
}

sq_status sq_pack_summarise(sq_pack_summary *out, const char *folder, const char *split, const char *list)
{
    sq_shard **shards = NULL;
    sq_pack_summary found = {0};
    SQ_TRY(sq_shards_open(&shards, &found.shards, folder, split));
    found.classes = (int)sq_shard_get_header(shards[0])->class_count;
    for (int k = 0; k < found.shards; k++) {
        const sq_shard_header *head = sq_shard_get_header(shards[k]);
        found.bytes += head->file_bytes;
        for (size_t i = 0; i < head->count; i++)
            count_record(&found, sq_shard_record_at(shards[k], i));
    }
    const sq_status status = list ? write_list(&found, shards, list) : SQ_OK;
    sq_shards_close(shards, found.shards);
    if (status == SQ_OK)
        *out = found;
    return status;
}
