/* Listing sources: which files are images, of which class, in which order. */
#include "data/sources/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/text.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcasecmp(text + a - b, end) == 0;
}

bool sq_source_is_passed_over(const char *name)
{
    static const char *const endings[] = {".txt", ".csv", ".json", ".xml", ".md", ".mat"};
    if (name[sq_source_base(name)] == '.')
        return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i]))
            return true;
    return false;
}

size_t sq_source_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* ---- The list ---- */

sq_status sq_source_add(sq_dataset *d, const char *name, const char *class_name, size_t class_length,
                        sq_dataset_entry where)
{
    if (d->count == d->limit) {
        const size_t limit = d->limit ? 2 * d->limit : 1024;
        sq_dataset_entry *more = realloc(d->entries, limit * sizeof *more);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "%s: list of %zu images", name, limit);
        d->entries = more;
        d->limit = limit;
    }
    where.name = strdup(name);
    where.class_name = class_name ? strndup(class_name, class_length) : NULL;
    d->entries[d->count++] = where; /* counted even if half built: close frees it */
    return where.name && (where.class_name || !class_name) ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: its name", name);
}

sq_status sq_source_add_class(sq_dataset *d, const char *name)
{
    char **more = realloc(d->classes, (size_t)(d->class_count + 1) * sizeof *more);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: class list", name);
    d->classes = more;
    d->classes[d->class_count] = strdup(name);
    return d->classes[d->class_count++] ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: class list", name);
}

/* As ImageFolder's walk: the files of a folder in the order of their names, before those of a folder in it. */
static int compare_inner(const char *a, const char *b)
{
    const size_t x = sq_source_base(a), y = sq_source_base(b);
    const int order = strncmp(a, b, x < y ? x : y);
    if (order)
        return order;
    return x != y ? (x < y ? -1 : 1) : strcmp(a + x, b + y);
}

static int by_class_and_name(const void *a, const void *b)
{
    const sq_dataset_entry *x = a, *y = b;
    int order = strcmp(x->class_name, y->class_name);
    if (!order)
        order = compare_inner(x->name + x->inner, y->name + y->inner);
    return order ? order : strcmp(x->name, y->name);
}

/* Sorted entries -> class list and labels. */
static sq_status number_classes(sq_dataset *d)
{
    qsort(d->entries, d->count, sizeof *d->entries, by_class_and_name);
    for (size_t i = 0; i < d->count; i++) {
        sq_dataset_entry *e = &d->entries[i];
        if (i == 0 || strcmp(e->class_name, d->classes[d->class_count - 1]) != 0)
            SQ_TRY(sq_source_add_class(d, e->class_name));
        e->label = d->class_count - 1;
    }
    for (size_t i = 0; i < d->count; i++) {
        free(d->entries[i].class_name);
        d->entries[i].class_name = NULL;
    }
    return SQ_OK;
}

/* ---- Folders ---- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The files of one folder. class_name NULL: a list will say. begin: where their names inside the class begin. */
static sq_status read_files(sq_dataset *d, const char *path, const char *class_name, size_t begin)
{
    DIR *folder = opendir(path);
    sq_status status = folder ? SQ_OK : sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e = folder ? readdir(folder) : NULL; status == SQ_OK && e; e = readdir(folder)) {
        char name[SQ_PATH_BYTES];
        struct stat info;
        if (sq_source_is_passed_over(e->d_name))
            continue;
        status = sq_text_path(name, sizeof name, path, e->d_name);
        if (status != SQ_OK)
            break;
        if (stat(name, &info) != 0)
            status = sq_fail(SQ_IO, "%s: %s", name, strerror(errno));
        else if (S_ISREG(info.st_mode))
            status = sq_source_add(
                d, name, class_name, class_name ? strlen(class_name) : 0,
                (sq_dataset_entry){.inner = begin, .tar = -1, .shard = -1, .size = (uint64_t)info.st_size});
    }
    if (folder)
        (void)closedir(folder); /* only read */
    return status;
}

/* <class>/<image> and <class>/images/<image>. */
static sq_status read_class_folder(sq_dataset *d, const char *path, const char *class_name)
{
    char images[SQ_PATH_BYTES];
    const size_t before = d->count, begin = strlen(path) + 1;
    SQ_TRY(read_files(d, path, class_name, begin));
    if (sq_text_path(images, sizeof images, path, "images") == SQ_OK && is_folder(images))
        SQ_TRY(read_files(d, images, class_name, begin));
    if (d->count == before)
        return sq_fail(SQ_DATA, "%s: an empty class folder, wanted images", path);
    return SQ_OK;
}

static sq_status read_split_folder(sq_dataset *d, const char *path)
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
        status = sq_text_path(name, sizeof name, path, e->d_name);
        if (status != SQ_OK)
            break;
        if (stat(name, &info) != 0)
            status = sq_fail(SQ_IO, "%s: %s", name, strerror(errno));
        else if (S_ISDIR(info.st_mode)) /* else a licence, a list: not a class */
            status = read_class_folder(d, name, e->d_name);
    }
    (void)closedir(folder); /* only read */
    return status;
}

