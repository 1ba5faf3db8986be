/* Listing tars: a tree of class folders, tars of classes inside a tar (ImageNet), or WebDataset's pairs of files. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "data/sources/source.h"
#include "data/sources/tar.h"
#include "kernels/base/text.h"

enum { NAME_BYTES = 3 * 4096, LOOKED_AT = 16, LARGEST_SIDECAR = 1 << 20, MOST_NUMBERED = 99999 };

typedef enum { TREE, BARE_TREE, TARS, PAIRS } tar_form;

typedef struct {
    sq_dataset *d;
    const sq_listing_options *asked;
    int index; /* of the tar in d */
} tar_walk;

static const char *plain(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return name;
}

/* ---- Which form ---- */

static bool is_split_member(const char *name)
{
    name = plain(name);
    return strncmp(name, "train/", 6) == 0 || strncmp(name, "val/", 4) == 0;
}

/* Bytes of WebDataset's key: up to the first point in the file's name; 0: it has none. */
static size_t key_length(const char *name)
{
    const size_t base = sq_source_base(name);
    const char *point = strchr(name + base, '.');
    return point && point != name + base ? (size_t)(point - name) : 0;
}

static bool has_ending(const char *ending, const char *const *endings)
{
    for (; *endings; endings++)
        if (strcasecmp(ending, *endings) == 0)
            return true;
    return false;
}

static bool is_sidecar(const char *ending)
{
    static const char *const endings[] = {".cls", ".json", NULL};
    return has_ending(ending, endings);
}

static bool is_paired_image(const char *ending)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pnm", NULL};
    return has_ending(ending, endings);
}

/* Looks at the first files; folders may precede them. */
static sq_status find_form(const sq_tar *tar, const sq_listing_options *asked, tar_form *out)
{
    sq_tar_member member;
    sq_tar scan = *tar;
    char key[sizeof member.name] = "";
    bool is_end = false, was_sidecar = false;
    *out = BARE_TREE;
    for (int i = 0; i < LOOKED_AT; i++) {
        SQ_TRY(sq_tar_next(&scan, &member, &is_end));
        if (is_end)
            return SQ_OK;
        const char *name = plain(member.name), *ending = strrchr(name, '.');
        if (is_split_member(name)) {
            *out = TREE;
            return SQ_OK;
        }
        if (!member.is_file || asked->has_labels)
            continue;
        if (!strchr(name, '/') && ending && strcasecmp(ending, ".tar") == 0) {
            *out = TARS;
            return SQ_OK;
        }
        const size_t length = key_length(name);
        const bool is_one = is_sidecar(name + length);
        if (length && strlen(key) == length && strncmp(key, name, length) == 0 && is_one != was_sidecar)
            *out = PAIRS; /* unless a train/ follows */
        (void)snprintf(key, sizeof key, "%.*s", (int)length, name);
        was_sidecar = is_one;
    }
    return SQ_OK;
}

/* ---- A tree ---- */

/* "train/cat/1.png" -> class "cat", inner "1.png". is_bare: no train/ in front. False: not of this split. */
static bool parse_member(const char *name, const sq_listing_options *asked, bool is_bare, const char **class_name,
                         size_t *length, const char **inner)
{
    const size_t split_length = strlen(asked->split);
    name = plain(name);
    if (!is_bare) {
        if (strncmp(name, asked->split, split_length) != 0 || name[split_length] != '/')
            return false;
        name += split_length + 1;
    }
    const char *slash = strchr(name, '/');
    if (sq_source_is_passed_over(name))
        return false;
    if (asked->has_labels) { /* whatever folder */
        *class_name = NULL;
        *inner = name + sq_source_base(name);
        return **inner != 0;
    }
    if (!slash || slash == name || slash[1] == 0 || name[0] == '.')
        return false;
    *class_name = name;
    *length = (size_t)(slash - name);
    *inner = slash + 1;
    const char *deeper = strncmp(*inner, "images/", 7) == 0 ? *inner + 7 : *inner;
    return *deeper && !strchr(deeper, '/');
}

