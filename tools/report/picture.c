/* Draws networks as SVG. The two layouts are rows (for one column of a page) and strips (for two columns). */
#include "tools/report/picture.h"

#include <math.h>

#include "kernels/base/file.h"
#include "search/cost/fit/svg.h"
#include "supernet/space/block_kinds.h"
#include "supernet/space/cost.h"

enum { ONE_COLUMN = 240, TWO_COLUMNS = 504, MOST_IN_STRIP = 30, LABEL_BYTES = 48 };

typedef struct {
    char label[LABEL_BYTES];
    const char *colour;
    const sq_layer *layer;
    bool is_skip;
    double macs, ms; /* the layer's shares of the whole network, 0..1 */
} box;

typedef struct {
    FILE *file;
    const sq_picture *options;
    box boxes[SQ_MAX_LAYERS];
    int count, most_channels;
    double macs, parameters, ms; /* of the whole network, in millions and milliseconds */
    double most_macs, most_ms;   /* largest share of any layer */
} sheet;

static const char macs_colour[] = "#e69f00", ms_colour[] = "#0072b2", soft[] = "#555555";

/* ---- Costs and labels ---- */

void sq_picture_label(const sq_choice *c, char *text, size_t bytes)
{
    const sq_block_kind_row *row = sq_block_kind_of(c->kind);
    char expansion[16] = "", kernel[32] = "";
    if (sq_block_shows_expansion(c))
        (void)snprintf(expansion, sizeof expansion, "%g", c->expansion);
    if (sq_block_shows_kernel(c))
        (void)snprintf(kernel, sizeof kernel, " %d\xc3\x97%d", c->kernel, c->kernel);
    (void)snprintf(text, bytes, "%s%s%s%s", row->label, expansion, kernel, row->takes_se && c->has_se ? " SE" : "");
}

static const char *colour_of(const sq_choice *c)
{
    return sq_block_kind_of(c->kind)->tints[c->kernel >= 7 ? 2 : c->kernel >= 5 ? 1 : 0];
}

static void survey(sheet *s)
{
    const sq_picture *o = s->options;
    const sq_space *space = o->space;
    double deviation; /* required by the call, but unused */
    s->count = space->layer_count;
    const sq_cost cost = sq_cost_path(space, o->path);
    s->macs = 1e-6 * (double)cost.macs;
    s->parameters = 1e-6 * (double)(cost.weights + cost.norm_weights);
    s->ms = o->latency ? sq_latency_predict(o->latency, space, o->path).ms : 0;
    for (int l = 0; l < s->count; l++) {
        const sq_layer *layer = &space->layers[l];
        const sq_choice *choice = &space->choices[layer->choices[o->path[l]]];
        box *b = &s->boxes[l];
        sq_picture_label(choice, b->label, sizeof b->label);
        b->colour = colour_of(choice);
        b->layer = layer;
        b->is_skip = choice->kind == SQ_BLOCK_SKIP;
        b->macs = 1e-6 * (double)sq_cost_block(space, l, o->path[l]).macs / s->macs;
        b->ms = o->latency ? sq_latency_block_ms(o->latency, l, o->path[l], &deviation) / s->ms : 0;
        s->most_macs = fmax(s->most_macs, b->macs);
        s->most_ms = fmax(s->most_ms, b->ms);
        s->most_channels = layer->c_out > s->most_channels ? layer->c_out : s->most_channels;
    }
}

/* ---- Shapes ---- */

/* A rectangle in points; x and y are measured from the upper left corner of the picture. */
typedef struct {
    double x, y, w, h;
} frame;

static void put_words(const sheet *s, double x, double y, const char *attributes, const char *text)
{
    sq_svg_put(s->file, "<text x=\"", x, "\" ");
    sq_svg_put(s->file, "y=\"", y, "\"");
    (void)fprintf(s->file, "%s%s>", *attributes ? " " : "", attributes);
    sq_svg_text(s->file, text, 120);
    (void)fputs("</text>\n", s->file);
}

static void put_rectangle(const sheet *s, frame f, const char *attributes)
{
    sq_svg_put(s->file, "<rect x=\"", f.x, "\" ");
    sq_svg_put(s->file, "y=\"", f.y, "\" ");
    sq_svg_put(s->file, "width=\"", f.w, "\" ");
    sq_svg_put(s->file, "height=\"", f.h, "\" ");
    (void)fprintf(s->file, "%s/>\n", attributes);
}