static sq_status read_tar_folder(sq_dataset *d, const char *path, const sq_listing_options *asked, int *found)
{
    struct dirent **names = NULL;
    const int count = scandir(path, &names, NULL, alphasort);
    sq_status status = count < 0 ? sq_fail(SQ_IO, "%s: %s", path, strerror(errno)) : SQ_OK;
    *found = 0;
    for (int i = 0; i < count; i++) {
        char name[SQ_PATH_BYTES];
        if (status == SQ_OK && names[i]->d_name[0] != '.' && ends_with(names[i]->d_name, ".tar") &&
            sq_text_path(name, sizeof name, path, names[i]->d_name) == SQ_OK) {
            status = sq_source_list_tar(d, name, asked);
            ++*found;
        }
        free(names[i]);
    }
    free(names);
    return status;
}

/* Tiny-ImageNet's val/ as it is unpacked: images/ and a list of their classes, whose path goes to list. */
static bool has_annotations(const char *path, char *list)
{
    char images[SQ_PATH_BYTES];
    return sq_text_path(images, sizeof images, path, "images") == SQ_OK && is_folder(images) &&
           sq_text_path(list, SQ_PATH_BYTES, path, "val_annotations.txt") == SQ_OK && access(list, R_OK) == 0;
}

/* One split in a folder of its own. */
static sq_status read_split(sq_dataset *d, const char *path, const sq_listing_options *asked)
{
    char list[SQ_PATH_BYTES];
    int tars = 0;
    SQ_TRY(read_tar_folder(d, path, asked, &tars));
    if (tars > 0)
        return SQ_OK;
    if (asked->has_labels)
        return read_class_folder(d, path, NULL);
    if (!has_annotations(path, list))
        return read_split_folder(d, path);
    SQ_TRY(read_class_folder(d, path, NULL));
    return sq_labels_apply(d, list, asked);
}

static sq_status read_source(sq_dataset *d, const char *source, const sq_listing_options *asked)
{
    struct stat info;
    char inner[SQ_PATH_BYTES], other[SQ_PATH_BYTES];
    int tars = 0;
    if (stat(source, &info) != 0)
        return sq_fail(errno == ENOENT ? SQ_DATA : SQ_IO, "%s: %s", source, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return sq_source_list_tar(d, source, asked);
    SQ_TRY(sq_text_path(inner, sizeof inner, source, asked->split));
    SQ_TRY(sq_text_path(other, sizeof other, source, strcmp(asked->split, "train") == 0 ? "val" : "train"));
    if (is_folder(inner)) {
        SQ_TRY(read_split(d, inner, asked));
        d->is_bare = false; /* tars of classes or pairs in it, maybe */
        return SQ_OK;
    }
    if (is_folder(other)) {
        SQ_TRY(read_tar_folder(d, source, asked, &tars));
        return tars > 0 || asked->is_optional ? SQ_OK : sq_fail(SQ_DATA, "%s: no folder %s", source, asked->split);
    }
    SQ_TRY(read_split(d, source, asked));
    d->is_bare = d->is_bare || d->tar_count == 0;
    return SQ_OK;
}

static sq_status list_images(sq_dataset *d, const char *source, const sq_listing_options *asked, const char *labels)
{
    SQ_TRY(read_source(d, source, asked));
    if (d->count == 0 && asked->is_optional)
        return SQ_OK;
    if (d->count == 0)
        return sq_fail(SQ_DATA, "%s: no images for %s, wanted %s/<class>/<image>", source, asked->split, asked->split);
    if (labels)
        SQ_TRY(sq_labels_apply(d, labels, asked));
    return number_classes(d);
}

sq_status sq_source_list(sq_dataset *d, const char *source, const char *split, const sq_dataset_options *options)
{
    sq_names classes = {0};
    if (is_folder(source) && sq_shards_exist(source, NULL) && options->is_optional && !sq_shards_exist(source, split))
        return SQ_OK;
    if (is_folder(source) && sq_shards_exist(source, NULL))
        return options->labels ? sq_fail(SQ_DATA, "%s: packed shards have their labels, wanted no list", source)
                               : sq_source_list_shards(d, source, split);
    if (options->classes)
        SQ_TRY(sq_names_read(&classes, options->classes));
    const sq_listing_options asked = {.split = split,
                                      .classes = options->classes ? (const char *const *)classes.names : NULL,
                                      .class_count = classes.count,
                                      .is_optional = options->is_optional,
                                      .has_labels = options->labels != NULL};
    const sq_status status = list_images(d, source, &asked, options->labels);
    sq_names_free(&classes);
    return status;
}
