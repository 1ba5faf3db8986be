/* Builds the list of a data set: adds the entries, sorts them and numbers the classes. */
#include "data/sources/listing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIRST_CAPACITY = 1024 };

bool sq_listing_ends_with(const char *text, const char *ending)
{
    const size_t text_length = strlen(text), ending_length = strlen(ending);
    return text_length >= ending_length && strcasecmp(text + text_length - ending_length, ending) == 0;
}

bool sq_listing_ignores(const char *name)
{
    static const char *const endings[] = {".txt", ".csv", ".json", ".xml", ".md", ".mat"};
    if (name[sq_listing_file_name_offset(name)] == '.')
        return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (sq_listing_ends_with(name, endings[i]))
            return true;
    return false;
}

size_t sq_listing_file_name_offset(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

sq_status sq_listing_add(sq_dataset *d, const char *name, const char *class_name, size_t class_length,
                         sq_dataset_entry place)
{
    if (d->count == d->capacity) {
        const size_t capacity = d->capacity ? 2 * d->capacity : FIRST_CAPACITY;
        sq_dataset_entry *entries = realloc(d->entries, capacity * sizeof *entries);
        if (!entries)
            return sq_fail(SQ_NO_MEMORY, "%s: out of memory for a list of %zu images", name, capacity);
        d->entries = entries;
        d->capacity = capacity;
    }
    place.name = strdup(name);
    place.class_name = class_name ? strndup(class_name, class_length) : NULL;
    d->entries[d->count++] = place; /* counted even if incomplete, so that sq_dataset_close frees it */
    return place.name && (place.class_name || !class_name) ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: out of memory", name);
}

sq_status sq_listing_add_class(sq_dataset *d, const char *name)
{
    char **classes = realloc(d->classes, (size_t)(d->class_count + 1) * sizeof *classes);
    if (!classes)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for the list of classes", name);
    d->classes = classes;
    d->classes[d->class_count] = strdup(name);
    return d->classes[d->class_count++] ? SQ_OK
                                        : sq_fail(SQ_NO_MEMORY, "%s: out of memory for the list of classes", name);
}

/* Compares names in the order of torchvision's ImageFolder: first the files of a folder, sorted by name, then the files
 * of its subfolders. */
static int compare_inner_names(const char *a, const char *b)
{
    const size_t a_folder = sq_listing_file_name_offset(a), b_folder = sq_listing_file_name_offset(b);
    const int order = strncmp(a, b, a_folder < b_folder ? a_folder : b_folder);
    if (order)
        return order;
    return a_folder != b_folder ? (a_folder < b_folder ? -1 : 1) : strcmp(a + a_folder, b + b_folder);
}

static int compare_entries(const void *a, const void *b)
{
    const sq_dataset_entry *x = a, *y = b;
    int order = strcmp(x->class_name, y->class_name);
    if (!order)
        order = compare_inner_names(x->name + x->inner_name_offset, y->name + y->inner_name_offset);
    return order ? order : strcmp(x->name, y->name);
}

sq_status sq_listing_number_classes(sq_dataset *d)
{
    qsort(d->entries, d->count, sizeof *d->entries, compare_entries);
    for (size_t i = 0; i < d->count; i++) {
        sq_dataset_entry *e = &d->entries[i];
        if (i == 0 || strcmp(e->class_name, d->classes[d->class_count - 1]) != 0)
            SQ_TRY(sq_listing_add_class(d, e->class_name));
        e->label = d->class_count - 1;
    }
    for (size_t i = 0; i < d->count; i++) {
        free(d->entries[i].class_name);
        d->entries[i].class_name = NULL;
    }
    return SQ_OK;
}