/* Writes a horizontal line of length w. */
static void put_line(const sheet *s, double x, double y, double w, const char *attributes)
{
    sq_svg_put(s->file, "<path d=\"M", x, " ");
    sq_svg_put(s->file, "", y, "L");
    sq_svg_put(s->file, "", x + w, " ");
    sq_svg_put(s->file, "", y, "\" ");
    (void)fprintf(s->file, "%s/>\n", attributes);
}

static void put_block(const sheet *s, const box *b, frame f)
{
    char attributes[128];
    (void)snprintf(attributes, sizeof attributes, "rx=\"2\" fill=\"%s\" stroke=\"#333333\" stroke-width=\"0.5\"%s",
                   b->colour, b->is_skip ? " stroke-dasharray=\"2 1.5\"" : "");
    put_rectangle(s, f, attributes);
}

/* The bar of one layer. share: the layer's share of the whole network; most: the largest share of any layer, which
 * fills the full length of a bar. */
typedef struct {
    double share, most;
    const char *colour;
} bar;

static const char *percent(double share, char *text, size_t bytes)
{
    (void)snprintf(text, bytes, share < 0.0995 ? "%.1f" : "%.0f", 100 * share);
    return text;
}

/* Writes "323.1 M multiply-adds, 3.44 M parameters, 5.83 ms on a (modelled)". */
static void print_totals(const sheet *s, char *text, size_t bytes)
{
    const sq_picture *o = s->options;
    const int used = snprintf(text, bytes, "%.4g M multiply-adds, %.3g M parameters", s->macs, s->parameters);
    if (o->latency && used > 0 && (size_t)used < bytes)
        (void)snprintf(text + used, bytes - (size_t)used, ", %.4g ms on %s%s", s->ms, o->latency->info.name,
                       o->latency->info.is_measured ? "" : " (modelled)");
}

/* Writes title and totals. Returns the y coordinate below them. */
static double put_title(const sheet *s, double width)
{
    char totals[256], attributes[64];
    const char *title = s->options->title;
    double y = 4;
    if (title && *title) {
        (void)snprintf(attributes, sizeof attributes, "font-weight=\"bold\" font-size=\"%s\"",
                       sq_svg_characters(title) * 5.0 > width ? "6.5" : "9");
        put_words(s, 4, y + 9, attributes, title);
        y += 13;
    }
    print_totals(s, totals, sizeof totals);
    (void)snprintf(attributes, sizeof attributes, "fill=\"%s\" font-size=\"%s\"", soft,
                   sq_svg_characters(totals) * 3.7 > width ? "5" : "7");
    put_words(s, 4, y + 8, attributes, totals);
    return y + 13;
}

/* ---- Rows: one column ---- */

enum {
    ROW = 13,
    BLOCK_X = 18,
    BLOCK_SHORT = 56,
    BLOCK_WIDTH = 78,
    CHANNEL_X = 116,
    PIXEL_X = 150,
    BAR_X = 153,
    BAR_WIDTH = 24
};

static void put_row_bar(const sheet *s, double x, double y, bar b)
{
    char attributes[32], text[16];
    (void)snprintf(attributes, sizeof attributes, "fill=\"%s\"", b.colour);
    put_rectangle(s, (frame){x, y + 3.5, b.most > 0 ? BAR_WIDTH * b.share / b.most : 0, ROW - 7}, attributes);
    put_words(s, x + BAR_WIDTH + 16, y + 9, "text-anchor=\"end\" font-size=\"6\"", percent(b.share, text, sizeof text));
}

