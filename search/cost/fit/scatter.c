/* Draws the scatter plot. Numbers are formatted independently of the locale, and all text is escaped (svg.h). */
#include "search/cost/fit/scatter.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/fit/fit.h"
#include "search/cost/fit/svg.h"

/* Lengths are in units of the SVG's viewBox. The file states the picture's width in millimetres. */
enum {
    WIDTH = 600,
    TITLE_HEIGHT = 34,
    LEFT = 72,
    RIGHT = 24,
    TOP = 12,
    BOTTOM = 52,
    SIDE = WIDTH - LEFT - RIGHT,
    LABEL_LIMIT = 25,
    INSIDE_LIMIT = 4000,
    OUTSIDE_LIMIT = 1000,
    TEXT_BYTES = SQ_SVG_NUMBER_BYTES
};

static const char inside_colour[] = "#0072b2", outside_colour[] = "#d55e00";

typedef struct {
    FILE *file;
    double low, high, step; /* of both axes */
    double top;             /* of the plot's square */
    const sq_scatter_point *points;
    size_t n, inside, stride_inside, stride_outside, drawn;
    sq_quality quality;
} picture;

/* ---- Axes ---- */

static double x_of(const picture *p, double value)
{
    return LEFT + SIDE * (value - p->low) / (p->high - p->low);
}

static double y_of(const picture *p, double value)
{
    return p->top + SIDE * (p->high - value) / (p->high - p->low);
}

static double round_step(double rough)
{
    const double power = pow(10, floor(log10(rough)));
    const double mantissa = rough / power;
    return power * (mantissa <= 1.0001 ? 1 : mantissa <= 2.0001 ? 2 : mantissa <= 5.0001 ? 5 : 10);
}

/* Chooses one range for both axes, which includes all values. The range begins at 0 if the smallest value is positive
 * and below 0.35 times the largest. */
static void choose_axes(picture *p)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        const sq_scatter_point *q = &p->points[i];
        const double bar = q->deviation > 0 ? q->deviation : 0;
        low = fmin(low, fmin(q->predicted, q->measured - bar));
        high = fmax(high, fmax(q->predicted, q->measured + bar));
    }
    if (high - low < 0.02 * fmax(fabs(high), fabs(low))) { /* one point, or nearly equal values */
        const double room = 0.1 * fmax(fabs(high), fabs(low));
        low -= room;
        high += room;
    }
    low = low > 0 && low < 0.35 * high ? 0 : low;
    p->step = round_step((high - low) / 6);
    p->low = p->step * floor(low / p->step + 1e-9);
    p->high = p->step * ceil(high / p->step - 1e-9);
    if (p->high < high + 0.01 * (p->high - p->low)) /* keeps points off the frame */
        p->high += p->step;
    if (p->low != 0 && p->low > low - 0.01 * (p->high - p->low))
        p->low -= p->step;
}

static void put_axes(const picture *p, const char *x_label, const char *y_label)
{
    FILE *f = p->file;
    char text[TEXT_BYTES];
    const int decimals = (int)fmax(0, -floor(log10(p->step) + 1e-9));
    const double size = fmax(fabs(p->low), fabs(p->high));
    const int digits = (int)fmin(15, fmax(1, floor(log10(size / p->step)) + 2));
    const int ticks = (int)lround((p->high - p->low) / p->step);
    const double bottom = p->top + SIDE;
    (void)fprintf(f, "<g stroke=\"#dddddd\" stroke-width=\"0.8\">\n");
    for (int i = 1; i < ticks; i++) {
        const double value = p->low + i * p->step;
        sq_svg_put(f, "<path d=\"M", x_of(p, value), " ");
        sq_svg_put(f, "", p->top, "v");
        sq_svg_put(f, "", SIDE, "M");
        sq_svg_put(f, "", LEFT, " ");
        sq_svg_put(f, "", y_of(p, value), "h");
        sq_svg_put(f, "", SIDE, "\"/>\n");
    }
    (void)fprintf(f, "</g>\n<g fill=\"#333333\" font-size=\"%d\">\n", decimals > 5 || size >= 1e6 ? 10 : 13);
    for (int i = 0; i <= ticks; i++) {
        const double value = i == 0 ? p->low : p->low + i * p->step;
        (void)sq_svg_number(text, fabs(value) < 1e-9 * p->step ? 0 : value, decimals, digits);
        sq_svg_put(f, "<text text-anchor=\"middle\" x=\"", x_of(p, value), "\" ");
        sq_svg_put(f, "y=\"", bottom + 18, "\">");
        (void)fprintf(f, "%s</text>\n<text text-anchor=\"end\" x=\"%d\" ", text, LEFT - 8);
        sq_svg_put(f, "y=\"", y_of(p, value) + 4.5, "\">");
        (void)fprintf(f, "%s</text>\n", text);
    }
    sq_svg_put(f, "</g>\n<text text-anchor=\"middle\" font-size=\"15\" x=\"", LEFT + SIDE / 2.0, "\" ");
    sq_svg_put(f, "y=\"", bottom + 42, "\">");
    sq_svg_text(f, x_label, 70);
    sq_svg_put(f, "</text>\n<text text-anchor=\"middle\" font-size=\"15\" transform=\"translate(16 ",
               p->top + SIDE / 2.0, ") rotate(-90)\">");
    sq_svg_text(f, y_label, 70);
    (void)fprintf(f, "</text>\n");
}

