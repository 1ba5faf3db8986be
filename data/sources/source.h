#ifndef SQ_SOURCE_H
#define SQ_SOURCE_H

#include "data/sources/dataset.h"
#include "data/sources/shard.h"

/* How data sets are listed: shared by dataset.c and the files source*.c, of no use to others. */

typedef struct {
    char *name;       /* path of the file, or "tar:member"; owned */
    size_t inner;     /* where in name the part behind the class begins: the order within a class */
    char *class_name; /* owned; until the list is numbered, then NULL */
    int label;
    int tar;               /* index of the open tar, or -1 */
    int shard;             /* index of the shard, or -1 */
    uint64_t offset, size; /* in a shard: offset is the record's number */
} sq_dataset_entry;

struct sq_dataset {
    const sq_dataset *whole;   /* borrowed: of a subset */
    sq_dataset_entry *entries; /* of a whole */
    size_t *indices;           /* of a subset: positions in `whole` */
    size_t count, limit;
    char **classes; /* owned by a whole */
    int class_count;
    int *tars;
    int tar_count;
    sq_shard **shards;
    int shard_count;
    bool is_bare; /* see sq_dataset_has_unnamed_split */
};

/* What is asked of a source, handed down while it is walked. */
typedef struct {
    const char *split;
    const char *const *classes; /* names of numbered classes, or NULL */
    int class_count;
    bool is_optional;
    bool has_labels; /* every image counts, whatever folder it lies in: a list has the classes */
} sq_listing_options;

/* Lists a source into an empty dataset: sorted and numbered. */
SQ_MUST_USE sq_status sq_source_list(sq_dataset *dataset, const char *source, const char *split,
                                     const sq_dataset_options *options);

/* Adds an image; class_name (class_length bytes) NULL: a list will say. where gives inner, tar, shard, offset, size. */
SQ_MUST_USE sq_status sq_source_add(sq_dataset *dataset, const char *name, const char *class_name, size_t class_length,
                                    sq_dataset_entry where);
SQ_MUST_USE sq_status sq_source_add_class(sq_dataset *dataset, const char *name);
/* Is it a list, a licence: nothing that counts as an image? */
bool sq_source_is_passed_over(const char *name);
/* Where the name of a file begins in its path. */
size_t sq_source_base(const char *path);

/* Adds the members of a tar that belong to the split. */
SQ_MUST_USE sq_status sq_source_list_tar(sq_dataset *dataset, const char *path, const sq_listing_options *asked);
/* Takes over the shards of a folder: entries, classes and labels are theirs. */
SQ_MUST_USE sq_status sq_source_list_shards(sq_dataset *dataset, const char *folder, const char *split);

/* Names of a file, one at the beginning of each line; free with sq_names_free. */
typedef struct {
    char *text, **names;
    int count;
} sq_names;
SQ_MUST_USE sq_status sq_names_read(sq_names *out, const char *path);
void sq_names_free(sq_names *names);
/* Gives every image of the dataset its class from a file of labels. */
SQ_MUST_USE sq_status sq_labels_apply(sq_dataset *dataset, const char *path, const sq_listing_options *asked);

#endif