static void put_row(const sheet *s, int l, double y)
{
    char text[32];
    const box *b = &s->boxes[l];
    const double w = BLOCK_SHORT + (BLOCK_WIDTH - BLOCK_SHORT) * sqrt((double)b->layer->c_out / s->most_channels);
    if (l > 0 && s->boxes[l - 1].layer->h_out != b->layer->h_out)
        put_line(s, 4, y, ONE_COLUMN - 8, "stroke=\"#cccccc\" stroke-width=\"0.5\" stroke-dasharray=\"2 2\"");
    if (b->layer->searched_index != SQ_NONE) {
        (void)snprintf(text, sizeof text, "%d", b->layer->searched_index + 1);
        put_words(s, 14, y + 9, "text-anchor=\"end\" fill=\"#555555\" font-size=\"6\"", text);
    }
    put_block(s, b, (frame){BLOCK_X, y + 1, w, ROW - 2});
    put_words(s, BLOCK_X + 3, y + 9, "font-size=\"7\"", b->label);
    (void)snprintf(text, sizeof text, "%d", b->layer->c_out);
    put_words(s, CHANNEL_X, y + 9, "text-anchor=\"end\" font-size=\"6.5\"", text);
    (void)snprintf(text, sizeof text, "%d\xc3\x97%d", b->layer->h_out, b->layer->w_out);
    put_words(s, PIXEL_X, y + 9, "text-anchor=\"end\" font-size=\"6.5\"", text);
    put_row_bar(s, BAR_X, y, (bar){b->macs, s->most_macs, macs_colour});
    if (s->options->latency)
        put_row_bar(s, BAR_X + BAR_WIDTH + 20, y, (bar){b->ms, s->most_ms, ms_colour});
}

static void put_rows(const sheet *s, double y)
{
    static const char head[] = "fill=\"#555555\" font-size=\"6\"",
                      right[] = "text-anchor=\"end\" fill=\"#555555\" font-size=\"6\"";
    put_words(s, BLOCK_X, y + 8, head, "layer");
    put_words(s, CHANNEL_X, y + 8, right, "width");
    put_words(s, PIXEL_X, y + 8, right, "pixels");
    put_words(s, BAR_X, y + 8, head, "mult-adds, %");
    if (s->options->latency)
        put_words(s, BAR_X + BAR_WIDTH + 20, y + 8, head, "latency, %");
    y += 11;
    for (int l = 0; l < s->count; l++)
        put_row(s, l, y + ROW * l);
}

/* ---- Strips: two columns ---- */

enum { STRIP_LEFT = 30, BLOCK_HEIGHT = 72, BLOCK_LEAST = 50, BRACKET = 15, BARS = 26 };

static void put_strip_bar(const sheet *s, double x, double y, double w, bar b)
{
    char attributes[64], text[16];
    const double h = b.most > 0 ? (BARS - 7) * b.share / b.most : 0;
    (void)snprintf(attributes, sizeof attributes, "fill=\"%s\"", b.colour);
    put_rectangle(s, (frame){x, y + BARS - h, w, h}, attributes);
    (void)snprintf(attributes, sizeof attributes, "text-anchor=\"middle\" font-size=\"%s\"", w < 12 ? "4.5" : "5.5");
    put_words(s, x + w / 2, y + BARS - h - 1.5, attributes, percent(b.share, text, sizeof text));
}

/* Writes one bracket over each group of layers with the same resolution. */
static void put_brackets(const sheet *s, int first, int last, double pitch, double y)
{
    char text[32];
    for (int l = first, from = first; l < last; l++) {
        if (l + 1 < last && s->boxes[l + 1].layer->h_out == s->boxes[l].layer->h_out)
            continue;
        const double x0 = STRIP_LEFT + pitch * (from - first) + 1, x1 = STRIP_LEFT + pitch * (l - first + 1) - 3;
        put_line(s, x0, y + BRACKET - 3, x1 - x0, "stroke=\"#888888\" stroke-width=\"0.6\"");
        (void)snprintf(text, sizeof text, l > from || pitch >= 18 ? "%d\xc3\x97%d" : "%d", s->boxes[l].layer->h_out,
                       s->boxes[l].layer->w_out);
        put_words(s, (x0 + x1) / 2, y + BRACKET - 5.5, "text-anchor=\"middle\" fill=\"#555555\" font-size=\"6\"", text);
        from = l + 1;
    }
}

static void put_upright(const sheet *s, double x, double y, const char *text)
{
    sq_svg_put(s->file, "<text text-anchor=\"middle\" font-size=\"7\" transform=\"translate(", x, " ");
    sq_svg_put(s->file, "", y, ") rotate(-90)\">");
    sq_svg_text(s->file, text, LABEL_BYTES);
    (void)fputs("</text>\n", s->file);
}

