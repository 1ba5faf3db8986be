/* Counts the bytes that the launches of a training step move, by kernel and by resolution. The programs are compiled
 * or, with --dry, only planned. */
#include <stdlib.h>
#include <string.h>

#include "tools/commands/bench/bench.h"

enum { LARGEST = 10 };
static const sq_mode step_modes[] = {SQ_FORWARD, SQ_BACKWARD, SQ_UPDATE};
enum { STEP_MODES = sizeof step_modes / sizeof *step_modes };

bool sq_bench_has_parts(const sq_bench_subject *subject)
{
    return !subject->model || sq_model_backend(subject->model)->ops->part;
}

bool sq_bench_is_merge(const char *kernel)
{
    static const char *const merges[] = {"merge_moments", "merge_sums", "merge_gradient", "pack_weights"};
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++)
        if (strcmp(kernel, merges[i]) == 0)
            return true;
    return false;
}

static sq_status list_parts(sq_bench_launches *out, const sq_bench_subject *subject, const sq_bench_program *which)
{
    const sq_program *program;
    out->parts = malloc(SQ_BENCH_PARTS * sizeof *out->parts);
    if (!out->parts)
        return sq_fail(SQ_NO_MEMORY, "bench: launches");
    if (!subject->model)
        return sq_cuda_dry_run(&out->graph, subject->multiprocessors, out->parts, SQ_BENCH_PARTS, &out->count);
    SQ_TRY(sq_model_program(subject->model, which->layer, which->choice, which->mode, &program));
    const struct sq_backend_ops *ops = sq_model_backend(subject->model)->ops;
    while (out->count < SQ_BENCH_PARTS && ops->part(program, out->count, &out->parts[out->count]))
        out->count++;
    return SQ_OK;
}

sq_status sq_bench_launches_list(sq_bench_launches *out, const sq_bench_subject *subject,
                                 const sq_bench_program *program)
{
    sq_bench_launches launches = {0};
    sq_region region = subject->plan->regions[program->layer][program->choice];
    const sq_block_id block = {subject->space, program->layer, program->choice};
    SQ_TRY(sq_block_build(&block, program->mode, &subject->plan->options, &region, &launches.graph));
    sq_status status = list_parts(&launches, subject, program);
    if (status == SQ_OK && launches.count >= SQ_BENCH_PARTS)
        status = sq_fail(SQ_UNSUPPORTED, "%s: found at least %d launches, expected fewer", launches.graph.name,
                         SQ_BENCH_PARTS);
    if (status == SQ_OK)
        *out = launches;
    else
        sq_bench_launches_clear(&launches);
    return status;
}

void sq_bench_launches_clear(sq_bench_launches *launches)
{
    sq_graph_clear(&launches->graph);
    free(launches->parts);
    *launches = (sq_bench_launches){0};
}

/* ---- Adding up ---- */

static int side_of(const sq_graph *graph, const sq_op *op)
{
    const int slot = op->x.slot != SQ_NONE ? op->x.slot : op->grad;
    return slot == SQ_NONE ? 0 : graph->slots[slot].h;
}

static sq_bench_entry *find_entry(sq_bench_tally *tally, const char *kernel, int side)
{
    for (int i = 0; i < tally->count; i++)
        if (tally->entries[i].side == side && strcmp(tally->entries[i].kernel, kernel) == 0)
            return &tally->entries[i];
    if (tally->count == SQ_BENCH_ENTRIES)
        return NULL;
    sq_bench_entry *e = &tally->entries[tally->count++];
    *e = (sq_bench_entry){.kernel = kernel, .side = side};
    return e;
}

static sq_status add_program(sq_bench_tally *tally, const sq_bench_subject *subject, const sq_bench_program *program,
                             double weight)
{
    sq_bench_launches launches;
    sq_status status = SQ_OK;
    SQ_TRY(sq_bench_launches_list(&launches, subject, program));
    for (int i = 0; status == SQ_OK && i < launches.count; i++) {
        const sq_program_part *part = &launches.parts[i];
        sq_bench_entry *e = find_entry(tally, part->kernel, side_of(&launches.graph, &launches.graph.ops[part->op]));
        if (e)
            e->bytes[program->mode] += weight * part->bytes;
        else
            status = sq_fail(SQ_UNSUPPORTED, "bench: more than %d kinds of launches", SQ_BENCH_ENTRIES);
    }
    sq_bench_launches_clear(&launches);
    return status;
}

sq_status sq_bench_tally_make(sq_bench_tally *out, const sq_bench_subject *subject,
                              const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths)
{
    const double images = (double)paths * subject->plan->options.batch;
    out->count = 0;
    for (int l = 0; l < subject->space->layer_count; l++)
        for (int c = 0; c < subject->space->layers[l].choice_count; c++)
            for (int m = 0; uses[l][c] && m < STEP_MODES; m++)
                SQ_TRY(add_program(out, subject, &(sq_bench_program){l, c, step_modes[m]}, uses[l][c] / images));
    return SQ_OK;
}

