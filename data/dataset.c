/* Lists of images. A list is made once, sorted, and never changes; subsets point into it. */
#include "data/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/tar.h"
#include "kernels/base/rng.h"
#include "kernels/base/text.h"

enum { PATH_BYTES = 4096, LARGEST_IMAGE = 1 << 30 };

typedef struct {
    char *name; /* path of the file, or "tar:member"; owned */
    int label;
    int tar; /* index of the open tar, or -1: a file of its own */
    uint64_t offset, size;
    int h, w;         /* of uncompressed RGB; 0: encoded */
    const void *view; /* where the bytes are mapped, or NULL; borrowed from the data set */
    char *class_name; /* while the list is made; owned by it */
} entry;

struct sq_dataset {
    const sq_dataset *whole; /* borrowed: of a subset */
    entry *entries;          /* of a whole */
    size_t *indices;         /* of a subset: positions in `whole` */
    size_t count, limit;
    char **classes; /* owned by a whole */
    int class_count;
    int *tars;
    int tar_count;
};

/* ---- Making the list ---- */

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcasecmp(text + a - b, end) == 0;
}

static char *copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

static sq_status add_entry(sq_dataset *d, const char *name, const char *class_name, size_t class_length, entry where)
{
    if (d->count == d->limit) {
        const size_t limit = d->limit ? 2 * d->limit : 1024;
        entry *more = realloc(d->entries, limit * sizeof *more);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "%s: list of %zu images", name, limit);
        d->entries = more;
        d->limit = limit;
    }
    where.name = copy_text(name, strlen(name));
    where.class_name = copy_text(class_name, class_length);
    d->entries[d->count++] = where; /* counted even if half built: close frees it */
    return where.name && where.class_name ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: its name", name);
}

static sq_status add_class(sq_dataset *d, const char *name)
{
    char **more = realloc(d->classes, (size_t)(d->class_count + 1) * sizeof *more);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: class list", name);
    d->classes = more;
    d->classes[d->class_count] = copy_text(name, strlen(name));
    return d->classes[d->class_count++] ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: class list", name);
}

static sq_status read_class_folder(sq_dataset *d, const char *path, const char *class_name)
{
    DIR *folder = opendir(path);
    const size_t before = d->count;
    sq_status status = folder ? SQ_OK : sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e = folder ? readdir(folder) : NULL; status == SQ_OK && e; e = readdir(folder)) {
        char name[PATH_BYTES];
        struct stat info;
        if (e->d_name[0] == '.')
            continue;
        if (!sq_text_path(name, sizeof name, path, e->d_name))
            status = sq_fail(SQ_DATA, "%s/%.64s...: the path is too long", path, e->d_name);
        else if (stat(name, &info) != 0)
            status = sq_fail(SQ_IO, "%s: %s", name, strerror(errno));
        else if (S_ISREG(info.st_mode))
            status =
                add_entry(d, name, class_name, strlen(class_name), (entry){.tar = -1, .size = (uint64_t)info.st_size});
    }
    if (folder)
        (void)closedir(folder); /* only read */
    if (status == SQ_OK && d->count == before)
        status = sq_fail(SQ_DATA, "%s: an empty class folder, wanted images", path);
    return status;
}

static sq_status read_split_folder(sq_dataset *d, const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    sq_status status = SQ_OK;
    for (struct dirent *e = readdir(folder); status == SQ_OK && e; e = readdir(folder)) {
        char name[PATH_BYTES];
        struct stat info;
        if (e->d_name[0] == '.' || !sq_text_path(name, sizeof name, path, e->d_name) || stat(name, &info) != 0 ||
            !S_ISDIR(info.st_mode))
            continue; /* a licence, a list: not a class */
        status = read_class_folder(d, name, e->d_name);
    }
    (void)closedir(folder); /* only read */
    return status;
}

