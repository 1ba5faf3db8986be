/* Which dialects there are, which of them a file speaks, and what all of them need when it is read. */
#include "search/cost/dialects/dialect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "search/cost/dialects/reader.h"

enum { LARGEST_TABLE = 64 << 20, LARGEST_SIZE = 1 << 24, NAMES_BYTES = 256, SHOWN_BYTES = 48 };

static const sq_dialect *const dialects[] = {&sq_dialect_proxyless, &sq_dialect_ofa,   &sq_dialect_nnmeter,
                                             &sq_dialect_fbnet,     &sq_dialect_tfnas, &sq_dialect_tunas,
                                             &sq_dialect_singlepath};
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

/* ---- What readers hand on ---- */

static sq_status check_value(const char *where, double value, bool is_share)
{
    if (!isfinite(value) || fabs(value) > 1e9 || (!is_share && value < 1e-9))
        return sq_fail(SQ_INVALID, "%s: %g, wanted a finite number%s", where, value, is_share ? "" : " above 0");
    return SQ_OK;
}

/* What no table.csv could hold. */
static sq_status check_key(const char *where, const sq_block_key *key)
{
    const int sizes[] = {key->h, key->w, key->c_in, key->c_out, key->kernel, key->stride, key->mid + 1, key->se + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] < 1 || sizes[i] > LARGEST_SIZE)
            return sq_fail(SQ_INVALID, "%s: a block of %d x %d pixels, %d to %d to %d channels, kernel %d, stride %d",
                           where, key->h, key->w, key->c_in, key->mid, key->c_out, key->kernel, key->stride);
    return SQ_OK;
}

sq_status sq_dialect_add(sq_dialect_input *input, const char *where, const sq_block_key *key, const sq_block_time *time)
{
    sq_block_time t = *time;
    t.mean *= input->unit;
    t.deviation *= input->unit;
    SQ_TRY(check_value(where, t.mean, false));
    SQ_TRY(check_value(where, t.deviation, true));
    SQ_TRY(check_key(where, key));
    input->report->rows++;
    input->report->read++;
    return sq_latency_add(input->latency, key, &t);
}

sq_status sq_dialect_add_layer(sq_dialect_input *input, const char *where, int layer, int choice, double value)
{
    const sq_block_time time = sq_block_time_of(value * input->unit, 0, 1);
    SQ_TRY(check_value(where, time.mean, true));
    input->report->rows++;
    input->report->read++;
    return sq_latency_add_layer(input->latency, layer, choice, &time);
}

sq_status sq_dialect_add_base(sq_dialect_input *input, const char *where, double value)
{
    SQ_TRY(check_value(where, value, true));
    input->report->rows++;
    input->report->read++;
    input->latency->info.base_ms += value * input->unit;
    return SQ_OK;
}

void sq_dialect_leave_out(sq_dialect_input *input, const char *kind)
{
    sq_dialect_report *r = input->report;
    int i = 0;
    r->rows++;
    r->left_out++;
    while (i < r->kind_count && strncmp(r->kinds[i].text, kind, sizeof r->kinds[i].text - 1) != 0)
        i++;
    if (i == SQ_DIALECT_KINDS)
        i--;
    if (i == r->kind_count)
        (void)snprintf(r->kinds[r->kind_count++].text, sizeof r->kinds[i].text, "%s",
                       i == SQ_DIALECT_KINDS - 1 ? "others" : kind);
    r->kinds[i].count++;
}

bool sq_dialect_takes_near(sq_dialect_input *input, const char *kind)
{
    if (input->options->takes_near)
        input->report->near++;
    else
        sq_dialect_leave_out(input, kind);
    return input->options->takes_near;
}

sq_activation sq_dialect_activation(const char *name)
{
    static const char *const hswish[] = {"hard_swish", "h_swish", "hardswish"};
    for (size_t i = 0; i < sizeof hswish / sizeof *hswish; i++)
        if (strcmp(name, hswish[i]) == 0)
            return SQ_HSWISH;
    return sq_activation_find(name);
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
    return sq_fail(SQ_INVALID, "dialect '%s'%s: wanted one of %s", name,
                   sq_text_suggestion(hint, sizeof hint, name, names, DIALECTS), all);
}

