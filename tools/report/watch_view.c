/* Writes the text of a run's view without escape sequences; the caller places the lines on the screen. */
#include <math.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/cost/fit/svg.h"
#include "search/json_file.h"
#include "tools/report/report.h"
#include "tools/report/watch.h"

enum { LABEL = 8, TEXT_BYTES = 1024, LEAST_WIDTH = 20, LEAST_ROOM = 4 };

/* ---- Values ---- */

static double number_at(const json_t *list, size_t i)
{
    return sq_json_number(json_array_get(list, i));
}

static double last_of(const json_t *object, const char *key)
{
    const json_t *list = json_object_get(object, key);
    return json_array_size(list) ? number_at(list, json_array_size(list) - 1) : NAN;
}

/* The values that a view shows. */
typedef struct {
    const json_t *run, *log, *clock, *search;
    double step, steps, loss, top1, rate, bound; /* NaN: unknown */
    size_t scored;
    int64_t budget; /* number of candidates; 0: unknown */
    const json_t *best_arch;
    double best; /* top-1, 0..1 */
    bool is_trained, is_searched;
} facts;

/* Finds the best candidate, which is the one that the search names as best or else the most accurate one. Candidates of
 * the random baseline (generation < 0) are excluded from the second case. */
static void find_best(facts *f)
{
    const json_t *candidates = json_object_get(f->search, "candidates"), *top1 = json_object_get(candidates, "top1"),
                 *best = json_object_get(f->search, "best");
    f->scored = json_array_size(top1);
    for (size_t i = 0; i < f->scored; i++) {
        const bool is_baseline = number_at(json_object_get(candidates, "generation"), i) < 0;
        const bool is_best = json_is_integer(best) ? (size_t)json_integer_value(best) == i
                                                   : !is_baseline && !(number_at(top1, i) <= f->best);
        if (is_best) {
            f->best = number_at(top1, i);
            f->best_arch = json_array_get(json_object_get(candidates, "arch"), i);
        }
    }
}

/* Returns the number of all candidates: from the search's state or, if an early release wrote the state, from the
 * settings. Returns 0 (unknown) for the searcher halving of early releases. */
static int64_t budget_of(const json_t *settings, const json_t *search)
{
    const json_t *limit = json_object_get(search, "limit");
    if (json_is_integer(limit))
        return json_integer_value(limit);
    if (strcmp(sq_report_setting(settings, "search.searcher"), "halving") == 0)
        return 0;
    const double population = sq_report_number(settings, "search.population", NAN),
                 generations = sq_report_number(settings, "search.generations", NAN),
                 budget = population * (generations + 1) + sq_report_number(settings, "search.random_paths", NAN);
    return budget < 1e15 ? (int64_t)budget : 0;
}

static facts read_facts(const json_t *run)
{
    facts f = {.run = run,
               .log = json_object_get(run, "training"),
               .clock = json_object_get(run, "timing"),
               .search = json_object_get(run, "search"),
               .best = NAN};
    f.steps = sq_report_number(json_object_get(run, "settings"), "train.steps", NAN);
    f.step = fmax(last_of(f.log, "step"), json_number_value(json_object_get(run, "step")));
    f.loss = last_of(f.log, "loss");
    f.top1 = last_of(f.log, "top1_acc");
    f.rate = last_of(f.clock, "images_per_second");
    f.bound = last_of(f.clock, "wait_seconds") / last_of(f.clock, "seconds");
    find_best(&f);
    f.budget = budget_of(json_object_get(run, "search_settings"), f.search);
    f.is_trained = f.step >= f.steps;
    f.is_searched = json_is_true(json_object_get(f.search, "is_finished"));
    return f;
}

/* Returns the remaining seconds at the speed of the last interval; NaN: unknown. */
static double seconds_left(const facts *f)
{
    const json_t *steps = json_object_get(f->clock, "step");
    const size_t count = json_array_size(steps);
    const double before = count > 1 ? number_at(steps, count - 2) : 0, interval = number_at(steps, count - 1) - before;
    const double per_line = json_number_value(json_object_get(f->clock, "per"));
    return count ? (f->steps - f->step) * last_of(f->clock, "seconds") * fmax(1, per_line) / interval : NAN;
}

/* ---- Shapes ---- */

