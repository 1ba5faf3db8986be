/* Reads files of labels. Either each line is "<image> <class>", or each line is only a class and the lines are in the
 * order of the images' names. */
#include "data/sources/labels.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"

static const size_t MAX_FILE_BYTES = (size_t)1 << 30;
static const char SEPARATORS[] = " \t,\r";
static const char KAGGLE_HEADING[] = "ImageId";

typedef struct {
    char *image; /* NULL: the label belongs to the image at the same position */
    char *label;
    int line; /* from 1 */
} label_row;

typedef struct {
    const char *path;
    char *text; /* owned; rows point into it */
    label_row *rows;
    size_t count;
    bool has_images;
} label_file;

/* ---- Reading ---- */

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

sq_status sq_name_list_read(sq_name_list *out, const char *path)
{
    size_t bytes;
    sq_name_list n = {0};
    SQ_TRY(sq_file_read(path, MAX_FILE_BYTES, &n.text, &bytes));
    n.names = calloc(count_lines(n.text), sizeof *n.names);
    if (!n.names) {
        free(n.text);
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for the names", path);
    }
    char *rest = NULL;
    for (char *line = strtok_r(n.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, SEPARATORS);
        line[strcspn(line, SEPARATORS)] = 0;
        if (*line)
            n.names[n.count++] = line;
    }
    *out = n;
    return SQ_OK;
}

void sq_name_list_free(sq_name_list *n)
{
    free(n->names);
    free(n->text);
}

/* Splits a line "image class ..." or "class" in place. */
static label_row split_line(char *line, int number)
{
    char *rest = NULL;
    char *first = strtok_r(line, SEPARATORS, &rest), *second = strtok_r(NULL, SEPARATORS, &rest);
    return (label_row){second ? first : NULL, second ? second : first, number};
}

static sq_status read_rows(label_file *file)
{
    size_t bytes;
    SQ_TRY(sq_file_read(file->path, MAX_FILE_BYTES, &file->text, &bytes));
    file->rows = calloc(count_lines(file->text), sizeof *file->rows);
    if (!file->rows)
        return sq_fail(SQ_NO_MEMORY, "%s: out of memory for the labels", file->path);
    int number = 1;
    for (char *line = file->text; line; number++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = 0;
        const label_row row = split_line(line, number);
        line = end ? end + 1 : NULL;
        if (!row.label || (number == 1 && row.image && strcmp(row.image, KAGGLE_HEADING) == 0))
            continue;
        if (file->count && (row.image != NULL) != file->has_images)
            return sq_fail(
                SQ_DATA, "%s:%d: mixed format: expected \"<image> <class>\" on every line, or one class on every line",
                file->path, number);
        file->has_images = row.image != NULL;
        file->rows[file->count++] = row;
    }
    return file->count ? SQ_OK : sq_fail(SQ_DATA, "%s: no labels", file->path);
}

/* ---- Matching ---- */

/* Returns the length of a file name without its extension. Files of labels may omit the extension. */
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

static int compare_rows(const void *a, const void *b)
{
    return compare_stems(((const label_row *)a)->image, ((const label_row *)b)->image);
}

static const char *file_name_of(const sq_dataset_entry *e)
{
    const char *inner_name = e->name + e->inner_name_offset;
    return inner_name + sq_listing_file_name_offset(inner_name);
}

static int compare_file_names(const void *a, const void *b)
{
    return strcmp(file_name_of(a), file_name_of(b));
}

/* Sets *out to the class name of a row. This is the label of the row or, if that is a number, the name of line `number`
 * of options->classes, where `first` is the number of the first line. */
static sq_status find_class(const char **out, const label_file *file, const label_row *row, int first,
                            const sq_listing_options *options)
{
    int64_t number;
    *out = row->label;
    if (!sq_text_int(row->label, 0, INT32_MAX, &number))
        return SQ_OK;
    if (!options->classes)
        return sq_fail(SQ_DATA, "%s:%d: class %s is a number: expected a class name; give a list of names (--classes)",
                       file->path, row->line, row->label);
    if (number < first || number - first >= options->class_count)
        return sq_fail(SQ_DATA, "%s:%d: class out of range: found %s, expected %d..%d", file->path, row->line,
                       row->label, first, options->class_count - 1 + first);
    *out = options->classes[number - first];
    return SQ_OK;
}

static sq_status set_class(sq_dataset_entry *e, const label_file *file, const label_row *row, int first,
                           const sq_listing_options *options)
{
    const char *name;
    SQ_TRY(find_class(&name, file, row, first, options));
    e->class_name = strdup(name);
    return e->class_name ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: out of memory for a class name", file->path);
}

static sq_status check_duplicates(const label_file *file)
{
    for (size_t i = 1; i < file->count; i++)
        if (compare_rows(&file->rows[i - 1], &file->rows[i]) == 0)
            return sq_fail(SQ_DATA, "%s:%d: duplicate label for image %s", file->path, file->rows[i].line,
                           file->rows[i].image);
    return SQ_OK;
}

static sq_status apply_by_name(sq_dataset *d, label_file *file, const sq_listing_options *options)
{
    qsort(file->rows, file->count, sizeof *file->rows, compare_rows);
    SQ_TRY(check_duplicates(file));
    for (size_t i = 0; i < d->count; i++) {
        const label_row key = {.image = (char *)(uintptr_t)file_name_of(&d->entries[i])}; /* only compared */
        const label_row *found = bsearch(&key, file->rows, file->count, sizeof key, compare_rows);
        if (!found)
            return sq_fail(SQ_DATA, "%s: no label for image %s", file->path, d->entries[i].name);
        SQ_TRY(set_class(&d->entries[i], file, found, 0, options)); /* Caffe counts classes from 0 */
    }
    return SQ_OK;
}

static sq_status apply_in_order(sq_dataset *d, const label_file *file, const sq_listing_options *options)
{
    if (file->count != d->count)
        return sq_fail(SQ_DATA, "%s: found %zu labels for %zu images: expected one label per image", file->path,
                       file->count, d->count);
    qsort(d->entries, d->count, sizeof *d->entries, compare_file_names);
    for (size_t i = 0; i < d->count; i++)
        SQ_TRY(set_class(&d->entries[i], file, &file->rows[i], 1, options)); /* ILSVRC counts classes from 1 */
    return SQ_OK;
}

sq_status sq_labels_apply(sq_dataset *d, const char *path, const sq_listing_options *options)
{
    label_file file = {.path = path};
    sq_status status = read_rows(&file);
    if (status == SQ_OK)
        status = file.has_images ? apply_by_name(d, &file, options) : apply_in_order(d, &file, options);
    free(file.rows);
    free(file.text);
    return status;
}
