/* squall bench kernels: lists every distinct launch of a space with its bytes, its multiply-adds and, on a device, its
 * time. */
#include <stdlib.h>
#include <string.h>

#include "supernet/model/block_layout.h"
#include "supernet/train/signals.h"
#include "tools/commands/bench/bench.h"

static const char widths_file[] = "configs/spaces/bench-widths.yaml";

typedef struct {
    sq_bench_program program; /* the first program with this launch */
    int index;                /* number of the launch in this program */
    int times;                /* number of equal launches in the space */
    const char *op, *kernel, *level;
    char shape[64];
    double bytes, operations;
    double seconds; /* 0: not measured */
} row;

typedef struct {
    row *rows;
    int count, limit;
} row_list;

/* The bytes and seconds of convolutions with one width: depthwise and pointwise, forward and backward. */
typedef struct {
    int width, stored;
    double bytes[2][2], seconds[2][2]; /* [is_depthwise][is_backward], for one convolution */
} width_price;

enum { MOST_WIDTHS = 8 };

typedef struct {
    const sq_session *session;
    const sq_bench_options *options;
    sq_bench_subject subject, widths;
    row_list list;
    width_price prices[MOST_WIDTHS];
    int price_count;
    double bandwidth; /* bytes/s */
} bench;

/* ---- Describing a launch ---- */

/* Returns the slot that holds the forward result of an operation; SQ_NONE if the result has the same channels as x. */
static int result_slot(const sq_op *op)
{
    switch (op->kind) {
    case SQ_OP_CONV:
    case SQ_OP_JOIN:
    case SQ_OP_LINEAR:
        return op->out;
    case SQ_OP_CONV_BACK:
        return op->z.slot;
    case SQ_OP_JOIN_BACK:
    case SQ_OP_LINEAR_BACK:
        return op->grad;
    default:
        return SQ_NONE;
    }
}

/* Writes the size of the input, the channels in and out, and the window of an operation, such as "56x56 24>24 k3 s1
 * depthwise". For a backward operation, writes the values of its forward operation. */
static void describe_shape(const sq_graph *graph, const sq_op *op, char *text, size_t bytes)
{
    const int result = result_slot(op), source = op->x.slot != SQ_NONE ? op->x.slot : result;
    if (source == SQ_NONE)
        return;
    const sq_slot *s = &graph->slots[source];
    char out[16] = "", window[32] = "";
    if (result != SQ_NONE)
        (void)snprintf(out, sizeof out, ">%d", graph->slots[result].c);
    if (op->kind == SQ_OP_CONV || op->kind == SQ_OP_CONV_BACK)
        (void)snprintf(window, sizeof window, " k%d s%d%s", op->kernel, op->stride,
                       op->is_depthwise ? " depthwise" : "");
    (void)snprintf(text, bytes, "%dx%d %d%s%s", s->h, s->w, sq_view_channels(s, op->x.part).c, out, window);
}

/* Returns the fusion level of a launch. "L4": one launch of the convolution computes both gradients. "-": the launch
 * belongs to no convolution, gate or join. "L3": all other launches, which read and write each tensor once. */
static const char *level_of(const sq_bench_launches *launches, int index, sq_mode mode)
{
    const sq_program_part *parts = launches->parts;
    const int op = parts[index].op;
    const sq_op_kind kind = launches->graph.ops[op].kind;
    if (strcmp(parts[index].kernel, "pack_weights") == 0 || kind == SQ_OP_IMAGE || kind == SQ_OP_POOL ||
        kind == SQ_OP_POOL_BACK || kind == SQ_OP_LINEAR || kind == SQ_OP_LINEAR_BACK || kind == SQ_OP_LOSS)
        return "-";
    for (int i = 0; mode == SQ_BACKWARD && i < launches->count; i++)
        if (parts[i].op == op &&
            (strcmp(parts[i].kernel, "fused_backward") == 0 || strcmp(parts[i].kernel, "depthwise_backward") == 0))
            return "L4";
    return "L3";
}

static bool is_same(const row *a, const row *b)
{
    return a->program.mode == b->program.mode && a->bytes == b->bytes && a->operations == b->operations &&
           strcmp(a->kernel, b->kernel) == 0 && strcmp(a->op, b->op) == 0 && strcmp(a->level, b->level) == 0 &&
           strcmp(a->shape, b->shape) == 0;
}

