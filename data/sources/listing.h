#ifndef SQ_LISTING_H
#define SQ_LISTING_H

#include "data/sources/dataset.h"
#include "data/sources/shard.h"

/* The list of images inside a data set, and the helpers that build the list. Internal to data/sources. The source kinds
 * add entries, and dataset.c reads the entries. */

typedef struct {
    char *name; /* path of the file, or "tar:member"; owned */
    size_t
        inner_name_offset; /* offset in name of the part below the class folder, which orders the images of a class */
    char *class_name;      /* owned; NULL once sq_listing_number_classes has run */
    int label;
    int tar;         /* index in sq_dataset.tars; -1: the image is not in a tar */
    int shard;       /* index in sq_dataset.shards; -1: the image is not in a shard */
    uint64_t offset; /* in a tar: first byte of the image; in a shard: number of the record */
    uint64_t size;   /* bytes */
} sq_dataset_entry;

struct sq_dataset {
    const sq_dataset *parent;  /* borrowed; NULL: this is a whole data set, otherwise a subset of parent */
    sq_dataset_entry *entries; /* owned; NULL in a subset */
    size_t *indices;           /* owned; indices in parent; NULL in a whole data set */
    size_t count, capacity;
    char **classes; /* owned by a whole data set, borrowed by a subset */
    int class_count;
    int *tars; /* open file descriptors */
    int tar_count;
    sq_shard **shards;
    int shard_count;
    bool has_unnamed_split; /* see sq_dataset_has_unnamed_split */
};

/* The options of one listing, which are passed to the list function of every source kind. */
typedef struct {
    const char *split;  /* "train" or "val" */
    const char *labels; /* file of labels; images in any folder are listed. NULL: folder names are the classes */
    const char *const *classes; /* class names by number, or NULL */
    int class_count;
    bool is_optional; /* a source without the split is an empty data set */
} sq_listing_options;

/* Appends an image.
 * class_name   class_length bytes; NULL: a file of labels gives the class later
 * place        gives inner_name_offset, label, tar, shard, offset and size
 * returns      SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_listing_add(sq_dataset *dataset, const char *name, const char *class_name, size_t class_length,
                                     sq_dataset_entry place);
SQ_MUST_USE sq_status sq_listing_add_class(sq_dataset *dataset, const char *name);

/* Sorts the entries by class and name, and numbers the classes. */
SQ_MUST_USE sq_status sq_listing_number_classes(sq_dataset *dataset);

/* Returns true for hidden files and for text files next to images, such as lists and licences. */
bool sq_listing_ignores(const char *name);

/* Returns the offset of the file name in a path. */
size_t sq_listing_file_name_offset(const char *path);

/* Returns true if `text` ends with `ending`, ignoring case. */
bool sq_listing_ends_with(const char *text, const char *ending);

#endif