/* "train/cat/1.png" -> class "cat". is_bare: the tar has no train/ or val/ at its top. False: not of this split. */
static bool parse_member(const char *name, const char *split, bool is_bare, const char **class_name, size_t *length)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    const size_t split_length = strlen(split);
    if (!is_bare) {
        if (strncmp(name, split, split_length) != 0 || name[split_length] != '/')
            return false;
        name += split_length + 1;
    }
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || slash[1] == 0 || strchr(slash + 1, '/') || slash[1] == '.' || name[0] == '.')
        return false;
    *class_name = name;
    *length = (size_t)(slash - name);
    return true;
}

static bool is_split_member(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return strncmp(name, "train/", 6) == 0 || strncmp(name, "val/", 4) == 0;
}

static sq_status walk_tar(sq_dataset *d, sq_tar *tar, const char *split, int index)
{
    sq_tar_member member;
    bool is_end = false, is_bare = true;
    sq_tar scan = *tar;
    SQ_TRY(sq_tar_next(&scan, &member, &is_end));
    for (int i = 0; i < 16 && !is_end && is_bare; i++) { /* folders may precede the first file */
        is_bare = !is_split_member(member.name);
        SQ_TRY(sq_tar_next(&scan, &member, &is_end));
    }
    for (;;) {
        const char *class_name;
        size_t length;
        SQ_TRY(sq_tar_next(tar, &member, &is_end));
        if (is_end)
            return SQ_OK;
        if (!member.is_file || !parse_member(member.name, split, is_bare, &class_name, &length))
            continue;
        char name[PATH_BYTES + 64];
        (void)snprintf(name, sizeof name, "%s:%.3000s", tar->path, member.name);
        SQ_TRY(add_entry(d, name, class_name, length,
                         (entry){.tar = index, .offset = member.offset, .size = member.size}));
    }
}

static sq_status read_tar(sq_dataset *d, const char *path, const char *split)
{
    sq_tar tar;
    int *more = realloc(d->tars, (size_t)(d->tar_count + 1) * sizeof *more);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: tar list", path);
    d->tars = more;
    SQ_TRY(sq_tar_open(&tar, path));
    d->tars[d->tar_count++] = tar.file; /* stays open for reading */
    return walk_tar(d, &tar, split, d->tar_count - 1);
}

static sq_status read_tar_folder(sq_dataset *d, const char *path, const char *split, int *found)
{
    struct dirent **names = NULL;
    const int count = scandir(path, &names, NULL, alphasort);
    sq_status status = count < 0 ? sq_fail(SQ_IO, "%s: %s", path, strerror(errno)) : SQ_OK;
    *found = 0;
    for (int i = 0; i < count; i++) {
        char name[PATH_BYTES];
        if (status == SQ_OK && ends_with(names[i]->d_name, ".tar") &&
            sq_text_path(name, sizeof name, path, names[i]->d_name)) {
            status = read_tar(d, name, split);
            ++*found;
        }
        free(names[i]);
    }
    free(names);
    return status;
}

