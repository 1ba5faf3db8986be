#include "tests/kernels/op_table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/bf16.h"
#include "kernels/base/rng.h"
#include "supernet/model/block_layout.h"
#include "tests/support/support.h"

/* The memory of one backend: a binding of whole roles, and the memory plan that has the offsets. */
typedef struct {
    sq_backend *backend;
    sq_memory_plan plan;
    sq_binding at;
} machine;

typedef struct {
    machine reference, other;
    const sq_space *space;
    char *difference; /* result of find_op_difference; if NULL, each difference fails the test */
    bool is_verbose;
    const sq_graph *graph; /* the graph of the compared operation */
    int compared;
    uint64_t seed;
} bench;

/* ---- Reports ---- */

static bool is_over(const bench *b)
{
    return b->difference && b->difference[0];
}

/* "layer 1 mb forward: conv 5x5 stride 2 depthwise of 2 x 14 x 14 x 48" */
static void print_op(const bench *b, const sq_op *op, char *text, size_t bytes)
{
    const bool is_conv = op->kind == SQ_OP_CONV || op->kind == SQ_OP_CONV_BACK;
    const sq_slot *x = op->x.slot == SQ_NONE ? NULL : &b->graph->slots[op->x.slot];
    char kernel[64] = "", shape[64] = "";
    if (is_conv)
        (void)snprintf(kernel, sizeof kernel, " %dx%d stride %d%s", op->kernel, op->kernel, op->stride,
                       op->is_depthwise ? " depthwise" : "");
    if (x)
        (void)snprintf(shape, sizeof shape, " of %d x %d x %d x %d", x->n, x->h, x->w, x->c);
    (void)snprintf(text, bytes, "%s: %s%s%s", b->graph->name, sq_op_name(op->kind), kernel, shape);
}

__attribute__((format(printf, 3, 4))) static void report(bench *b, const sq_op *op, const char *format, ...)
{
    char name[200], text[256];
    va_list arguments;
    if (is_over(b))
        return;
    print_op(b, op, name, sizeof name);
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (b->difference)
        (void)snprintf(b->difference, OP_DIFFERENCE_BYTES, "%s on %s: %s", name, b->other.backend->ops->name, text);
    else
        cr_expect(false, "%s: %s", name, text);
}

/* ---- Values of a slot, in the order of its logical channels ---- */