/* ---- What is inside ---- */

static void put_frame(const picture *p, const char *attributes)
{
    (void)fprintf(p->file, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" %s/>\n", LEFT, (int)p->top, SIDE, SIDE,
                  attributes);
}

/* Draws the band from predicted = 0.9 measured to predicted = 1.1 measured, and the diagonal. The frame clips both. */
static void put_band(const picture *p)
{
    const double corners[4][2] = {{p->low, 0.9}, {p->high, 0.9}, {p->high, 1.1}, {p->low, 1.1}};
    (void)fprintf(p->file, "<g clip-path=\"url(#frame)\">\n<path fill=\"#0072b2\" fill-opacity=\"0.1\" d=\"");
    for (int i = 0; i < 4; i++) {
        sq_svg_put(p->file, i ? "L" : "M", x_of(p, corners[i][0]), " ");
        sq_svg_put(p->file, "", y_of(p, corners[i][0] * corners[i][1]), "");
    }
    sq_svg_put(p->file, "z\"/>\n<path stroke=\"#666666\" stroke-dasharray=\"6 4\" d=\"M", x_of(p, p->low), " ");
    sq_svg_put(p->file, "", y_of(p, p->low), "L");
    sq_svg_put(p->file, "", x_of(p, p->high), " ");
    sq_svg_put(p->file, "", y_of(p, p->high), "\"/>\n</g>\n");
}

static bool is_inside(const sq_scatter_point *q)
{
    return fabs(q->predicted - q->measured) <= 0.1 * q->measured;
}

/* Draws one point with its error bar and tooltip. */
static void put_point(const picture *p, const sq_scatter_point *q, double radius, bool inside)
{
    FILE *f = p->file;
    const double x = x_of(p, q->measured), y = y_of(p, q->predicted);
    if (q->deviation > 0) {
        sq_svg_put(f, "<path stroke-width=\"1\" stroke-opacity=\"0.6\" d=\"M", x_of(p, q->measured - q->deviation),
                   " ");
        sq_svg_put(f, "", y, "H");
        sq_svg_put(f, "", x_of(p, q->measured + q->deviation), "\"/>\n");
    }
    sq_svg_put(f, inside ? "<circle cx=\"" : "<path d=\"M", x, inside ? "\" cy=\"" : " ");
    sq_svg_put(f, "", inside ? y : y - 1.2 * radius, inside ? "\" r=\"" : "l");
    sq_svg_put(f, "", inside ? radius : 1.1 * radius, inside ? "\"" : " ");
    if (!inside) {
        sq_svg_put(f, "", 2 * radius, "h");
        sq_svg_put(f, "", -2.2 * radius, "z\"");
    }
    if (q->label && *q->label) {
        (void)fputs("><title>", f);
        sq_svg_text(f, q->label, 200);
        (void)fputs(inside ? "</title></circle>\n" : "</title></path>\n", f);
    } else {
        (void)fputs("/>\n", f);
    }
}

