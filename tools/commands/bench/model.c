/* squall bench step --dry --gpu: prints the time of a training step that the speed model (kernels/speed/model.h)
 * predicts, by class of launches. */
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/speed/model.h"
#include "tools/commands/bench/bench.h"
#include "tools/run/share_folder.h"

static const char folder[] = "configs/gpus";

typedef enum {
    DEPTHWISE_FORWARD,
    DEPTHWISE_BACKWARD,
    DENSE, /* the stem's k x k convolution, forward and backward */
    POINTWISE_FORWARD,
    POINTWISE_BACKWARD,
    JOINS,
    GATES,
    MERGES,
    PACK,
    HEAD,
    UPDATE,
    IMAGE,
    GRAPHS,
    CLASSES
} launch_class;

static const char *const class_names[CLASSES] = {
    [DEPTHWISE_FORWARD] = "depthwise forward",
    [DEPTHWISE_BACKWARD] = "depthwise backward",
    [DENSE] = "stem (dense k x k)",
    [POINTWISE_FORWARD] = "pointwise forward",
    [POINTWISE_BACKWARD] = "pointwise backward",
    [JOINS] = "joins",
    [GATES] = "gates",
    [MERGES] = "merges",
    [PACK] = "pack",
    [HEAD] = "head and loss",
    [UPDATE] = "update",
    [IMAGE] = "image",
    [GRAPHS] = "graph boundaries",
};

typedef struct {                                                     /* sums for the mean path */
    double launches, seconds[SQ_BOUNDS], expected, bound[SQ_BOUNDS]; /* bound[i]: time of launches limited by bound i */
} class_sum;

typedef struct {
    const sq_bench_subject *subject;
    const sq_bench_options *options;
    const sq_gpu *gpu;
    sq_counts counts;
    class_sum sums[CLASSES];
    double rescaled,
        estimated; /* seconds with scaled counts: of the same shape (rescaled), of another shape (estimated) */
} model;

/* ---- Classes ---- */

static launch_class class_of(const sq_graph *graph, const sq_program_part *part)
{
    static const struct {
        const char *kernel;
        launch_class kind;
    } plain[] = {
        {"depthwise", DEPTHWISE_FORWARD},
        {"depthwise_backward", DEPTHWISE_BACKWARD},
        {"fused_backward", POINTWISE_BACKWARD},
        {"join", JOINS},
        {"join_backward", JOINS},
        {"gate", GATES},
        {"gate_backward", GATES},
        {"merge_moments", MERGES},
        {"merge_sums", MERGES},
        {"merge_gradient", MERGES},
        {"pack_weights", PACK},
        {"update", UPDATE},
        {"image", IMAGE},
        {"loss", HEAD},
    };
    const sq_op_kind op = graph->ops[part->op].kind;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(part->kernel, plain[i].kernel) == 0)
            return plain[i].kind;
    if (op == SQ_OP_CONV || op == SQ_OP_CONV_BACK) /* kernels pointwise, weight_gradient */
        return strncmp(part->variant, "dense", 5) == 0 ? DENSE
               : op == SQ_OP_CONV                      ? POINTWISE_FORWARD
                                                       : POINTWISE_BACKWARD;
    return op == SQ_OP_GATE || op == SQ_OP_GATE_BACK ? GATES : HEAD; /* pool, pool_backward, gemm, column_sums */
}

/* ---- Adding up ---- */

static void add(class_sum *sum, const sq_launch_time *t, double weight)
{
    sum->launches += weight;
    sum->expected += weight * t->expected;
    sum->bound[t->binds] += weight * t->expected;
    for (int i = 0; i < SQ_BOUNDS; i++)
        sum->seconds[i] += weight * t->seconds[i];
}

