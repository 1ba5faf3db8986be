/* Lists folders of the form <split>/<class>/<image>, or the same without <split>/, or with tars in place of the
 * classes. */
#include "data/sources/source_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/sources/labels.h"
#include "data/sources/source_tar.h"
#include "kernels/base/text.h"

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Writes folder/name to `path` and the result of stat(2) to `info`. */
static sq_status stat_in(const char *folder, const char *name, char *path, struct stat *info)
{
    SQ_TRY(sq_text_path(path, SQ_PATH_BYTES, folder, name));
    return stat(path, info) == 0 ? SQ_OK : sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
}

/* The class of the images of a folder, and where their inner names start. */
typedef struct {
    const char *name;         /* NULL: a file of labels gives the class of each image */
    size_t inner_name_offset; /* length of the path of the class folder, with the final slash */
} class_folder;

static sq_status add_files(sq_dataset *d, const char *path, const class_folder *class)
{
    DIR *folder = opendir(path);
    sq_status status = folder ? SQ_OK : sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e = folder ? readdir(folder) : NULL; status == SQ_OK && e; e = readdir(folder)) {
        char name[SQ_PATH_BYTES];
        struct stat info;
        if (sq_listing_ignores(e->d_name))
            continue;
        status = stat_in(path, e->d_name, name, &info);
        if (status == SQ_OK && S_ISREG(info.st_mode))
            status = sq_listing_add(d, name, class->name, class->name ? strlen(class->name) : 0,
                                    (sq_dataset_entry){.inner_name_offset = class->inner_name_offset,
                                                       .tar = -1,
                                                       .shard = -1,
                                                       .size = (uint64_t)info.st_size});
    }
    if (folder)
        (void)closedir(folder); /* nothing was written */
    return status;
}

/* Adds <path>/<image> and <path>/images/<image>. class_name NULL: a file of labels gives the classes. */
static sq_status add_class_folder(sq_dataset *d, const char *path, const char *class_name)
{
    char images[SQ_PATH_BYTES];
    const size_t count_before = d->count;
    const class_folder class = {class_name, strlen(path) + 1};
    SQ_TRY(add_files(d, path, &class));
    if (sq_text_path(images, sizeof images, path, "images") == SQ_OK && is_folder(images))
        SQ_TRY(add_files(d, images, &class));
    if (d->count == count_before)
        return sq_fail(SQ_DATA, "%s: empty class folder: expected images", path);
    return SQ_OK;
}

static sq_status add_class_folders(sq_dataset *d, const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    sq_status status = SQ_OK;
    for (struct dirent *e = readdir(folder); status == SQ_OK && e; e = readdir(folder)) {
        char name[SQ_PATH_BYTES];
        struct stat info;
        if (e->d_name[0] == '.')
            continue;
        status = stat_in(path, e->d_name, name, &info);
        if (status == SQ_OK && S_ISDIR(info.st_mode)) /* other files, such as licences, are not classes */
            status = add_class_folder(d, name, e->d_name);
    }
    (void)closedir(folder); /* nothing was written */
    return status;
}

static sq_status add_tars(sq_dataset *d, const char *path, const sq_listing_options *options, int *tar_count)
{
    struct dirent **names = NULL;
    const int count = scandir(path, &names, NULL, alphasort);
    sq_status status = count < 0 ? sq_fail(SQ_IO, "%s: %s", path, strerror(errno)) : SQ_OK;
    *tar_count = 0;
    for (int i = 0; i < count; i++) {
        char name[SQ_PATH_BYTES];
        if (status == SQ_OK && names[i]->d_name[0] != '.' && sq_listing_ends_with(names[i]->d_name, ".tar") &&
            sq_text_path(name, sizeof name, path, names[i]->d_name) == SQ_OK) {
            status = sq_source_list_tar(d, name, options);
            ++*tar_count;
        }
        free(names[i]);
    }
    free(names);
    return status;
}

/* Returns true for the unpacked val/ of Tiny-ImageNet, which has a folder images/ and a list of classes. Writes the
 * path of that list to `list`. */
static bool has_annotations(const char *path, char *list)
{
    char images[SQ_PATH_BYTES];
    return sq_text_path(images, sizeof images, path, "images") == SQ_OK && is_folder(images) &&
           sq_text_path(list, SQ_PATH_BYTES, path, "val_annotations.txt") == SQ_OK && access(list, R_OK) == 0;
}

/* Adds the images of a folder that holds only the requested split. */
static sq_status add_split_folder(sq_dataset *d, const char *path, const sq_listing_options *options)
{
    char list[SQ_PATH_BYTES];
    int tar_count = 0;
    SQ_TRY(add_tars(d, path, options, &tar_count));
    if (tar_count > 0)
        return SQ_OK;
    if (options->labels)
        return add_class_folder(d, path, NULL);
    if (!has_annotations(path, list))
        return add_class_folders(d, path);
    SQ_TRY(add_class_folder(d, path, NULL));
    return sq_labels_apply(d, list, options);
}

sq_status sq_source_list_folder(sq_dataset *d, const char *path, const sq_listing_options *options)
{
    char split[SQ_PATH_BYTES], other[SQ_PATH_BYTES];
    const char *other_name = strcmp(options->split, "train") == 0 ? "val" : "train";
    int tar_count = 0;
    SQ_TRY(sq_text_path(split, sizeof split, path, options->split));
    SQ_TRY(sq_text_path(other, sizeof other, path, other_name));
    if (is_folder(split)) {
        SQ_TRY(add_split_folder(d, split, options));
        d->has_unnamed_split = false; /* the folder names the split even if tars in it do not */
        return SQ_OK;
    }
    if (is_folder(other)) {
        SQ_TRY(add_tars(d, path, options, &tar_count));
        return tar_count > 0 || options->is_optional ? SQ_OK
                                                     : sq_fail(SQ_DATA, "%s: no folder %s", path, options->split);
    }
    SQ_TRY(add_split_folder(d, path, options));
    d->has_unnamed_split = d->has_unnamed_split || d->tar_count == 0;
    return SQ_OK;
}
