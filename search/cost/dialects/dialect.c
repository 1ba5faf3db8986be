/* Has the table of dialects, and reads a file with the dialect that fits. */
#include "search/cost/dialects/dialect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/dialects/reader.h"
#include "search/cost/time_unit.h"

enum { LARGEST_TABLE = 64 << 20, NAMES_BYTES = 256, SHOWN_BYTES = 48 };

static const sq_dialect *const dialects[] = {
#define ROW(word) &sq_dialect_##word,
    SQ_DIALECT_TABLE(ROW)};
enum { DIALECTS = sizeof dialects / sizeof *dialects };

int sq_dialect_count(void)
{
    return DIALECTS;
}

const char *sq_dialect_name(int dialect)
{
    return dialects[dialect]->name;
}

const char *sq_dialect_summary(int dialect)
{
    return dialects[dialect]->summary;
}

/* ---- Which dialect ---- */

static void list_names(char *text, size_t bytes, const sq_dialect *const *list, int count)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? ", " : "", list[i]->name);
}

static sq_status find_named(const char *name, const sq_dialect **out)
{
    const char *names[DIALECTS];
    char all[NAMES_BYTES], hint[SQ_TEXT_SUGGESTION];
    for (int i = 0; i < DIALECTS; i++) {
        names[i] = dialects[i]->name;
        if (strcmp(name, names[i]) == 0) {
            *out = dialects[i];
            return SQ_OK;
        }
    }
    list_names(all, sizeof all, dialects, DIALECTS);
    return sq_fail(SQ_INVALID, "dialect '%s'%s: expected one of %s", name,
                   sq_text_suggestion(hint, sizeof hint, name, names, DIALECTS), all);
}

static sq_status find_fitting(const char *path, const char *text, const sq_dialect **out)
{
    const sq_dialect *fitting[DIALECTS];
    char names[NAMES_BYTES], shown[SHOWN_BYTES];
    int count = 0;
    if (strncmp(text, SQ_BLOCK_KEY_COLUMNS, sizeof SQ_BLOCK_KEY_COLUMNS - 1) == 0 ||
        strncmp(text, "layer,choice,", 13) == 0)
        return sq_fail(SQ_INVALID, "%s: found a table in Squall's own format; name its folder, which has device.yaml",
                       path);
    for (int i = 0; i < DIALECTS; i++)
        if (dialects[i]->fits(text))
            fitting[count++] = dialects[i];
    if (count == 1) {
        *out = fitting[0];
        return SQ_OK;
    }
    if (count > 1) {
        list_names(names, sizeof names, fitting, count);
        return sq_fail(SQ_INVALID, "%s: the dialects %s fit; name one", path, names);
    }
    list_names(names, sizeof names, dialects, DIALECTS);
    (void)snprintf(shown, sizeof shown, "%s", text);
    shown[strcspn(shown, "\r\n")] = 0;
    return sq_fail(SQ_INVALID,
                   "%s: begins with '%s', which fits none of the dialects %s; Squall's own tables are folders with "
                   "device.yaml and table.csv",
                   path, shown, names);
}

/* ---- After reading ---- */

static int by_key(const void *a, const void *b)
{
    return sq_block_key_compare(&((const sq_latency_entry *)a)->key, &((const sq_latency_entry *)b)->key);
}

/* Merges entries with the same key. The result has the mean of the entries' means, and a deviation that includes the
 * spread of the means. */
static sq_latency_entry merged(const sq_latency_entry *entries, size_t count, sq_dialect_report *report)
{
    sq_latency_entry out = entries[0];
    double sum = 0, squares = 0, least = INFINITY, most = 0;
    out.time.count = 0;
    for (size_t i = 0; i < count; i++) {
        const sq_block_time *t = &entries[i].time;
        sum += t->mean;
        squares += t->deviation * t->deviation;
        least = fmin(least, t->mean);
        most = fmax(most, t->mean);
        out.time.count += t->count;
    }
    out.time.mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += pow(entries[i].time.mean - out.time.mean, 2);
    out.time.deviation = sqrt(squares / (double)count);
    report->duplicates += (int64_t)count - 1;
    if (most > least) {
        report->conflicts++;
        if (most / least > report->worst_conflict) {
            report->worst_conflict = most / least;
            (void)sq_block_key_print(&out.key, report->conflict, sizeof report->conflict);
        }
    }
    return out;
}

