/* The table of source kinds has one row per kind. The first row whose probe accepts a path lists the images of that
 * path. */
#include "data/sources/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "data/sources/labels.h"
#include "data/sources/shard_set.h"
#include "data/sources/source_folder.h"
#include "data/sources/source_shard.h"
#include "data/sources/source_tar.h"

typedef struct {
    const char *name;
    bool (*probe)(const char *path);
    sq_status (*list)(sq_dataset *dataset, const char *path, const sq_listing_options *options);
    bool has_labels; /* the source numbers its classes itself; a file of labels is an error */
} source_kind;

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_shard_folder(const char *path)
{
    return is_folder(path) && sq_shards_exist(path, NULL);
}

static bool is_file(const char *path)
{
    return !is_folder(path);
}

static const source_kind kinds[] = {
    {"a folder of packed shards", is_shard_folder, sq_source_list_shards, true},
    {"a folder", is_folder, sq_source_list_folder, false},
    {"a tar", is_file, sq_source_list_tar, false},
};

static sq_status find_kind(const source_kind **out, const char *source)
{
    struct stat info;
    if (stat(source, &info) != 0)
        return sq_fail(errno == ENOENT ? SQ_DATA : SQ_IO, "%s: %s", source, strerror(errno));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].probe(source)) {
            *out = &kinds[i];
            return SQ_OK;
        }
    return sq_fail(SQ_DATA, "%s: unknown kind of source: expected a folder or a tar", source);
}

static sq_status list_unlabelled(sq_dataset *d, const source_kind *kind, const char *source,
                                 const sq_listing_options *options)
{
    SQ_TRY(kind->list(d, source, options));
    if (d->count == 0 && options->is_optional)
        return SQ_OK;
    if (d->count == 0)
        return sq_fail(SQ_DATA, "%s: no images for split %s: expected %s/<class>/<image>", source, options->split,
                       options->split);
    if (options->labels)
        SQ_TRY(sq_labels_apply(d, options->labels, options));
    return sq_listing_number_classes(d);
}

sq_status sq_source_list(sq_dataset *d, const char *source, const char *split, const sq_dataset_options *options)
{
    const source_kind *kind = NULL;
    sq_name_list classes = {0};
    sq_listing_options listing = {.split = split, .labels = options->labels, .is_optional = options->is_optional};
    SQ_TRY(find_kind(&kind, source));
    if (kind->has_labels && options->labels)
        return sq_fail(SQ_DATA, "%s: %s has its own labels: found a file of labels too; omit it", source, kind->name);
    if (kind->has_labels)
        return kind->list(d, source, &listing);
    if (options->classes) {
        SQ_TRY(sq_name_list_read(&classes, options->classes));
        listing.classes = (const char *const *)classes.names;
        listing.class_count = classes.count;
    }
    const sq_status status = list_unlabelled(d, kind, source, &listing);
    sq_name_list_free(&classes);
    return status;
}
