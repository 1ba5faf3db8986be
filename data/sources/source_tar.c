/* Tars as a source. The table `layouts` has one row per layout of a tar. */
#include "data/sources/source_tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sources/tar.h"
#include "data/sources/webdataset.h"

enum { NAME_BYTES = 3 * 4096, PROBED_MEMBERS = 16 };
static const char TAR_ENDING[] = ".tar";

static const char *skip_dot_slash(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return name;
}

static bool is_tar_at_root(const char *name)
{
    return !strchr(name, '/') && sq_listing_ends_with(name, TAR_ENDING);
}

/* ---- A tree of class folders ---- */

typedef struct {
    const char *class_name; /* class_length bytes; NULL: a file of labels gives the class */
    size_t class_length;
    const char *inner_name;
} member_name;

/* Splits "train/cat/1.png" into class "cat" and inner name "1.png". has_split: true if names begin with the split,
 * false if names begin with the class. Returns false for members that are not images of the split. */
static bool split_name(member_name *out, const char *name, const sq_listing_options *options, bool has_split)
{
    const size_t split_length = strlen(options->split);
    name = skip_dot_slash(name);
    if (has_split) {
        if (strncmp(name, options->split, split_length) != 0 || name[split_length] != '/')
            return false;
        name += split_length + 1;
    }
    const char *slash = strchr(name, '/');
    if (sq_listing_ignores(name))
        return false;
    if (options->labels) { /* with a file of labels, folders are ignored */
        *out = (member_name){.inner_name = name + sq_listing_file_name_offset(name)};
        return *out->inner_name != 0;
    }
    if (!slash || slash == name || slash[1] == 0 || name[0] == '.')
        return false;
    *out = (member_name){name, (size_t)(slash - name), slash + 1};
    const char *image = strncmp(slash + 1, "images/", 7) == 0 ? slash + 8 : slash + 1;
    return *image && !strchr(image, '/');
}

/* Adds a member to the data set. outer: prefix of the name if the member is in a tar inside the tar, otherwise "". */
static sq_status add_member(const sq_tar_listing *listing, const sq_tar_member *member, const char *outer,
                            const member_name *split)
{
    char name[NAME_BYTES];
    const char *path = listing->tar->path;
    const int used = snprintf(name, sizeof name, "%s:%s%s", path, outer, member->name);
    if (used < 0 || (size_t)used >= sizeof name)
        return sq_fail(SQ_DATA, "%s:%.64s...: the name is too long: expected less than %d bytes", path, member->name,
                       NAME_BYTES);
    const sq_dataset_entry place = {.inner_name_offset = (size_t)used - strlen(split->inner_name),
                                    .tar = listing->tar_index,
                                    .shard = -1,
                                    .offset = member->offset,
                                    .size = member->size};
    return sq_listing_add(listing->dataset, name, split->class_name, split->class_length, place);
}

static sq_status list_tree(const sq_tar_listing *listing, bool has_split)
{
    sq_tar_member member;
    bool is_end = false;
    for (;;) {
        member_name split;
        SQ_TRY(sq_tar_next(listing->tar, &member, &is_end));
        if (is_end)
            return SQ_OK;
        if (member.is_file && split_name(&split, member.name, listing->options, has_split))
            SQ_TRY(add_member(listing, &member, "", &split));
    }
}

static sq_status list_split_tree(const sq_tar_listing *listing)
{
    return list_tree(listing, true);
}

static sq_status list_class_tree(const sq_tar_listing *listing)
{
    return list_tree(listing, false);
}

/* ---- Tars of classes inside a tar ---- */

/* Lists a tar inside the tar, such as n01440764.tar in ILSVRC2012_img_train.tar. The inner tar is read as a range of
 * the outer file. */