void sq_watch_sparkline(FILE *file, const json_t *values, int width)
{
    static const char *const blocks[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
                                         "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};
    const size_t count = json_array_size(values), parts = count < (size_t)width ? count : (size_t)width;
    double low = INFINITY, high = -INFINITY;
    for (int pass = 0; pass < 2; pass++)
        for (size_t p = 0; p < parts; p++) {
            double sum = 0;
            size_t known = 0;
            for (size_t i = p * count / parts; i < (p + 1) * count / parts; i++)
                if (isfinite(number_at(values, i))) {
                    sum += number_at(values, i);
                    known++;
                }
            const double mean = known ? sum / (double)known : NAN;
            if (pass == 0) {
                low = fmin(low, mean);
                high = fmax(high, mean);
            } else
                (void)fputs(isnan(mean) ? " " : blocks[high > low ? (int)fmin(7, 8 * (mean - low) / (high - low)) : 0],
                            file);
        }
}

static void put_bar(FILE *file, double share, int width)
{
    const int full = isfinite(share) ? (int)lround(fmin(1, fmax(0, share)) * width) : 0;
    for (int i = 0; i < width; i++)
        (void)fputs(i < full ? "\xe2\x96\x88" : "\xe2\x96\x91", file);
}

/* Writes at most `width` characters of the text; invalid bytes become "?". */
static void put_words(FILE *file, const char *text, int width)
{
    const unsigned char *s = (const unsigned char *)text;
    for (; *s && width > 0; width--) {
        const int length = sq_utf8_length(s);
        if (length)
            (void)fwrite(s, 1, (size_t)length, file);
        else
            (void)fputc('?', file);
        s += length ? length : 1;
    }
}

static void put_label(FILE *file, const char *label)
{
    (void)fprintf(file, "%-*s", LABEL, label);
}

typedef struct {
    const char *label;
    const json_t *values; /* values of the sparkline; NULL: draw a bar */
    double share;         /* filled share of the bar, 0..1; NaN: unknown */
} row;

/* Writes a label, then a sparkline or a bar in the free width, then the text `figure`. */
static void put_row(FILE *file, row r, const char *figure, int width)
{
    const int room = width - LABEL - (int)strlen(figure) - 2;
    put_label(file, r.label);
    if (room >= LEAST_ROOM) {
        if (r.values)
            sq_watch_sparkline(file, r.values, room);
        else
            put_bar(file, r.share, room);
        (void)fputs("  ", file);
    }
    put_words(file, figure, width - LABEL);
    (void)fputc('\n', file);
}

/* Writes "800/4000", or "800" if the total is unknown. */
static int print_step(const facts *f, char *text, size_t bytes)
{
    return isnan(f->steps) ? snprintf(text, bytes, "%.0f", fmax(0, f->step))
                           : snprintf(text, bytes, "%.0f/%.0f", fmax(0, f->step), f->steps);
}

/* ---- The view ---- */

static bool is_ended(const facts *f)
{
    return f->is_trained && (!f->search || f->is_searched);
}

static int put_training(FILE *file, const facts *f, int width, int lines)
{
    char text[TEXT_BYTES], left[64] = "", step[64];
    const double seconds = seconds_left(f);
    if (seconds > 0 && isfinite(seconds))
        (void)sq_text_duration(left, sizeof left, seconds);
    (void)print_step(f, step, sizeof step);
    (void)snprintf(text, sizeof text, "%s%s%s", step, *left ? "  left " : "", left);
    put_row(file, (row){.label = "train", .share = f->step / f->steps}, text, width);
    if (lines < 4 || isnan(f->loss))
        return 1;
    (void)snprintf(text, sizeof text, "%8.4f", f->loss);
    put_row(file, (row){"loss", json_object_get(f->log, "loss"), 0}, text, width);
    (void)snprintf(text, sizeof text, "%6.2f %%", 100 * f->top1);
    put_row(file, (row){"top-1", json_object_get(f->log, "top1_acc"), 0}, text, width);
    if (isnan(f->rate))
        return 3;
    (void)snprintf(text, sizeof text, "%.0f images/s, data-bound %.1f %%", f->rate, 100 * f->bound);
    put_row(file, (row){"speed", json_object_get(f->clock, "images_per_second"), 0}, text, width);
    return 4;
}

static void print_path(const json_t *arch, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "(");
    for (size_t i = 0; i < json_array_size(arch) && used + 16 < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%lld", i ? ", " : "",
                                 (long long)json_integer_value(json_array_get(arch, i)));
    (void)snprintf(text + used, bytes - used, ")");
}

static int put_search(FILE *file, const facts *f, int width, int lines)
{
    char text[TEXT_BYTES];
    if (!f->search || lines < 1)
        return 0;
    if (f->is_searched || f->budget <= 0)
        (void)snprintf(text, sizeof text, "%zu candidates", f->scored);
    else
        (void)snprintf(text, sizeof text, "%zu/%lld candidates", f->scored, (long long)f->budget);
    const double share = f->budget > 0 ? (double)f->scored / (double)f->budget : NAN;
    put_row(file, (row){.label = "search", .share = f->is_searched ? 1 : share}, text, width);
    if (lines < 3 || !f->best_arch)
        return 1;
    (void)snprintf(text, sizeof text, "%6.2f %%", 100 * f->best);
    put_row(file, (row){"best", json_object_get(json_object_get(f->search, "candidates"), "top1"), 0}, text, width);
    print_path(f->best_arch, text, sizeof text);
    put_label(file, "");
    put_words(file, text, width - LABEL);
    (void)fputc('\n', file);
    return 3;
}

bool sq_watch_view(FILE *file, const json_t *run, int width, int height)
{
    const facts f = read_facts(run);
    const char *folder = json_string_value(json_object_get(run, "folder"));
    const json_t *notes = json_object_get(run, "notes");
    width = width < LEAST_WIDTH ? LEAST_WIDTH : width;
    int lines = height > 0 ? height : 1000;
    put_words(file, folder ? folder : "", width);
    (void)fputc('\n', file);
    lines--;
    if (lines > 0)
        lines -= put_training(file, &f, width, lines);
    lines -= put_search(file, &f, width, lines);
    for (size_t i = 0; i < json_array_size(notes) && lines > 0; i++, lines--) {
        put_words(file, json_string_value(json_array_get(notes, i)), width);
        (void)fputc('\n', file);
    }
    return is_ended(&f);
}

bool sq_watch_line(char *text, size_t bytes, const json_t *run)
{
    const facts f = read_facts(run);
    char step[64];
    (void)print_step(&f, step, sizeof step);
    int used = snprintf(text, bytes, "step %s", step);
    if (isfinite(f.loss) && used > 0 && (size_t)used < bytes)
        used += snprintf(text + used, bytes - (size_t)used, "  loss %.4f  top-1 %.2f %%", f.loss, 100 * f.top1);
    if (isfinite(f.rate) && (size_t)used < bytes)
        used += snprintf(text + used, bytes - (size_t)used, "  %.0f images/s", f.rate);
    if (f.search && (size_t)used < bytes)
        (void)snprintf(text + used, bytes - (size_t)used, "  %zu candidates, best %.2f %%", f.scored, 100 * f.best);
    return is_ended(&f);
}