static sq_status read_source(sq_dataset *d, const char *source, const char *split)
{
    struct stat info;
    char inner[PATH_BYTES];
    int tars = 0;
    if (stat(source, &info) != 0)
        return sq_fail(errno == ENOENT ? SQ_DATA : SQ_IO, "%s: %s", source, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return read_tar(d, source, split);
    if (!sq_text_path(inner, sizeof inner, source, split))
        return sq_fail(SQ_DATA, "%s: the path is too long", source);
    if (stat(inner, &info) == 0 && S_ISDIR(info.st_mode))
        return read_split_folder(d, inner);
    SQ_TRY(read_tar_folder(d, source, split, &tars));
    if (tars > 0)
        return SQ_OK;
    if (!sq_text_path(inner, sizeof inner, source, strcmp(split, "train") == 0 ? "val" : "train"))
        return sq_fail(SQ_DATA, "%s: the path is too long", source);
    if (stat(inner, &info) == 0 && S_ISDIR(info.st_mode))
        return sq_fail(SQ_DATA, "%s: no folder %s", source, split);
    return read_split_folder(d, source);
}

static int by_class_and_name(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int order = strcmp(x->class_name, y->class_name);
    return order ? order : strcmp(x->name, y->name);
}

/* Sorted entries -> class list and labels. */
static sq_status number_classes(sq_dataset *d)
{
    qsort(d->entries, d->count, sizeof *d->entries, by_class_and_name);
    for (size_t i = 0; i < d->count; i++) {
        if (i == 0 || strcmp(d->entries[i].class_name, d->entries[i - 1].class_name) != 0)
            SQ_TRY(add_class(d, d->entries[i].class_name));
        d->entries[i].label = d->class_count - 1;
    }
    return SQ_OK;
}

sq_status sq_dataset_open(sq_dataset **out, const char *source, const char *split)
{
    sq_dataset *d = calloc(1, sizeof *d);
    if (!d)
        return sq_fail(SQ_NO_MEMORY, "%s: data set", source);
    sq_status status = read_source(d, source, split);
    if (status == SQ_OK && d->count == 0)
        status = sq_fail(SQ_DATA, "%s: no images for %s, wanted %s/<class>/<image>", source, split, split);
    if (status == SQ_OK)
        status = number_classes(d);
    if (status == SQ_OK)
        *out = d;
    else
        sq_dataset_close(d);
    return status;
}

void sq_dataset_close(sq_dataset *d)
{
    if (!d)
        return;
    for (size_t i = 0; d->entries && i < d->count; i++) {
        free(d->entries[i].name);
        free(d->entries[i].class_name);
    }
    for (int i = 0; !d->whole && i < d->class_count; i++)
        free(d->classes[i]);
    if (!d->whole)
        free(d->classes);
    for (int i = 0; i < d->tar_count; i++)
        (void)close(d->tars[i]); /* only read */
    free(d->tars);
    free(d->entries);
    free(d->indices);
    free(d);
}

/* ---- Subsets ---- */

static sq_status make_subset(sq_dataset **out, const sq_dataset *whole, int class_count)
{
    sq_dataset *d = calloc(1, sizeof *d);
    if (d)
        d->indices = malloc((whole->count ? whole->count : 1) * sizeof *d->indices);
    if (!d || !d->indices) {
        sq_dataset_close(d);
        return sq_fail(SQ_NO_MEMORY, "data set: a part of %zu images", whole->count);
    }
    d->whole = whole;
    d->classes = whole->classes;
    d->class_count = class_count;
    *out = d;
    return SQ_OK;
}

/* Marks for one class's images, first .. end: which are held out. The rank of an image's draw decides, so the share is
 * exact. */
static void choose_held_out(const sq_dataset *whole, size_t first, size_t end, double fraction, uint64_t seed,
                            bool *marks)
{
    const size_t count = end - first, wanted = (size_t)((double)count * fraction + 0.5);
    for (size_t i = first; i < end; i++)
        marks[i] = i - first < wanted;
    sq_rng rng = sq_rng_open(seed, SQ_RNG_SPLIT, (uint64_t)sq_dataset_label(whole, first));
    for (size_t i = count; i > 1; i--) {
        const size_t j = sq_rng_below(&rng, (uint32_t)i);
        const bool swap = marks[first + i - 1];
        marks[first + i - 1] = marks[first + j];
        marks[first + j] = swap;
    }
}

sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *whole, double fraction, uint64_t seed,
                              bool is_held_out)
{
    sq_dataset *d = NULL;
    bool *marks = calloc(whole->count ? whole->count : 1, sizeof *marks);
    sq_status status =
        marks ? make_subset(&d, whole, whole->class_count) : sq_fail(SQ_NO_MEMORY, "data set: held-out part");
    for (size_t first = 0, end; status == SQ_OK && first < whole->count;
         first = end) { /* entries are sorted by class */
        for (end = first + 1; end < whole->count && sq_dataset_label(whole, end) == sq_dataset_label(whole, first);)
            end++;
        choose_held_out(whole, first, end, fraction, seed, marks);
    }
    for (size_t i = 0; status == SQ_OK && i < whole->count; i++)
        if (marks[i] == is_held_out)
            d->indices[d->count++] = i;
    free(marks);
    if (status == SQ_OK && d->count == 0) {
        sq_dataset_close(d);
        return sq_fail(SQ_DATA, "data set: %g of %zu images leaves none %s", fraction, whole->count,
                       is_held_out ? "to hold out" : "to train on");
    }
    if (status == SQ_OK)
        *out = d;
    return status;
}

sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *whole, int class_limit)
{
    sq_dataset *d = NULL;
    if (class_limit < 1 || class_limit > whole->class_count)
        return sq_fail(SQ_DATA, "data set: class limit %d, wanted 1..%d", class_limit, whole->class_count);
    SQ_TRY(make_subset(&d, whole, class_limit));
    for (size_t i = 0; i < whole->count; i++)
        if (sq_dataset_label(whole, i) < class_limit)
            d->indices[d->count++] = i;
    *out = d;
    return SQ_OK;
}

sq_status sq_dataset_same_classes(const sq_dataset *a, const sq_dataset *b)
{
    for (int i = 0; i < a->class_count || i < b->class_count; i++) {
        const char *x = i < a->class_count ? a->classes[i] : NULL, *y = i < b->class_count ? b->classes[i] : NULL;
        const int order = !x ? 1 : !y ? -1 : strcmp(x, y);
        if (order)
            return sq_fail(SQ_DATA, "class '%s' is only in %s", order < 0 ? x : y, order < 0 ? "train" : "val");
    }
    return SQ_OK;
}

/* ---- Reading ---- */

size_t sq_dataset_count(const sq_dataset *d)
{
    return d->count;
}

int sq_dataset_class_count(const sq_dataset *d)
{
    return d->class_count;
}

const char *sq_dataset_class(const sq_dataset *d, int label)
{
    return d->classes[label];
}

/* The whole that holds entry `index` of d, and its position there. */
static const entry *entry_of(const sq_dataset *d, size_t index, const sq_dataset **owner)
{
    while (d->whole) {
        index = d->indices[index];
        d = d->whole;
    }
    *owner = d;
    return &d->entries[index];
}

int sq_dataset_label(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    return entry_of(d, index, &owner)->label;
}

const char *sq_dataset_name(const sq_dataset *d, size_t index)
{
    const sq_dataset *owner;
    return entry_of(d, index, &owner)->name;
}

static sq_status make_room(void **buffer, size_t *capacity, size_t bytes, const char *name)
{
    if (bytes <= *capacity)
        return SQ_OK;
    void *more = realloc(*buffer, bytes);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: %zu bytes", name, bytes);
    *buffer = more;
    *capacity = bytes;
    return SQ_OK;
}

sq_status sq_dataset_read(const sq_dataset *d, size_t index, void **buffer, size_t *capacity, size_t *size)
{
    const sq_dataset *owner;
    const entry *e = entry_of(d, index, &owner);
    if (e->size > LARGEST_IMAGE)
        return sq_fail(SQ_DATA, "%s: %llu bytes, wanted at most %d", e->name, (unsigned long long)e->size,
                       LARGEST_IMAGE);
    SQ_TRY(make_room(buffer, capacity, (size_t)e->size, e->name));
    const int file = e->tar >= 0 ? owner->tars[e->tar] : open(e->name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
    sq_status status = SQ_OK;
    size_t done = 0;
    while (status == SQ_OK && done < e->size) {
        const ssize_t got = pread(file, (char *)*buffer + done, (size_t)e->size - done, (off_t)(e->offset + done));
        if (got < 0 && errno != EINTR)
            status = sq_fail(SQ_DATA, "%s: %s", e->name, strerror(errno));
        else if (got == 0)
            break; /* it shrank: what is left decides */
        else if (got > 0)
            done += (size_t)got;
    }
    if (e->tar < 0)
        (void)close(file); /* only read */
    *size = done;
    return status;
}

bool sq_dataset_is_raw(const sq_dataset *d, size_t index, int *h, int *w)
{
    const sq_dataset *owner;
    const entry *e = entry_of(d, index, &owner);
    if (e->h == 0)
        return false;
    *h = e->h;
    *w = e->w;
    return true;
}

const void *sq_dataset_view(const sq_dataset *d, size_t index, size_t *size)
{
    const sq_dataset *owner;
    const entry *e = entry_of(d, index, &owner);
    if (e->view)
        *size = (size_t)e->size;
    return e->view;
}