/* Draws every k-th of the points inside the band, or of those outside it. */
static void put_points(picture *p, bool inside)
{
    FILE *f = p->file;
    const size_t stride = inside ? p->stride_inside : p->stride_outside;
    const double radius = p->n <= 200 ? 4.5 : p->n <= 2000 ? 3.2 : 2.4;
    const char *colour = inside ? inside_colour : outside_colour;
    size_t seen = 0;
    (void)fprintf(f, "<g fill=\"%s\" stroke=\"%s\" fill-opacity=\"%s\" stroke-width=\"0\">\n", colour, colour,
                  p->n <= 200    ? "0.75"
                  : p->n <= 2000 ? "0.4"
                  : inside       ? "0.2"
                                 : "0.5");
    for (size_t i = 0; i < p->n; i++) {
        const sq_scatter_point *q = &p->points[i];
        if (is_inside(q) != inside || seen++ % stride)
            continue;
        p->drawn++;
        put_point(p, q, radius, inside);
    }
    (void)fputs("</g>\n", f);
}

typedef struct {
    double x, y, w, h;
} box;

static bool overlap(const box *a, const box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

/* Boxes that points, names or the error measures occupy. */
typedef struct {
    box list[2 * LABEL_LIMIT + 1];
    size_t count;
} taken_boxes;

static bool is_free(const picture *p, const taken_boxes *taken, const box *b)
{
    bool result = b->x >= LEFT && b->x + b->w <= LEFT + SIDE && b->y >= p->top && b->y + b->h <= p->top + SIDE;
    for (size_t k = 0; k < taken->count && result; k++)
        result = !overlap(b, &taken->list[k]);
    return result;
}

/* Writes the point's name to the right of the point, to the left, above or below, in the first of these places that is
 * free. Writes nothing if no place is free. */
static void put_label(const picture *p, const sq_scatter_point *q, taken_boxes *taken)
{
    const double x = x_of(p, q->measured), y = y_of(p, q->predicted);
    const double w = q->label ? 6.2 * fmin(24, sq_svg_characters(q->label)) : 0;
    const double side = 8 + fmax(0, q->deviation) * SIDE / (p->high - p->low); /* beyond the error bar */
    const struct {
        const char *start;
        double anchor;
        box place;
    } tries[] = {{"<text x=\"", x + side, {x + side, y - 6, w, 12}},
                 {"<text text-anchor=\"end\" x=\"", x - side, {x - side - w, y - 6, w, 12}},
                 {"<text text-anchor=\"middle\" x=\"", x, {x - w / 2, y - 19, w, 12}},
                 {"<text text-anchor=\"middle\" x=\"", x, {x - w / 2, y + 8, w, 12}}};
    for (size_t t = 0; w > 0 && t < sizeof tries / sizeof *tries; t++) {
        if (!is_free(p, taken, &tries[t].place))
            continue;
        taken->list[taken->count++] = tries[t].place;
        sq_svg_put(p->file, tries[t].start, tries[t].anchor, "\" ");
        sq_svg_put(p->file, "y=\"", tries[t].place.y + 10, "\">");
        sq_svg_text(p->file, q->label, 24);
        (void)fputs("</text>\n", p->file);
        return;
    }
}

static void put_labels(const picture *p)
{
    taken_boxes taken = {{{LEFT, p->top, 190, 100}}, 1}; /* the corner with the error measures */
    if (p->n > LABEL_LIMIT)
        return;
    for (size_t i = 0; i < p->n; i++) {
        const double bar = fmax(0, p->points[i].deviation) * SIDE / (p->high - p->low);
        taken.list[taken.count++] =
            (box){x_of(p, p->points[i].measured) - 4 - bar, y_of(p, p->points[i].predicted) - 4, 8 + 2 * bar, 8};
    }
    (void)fprintf(p->file, "<g fill=\"#333333\" font-size=\"11\">\n");
    for (size_t i = 0; i < p->n; i++)
        put_label(p, &p->points[i], &taken);
    (void)fputs("</g>\n", p->file);
}

static void put_measures(const picture *p)
{
    char a[TEXT_BYTES], b[TEXT_BYTES];
    const double x = LEFT + 14, y = p->top + 24;
    const char *lines[] = {"MAPE %s %%", "within 10 %%: %s %%", "Kendall \xcf\x84 %s"};
    const double values[] = {p->quality.mape, p->quality.within_10, p->quality.tau};
    (void)fprintf(p->file, "<g font-size=\"14\">\n");
    for (int i = 0; i < 3; i++) {
        sq_svg_put(p->file, "<text x=\"", x, "\" ");
        sq_svg_put(p->file, "y=\"", y + 19 * i, "\">");
        (void)fprintf(p->file, lines[i],
                      isfinite(values[i]) ? sq_svg_number(a, values[i], i == 2 ? 3 : 1, 3) : "\xe2\x80\x93");
        (void)fputs("</text>\n", p->file);
    }
    sq_svg_put(p->file, "<text fill=\"#666666\" font-size=\"12\" x=\"", x, "\" ");
    sq_svg_put(p->file, "y=\"", y + 57, "\">");
    if (p->drawn < p->n)
        (void)fprintf(p->file, "%zu networks, %zu drawn</text>\n</g>\n", p->n, p->drawn);
    else
        (void)fprintf(p->file, "%s network%s</text>\n</g>\n", sq_svg_number(b, (double)p->n, 0, 9),
                      p->n == 1 ? "" : "s");
}

/* ---- The file ---- */

static void put_picture(picture *p, const sq_scatter_options *options)
{
    const bool has_title = options->title && *options->title;
    const double width = options->width_mm > 0 ? options->width_mm : 120;
    p->top = TOP + (has_title ? TITLE_HEIGHT : 0);
    const int height = (int)p->top + SIDE + BOTTOM;
    FILE *f = p->file;
    (void)fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" ");
    sq_svg_put(f, "width=\"", width, "mm\" ");
    sq_svg_put(f, "height=\"", width * height / WIDTH, "mm\" ");
    (void)fprintf(
        f, "viewBox=\"0 0 %d %d\" font-family=\"'DejaVu Sans', 'Liberation Sans', Arial, Helvetica, sans-serif\">\n",
        WIDTH, height);
    (void)fprintf(f, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n<clipPath id=\"frame\">", WIDTH, height);
    put_frame(p, "");
    (void)fprintf(f, "</clipPath>\n");
    if (has_title) {
        const int characters = sq_svg_characters(options->title);
        sq_svg_put(f, "<text font-weight=\"bold\" text-anchor=\"middle\" x=\"", LEFT + SIDE / 2.0, "\" y=\"30\" ");
        sq_svg_put(f, "font-size=\"", fmax(10, fmin(18, 540 / (0.6 * characters))), "\">");
        sq_svg_text(f, options->title, 90);
        (void)fprintf(f, "</text>\n");
    }
    put_axes(p, options->x_label ? options->x_label : "measured, ms",
             options->y_label ? options->y_label : "predicted, ms");
    put_band(p);
    put_points(p, true);
    put_points(p, false);
    put_labels(p);
    put_measures(p);
    put_frame(p, "fill=\"none\" stroke=\"#333333\"");
    (void)fprintf(f, "</svg>\n");
}

