/* Lists of labels: files that say the class of each image where no folder does. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/sources/source.h"
#include "kernels/base/file.h"
#include "kernels/base/text.h"

static const size_t LARGEST_LIST = (size_t)1 << 30;
static const char BETWEEN[] = " \t,\r";

typedef struct {
    char *image; /* NULL: the row is for the image in its place */
    char *label;
    int line; /* from 1 */
} row;

typedef struct {
    char *text;
    row *rows;
    size_t count;
    bool has_images;
} row_list;

/* ---- Reading ---- */

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

sq_status sq_names_read(sq_names *out, const char *path)
{
    size_t bytes;
    sq_names n = {0};
    SQ_TRY(sq_file_read(path, LARGEST_LIST, &n.text, &bytes));
    n.names = calloc(count_lines(n.text), sizeof *n.names);
    if (!n.names) {
        free(n.text);
        return sq_fail(SQ_NO_MEMORY, "%s: names", path);
    }
    char *rest = NULL;
    for (char *line = strtok_r(n.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, BETWEEN);
        line[strcspn(line, BETWEEN)] = 0;
        if (*line)
            n.names[n.count++] = line;
    }
    *out = n;
    return SQ_OK;
}

void sq_names_free(sq_names *n)
{
    free(n->names);
    free(n->text);
}

/* Cuts one line: "image class ..." or "class". */
static void read_row(row *out, char *line, int number)
{
    char *rest = NULL;
    char *first = strtok_r(line, BETWEEN, &rest), *second = strtok_r(NULL, BETWEEN, &rest);
    *out = (row){second ? first : NULL, second ? second : first, number};
}

static sq_status read_rows(row_list *out, const char *path)
{
    size_t bytes;
    SQ_TRY(sq_file_read(path, LARGEST_LIST, &out->text, &bytes));
    out->rows = calloc(count_lines(out->text), sizeof *out->rows);
    if (!out->rows)
        return sq_fail(SQ_NO_MEMORY, "%s: rows", path);
    int number = 1;
    for (char *line = out->text; line; number++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = 0;
        row r;
        read_row(&r, line, number);
        line = end ? end + 1 : NULL;
        if (!r.label || (number == 1 && r.image && strcmp(r.image, "ImageId") == 0)) /* Kaggle's title */
            continue;
        if (out->count && (r.image != NULL) != out->has_images)
            return sq_fail(SQ_DATA, "%s:%d: some lines have one word, others more", path, number);
        out->has_images = r.image != NULL;
        out->rows[out->count++] = r;
    }
    return out->count ? SQ_OK : sq_fail(SQ_DATA, "%s: no labels", path);
}

/* ---- Matching ---- */

/* Names without their ending: lists have them with it or without. */
static size_t stem_length(const char *name)
{
    const char *point = strrchr(name, '.');
    return point && point != name ? (size_t)(point - name) : strlen(name);
}

static int compare_stems(const char *a, const char *b)
{
    const size_t x = stem_length(a), y = stem_length(b);
    const int order = strncmp(a, b, x < y ? x : y);
    return order ? order : (x > y) - (x < y);
}

static int by_image(const void *a, const void *b)
{
    return compare_stems(((const row *)a)->image, ((const row *)b)->image);
}

static const char *base_of(const sq_dataset_entry *e)
{
    return e->name + e->inner + sq_source_base(e->name + e->inner);
}

static int by_base(const void *a, const void *b)
{
    return strcmp(base_of(a), base_of(b));
}

/* The class that a row names, by itself or by number. */
static sq_status class_of(const char **out, const row *r, bool is_from_one, const char *path,
                          const sq_listing_options *asked)
{
    int64_t number;
    *out = r->label;
    if (!sq_text_int(r->label, 0, INT32_MAX, &number))
        return SQ_OK;
    if (!asked->classes)
        return sq_fail(SQ_DATA, "%s:%d: class %s is a number, wanted a list of class names with it (--classes)", path,
                       r->line, r->label);
    if (number < is_from_one || number - is_from_one >= asked->class_count)
        return sq_fail(SQ_DATA, "%s:%d: class %s, wanted %d..%d", path, r->line, r->label, is_from_one,
                       asked->class_count - 1 + is_from_one);
    *out = asked->classes[number - is_from_one];
    return SQ_OK;
}

static sq_status give(sq_dataset_entry *e, const row *r, bool is_from_one, const char *path,
                      const sq_listing_options *asked)
{
    const char *name;
    SQ_TRY(class_of(&name, r, is_from_one, path, asked));
    e->class_name = strdup(name);
    return e->class_name ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: class list", path);
}

static sq_status check_repeats(const row_list *list, const char *path)
{
    for (size_t i = 1; i < list->count; i++)
        if (by_image(&list->rows[i - 1], &list->rows[i]) == 0)
            return sq_fail(SQ_DATA, "%s:%d: a second class for %s", path, list->rows[i].line, list->rows[i].image);
    return SQ_OK;
}

static sq_status apply_by_name(sq_dataset *d, row_list *list, const char *path, const sq_listing_options *asked)
{
    qsort(list->rows, list->count, sizeof *list->rows, by_image);
    SQ_TRY(check_repeats(list, path));
    for (size_t i = 0; i < d->count; i++) {
        const row key = {.image = (char *)(uintptr_t)base_of(&d->entries[i])}; /* only compared */
        const row *found = bsearch(&key, list->rows, list->count, sizeof key, by_image);
        if (!found)
            return sq_fail(SQ_DATA, "%s: has no class for %s", path, d->entries[i].name);
        SQ_TRY(give(&d->entries[i], found, false, path, asked));
    }
    return SQ_OK;
}

static sq_status apply_in_order(sq_dataset *d, const row_list *list, const char *path, const sq_listing_options *asked)
{
    if (list->count != d->count)
        return sq_fail(SQ_DATA, "%s: %zu classes for %zu images", path, list->count, d->count);
    qsort(d->entries, d->count, sizeof *d->entries, by_base);
    for (size_t i = 0; i < d->count; i++)
        SQ_TRY(give(&d->entries[i], &list->rows[i], true, path, asked));
    return SQ_OK;
}

sq_status sq_labels_apply(sq_dataset *d, const char *path, const sq_listing_options *asked)
{
    row_list list = {0};
    sq_status status = read_rows(&list, path);
    if (status == SQ_OK)
        status = list.has_images ? apply_by_name(d, &list, path, asked) : apply_in_order(d, &list, path, asked);
    free(list.rows);
    free(list.text);
    return status;
}