double sq_bench_tally_bytes(const sq_bench_tally *tally, int mode)
{
    double sum = 0;
    for (int i = 0; i < tally->count; i++)
        for (int m = 0; m < STEP_MODES; m++)
            sum += mode == SQ_MODES || mode == (int)step_modes[m] ? tally->entries[i].bytes[step_modes[m]] : 0;
    return sum;
}

static double bytes_of(const sq_bench_entry *e)
{
    return e->bytes[SQ_FORWARD] + e->bytes[SQ_BACKWARD] + e->bytes[SQ_UPDATE];
}

double sq_bench_tally_merges(const sq_bench_tally *tally)
{
    double sum = 0;
    for (int i = 0; i < tally->count; i++)
        sum += sq_bench_is_merge(tally->entries[i].kernel) ? bytes_of(&tally->entries[i]) : 0;
    return sum;
}

/* ---- Showing ---- */

static int by_bytes(const void *a, const void *b)
{
    const double x = bytes_of(a), y = bytes_of(b);
    return (x < y) - (x > y);
}

/* Sorts the entries by bytes, the largest first. If by_side is false, first adds up the entries of each kernel over all
 * resolutions. */
static void sort_entries(sq_bench_tally *out, const sq_bench_tally *tally, bool by_side)
{
    out->count = 0;
    for (int i = 0; i < tally->count; i++) {
        const sq_bench_entry *e = &tally->entries[i];
        sq_bench_entry *to =
            find_entry(out, e->kernel, by_side ? e->side : 0); /* never NULL: `out` needs at most tally->count rows */
        for (int m = 0; m < STEP_MODES; m++)
            to->bytes[step_modes[m]] += e->bytes[step_modes[m]];
    }
    qsort(out->entries, (size_t)out->count, sizeof *out->entries, by_bytes);
}

void sq_bench_tally_print(const sq_bench_tally *tally)
{
    sq_bench_tally sorted;
    const double all = sq_bench_tally_bytes(tally, SQ_MODES);
    (void)printf("counted bytes, MB an image   forward  backward    update    in all   share\n");
    sort_entries(&sorted, tally, false);
    for (int i = 0; i < sorted.count; i++) {
        const sq_bench_entry *e = &sorted.entries[i];
        (void)printf("  %-24s %9.3f %9.3f %9.3f %9.3f  %5.1f%%\n", e->kernel, 1e-6 * e->bytes[SQ_FORWARD],
                     1e-6 * e->bytes[SQ_BACKWARD], 1e-6 * e->bytes[SQ_UPDATE], 1e-6 * bytes_of(e),
                     100 * bytes_of(e) / all);
    }
    (void)printf("  %-24s %9.3f %9.3f %9.3f %9.3f\n", "in all", 1e-6 * sq_bench_tally_bytes(tally, SQ_FORWARD),
                 1e-6 * sq_bench_tally_bytes(tally, SQ_BACKWARD), 1e-6 * sq_bench_tally_bytes(tally, SQ_UPDATE),
                 1e-6 * all);
    sq_print_row("merges", "%.3f MB, %.1f %% (merge_moments, merge_sums, merge_gradient, pack_weights)",
                 1e-6 * sq_bench_tally_merges(tally), 100 * sq_bench_tally_merges(tally) / all);
    sort_entries(&sorted, tally, true);
    (void)printf("largest by kernel and input side\n");
    for (int i = 0; i < sorted.count && i < LARGEST; i++)
        (void)printf("  %-18s %5d %9.3f MB  %5.1f%%\n", sorted.entries[i].kernel, sorted.entries[i].side,
                     1e-6 * bytes_of(&sorted.entries[i]), 100 * bytes_of(&sorted.entries[i]) / all);
}

void sq_bench_tally_json(const sq_bench_tally *tally, json_t *object)
{
    sq_bench_tally sorted;
    json_t *kernels = json_object(), *largest = json_array();
    sort_entries(&sorted, tally, false);
    for (int i = 0; i < sorted.count; i++)
        (void)json_object_set_new(kernels, sorted.entries[i].kernel, json_real(bytes_of(&sorted.entries[i])));
    sort_entries(&sorted, tally, true);
    for (int i = 0; i < sorted.count && i < LARGEST; i++)
        (void)json_array_append_new(largest, json_pack("{s:s, s:i, s:f}", "kernel", sorted.entries[i].kernel, "side",
                                                       sorted.entries[i].side, "bytes", bytes_of(&sorted.entries[i])));
    /* If memory runs out, keys are missing. */
    (void)json_object_set_new(object, "bytes_per_image", json_real(sq_bench_tally_bytes(tally, SQ_MODES)));
    (void)json_object_set_new(object, "bytes_forward", json_real(sq_bench_tally_bytes(tally, SQ_FORWARD)));
    (void)json_object_set_new(object, "bytes_backward", json_real(sq_bench_tally_bytes(tally, SQ_BACKWARD)));
    (void)json_object_set_new(object, "bytes_update", json_real(sq_bench_tally_bytes(tally, SQ_UPDATE)));
    (void)json_object_set_new(object, "bytes_merges", json_real(sq_bench_tally_merges(tally)));
    (void)json_object_set_new(object, "bytes_by_kernel", kernels);
    (void)json_object_set_new(object, "bytes_largest", largest);
}