/* Computes the error measures of all points, and the strides of the points that are drawn. */
static sq_status survey(picture *p)
{
    double *predicted = malloc((p->n + 1) * sizeof *predicted), *measured = malloc((p->n + 1) * sizeof *measured);
    sq_status status = predicted && measured ? SQ_OK : sq_fail(SQ_NO_MEMORY, "scatter plot: %zu points", p->n);
    for (size_t i = 0; status == SQ_OK && i < p->n; i++) {
        predicted[i] = p->points[i].predicted;
        measured[i] = p->points[i].measured;
        p->inside += is_inside(&p->points[i]);
        if (!isfinite(p->points[i].deviation))
            status = sq_fail(SQ_INVALID, "scatter plot: point %zu: a deviation of %g", i, p->points[i].deviation);
    }
    if (status == SQ_OK)
        status = sq_fit_quality(&p->quality, predicted, measured, p->n);
    free(predicted);
    free(measured);
    p->stride_inside = p->stride_outside = 1;
    if (p->n > INSIDE_LIMIT + OUTSIDE_LIMIT) {
        const size_t outside = p->n - p->inside;
        p->stride_inside = p->inside > INSIDE_LIMIT ? (p->inside + INSIDE_LIMIT - 1) / INSIDE_LIMIT : 1;
        p->stride_outside = outside > OUTSIDE_LIMIT ? (outside + OUTSIDE_LIMIT - 1) / OUTSIDE_LIMIT : 1;
    }
    return status;
}

sq_status sq_scatter_write(const char *path, const sq_scatter_options *options, const sq_scatter_point *points,
                           size_t n)
{
    picture p = {.points = points, .n = n};
    sq_file_writer w;
    SQ_TRY(survey(&p));
    choose_axes(&p);
    SQ_TRY(sq_file_begin(&w, path));
    p.file = w.stream;
    put_picture(&p, options);
    return sq_file_finish(&w, path);
}