static sq_status add_member(const tar_walk *walk, const sq_tar *tar, const char *between, const sq_tar_member *member,
                            const char *inner, const char *class_name, size_t length)
{
    char name[NAME_BYTES];
    const int used = snprintf(name, sizeof name, "%s:%s%s", tar->path, between, member->name);
    if (used < 0 || (size_t)used >= sizeof name)
        return sq_fail(SQ_DATA, "%s:%.64s...: the name is too long", tar->path, member->name);
    const sq_dataset_entry where = {.inner = (size_t)used - strlen(inner),
                                    .tar = walk->index,
                                    .shard = -1,
                                    .offset = member->offset,
                                    .size = member->size};
    return sq_source_add(walk->d, name, class_name, length, where);
}

static sq_status walk_tree(const tar_walk *walk, sq_tar *tar, bool is_bare)
{
    sq_tar_member member;
    bool is_end = false;
    for (;;) {
        const char *class_name, *inner;
        size_t length = 0;
        SQ_TRY(sq_tar_next(tar, &member, &is_end));
        if (is_end)
            return SQ_OK;
        if (member.is_file && parse_member(member.name, walk->asked, is_bare, &class_name, &length, &inner))
            SQ_TRY(add_member(walk, tar, "", &member, inner, class_name, length));
    }
}

/* ---- Tars in a tar ---- */

/* n01440764.tar in ILSVRC2012_img_train.tar: a window of the outer one. */
static sq_status walk_inner_tar(const tar_walk *walk, const sq_tar *tar, const sq_tar_member *outer)
{
    sq_tar_member member;
    sq_tar window = *tar;
    bool is_end = false;
    char between[sizeof outer->name + 2];
    const char *class_name = plain(outer->name);
    const size_t length = strlen(class_name) - strlen(".tar"), before = walk->d->count;
    window.position = outer->offset;
    window.length = outer->offset + outer->size;
    (void)snprintf(between, sizeof between, "%s:", class_name);
    for (;;) {
        SQ_TRY(sq_tar_next(&window, &member, &is_end));
        if (is_end)
            break;
        const char *inner = plain(member.name);
        if (member.is_file && !sq_source_is_passed_over(inner) && !strchr(inner, '/'))
            SQ_TRY(add_member(walk, tar, between, &member, inner, class_name, length));
    }
    if (walk->d->count == before)
        return sq_fail(SQ_DATA, "%s:%s: an empty class, wanted images", tar->path, class_name);
    return SQ_OK;
}

static sq_status walk_tars(const tar_walk *walk, sq_tar *tar)
{
    sq_tar_member member;
    bool is_end = false;
    for (;;) {
        SQ_TRY(sq_tar_next(tar, &member, &is_end));
        if (is_end)
            return SQ_OK;
        const char *name = plain(member.name), *ending = strrchr(name, '.');
        if (member.is_file && name[0] != '.' && !strchr(name, '/') && ending && strcasecmp(ending, ".tar") == 0)
            SQ_TRY(walk_inner_tar(walk, tar, &member));
    }
}

/* ---- WebDataset ---- */

typedef struct {
    char key[4096];
    sq_tar_member image;
    bool has_image, has_class;
    char class_name[256];
} pair;

static sq_status name_class(const tar_walk *walk, const char *name, int64_t number, pair *p)
{
    const int64_t last = walk->asked->classes ? walk->asked->class_count - 1 : MOST_NUMBERED;
    if (number < 0 || number > last)
        return sq_fail(SQ_DATA, "%s: label %" PRId64 ", wanted 0..%" PRId64, name, number, last);
    if (walk->asked->classes)
        (void)snprintf(p->class_name, sizeof p->class_name, "%s", walk->asked->classes[number]);
    else
        (void)snprintf(p->class_name, sizeof p->class_name, "%05d", (int)number);
    p->has_class = true;
    return SQ_OK;
}

/* A .json without a label has other things to say. */
static sq_status read_json(const tar_walk *walk, const char *name, const char *text, size_t size, pair *p)
{
    sq_status status = SQ_OK;
    json_t *object = json_loadb(text, size, 0, NULL), *label = json_object_get(object, "label");
    label = label ? label : json_object_get(object, "cls");
    if (!object)
        status = sq_fail(SQ_DATA, "%s: not JSON", name);
    else if (json_is_integer(label))
        status = name_class(walk, name, json_integer_value(label), p);
    json_decref(object);
    return status;
}