static sq_status add_row(row_list *list, const row *r)
{
    for (int i = 0; i < list->count; i++)
        if (is_same(&list->rows[i], r)) {
            list->rows[i].times++;
            return SQ_OK;
        }
    if (list->count == list->limit) {
        const int limit = list->limit ? 2 * list->limit : 256;
        row *more = realloc(list->rows, (size_t)limit * sizeof *more);
        if (!more)
            return sq_fail(SQ_NO_MEMORY, "bench: %d launches", limit);
        list->rows = more;
        list->limit = limit;
    }
    list->rows[list->count++] = *r;
    return SQ_OK;
}

static sq_status add_launch(bench *b, const sq_bench_program *program, const sq_bench_launches *launches, int i)
{
    const sq_program_part *part = &launches->parts[i];
    const sq_op *op = &launches->graph.ops[part->op];
    const bool is_pack = strcmp(part->kernel, "pack_weights") == 0; /* for all convolutions of the block */
    row r = {.program = *program,
             .index = i,
             .times = 1,
             .op = is_pack ? "weights" : sq_op_name(op->kind),
             .kernel = part->kernel,
             .level = level_of(launches, i, program->mode),
             .bytes = part->bytes,
             .operations = part->operations};
    if (!is_pack)
        describe_shape(&launches->graph, op, r.shape, sizeof r.shape);
    return add_row(&b->list, &r);
}

static sq_status add_program(bench *b, int layer, int choice, sq_mode mode)
{
    const sq_bench_program program = {layer, choice, mode};
    sq_bench_launches launches;
    sq_status status = SQ_OK;
    SQ_TRY(sq_bench_launches_list(&launches, &b->subject, &program));
    for (int i = 0; status == SQ_OK && i < launches.count; i++)
        status = add_launch(b, &program, &launches, i);
    sq_bench_launches_clear(&launches);
    return status;
}

static sq_status list_rows(bench *b)
{
    for (int l = 0; l < b->subject.space->layer_count; l++)
        for (int c = 0; c < b->subject.space->layers[l].choice_count; c++) {
            SQ_TRY(add_program(b, l, c, SQ_FORWARD));
            SQ_TRY(add_program(b, l, c, SQ_BACKWARD));
        }
    return SQ_OK;
}

/* ---- Time ---- */

static sq_status measure(const bench *b, const sq_bench_subject *subject, const sq_bench_program *which, int index,
                         double *seconds)
{
    const sq_program *program;
    if (sq_signals_received())
        return sq_fail(SQ_INTERRUPTED, "%s: nothing was measured", sq_signals_name());
    SQ_TRY(sq_model_program(subject->model, which->layer, which->choice, which->mode, &program));
    sq_backend *backend = b->session->backend;
    return backend->ops->measure_part(backend, program, index, b->options->repeats, seconds);
}

static sq_status measure_rows(bench *b)
{
    for (int i = 0; i < b->list.count; i++) {
        row *r = &b->list.rows[i];
        SQ_TRY(measure(b, &b->subject, &r->program, r->index, &r->seconds));
    }
    return SQ_OK;
}

static sq_status find_bandwidth(bench *b)
{
    sq_backend *backend = b->session->backend;
    b->bandwidth = b->options->bandwidth > 0 ? b->options->bandwidth : SQ_BENCH_BANDWIDTH;
    if (b->options->bandwidth > 0 || b->options->is_dry || !backend->ops->copy_bandwidth)
        return SQ_OK;
    return backend->ops->copy_bandwidth(backend, &b->bandwidth);
}

/* ---- Widths ---- */

/* Adds the bytes and seconds of one program of a separable layer. The layer has two depthwise and two pointwise
 * convolutions, so each value is halved. Launches that merge partial results count for their convolution. */
static sq_status add_width(bench *b, width_price *price, int layer, sq_mode mode)
{
    const sq_bench_program program = {layer, 0, mode};
    const bool is_back = mode == SQ_BACKWARD;
    sq_bench_launches launches;
    sq_status status = SQ_OK;
    SQ_TRY(sq_bench_launches_list(&launches, &b->widths, &program));
    for (int i = 0; status == SQ_OK && i < launches.count; i++) {
        const sq_program_part *part = &launches.parts[i];
        const sq_op *op = &launches.graph.ops[part->op];
        double seconds = 0;
        if ((op->kind != SQ_OP_CONV && op->kind != SQ_OP_CONV_BACK) || strcmp(part->kernel, "pack_weights") == 0)
            continue;
        if (b->widths.model)
            status = measure(b, &b->widths, &program, i, &seconds);
        price->bytes[op->is_depthwise][is_back] += part->bytes / 2;
        price->seconds[op->is_depthwise][is_back] += seconds / 2;
    }
    sq_bench_launches_clear(&launches);
    return status;
}