static sq_status list_class_tar(const sq_tar_listing *listing, const sq_tar_member *outer)
{
    sq_tar_member member;
    sq_tar window = *listing->tar;
    bool is_end = false;
    char prefix[sizeof outer->name + 2];
    member_name split = {.class_name = skip_dot_slash(outer->name)};
    split.class_length = strlen(split.class_name) - strlen(TAR_ENDING);
    const size_t count_before = listing->dataset->count;
    window.position = outer->offset;
    window.length = outer->offset + outer->size;
    (void)snprintf(prefix, sizeof prefix, "%s:", split.class_name);
    for (;;) {
        SQ_TRY(sq_tar_next(&window, &member, &is_end));
        if (is_end)
            break;
        split.inner_name = skip_dot_slash(member.name);
        if (member.is_file && !sq_listing_ignores(split.inner_name) && !strchr(split.inner_name, '/'))
            SQ_TRY(add_member(listing, &member, prefix, &split));
    }
    if (listing->dataset->count == count_before)
        return sq_fail(SQ_DATA, "%s:%s: empty class: expected images", listing->tar->path, split.class_name);
    return SQ_OK;
}

static sq_status list_class_tars(const sq_tar_listing *listing)
{
    sq_tar_member member;
    bool is_end = false;
    for (;;) {
        SQ_TRY(sq_tar_next(listing->tar, &member, &is_end));
        if (is_end)
            return SQ_OK;
        const char *name = skip_dot_slash(member.name);
        if (member.is_file && name[0] != '.' && is_tar_at_root(name))
            SQ_TRY(list_class_tar(listing, &member));
    }
}

/* ---- Layouts ---- */

typedef enum { SPLIT_TREE, CLASS_TREE, CLASS_TARS, WEBDATASET, LAYOUTS } tar_layout;

static const struct {
    sq_status (*list)(const sq_tar_listing *listing);
    bool names_split;
} layouts[] = {
    [SPLIT_TREE] = {list_split_tree, true},
    [CLASS_TREE] = {list_class_tree, false},
    [CLASS_TARS] = {list_class_tars, false},
    [WEBDATASET] = {sq_webdataset_list, false},
};
_Static_assert(sizeof layouts / sizeof *layouts == LAYOUTS, "one row per layout");

static bool is_split_member(const char *name)
{
    return strncmp(name, "train/", 6) == 0 || strncmp(name, "val/", 4) == 0;
}

/* Finds the layout from the first members. Folders may precede the files. A member below train/ or val/ selects the
 * layout with splits, even if a WebDataset pair comes first. */
static sq_status find_layout(const sq_tar *tar, const sq_listing_options *options, tar_layout *out)
{
    sq_tar_member member, previous = {.name = ""};
    sq_tar scan = *tar;
    bool is_end = false;
    *out = CLASS_TREE;
    for (int i = 0; i < PROBED_MEMBERS; i++) {
        SQ_TRY(sq_tar_next(&scan, &member, &is_end));
        if (is_end)
            return SQ_OK;
        const char *name = skip_dot_slash(member.name);
        if (is_split_member(name)) {
            *out = SPLIT_TREE;
            return SQ_OK;
        }
        if (!member.is_file || options->labels)
            continue;
        if (is_tar_at_root(name)) {
            *out = CLASS_TARS;
            return SQ_OK;
        }
        if (sq_webdataset_is_pair(previous.name, name))
            *out = WEBDATASET;
        (void)snprintf(previous.name, sizeof previous.name, "%s", name);
    }
    return SQ_OK;
}

sq_status sq_source_list_tar(sq_dataset *d, const char *path, const sq_listing_options *options)
{
    sq_tar tar;
    tar_layout layout;
    int *tars = realloc(d->tars, (size_t)(d->tar_count + 1) * sizeof *tars);
    if (!tars)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for the list of tars", path);
    d->tars = tars;
    SQ_TRY(sq_tar_open(&tar, path));
    d->tars[d->tar_count++] = tar.file; /* stays open until sq_dataset_close */
    SQ_TRY(find_layout(&tar, options, &layout));
    d->has_unnamed_split = d->has_unnamed_split || !layouts[layout].names_split;
    const sq_tar_listing listing = {d, options, &tar, d->tar_count - 1};
    return layouts[layout].list(&listing);
}