static void merge(sq_latency *latency, sq_dialect_report *report)
{
    size_t kept = 0, end;
    if (latency->count)
        qsort(latency->entries, latency->count, sizeof *latency->entries, by_key);
    for (size_t i = 0; i < latency->count; i = end) {
        for (end = i + 1; end < latency->count && by_key(&latency->entries[i], &latency->entries[end]) == 0;)
            end++;
        latency->entries[kept++] = end - i > 1 ? merged(&latency->entries[i], end - i, report) : latency->entries[i];
    }
    latency->count = kept;
}

static void copy(char *to, size_t bytes, const char *given, const char *initial)
{
    (void)snprintf(to, bytes, "%s", *given ? given : initial);
}

/* Fills in the description of the device. The caller's information takes precedence over the file's. Name and source
 * are always set. */
static void describe(sq_latency *latency, const sq_dialect *dialect, const char *path,
                     const sq_dialect_options *options)
{
    sq_device_info *info = &latency->info;
    const sq_device_info *given = &options->info;
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    char name[SQ_NAME_BYTES], source[sizeof info->source];
    (void)snprintf(name, sizeof name, "%.*s%s%s", (int)strcspn(file, "."), file, options->column ? " " : "",
                   options->column ? options->column : "");
    (void)snprintf(source, sizeof source, "%s, dialect %s", file, dialect->name);
    copy(info->name, sizeof info->name, given->name, name);
    copy(info->source, sizeof info->source, given->source, source);
    copy(info->space, sizeof info->space, given->space, latency->layer_count && dialect->space ? dialect->space : "");
    copy(info->runtime, sizeof info->runtime, given->runtime, "");
    copy(info->dtype, sizeof info->dtype, given->dtype, "");
    copy(info->clocks, sizeof info->clocks, given->clocks, "");
    copy(info->date, sizeof info->date, given->date, "");
    copy(info->licence, sizeof info->licence, given->licence, "");
    info->batch = given->batch ? given->batch : 1;
    info->threads = given->threads;
    info->resolution = given->resolution;
    info->is_measured = !options->is_modelled && !dialect->is_modelled;
}

static sq_status finish(sq_latency *latency, const sq_dialect *dialect, const char *path, sq_dialect_report *report)
{
    if (latency->count + latency->layer_count == 0)
        return sq_fail(SQ_INVALID, "%s: %lld rows of dialect %s, none of them a block of a Squall space%s%s", path,
                       (long long)report->rows, dialect->name, report->kind_count ? ", but " : "",
                       report->kind_count ? report->kinds[0].text : "");
    merge(latency, report);
    return sq_latency_sort(latency, path);
}

static sq_status unit_of(const sq_dialect_options *options, double *out)
{
    *out = sq_time_unit_ms(options->unit ? options->unit : "ms");
    return *out > 0 ? SQ_OK : sq_fail(SQ_INVALID, "unit '%s', expected " SQ_TIME_UNIT_WORDS, options->unit);
}

static sq_status read_text(sq_dialect_input *input)
{
    const sq_dialect *dialect = NULL;
    SQ_TRY(unit_of(input->options, &input->unit));
    if (input->options->dialect)
        SQ_TRY(find_named(input->options->dialect, &dialect));
    else
        SQ_TRY(find_fitting(input->path, input->text, &dialect));
    input->report->dialect = dialect->name;
    SQ_TRY(dialect->read(input));
    describe(input->latency, dialect, input->path, input->options);
    return finish(input->latency, dialect, input->path, input->report);
}

sq_status sq_dialect_read(sq_latency **out, sq_dialect_report *report, const char *path,
                          const sq_dialect_options *options)
{
    static const sq_dialect_options none;
    sq_dialect_report counted = {0};
    sq_dialect_input input = {.path = path, .options = options ? options : &none, .report = &counted};
    SQ_TRY(sq_file_read_text(path, LARGEST_TABLE, &input.text));
    sq_status status = sq_latency_create(&input.latency, path);
    if (status == SQ_OK)
        status = read_text(&input);
    if (status == SQ_OK) {
        *out = input.latency;
        if (report)
            *report = counted;
    } else {
        sq_latency_close(input.latency);
    }
    free(input.text);
    return status;
}