static sq_status price_widths(bench *b)
{
    SQ_TRY(sq_bench_open(&b->widths, b->session, b->options, widths_file));
    const sq_space *space = b->widths.space;
    for (int l = 0; l < space->layer_count && b->price_count < MOST_WIDTHS; l++) {
        if (space->choices[space->layers[l].choices[0]].kind != SQ_BLOCK_SEP)
            continue;
        width_price *price = &b->prices[b->price_count++];
        *price = (width_price){.width = space->layers[l].c_out,
                               .stored = sq_block_boundary_pitch(space, &b->widths.plan->options, l + 1)};
        SQ_TRY(add_width(b, price, l, SQ_FORWARD));
        SQ_TRY(add_width(b, price, l, SQ_BACKWARD));
    }
    return SQ_OK;
}

/* Returns the extra cost per channel compared with the first width, as a fraction (0.1: 10 % more). */
static double surcharge(const bench *b, const width_price *p, bool is_depthwise, bool is_back)
{
    const width_price *first = &b->prices[0];
    const bool is_timed = b->widths.model != NULL;
    const double own = is_timed ? p->seconds[is_depthwise][is_back] : p->bytes[is_depthwise][is_back];
    const double base = is_timed ? first->seconds[is_depthwise][is_back] : first->bytes[is_depthwise][is_back];
    return own / p->width / (base / first->width) - 1;
}

/* ---- Showing ---- */

static const char *mode_text(sq_mode mode)
{
    return mode == SQ_FORWARD ? "fwd" : "back";
}

static const char *choice_name(const bench *b, const row *r)
{
    return b->subject.space->choices[b->subject.space->layers[r->program.layer].choices[r->program.choice]].name;
}

static void print_rows(const bench *b)
{
    (void)printf(
        "layer choice           times mode op         kernel          level shape                              "
        "MB     M macs %9s%s\n",
        b->options->is_dry ? "bound us" : "us", b->options->is_dry ? "" : "     GB/s  share");
    for (int i = 0; i < b->list.count; i++) {
        const row *r = &b->list.rows[i];
        (void)printf("%5d %-16.16s %5d %-4s %-10s %-15s %-5s %-29s %9.3f %10.2f ", r->program.layer, choice_name(b, r),
                     r->times, mode_text(r->program.mode), r->op, r->kernel, r->level, r->shape, 1e-6 * r->bytes,
                     1e-6 * r->operations);
        if (r->seconds > 0)
            (void)printf("%9.2f %8.0f %5.1f%%\n", 1e6 * r->seconds, 1e-9 * r->bytes / r->seconds,
                         100 * r->bytes / r->seconds / b->bandwidth);
        else
            (void)printf("%9.2f\n", 1e6 * r->bytes / b->bandwidth);
    }
}

static void print_kernels(const bench *b)
{
    (void)printf("by kernel, every launch of the space\n");
    for (int i = 0; i < b->list.count; i++) {
        const char *kernel = b->list.rows[i].kernel;
        double bytes = 0, seconds = 0;
        bool is_first = true;
        for (int j = 0; j < b->list.count; j++) {
            const row *r = &b->list.rows[j];
            if (strcmp(r->kernel, kernel) != 0)
                continue;
            is_first = is_first && j >= i;
            bytes += r->times * r->bytes;
            seconds += r->times * r->seconds;
        }
        if (!is_first)
            continue;
        if (seconds > 0)
            sq_print_row(kernel, "%10.1f MB %10.1f us %8.0f GB/s %5.1f %%", 1e-6 * bytes, 1e6 * seconds,
                         1e-9 * bytes / seconds, 100 * bytes / seconds / b->bandwidth);
        else
            sq_print_row(kernel, "%10.1f MB", 1e-6 * bytes);
    }
}