static sq_status find_fitting(const char *path, const char *text, const sq_dialect **out)
{
    const sq_dialect *fitting[DIALECTS];
    char names[NAMES_BYTES], shown[SHOWN_BYTES];
    int count = 0;
    if (strncmp(text, SQ_BLOCK_KEY_COLUMNS, sizeof SQ_BLOCK_KEY_COLUMNS - 1) == 0 ||
        strncmp(text, "layer,choice,", 13) == 0)
        return sq_fail(SQ_INVALID, "%s: a table of Squall's own: name its folder, where device.yaml stands", path);
    for (int i = 0; i < DIALECTS; i++)
        if (dialects[i]->fits(text))
            fitting[count++] = dialects[i];
    if (count == 1) {
        *out = fitting[0];
        return SQ_OK;
    }
    if (count > 1) {
        list_names(names, sizeof names, fitting, count);
        return sq_fail(SQ_INVALID, "%s: could be any of %s: name the dialect", path, names);
    }
    list_names(names, sizeof names, dialects, DIALECTS);
    (void)snprintf(shown, sizeof shown, "%s", text);
    shown[strcspn(shown, "\r\n")] = 0;
    return sq_fail(SQ_INVALID,
                   "%s: begins with '%s', which none of the dialects %s begins with; ours is a folder with device.yaml "
                   "and table.csv",
                   path, shown, names);
}

/* ---- After reading ---- */

static int by_key(const void *a, const void *b)
{
    return sq_block_key_compare(&((const sq_latency_entry *)a)->key, &((const sq_latency_entry *)b)->key);
}

/* One entry of `count` entries with one key: means weighed alike, deviations and the spread of the means together. */
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

static void copy(char *to, size_t bytes, const char *given, const char *otherwise)
{
    (void)snprintf(to, bytes, "%s", *given ? given : otherwise);
}

/* What the user said goes over what the file says; a name and a source there must be. */
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
        return sq_fail(SQ_INVALID, "%s: %lld rows of dialect %s, none of them a block that a Squall space can have%s%s",
                       path, (long long)report->rows, dialect->name, report->kind_count ? ", but " : "",
                       report->kind_count ? report->kinds[0].text : "");
    merge(latency, report);
    return sq_latency_sort(latency, path);
}

static sq_status unit_of(const sq_dialect_options *options, double *out)
{
    static const struct {
        const char *name;
        double milliseconds;
    } units[] = {{"ms", 1}, {"us", 1e-3}, {"ns", 1e-6}, {"s", 1e3}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(options->unit ? options->unit : "ms", units[i].name) == 0) {
            *out = units[i].milliseconds;
            return SQ_OK;
        }
    return sq_fail(SQ_INVALID, "unit '%s', wanted ns, us, ms or s", options->unit);
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
    size_t bytes = 0;
    SQ_TRY(sq_file_read(path, LARGEST_TABLE, &input.text, &bytes));
    sq_status status = strlen(input.text) == bytes ? sq_latency_create(&input.latency, path)
                                                   : sq_fail(SQ_INVALID, "%s: a zero byte in it, wanted text", path);
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

/* ---- Telling ---- */

/* "12,116" */
static const char *grouped(int64_t value, char text[32])
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
    return text;
}

void sq_dialect_print(const sq_dialect_report *r, FILE *file)
{
    char a[32], b[32];
    (void)fprintf(file, "%s rows: %s read", grouped(r->rows, a), grouped(r->read, b));
    if (r->left_out)
        (void)fprintf(file, ", %s left out, blocks that no Squall space has", grouped(r->left_out, a));
    for (int i = 0; i < r->kind_count; i++)
        (void)fprintf(file, "%s%s %s", i ? ", " : ": ", grouped(r->kinds[i].count, a), r->kinds[i].text);
    (void)fputc('\n', file);
    if (r->near)
        (void)fprintf(file, "%s of those read are only nearly Squall's blocks\n", grouped(r->near, a));
    if (r->duplicates)
        (void)fprintf(file, "%s rows repeat a block", grouped(r->duplicates, a));
    if (r->conflicts)
        (void)fprintf(file, "; the figures of %s blocks differ, by up to %.2f times ('%s'): their mean is taken",
                      grouped(r->conflicts, a), r->worst_conflict, r->conflict);
    if (r->duplicates)
        (void)fputc('\n', file);
}