static void put_strip_layer(const sheet *s, int l, double x, double w, double y)
{
    char text[16];
    const box *b = &s->boxes[l];
    const double share = sqrt((double)b->layer->c_out / s->most_channels),
                 h = BLOCK_LEAST + (BLOCK_HEIGHT - BLOCK_LEAST) * share;
    const double middle = y + BRACKET + BLOCK_HEIGHT / 2.0;
    double below = y + BRACKET + BLOCK_HEIGHT + 8;
    put_block(s, b, (frame){x, middle - h / 2, w, h});
    put_upright(s, x + w / 2 + 2.5, middle, b->label);
    (void)snprintf(text, sizeof text, "%d", b->layer->c_out);
    put_words(s, x + w / 2, below,
              w < 12 ? "text-anchor=\"middle\" font-size=\"4.5\"" : "text-anchor=\"middle\" font-size=\"6\"", text);
    put_strip_bar(s, x, below + 3, w, (bar){b->macs, s->most_macs, macs_colour});
    if (s->options->latency)
        put_strip_bar(s, x, below + 7 + BARS, w, (bar){b->ms, s->most_ms, ms_colour});
}

/* Writes layers first to last - 1. Returns the y coordinate of the next strip. */
static double put_strip(const sheet *s, int first, int last, int room, double y)
{
    static const char name[] = "fill=\"#555555\" font-size=\"6\"";
    const double pitch = (TWO_COLUMNS - STRIP_LEFT - 2.0) / room, middle = y + BRACKET + BLOCK_HEIGHT / 2.0,
                 below = y + BRACKET + BLOCK_HEIGHT + 8;
    const int rows = s->options->latency ? 2 : 1;
    put_brackets(s, first, last, pitch, y);
    put_line(s, STRIP_LEFT - 6, middle, pitch * (last - first) + 4, "stroke=\"#333333\" stroke-width=\"0.7\"");
    for (int l = first; l < last; l++)
        put_strip_layer(s, l, STRIP_LEFT + pitch * (l - first), pitch - 2.5, y);
    put_words(s, 4, y + BRACKET - 5.5, name, "pixels");
    put_words(s, 4, below, name, "width");
    for (int i = 0; i < rows; i++) {
        const double bottom = below + 3 + BARS + (4 + BARS) * i;
        put_words(s, 4, bottom - 7, name, i ? "latency" : "mult-");
        put_words(s, 4, bottom - 1, name, i ? "%" : "adds, %");
        put_line(s, STRIP_LEFT, bottom, pitch * (last - first) - 2.5, "stroke=\"#888888\" stroke-width=\"0.5\"");
    }
    return below + 5 + (4 + BARS) * rows + 4;
}

static void put_strips(const sheet *s, double y)
{
    const int strips = (s->count + MOST_IN_STRIP - 1) / MOST_IN_STRIP, room = (s->count + strips - 1) / strips;
    for (int first = 0; first < s->count; first += room)
        y = put_strip(s, first, first + room < s->count ? first + room : s->count, room, y);
}

/* ---- The file ---- */

static double height_of(const sheet *s)
{
    const double top = 17 + (s->options->title && *s->options->title ? 13 : 0);
    const int strips = (s->count + MOST_IN_STRIP - 1) / MOST_IN_STRIP;
    if (s->options->columns == 1)
        return top + 14 + ROW * s->count;
    return top + strips * (BRACKET + BLOCK_HEIGHT + 17 + (4 + BARS) * (s->options->latency ? 2 : 1));
}

sq_status sq_picture_write(const char *path, const sq_picture *picture)
{
    sheet s = {.options = picture};
    sq_file_writer w;
    survey(&s);
    SQ_TRY(sq_file_begin(&w, path));
    s.file = w.stream;
    const int width = picture->columns == 1 ? ONE_COLUMN : TWO_COLUMNS, height = (int)ceil(height_of(&s));
    (void)fprintf(s.file,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
                  "width=\"%dpt\" height=\"%dpt\" viewBox=\"0 0 %d %d\" "
                  "font-family=\"'DejaVu Sans', 'Liberation Sans', Arial, Helvetica, sans-serif\">\n"
                  "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
                  width, height, width, height, width, height);
    const double y = put_title(&s, width - 8);
    if (picture->columns == 1)
        put_rows(&s, y);
    else
        put_strips(&s, y);
    (void)fputs("</svg>\n", s.file);
    return sq_file_finish(&w, path);
}