static void print_widths(const bench *b)
{
    (void)printf("widths, 28x28: %s of one unit, and extra cost per channel compared with width %d\n",
                 b->options->is_dry ? "MB" : "us", b->prices[0].width);
    (void)printf("  width stored      depthwise fwd             back     pointwise fwd             back\n");
    for (int i = 0; i < b->price_count; i++) {
        const width_price *p = &b->prices[i];
        (void)printf("  %5d %6d", p->width, p->stored);
        for (int k = 0; k < 4; k++) {
            const int depthwise = k < 2, back = k % 2;
            const double value = 1e6 * p->seconds[depthwise][back];
            (void)printf("  %9.3f %+5.1f%%", b->options->is_dry ? 1e-6 * p->bytes[depthwise][back] : value,
                         100 * surcharge(b, p, depthwise, back));
        }
        (void)putchar('\n');
    }
}

static json_t *row_json(const bench *b, const row *r)
{
    json_t *object =
        json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:f, s:f}", "layer", r->program.layer, "choice",
                  choice_name(b, r), "times", r->times, "mode", mode_text(r->program.mode), "op", r->op, "kernel",
                  r->kernel, "level", r->level, "shape", r->shape, "bytes", r->bytes, "macs", r->operations);
    if (r->seconds > 0) {
        (void)json_object_set_new(object, "us", json_real(1e6 * r->seconds)); /* on failure the key is missing */
        (void)json_object_set_new(object, "gb_per_second", json_real(1e-9 * r->bytes / r->seconds));
        (void)json_object_set_new(object, "share_of_copy", json_real(r->bytes / r->seconds / b->bandwidth));
    }
    return object;
}

static sq_status print_json(const bench *b)
{
    json_t *rows = json_array(), *widths = json_array();
    for (int i = 0; i < b->list.count; i++)
        (void)json_array_append_new(rows, row_json(b, &b->list.rows[i])); /* on failure the row is missing */
    for (int i = 0; i < b->price_count; i++)
        for (int k = 0; k < 4; k++) {
            const width_price *p = &b->prices[i];
            const int depthwise = k < 2, back = k % 2;
            (void)json_array_append_new(
                widths, json_pack("{s:i, s:i, s:s, s:s, s:f, s:f, s:f}", "width", p->width, "stored", p->stored, "unit",
                                  depthwise ? "depthwise" : "pointwise", "mode",
                                  mode_text(back ? SQ_BACKWARD : SQ_FORWARD), "bytes", p->bytes[depthwise][back], "us",
                                  1e6 * p->seconds[depthwise][back], "surcharge", surcharge(b, p, depthwise, back)));
        }
    return sq_print_json(json_pack("{s:s, s:s, s:b, s:i, s:f, s:o, s:o}", "space", b->subject.space->name, "device",
                                   b->options->is_dry ? "cuda" : b->session->backend->ops->name, "dry",
                                   b->options->is_dry, "batch", b->options->batch, "bandwidth_gb_per_second",
                                   1e-9 * b->bandwidth, "launches", rows, "widths", widths));
}

static void print_table(const bench *b)
{
    (void)printf("%s on %s, batch %d: %d distinct launches\n", b->subject.space->name,
                 b->options->is_dry ? "cuda, counted and not run" : b->session->backend->ops->name, b->options->batch,
                 b->list.count);
    sq_print_row("bandwidth", "%.0f GB/s, %s", 1e-9 * b->bandwidth,
                 b->options->bandwidth > 0 ? "given"
                 : b->options->is_dry      ? "an H200's"
                                           : "of a copy in device memory, measured now");
    print_rows(b);
    print_kernels(b);
    print_widths(b);
}

static sq_status run_bench(bench *b)
{
    SQ_TRY(sq_bench_open(&b->subject, b->session, b->options, b->options->file));
    SQ_TRY(find_bandwidth(b));
    SQ_TRY(list_rows(b));
    if (!b->options->is_dry)
        SQ_TRY(measure_rows(b));
    SQ_TRY(price_widths(b));
    if (b->options->is_json)
        return print_json(b);
    print_table(b);
    return SQ_OK;
}

sq_status sq_bench_kernels(const sq_session *session, const sq_bench_options *options)
{
    if (!options->is_dry && !(session->backend->ops->part && session->backend->ops->measure_part))
        return sq_fail(SQ_UNSUPPORTED, "bench kernels: device %s has no launches to time; expected cuda, or --dry",
                       session->backend->ops->name);
    bench *b = calloc(1, sizeof *b);
    if (!b)
        return sq_fail(SQ_NO_MEMORY, "bench");
    b->session = session;
    b->options = options;
    const sq_status status = run_bench(b);
    sq_bench_close(&b->subject);
    sq_bench_close(&b->widths);
    free(b->list.rows);
    free(b);
    return status;
}