static sq_status read_sidecar(const tar_walk *walk, const sq_tar *tar, const sq_tar_member *member, pair *p)
{
    char name[NAME_BYTES];
    int64_t number;
    (void)snprintf(name, sizeof name, "%.4096s:%s", tar->path, member->name);
    if (member->size > LARGEST_SIDECAR)
        return sq_fail(SQ_DATA, "%s: %" PRIu64 " bytes, wanted at most %d", name, member->size, LARGEST_SIDECAR);
    char *text = calloc(1, (size_t)member->size + 1);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: %" PRIu64 " bytes", name, member->size);
    sq_status status = sq_tar_read(tar, member, text);
    const char *ending = strrchr(member->name, '.');
    if (status == SQ_OK && strcasecmp(ending, ".json") == 0) {
        if (!p->has_class) /* .cls has the word */
            status = read_json(walk, name, text, (size_t)member->size, p);
    } else if (status == SQ_OK) {
        text[strcspn(text, " \t\r\n")] = 0;
        status = sq_text_int(text, 0, INT32_MAX, &number)
                     ? name_class(walk, name, number, p)
                     : sq_fail(SQ_DATA, "%s: '%.32s', wanted the number of a class", name, text);
    }
    free(text);
    return status;
}

static sq_status end_pair(const tar_walk *walk, const sq_tar *tar, pair *p)
{
    sq_status status = SQ_OK;
    if (p->has_image && !p->has_class)
        status = sq_fail(SQ_DATA, "%s:%s: no .cls and no .json with a label beside it", tar->path, p->image.name);
    else if (p->has_image) { /* keys may repeat in another shard: its name belongs to the image's */
        char name[NAME_BYTES];
        const int used = snprintf(name, sizeof name, "%.4096s:%s", tar->path, p->image.name);
        const sq_dataset_entry where = {.inner = sq_source_base(tar->path),
                                        .tar = walk->index,
                                        .shard = -1,
                                        .offset = p->image.offset,
                                        .size = p->image.size};
        status = (size_t)used < sizeof name ? sq_source_add(walk->d, name, p->class_name, strlen(p->class_name), where)
                                            : sq_fail(SQ_DATA, "%s: a name is too long", tar->path);
    }
    memset(p, 0, sizeof *p);
    return status;
}

static sq_status walk_pairs(const tar_walk *walk, sq_tar *tar, pair *p)
{
    sq_tar_member member;
    bool is_end = false;
    for (;;) {
        SQ_TRY(sq_tar_next(tar, &member, &is_end));
        if (is_end)
            return end_pair(walk, tar, p);
        const size_t length = key_length(member.name);
        if (!member.is_file || length == 0)
            continue;
        if (strlen(p->key) != length || strncmp(p->key, member.name, length) != 0) {
            SQ_TRY(end_pair(walk, tar, p));
            (void)snprintf(p->key, sizeof p->key, "%.*s", (int)length, member.name);
        }
        if (is_sidecar(member.name + length))
            SQ_TRY(read_sidecar(walk, tar, &member, p));
        else if (is_paired_image(member.name + length)) {
            p->image = member;
            p->has_image = true;
        }
    }
}

sq_status sq_source_list_tar(sq_dataset *d, const char *path, const sq_listing_options *asked)
{
    sq_tar tar;
    tar_form form;
    int *more = realloc(d->tars, (size_t)(d->tar_count + 1) * sizeof *more);
    if (!more)
        return sq_fail(SQ_NO_MEMORY, "%s: tar list", path);
    d->tars = more;
    SQ_TRY(sq_tar_open(&tar, path));
    d->tars[d->tar_count++] = tar.file; /* stays open for reading */
    SQ_TRY(find_form(&tar, asked, &form));
    d->is_bare = d->is_bare || form != TREE;
    const tar_walk walk = {d, asked, d->tar_count - 1};
    if (form == TARS)
        return walk_tars(&walk, &tar);
    if (form != PAIRS)
        return walk_tree(&walk, &tar, form == BARE_TREE);
    pair *p = calloc(1, sizeof *p);
    const sq_status status = p ? walk_pairs(&walk, &tar, p) : sq_fail(SQ_NO_MEMORY, "%s: a pair", path);
    free(p);
    return status;
}