static void add_launch(model *m, const sq_graph *graph, const sq_program_part *part, double weight)
{
    const sq_count_match match = sq_counts_find(&m->counts, part);
    class_sum *sum = &m->sums[class_of(graph, part)];
    const double before = sum->expected;
    sq_launch_time t;
    for (size_t i = 0; i < match.count; i++) {
        /* The bytes are known only for the whole launch, so its first kernel gets all of them. */
        const sq_launch_load load = {&match.rows[i], i ? 0 : part->bytes, match.scale, match.grid_scale};
        sq_launch_predict(m->gpu, &load, m->counts.sass, &t);
        add(sum, &t, weight);
    }
    if (match.count == 0) {
        sq_launch_predict_bytes(m->gpu, part->bytes, &t);
        add(sum, &t, weight);
    }
    if (!match.is_exact)
        *(match.is_same_shape ? &m->rescaled : &m->estimated) += sum->expected - before;
}

static sq_status add_program(model *m, const sq_bench_program *program, double weight)
{
    sq_bench_launches launches;
    SQ_TRY(sq_bench_launches_list(&launches, m->subject, program));
    for (int i = 0; i < launches.count; i++)
        add_launch(m, &launches.graph, &launches.parts[i], weight);
    sq_bench_launches_clear(&launches);
    sq_launch_time boundary = {.expected = 1e-6 * m->gpu->graph_us, .binds = SQ_BOUND_LAUNCH};
    boundary.seconds[SQ_BOUND_LAUNCH] = boundary.expected;
    add(&m->sums[GRAPHS], &boundary, weight);
    return SQ_OK;
}

static sq_status add_paths(model *m, const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths)
{
    static const sq_mode modes[] = {SQ_FORWARD, SQ_BACKWARD, SQ_UPDATE};
    const sq_space *space = m->subject->space;
    for (int l = 0; l < space->layer_count; l++)
        for (int c = 0; c < space->layers[l].choice_count; c++)
            for (int k = 0; uses[l][c] && k < 3; k++)
                SQ_TRY(add_program(m, &(sq_bench_program){l, c, modes[k]}, (double)uses[l][c] / paths));
    return SQ_OK;
}

/* ---- Showing ---- */

static class_sum total_of(const model *m)
{
    class_sum all = {0};
    for (int i = 0; i < CLASSES; i++) {
        const class_sum *s = &m->sums[i];
        all.launches += i == GRAPHS ? 0 : s->launches;
        all.expected += s->expected;
        for (int k = 0; k < SQ_BOUNDS; k++) {
            all.seconds[k] += s->seconds[k];
            all.bound[k] += s->bound[k];
        }
    }
    return all;
}

static const char *bound_of(const class_sum *sum)
{
    int most = 0;
    for (int k = 0; k < SQ_BOUNDS; k++)
        if (sum->bound[k] > sum->bound[most])
            most = k;
    return sq_bound_name((sq_bound)most);
}

static void print_class(const char *name, const class_sum *s)
{
    const double *t = s->seconds;
    (void)printf("  %-20s %8.1f %9.3f %7.3f %7.3f %7.3f %7.3f %7.3f %7.3f %10.3f  %s\n", name, s->launches,
                 1e3 * t[SQ_BOUND_MEMORY], 1e3 * t[SQ_BOUND_ISSUE], 1e3 * t[SQ_BOUND_ALU], 1e3 * t[SQ_BOUND_FMA],
                 1e3 * t[SQ_BOUND_LSU], 1e3 * t[SQ_BOUND_MMA], 1e3 * t[SQ_BOUND_LATENCY], 1e3 * s->expected,
                 bound_of(s));
}

