/* WebDataset: <key>.jpg with <key>.cls (a number) or <key>.json ("label" or "cls"). */
#include "data/sources/webdataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "kernels/base/text.h"

enum { NAME_BYTES = 3 * 4096, MAX_LABEL_FILE_BYTES = 1 << 20, MAX_UNNAMED_CLASS = 99999 };

/* Returns the length of the key, which ends at the first dot of the file name; 0 if the name has no key. */
static size_t key_length(const char *name)
{
    const size_t base = sq_listing_file_name_offset(name);
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

static bool is_label_ending(const char *ending)
{
    static const char *const endings[] = {".cls", ".json", NULL};
    return has_ending(ending, endings);
}

static bool is_image_ending(const char *ending)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".pnm", NULL};
    return has_ending(ending, endings);
}

bool sq_webdataset_is_pair(const char *previous, const char *name)
{
    const size_t length = key_length(name);
    return length > 0 && key_length(previous) == length && strncmp(previous, name, length) == 0 &&
           is_label_ending(previous + length) != is_label_ending(name + length);
}

/* ---- Members with one key ---- */

typedef struct {
    char key[4096];
    sq_tar_member image;
    bool has_image, has_class;
    char class_name[256];
} keyed_sample;

static sq_status set_class(const sq_tar_listing *listing, const char *name, int64_t number, keyed_sample *sample)
{
    const sq_listing_options *o = listing->options;
    const int64_t last = o->classes ? o->class_count - 1 : MAX_UNNAMED_CLASS;
    if (number < 0 || number > last)
        return sq_fail(SQ_DATA, "%s: label out of range: found %" PRId64 ", expected 0..%" PRId64, name, number, last);
    if (o->classes)
        (void)snprintf(sample->class_name, sizeof sample->class_name, "%s", o->classes[number]);
    else
        (void)snprintf(sample->class_name, sizeof sample->class_name, "%05d", (int)number);
    sample->has_class = true;
    return SQ_OK;
}

/* Reads the label from a .json file. A .json file without a label has other metadata and is skipped. */
static sq_status read_json(const sq_tar_listing *listing, const char *name, const char *text, size_t size,
                           keyed_sample *sample)
{
    sq_status status = SQ_OK;
    json_t *object = json_loadb(text, size, 0, NULL), *label = json_object_get(object, "label");
    label = label ? label : json_object_get(object, "cls");
    if (!object)
        status = sq_fail(SQ_DATA, "%s: not valid JSON", name);
    else if (json_is_integer(label))
        status = set_class(listing, name, json_integer_value(label), sample);
    json_decref(object);
    return status;
}

static sq_status read_cls(const sq_tar_listing *listing, const char *name, char *text, keyed_sample *sample)
{
    int64_t number;
    text[strcspn(text, " \t\r\n")] = 0;
    if (!sq_text_int(text, 0, INT32_MAX, &number))
        return sq_fail(SQ_DATA, "%s: found '%.32s', expected the number of a class", name, text);
    return set_class(listing, name, number, sample);
}

static sq_status read_label(const sq_tar_listing *listing, const sq_tar_member *member, keyed_sample *sample)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%.4096s:%s", listing->tar->path, member->name);
    if (member->size > MAX_LABEL_FILE_BYTES)
        return sq_fail(SQ_DATA, "%s: the label file is too large: found %" PRIu64 " bytes, expected at most %d", name,
                       member->size, MAX_LABEL_FILE_BYTES);
    char *text = calloc(1, (size_t)member->size + 1);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for %" PRIu64 " bytes", name, member->size);
    sq_status status = sq_tar_read(listing->tar, member, text);
    const bool is_json = strcasecmp(strrchr(member->name, '.'), ".json") == 0;
    if (status == SQ_OK && !is_json)
        status = read_cls(listing, name, text, sample);
    else if (status == SQ_OK && !sample->has_class) /* .cls takes precedence */
        status = read_json(listing, name, text, (size_t)member->size, sample);
    free(text);
    return status;
}

/* Adds the image of the sample, if it has one, and clears the sample. */
static sq_status finish_sample(const sq_tar_listing *listing, keyed_sample *sample)
{
    sq_status status = SQ_OK;
    const char *path = listing->tar->path;
    if (sample->has_image && !sample->has_class)
        status =
            sq_fail(SQ_DATA, "%s:%s: no label: expected a .cls, or a .json with \"label\"", path, sample->image.name);
    else if (sample->has_image) { /* another tar may have the same key, so the tar's name is part of the inner name */
        char name[NAME_BYTES];
        const int used = snprintf(name, sizeof name, "%.4096s:%s", path, sample->image.name);
        const sq_dataset_entry place = {.inner_name_offset = sq_listing_file_name_offset(path),
                                        .tar = listing->tar_index,
                                        .shard = -1,
                                        .offset = sample->image.offset,
                                        .size = sample->image.size};
        status = (size_t)used < sizeof name
                     ? sq_listing_add(listing->dataset, name, sample->class_name, strlen(sample->class_name), place)
                     : sq_fail(SQ_DATA, "%s: a name is too long: expected less than %d bytes", path, NAME_BYTES);
    }
    memset(sample, 0, sizeof *sample);
    return status;
}

static sq_status add_member(const sq_tar_listing *listing, const sq_tar_member *member, keyed_sample *sample)
{
    const size_t length = key_length(member->name);
    if (!member->is_file || length == 0)
        return SQ_OK;
    if (strlen(sample->key) != length || strncmp(sample->key, member->name, length) != 0) {
        SQ_TRY(finish_sample(listing, sample));
        (void)snprintf(sample->key, sizeof sample->key, "%.*s", (int)length, member->name);
    }
    if (is_label_ending(member->name + length))
        return read_label(listing, member, sample);
    if (is_image_ending(member->name + length)) {
        sample->image = *member;
        sample->has_image = true;
    }
    return SQ_OK;
}

static sq_status list_samples(const sq_tar_listing *listing, keyed_sample *sample)
{
    sq_tar_member member;
    bool is_end = false;
    for (;;) {
        SQ_TRY(sq_tar_next(listing->tar, &member, &is_end));
        if (is_end)
            return finish_sample(listing, sample);
        SQ_TRY(add_member(listing, &member, sample));
    }
}

sq_status sq_webdataset_list(const sq_tar_listing *listing)
{
    keyed_sample *sample = calloc(1, sizeof *sample);
    if (!sample)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory", listing->tar->path);
    const sq_status status = list_samples(listing, sample);
    free(sample);
    return status;
}