static size_t value_count(const sq_slot *s)
{
    return (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

static sq_device_ptr address(const machine *m, const sq_slot *s)
{
    return (sq_device_ptr){m->at.base[s->role].address + s->offset};
}

static void read_values(const machine *m, const sq_slot *s, float *values)
{
    unsigned char *raw = malloc(sq_slot_bytes(s));
    MUST(m->backend->ops->read(m->backend, raw, address(m, s), sq_slot_bytes(s)));
    const size_t pixels = value_count(s) / (size_t)s->c;
    for (size_t p = 0; p < pixels; p++)
        for (int i = 0; i < s->c; i++) {
            const size_t at = p * (size_t)s->pitch + (size_t)sq_slot_channel(s, i);
            values[p * (size_t)s->c + (size_t)i] =
                s->dtype == SQ_BF16 ? sq_bf16_to_float(((uint16_t *)(void *)raw)[at]) : ((float *)(void *)raw)[at];
        }
    free(raw);
}

/* Sets the padding channels to `padding`, which is 0 or a value that reveals kernels that read the padding. */
static void write_values(const machine *m, const sq_slot *s, const float *values, float padding)
{
    unsigned char *raw = malloc(sq_slot_bytes(s));
    const size_t pixels = value_count(s) / (size_t)s->c;
    for (size_t i = 0; i < sq_slot_count(s); i++)
        if (s->dtype == SQ_BF16)
            ((uint16_t *)(void *)raw)[i] = sq_bf16_from_float(padding);
        else
            ((float *)(void *)raw)[i] = padding;
    for (size_t p = 0; p < pixels; p++)
        for (int i = 0; i < s->c; i++) {
            const size_t at = p * (size_t)s->pitch + (size_t)sq_slot_channel(s, i);
            const float value = values[p * (size_t)s->c + (size_t)i];
            if (s->dtype == SQ_BF16)
                ((uint16_t *)(void *)raw)[at] = sq_bf16_from_float(value);
            else
                ((float *)(void *)raw)[at] = value;
        }
    MUST(m->backend->ops->write(m->backend, address(m, s), raw, sq_slot_bytes(s)));
    free(raw);
}

static bool is_float(const sq_slot *s)
{
    return s->dtype == SQ_F32 || s->dtype == SQ_BF16;
}

/* ---- Memory ---- */

static void fill(const machine *m, sq_role role, uint64_t seed, double scale, double shift)
{
    const size_t count = m->plan.role_bytes[role] / sizeof(float);
    float *values = malloc(count * sizeof *values + 1);
    sq_rng rng = sq_rng_open(seed, SQ_RNG_TEST, (uint64_t)role);
    for (size_t i = 0; i < count; i++)
        values[i] = sq_bf16_to_float(sq_bf16_from_float((float)(shift + scale * sq_rng_normal(&rng))));
    if (count > 0)
        MUST(m->backend->ops->write(m->backend, m->at.base[role], values, count * sizeof *values));
    free(values);
}

static void fill_input(const machine *m, const sq_space *space)
{
    const int batch = m->plan.options.batch;
    const sq_input_layout layout = sq_block_input(space, batch);
    unsigned char *bytes = calloc(1, layout.bytes);
    sq_rng rng = sq_rng_open(8, SQ_RNG_TEST, 0);
    for (size_t i = 0; i < layout.labels; i++)
        bytes[i] = (unsigned char)(sq_rng_u32(&rng) >> 24);
    for (int i = 0; i < batch; i++) {
        float *augment = (float *)(void *)(bytes + layout.augment) + i * SQ_AUGMENT_COUNT;
        ((int32_t *)(void *)(bytes + layout.labels))[i] = (int32_t)sq_rng_below(&rng, (uint32_t)space->classes);
        augment[SQ_AUGMENT_FLIP] = (float)(i % 2);
        augment[SQ_AUGMENT_ORDER] = (float)(i % 7 - 1);
        for (int j = SQ_AUGMENT_BRIGHTNESS; j <= SQ_AUGMENT_SATURATION; j++)
            augment[j] = (float)(0.6 + 0.8 * sq_rng_uniform(&rng));
    }
    MUST(m->backend->ops->write(m->backend, m->at.base[SQ_ROLE_INPUT], bytes, layout.bytes));
    free(bytes);
}

static void open_machine(machine *m, const sq_space *space, const char *backend, int batch, sq_engine engine)
{
    const sq_block_options options = {.batch = batch,
                                      .is_supernet = true,
                                      .label_smoothing = 0.1f,
                                      .has_average = true,
                                      .mean = {0.4f, 0.5f, 0.6f},
                                      .deviation = {0.2f, 0.25f, 0.3f}};
    MUST(sq_backend_open_with(backend, &(sq_backend_options){.threads = 1, .engine = engine}, &m->backend));
    MUST(sq_memory_plan_make(&m->plan, space, &options, true, m->backend));
    for (int role = 0; role < SQ_ROLES; role++)
        if (m->plan.role_bytes[role] > 0)
            MUST(m->backend->ops->allocate(m->backend, m->plan.role_bytes[role], &m->at.base[role]));
}

static void close_machine(machine *m)
{
    for (int role = 0; role < SQ_ROLES; role++)
        m->backend->ops->release(m->backend, m->at.base[role]);
    sq_memory_plan_clear(&m->plan);
    sq_backend_close(m->backend);
}

/* ---- One operation ---- */

static void run_alone(bench *b, const machine *m, const sq_graph *graph, int op)
{
    const struct sq_backend_ops *ops = m->backend->ops;
    sq_graph alone = *graph;
    sq_program *program = NULL;
    alone.ops = &graph->ops[op];
    alone.op_count = 1;
    sq_status status = ops->compile(m->backend, &alone, &m->at, &program);
    if (status == SQ_OK)
        status = ops->run(m->backend, program);
    if (status == SQ_OK)
        status = ops->wait(m->backend);
    if (status != SQ_OK)
        report(b, alone.ops, "fails: %s", sq_error_text());
    ops->discard(m->backend, program);
}

/* Copies the reference's values to both backends, rounded to BF16 if the other backend stores BF16. */
static void share_slot(bench *b, const sq_slot *from, const sq_slot *to)
{
    float *values = malloc(value_count(from) * sizeof *values);
    read_values(&b->reference, from, values);
    for (size_t i = 0; to->dtype == SQ_BF16 && i < value_count(from); i++)
        values[i] = sq_bf16_to_float(sq_bf16_from_float(values[i]));
    write_values(&b->reference, from, values, 0);
    write_values(&b->other, to, values, 0);
    free(values);
}

/* Computes the two live rows that the reference lacks: by_z and constant in dZ = scale dY + by_z Z + constant. */
static void make_gradient_rows(bench *b, const sq_graph *graph, const sq_op *op)
{
    if (op->kind != SQ_OP_CONV_BACK)
        return;
    const sq_slot *z = &graph->slots[op->z.slot], *live = &graph->slots[graph->norms[op->out_norm].live];
    const int c = live->c;
    const double count = (double)z->n * z->h * z->w;
    float *rows = malloc(value_count(live) * sizeof *rows);
    read_values(&b->other, live, rows);
    for (int i = 0; i < c; i++) {
        const double scale = rows[SQ_LIVE_SCALE * c + i], inverse = rows[SQ_LIVE_INVERSE * c + i];
        const double by_z = -scale * inverse * rows[SQ_LIVE_S2 * c + i] / count;
        rows[SQ_LIVE_BY_Z * c + i] = (float)by_z;
        rows[SQ_LIVE_CONSTANT * c + i] =
            (float)(-scale * rows[SQ_LIVE_S1 * c + i] / count - by_z * rows[SQ_LIVE_MEAN * c + i]);
    }
    write_values(&b->other, live, rows, 0);
    free(rows);
}

/* ---- Tolerances ----
 * Rounding to BF16 changes a value by at most 2^-8. If the error is uniform, its root mean square is 2^-8 / sqrt(3).
 * A convolution rounds both operands on load and the result on store. Independent errors add to a root mean square of
 * 2^-8 sqrt(sum of the squared terms). Terms that cancel give a result smaller than the terms. This occurs in weight
 * gradients, where dZ sums to 0 over each channel, and in S1; their bounds are relative to the size of the terms. FP32
 * sums of terms in a different order differ by 2^-24 sqrt(terms), here with at most about 4,000 terms. */

static const double rounding = 0x1p-8 / 1.7320508, order_of_sums = 2e-6;

static double rms_of(const bench *b, const sq_slot *s)
{
    float *values = malloc(value_count(s) * sizeof *values);
    double squares = 0;
    read_values(&b->reference, s, values);
    for (size_t i = 0; i < value_count(s); i++)
        squares += (double)values[i] * values[i];
    free(values);
    return sqrt(squares / (double)value_count(s));
}

/* Returns the root mean square of a view's values. Ignores the view's gate, which is at most 1. */
static double rms_of_view(const bench *b, const sq_graph *graph, sq_view view)
{
    const sq_slot *s = &graph->slots[view.slot];
    if (view.norm == SQ_NONE)
        return rms_of(b, s);
    const sq_slot *live = &graph->slots[graph->norms[view.norm].live];
    float *z = malloc(value_count(s) * sizeof *z), *rows = malloc(value_count(live) * sizeof *rows);
    double squares = 0;
    read_values(&b->reference, s, z);
    read_values(&b->reference, live, rows);
    for (size_t i = 0; i < value_count(s); i++) {
        const size_t c = i % (size_t)s->c;
        const float *row = rows + (int)c;
        const double v = sq_activate(view.activation, row[SQ_LIVE_SCALE * s->c] * z[i] + row[SQ_LIVE_SHIFT * s->c]);
        squares += v * v;
    }
    free(z);
    free(rows);
    return sqrt(squares / (double)value_count(s));
}

/* Returns the largest scale times the root mean square of G: an upper bound for dZ, which dZ's other terms reduce. */
static double rms_of_gradient(const bench *b, const sq_graph *graph, const sq_op *op)
{
    const sq_slot *live = &graph->slots[graph->norms[op->out_norm].live];
    float *rows = malloc(value_count(live) * sizeof *rows);
    double largest = 0;
    read_values(&b->reference, live, rows);
    for (int i = 0; i < live->c; i++)
        largest = fabs(rows[SQ_LIVE_SCALE * live->c + i]) > largest ? fabs(rows[SQ_LIVE_SCALE * live->c + i]) : largest;
    free(rows);
    return largest * rms_of(b, &graph->slots[op->grad]);
}

static double pixels_of(const sq_slot *s)
{
    return (double)s->n * s->h * s->w;
}

typedef struct {
    double tolerance, terms; /* relative to the size of the result; absolute, from the size of the terms */
} bound;

static bound bound_of(const bench *b, const sq_graph *graph, const sq_op *op, int index)
{
    const bool is_bf16 = b->other.plan.options.activation == SQ_BF16 && graph->slots[index].role != SQ_ROLE_RESULT;
    switch (op->kind) {
    case SQ_OP_CONV:
        return (bound){2 * rounding, 0};
    case SQ_OP_CONV_BACK:
        if (index == op->weight_grad)
            return (bound){2 * rounding, 2 * rounding * sqrt(pixels_of(&graph->slots[op->z.slot])) *
                                             rms_of_gradient(b, graph, op) * rms_of_view(b, graph, op->x)};
        return (bound){4 * rounding, 0}; /* dZ is a sum of three terms that cancel in part */
    case SQ_OP_JOIN:
    case SQ_OP_IMAGE:
    case SQ_OP_JOIN_BACK:
    case SQ_OP_POOL_BACK:
    case SQ_OP_GATE_BACK:
        return (bound){is_bf16 ? rounding : order_of_sums, 0};
    default:
        return (bound){order_of_sums, 0};
    }
}

typedef struct { /* the values of a slot, or of one row of the slot */
    const sq_op *op;
    const char *what;
    int index;
    const float *wanted, *found;
    size_t count;
} values;

static void compare_row(bench *b, const values *v, bound limit)
{
    double squares = 0, differences = 0, worst = 0;
    bool is_finite = true;
    for (size_t i = 0; i < v->count; i++) {
        const double d = (double)v->found[i] - v->wanted[i];
        squares += (double)v->wanted[i] * v->wanted[i];
        differences += d * d;
        worst = fabs(d) > worst ? fabs(d) : worst;
        is_finite = is_finite && isfinite(v->found[i]);
    }
    const double size = sqrt(squares / (double)v->count), error = sqrt(differences / (double)v->count);
    const double allowed = limit.tolerance * size + limit.terms + 1e-9;
    if (!is_finite || !(error <= allowed))
        report(b, v->op, "%s %d: error %.3g exceeds the bound %.3g (RMS, values of %.3g); largest error %.3g%s",
               v->what, v->index, error, allowed, size, worst, is_finite ? "" : "; not finite");
}

/* Compares the rows of a norm. S1 and S2 are sums over the pixels, so the gradient's errors add up. */
static void compare_live(bench *b, const sq_graph *graph, const values *all, const sq_slot *live)
{
    for (int row = 0; row <= SQ_LIVE_S2; row++) {
        bound limit = {4 * rounding, 0};
        if (row >= SQ_LIVE_S1)
            for (int side = 0; side < 2; side++) {
                const int slot = side ? all->op->dy : all->op->dx;
                const sq_slot *s = slot == SQ_NONE ? NULL : &graph->slots[slot];
                const double terms = s ? limit.tolerance * sqrt(pixels_of(s)) * rms_of(b, s) : 0;
                limit.terms = terms > limit.terms ? terms : limit.terms;
            }
        const values v = {all->op,        "live row", row, all->wanted + row * live->c, all->found + row * live->c,
                          (size_t)live->c};
        compare_row(b, &v, limit);
    }
}

static void compare_slot(bench *b, const sq_graph *graph, const sq_op *op, int index, const sq_slot *to)
{
    const sq_slot *from = &graph->slots[index];
    const size_t count = value_count(from);
    float *wanted = malloc(count * sizeof *wanted), *found = malloc(count * sizeof *found);
    read_values(&b->reference, from, wanted);
    read_values(&b->other, to, found);
    const values v = {op, "slot", index, wanted, found, count};
    bool is_live = false;
    for (int i = 0; i < graph->norm_count; i++)
        is_live = is_live || graph->norms[i].live == index;
    if (is_live)
        compare_live(b, graph, &v, from);
    else
        compare_row(b, &v, bound_of(b, graph, op, index));
    free(wanted);
    free(found);
}

/* Expects zeros in the padding channels of tensors and of the constants of norms. */
static void check_padding(bench *b, const sq_op *op, int index, const sq_slot *s)
{
    const size_t bytes = s->dtype == SQ_BF16 ? 2 : 4;
    unsigned char *raw = malloc(sq_slot_bytes(s));
    static const unsigned char zero[4];
    bool *is_channel = calloc((size_t)s->pitch, sizeof *is_channel);
    size_t dirty = 0;
    for (int i = 0; i < s->c; i++)
        is_channel[sq_slot_channel(s, i)] = true;
    MUST(b->other.backend->ops->read(b->other.backend, raw, address(&b->other, s), sq_slot_bytes(s)));
    for (size_t i = 0; i < sq_slot_count(s); i++)
        dirty += !is_channel[i % (size_t)s->pitch] && memcmp(raw + i * bytes, zero, bytes) != 0;
    if (dirty > 0)
        report(b, op, "slot %d: %zu values of the padding are not zero", index, dirty);
    free(raw);
    free(is_channel);
}

static void compare_result(bench *b, const sq_op *op, const sq_slot *from, const sq_slot *to)
{
    sq_result wanted, found;
    MUST(b->reference.backend->ops->read(b->reference.backend, &wanted, address(&b->reference, from), sizeof wanted));
    MUST(b->other.backend->ops->read(b->other.backend, &found, address(&b->other, to), sizeof found));
    if (!(fabs(wanted.loss - found.loss) <= 2e-6 * fabs(wanted.loss)))
        report(b, op, "loss: found %.9g, expected %.9g; error %.3g exceeds the bound %.3g", found.loss, wanted.loss,
               fabs(wanted.loss - found.loss), 2e-6 * fabs(wanted.loss));
    if (wanted.top1 != found.top1 || wanted.top5 != found.top5 || wanted.images != found.images ||
        wanted.nonfinite != found.nonfinite)
        report(b, op, "the counts of the result differ");
}

static void compare_op(bench *b, const sq_graph *from, const sq_graph *to, int op)
{
    char name[200];
    print_op(b, &to->ops[op], name, sizeof name);
    if (b->is_verbose)
        (void)(puts(name), fflush(stdout)); /* flushed, so that the line is printed even if the process is killed */
    for (int i = 0; i < from->slot_count; i++)
        if (is_float(&from->slots[i]) && from->slots[i].role != SQ_ROLE_INPUT)
            share_slot(b, &from->slots[i], &to->slots[i]);
    make_gradient_rows(b, to, &to->ops[op]);
    run_alone(b, &b->reference, from, op);
    run_alone(b, &b->other, to, op);
    for (int i = 0; i < from->slot_count && !is_over(b); i++) {
        if (is_float(&from->slots[i]) && from->slots[i].role != SQ_ROLE_INPUT) {
            compare_slot(b, from, &from->ops[op], i, &to->slots[i]);
            check_padding(b, &to->ops[op], i, &to->slots[i]);
        } else if (from->slots[i].role == SQ_ROLE_RESULT) {
            compare_result(b, &from->ops[op], &from->slots[i], &to->slots[i]);
        }
    }
    b->compared++;
}

static void compare_block(bench *b, int layer, int choice, sq_mode mode)
{
    sq_graph from = {0}, to = {0};
    sq_region a = b->reference.plan.regions[layer][choice], c = b->other.plan.regions[layer][choice];
    MUST(sq_block_build(&(sq_block_id){b->space, layer, choice}, mode, &b->reference.plan.options, &a, &from));
    MUST(sq_block_build(&(sq_block_id){b->space, layer, choice}, mode, &b->other.plan.options, &c, &to));
    b->graph = &to;
    for (int op = 0; op < from.op_count && !is_over(b); op++)
        compare_op(b, &from, &to, op);
    sq_graph_clear(&from);
    sq_graph_clear(&to);
}

static void fill_both(bench *b, int accumulate)
{
    const machine *machines[2] = {&b->reference, &b->other};
    for (int i = 0; i < 2; i++) {
        const machine *m = machines[i];
        sq_step step = drawn_step(2);
        step.accumulate = accumulate;
        step.valid_count = m->plan.options.batch - 1;
        fill(m, SQ_ROLE_WEIGHT, b->seed, 0.4, 0.1);
        fill(m, SQ_ROLE_WEIGHT_GRAD, b->seed, 0.5, 0);
        fill(m, SQ_ROLE_MOMENTUM, b->seed, 0.5, 0);
        fill(m, SQ_ROLE_STATISTICS, b->seed, 0.02, 1);
        fill_input(m, b->space);
        MUST(m->backend->ops->write(m->backend, m->at.base[SQ_ROLE_STEP], &step, sizeof step));
    }
    fill(&b->reference, SQ_ROLE_BOUNDARY, b->seed, 1, 0.2);
    fill(&b->reference, SQ_ROLE_BOUNDARY_GRAD, b->seed, 1, 0.1);
}

static int run_table(const op_table *table, char *difference, bool is_verbose)
{
    bench b = {.seed = 4, .difference = difference, .is_verbose = is_verbose};
    sq_space *space = NULL;
    MUST(sq_space_read(&space, table->space, 0, 0));
    b.space = space;
    open_machine(&b.reference, space, "reference", table->batch, SQ_ENGINE_SQUALL);
    open_machine(&b.other, space, table->backend, table->batch, table->engine);
    for (int layer = 0; layer < space->layer_count; layer++)
        for (int choice = 0; choice < space->layers[layer].choice_count; choice++)
            for (int mode = 0; mode < SQ_MODES && !is_over(&b); mode++) {
                if (mode != SQ_BACKWARD) /* because backward reads the results of forward */
                    fill_both(&b, layer % 2);
                compare_block(&b, layer, choice, (sq_mode)mode);
            }
    close_machine(&b.reference);
    close_machine(&b.other);
    sq_space_free(space);
    return b.compared;
}

int run_op_table(const op_table *table)
{
    return run_table(table, NULL, false);
}

int find_op_difference(const op_table *table, char *difference, bool is_verbose)
{
    difference[0] = '\0';
    return run_table(table, difference, is_verbose);
}