static void print_table(const model *m, const class_sum *all, int paths)
{
    const sq_bench_options *o = m->options;
    const double rate = o->batch / all->expected, error = m->gpu->error;
    if (o->arch)
        (void)printf("%s on %s, batch %d: path %s, modelled and not run\n", m->subject->space->name, m->gpu->name,
                     o->batch, o->arch);
    else
        (void)printf("%s on %s, batch %d: mean of %d random paths, modelled and not run\n", m->subject->space->name,
                     m->gpu->name, o->batch, paths);
    (void)printf(
        "ms a step              launches    memory   issue     ALU     FMA     LSU     MMA latency   expected  "
        "bound by\n");
    for (int i = 0; i < CLASSES; i++)
        if (m->sums[i].expected > 0)
            print_class(class_names[i], &m->sums[i]);
    print_class("all", all);
    sq_print_row("images/s", "%.0f (%.0f to %.0f)", rate, rate / (1 + error), rate / (1 - error));
    sq_print_row("range", "every launch %.0f %% slower or faster, until a run on this GPU fits the efficiencies",
                 100 * error);
    sq_print_row("estimated", "%.1f %% of the time: launches whose shape is not in %s/counts.csv",
                 100 * m->estimated / all->expected, folder);
    if (m->rescaled > 0)
        sq_print_row("rescaled",
                     "%.1f %% of the time: counted for a different number of parts (different GPU or batch)",
                     100 * m->rescaled / all->expected);
    sq_print_row("SASS", "%s",
                 m->counts.is_default ? "built-in factors from PTX to SASS"
                                      : "factors of configs/gpus/ptx_to_sass.csv");
}

static json_t *class_json(const class_sum *s)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "launches", s->launches, "memory_ms",
                     1e3 * s->seconds[SQ_BOUND_MEMORY], "issue_ms", 1e3 * s->seconds[SQ_BOUND_ISSUE], "alu_ms",
                     1e3 * s->seconds[SQ_BOUND_ALU], "fma_ms", 1e3 * s->seconds[SQ_BOUND_FMA], "special_ms",
                     1e3 * s->seconds[SQ_BOUND_SPECIAL], "lsu_ms", 1e3 * s->seconds[SQ_BOUND_LSU], "mma_ms",
                     1e3 * s->seconds[SQ_BOUND_MMA], "latency_ms", 1e3 * s->seconds[SQ_BOUND_LATENCY], "expected_ms",
                     1e3 * s->expected, "bound_by", bound_of(s));
}

static sq_status print_json(const model *m, const class_sum *all, int paths)
{
    const double rate = m->options->batch / all->expected, error = m->gpu->error;
    json_t *classes = json_object();
    for (int i = 0; i < CLASSES; i++)
        if (m->sums[i].expected > 0)
            (void)json_object_set_new(classes, class_names[i],
                                      class_json(&m->sums[i])); /* on failure the key is missing */
    return sq_print_json(
        json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o}", "space", m->subject->space->name,
                  "gpu", m->gpu->name, "batch", m->options->batch, "paths", paths, "ms_per_step", 1e3 * all->expected,
                  "images_per_second", rate, "images_per_second_min", rate / (1 + error), "images_per_second_max",
                  rate / (1 - error), "share_estimated", m->estimated / all->expected, "share_rescaled",
                  m->rescaled / all->expected, "all", class_json(all), "classes", classes));
}

/* ---- Entries ---- */

sq_status sq_bench_gpu(sq_gpu *out, const char *name)
{
    char shared[4096];
    return sq_gpu_find(out, sq_share_find(shared, sizeof shared, folder), name);
}

sq_status sq_bench_model(const sq_bench_subject *subject, const sq_bench_options *options,
                         const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths)
{
    char shared[4096];
    model m = {.subject = subject, .options = options, .gpu = options->gpu};
    SQ_TRY(sq_counts_read(&m.counts, sq_share_find(shared, sizeof shared, folder), options->gpu->architecture));
    sq_status status = add_paths(&m, uses, paths);
    const class_sum all = total_of(&m);
    if (status == SQ_OK && options->is_json)
        status = print_json(&m, &all, paths);
    else if (status == SQ_OK)
        print_table(&m, &all, paths);
    sq_counts_free(&m.counts);
    return status;
}
