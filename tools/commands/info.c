/* squall info */
#include <stdio.h>
#include <string.h>

#include "kernels/backend.h"
#include "kernels/base/text.h"
#include "kernels/cpu/processor.h"
#include "supernet/model/block_layout.h"
#include "supernet/model/model.h"
#include "supernet/space/cost.h"
#include "tools/commands/commands.h"
#include "tools/commands/info_costs.h"
#include "tools/run/share_folder.h"

#define WASTED_LIMIT 0.1 /* largest share of unused lanes without a warning */

typedef struct {
    const char *arch;
    int batch, resolution, classes;
    bool on_device; /* use the layout of cuda */
    bool has_costs;
} arguments;

/* Returns the block options with the tensor layout of cuda (on_device) or of the cpu backend. */
static sq_block_options block_options(bool on_device, int batch)
{
    sq_block_options options = {.batch = batch, .is_supernet = true};
    if (on_device) {
        options.activation = SQ_BF16;
        options.alignment = 8;
    }
    return options;
}

static int run_device(const sq_options *given, const void *none)
{
    char line[256];
    (void)given, (void)none; /* the command has no options */
    (void)printf("backends of this build\n");
    for (int i = 0; sq_backend_describe(i, line, sizeof line); i++)
        (void)printf("  %s\n", line);
    sq_cpu_describe(line, sizeof line);
    (void)printf("cpu kernels\n  %s\n", line);
    sq_cuda_describe_ranks(line, sizeof line);
    (void)printf("several GPUs\n  %s\n", line);
    return 0;
}

static void print_layers(const sq_space *space, bool on_device)
{
    const sq_block_options options = block_options(on_device, 1);
    (void)printf("layer  input              requested used stored wasted  stride  choices\n");
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        const int stored = sq_block_boundary_pitch(space, &options, l + 1);
        char input[32];
        (void)snprintf(input, sizeof input, "%dx%dx%d", layer->h_in, layer->w_in, layer->c_in);
        (void)printf("%5d  %-16s %11d %4d %6d %5.1f%%  %6d ", l, input, layer->c_requested, layer->c_out, stored,
                     100.0 * (stored - layer->c_out) / stored, layer->stride);
        for (int c = 0; c < layer->choice_count; c++)
            (void)printf(" %s", space->choices[layer->choices[c]].name);
        (void)putchar('\n');
    }
}

/* Computes the share of padding in the values that the convolutions and joins of a choice store. */
static sq_status wasted_lanes(const sq_space *space, int layer, int choice, double *out)
{
    const sq_block_options options = block_options(true, 1);
    sq_region region = {0};
    sq_graph graph = {0};
    double used = 0, stored = 0;
    SQ_TRY(sq_block_build(&(sq_block_id){space, layer, choice}, SQ_EVALUATE, &options, &region, &graph));
    for (int i = 0; i < graph.op_count; i++) {
        if (graph.ops[i].kind != SQ_OP_CONV && graph.ops[i].kind != SQ_OP_JOIN)
            continue;
        const sq_slot *s = &graph.slots[graph.ops[i].out];
        used += (double)s->h * s->w * s->c;
        stored += (double)s->h * s->w * s->pitch;
    }
    sq_graph_clear(&graph);
    *out = stored > 0 ? 1 - used / stored : 0;
    return SQ_OK;
}

/* Warns about layers with a choice in which padding exceeds WASTED_LIMIT. */
static sq_status print_wasted_lanes(const sq_space *space)
{
    int layers = 0;
    for (int l = 0; l < space->layer_count; l++) {
        bool is_first = true;
        for (int c = 0; c < space->layers[l].choice_count; c++) {
            double wasted;
            SQ_TRY(wasted_lanes(space, l, c, &wasted));
            if (wasted <= WASTED_LIMIT)
                continue;
            if (is_first)
                (void)printf("warning: layer %d wastes lanes:", l);
            (void)printf("%s %s %.1f %%", is_first ? "" : ",", space->choices[space->layers[l].choices[c]].name,
                         100 * wasted);
            layers += is_first;
            is_first = false;
        }
        if (!is_first)
            (void)putchar('\n');
    }
    sq_print_row("wasted lanes", "in %d of %d layers a choice fills more than %.0f %% of its lanes with zeros", layers,
                 space->layer_count, 100 * WASTED_LIMIT);
    return SQ_OK;
}

static void print_range(const sq_space *space)
{
    double least = 0, most = 0, paths = 1;
    for (int l = 0; l < space->layer_count; l++) {
        double low = 1e30, high = 0;
        for (int c = 0; c < space->layers[l].choice_count; c++) {
            const double macs = 1e-6 * (double)sq_cost_block(space, l, c).macs;
            low = macs < low ? macs : low;
            high = macs > high ? macs : high;
        }
        least += low;
        most += high;
        paths *= space->layers[l].choice_count;
    }
    sq_print_row("paths", "%.4g", paths);
    sq_print_row("multiply-adds", "%.1f M to %.1f M", least, most);
}

static sq_status print_memory(const sq_space *space, int batch, bool is_training, bool on_device)
{
    static const char *const roles[SQ_ROLES] = {
        "input",          "boundaries", "boundary gradients", "weights", "weight gradients", "momentum",
        "moving average", "statistics", "saved activations",  "scratch", "workspace",        "step",
        "result"};
    const sq_block_options options = block_options(on_device, batch);
    sq_memory_plan plan;
    char size[32];
    size_t total = 0, weights = 0;
    SQ_TRY(sq_memory_plan_make(&plan, space, &options, is_training, NULL));
    for (int i = 0; i < plan.parameter_count; i++)
        weights += plan.parameters[i].role == SQ_ROLE_WEIGHT ? plan.parameters[i].count : 0;
    if (is_training)
        sq_print_row("supernet", "%s", sq_text_si(size, sizeof size, (double)weights, " parameters"));
    (void)printf("memory plan, %s, batch %d\n", is_training ? "training" : "evaluation", batch);
    for (int role = 0; role < SQ_ROLES; role++) {
        if (plan.role_bytes[role] > 0)
            sq_print_row(roles[role], "%14zu B", plan.role_bytes[role]);
        total += plan.role_bytes[role];
    }
    sq_print_row("total", "%14zu B  (%s)", total, sq_text_si(size, sizeof size, (double)total, "B"));
    sq_print_row("not included", "the backend's workspace, whose size is known after compiling");
    sq_memory_plan_clear(&plan);
    return SQ_OK;
}

static sq_status print_arch(const sq_space *space, const char *arch)
{
    int path[SQ_MAX_LAYERS];
    char text[1024], memory[32];
    SQ_TRY(sq_arch_read(space, arch, path));
    (void)sq_arch_print(space, path, text, sizeof text);
    (void)printf("\narchitecture %s\nlayer  choice               multiply-adds M   parameters\n", text);
    for (int l = 0; l < space->layer_count; l++) {
        const sq_cost cost = sq_cost_block(space, l, path[l]);
        (void)printf("%5d  %-20s %15.3f %12lld\n", l, space->choices[space->layers[l].choices[path[l]]].name,
                     1e-6 * (double)cost.macs, (long long)(cost.weights + cost.norm_weights));
    }
    const sq_cost cost = sq_cost_path(space, path);
    sq_print_row("multiply-adds", "%.2f M", 1e-6 * (double)cost.macs);
    sq_print_row("parameters", "%.3f M, with norms %.3f M", 1e-6 * (double)cost.weights,
                 1e-6 * (double)(cost.weights + cost.norm_weights));
    sq_print_row("activation memory", "%s at its peak, one image, FP32",
                 sq_text_si(memory, sizeof memory, (double)cost.activation_bytes, "B"));
    return SQ_OK;
}

static sq_status info_space(const char *file, const arguments *a)
{
    sq_space *space = NULL;
    char shared[4096];
    SQ_TRY(sq_space_read(&space, sq_share_find(shared, sizeof shared, file), a->resolution, a->classes));
    (void)printf("%s: %d layers, %d searched, %d x %d pixels, %d classes\n", space->name, space->layer_count,
                 space->searched_count, space->resolution, space->resolution, space->classes);
    print_layers(space, a->on_device);
    print_range(space);
    sq_status status = print_memory(space, a->batch, true, a->on_device);
    if (status == SQ_OK)
        status = print_memory(space, a->batch, false, a->on_device);
    if (status == SQ_OK && a->arch)
        status = print_arch(space, a->arch);
    if (status == SQ_OK && a->has_costs)
        sq_info_print_costs(space);
    if (status == SQ_OK && a->on_device)
        status = print_wasted_lanes(space);
    sq_space_free(space);
    return status;
}

static int run_space(const sq_options *options, const void *given)
{
    const sq_status status = info_space(options->arguments[0], given);
    return status == SQ_OK ? 0 : sq_command_fail("info space", status);
}

static const sq_option options[] = {SQ_TEXT("--arch", arch),
                                    SQ_INT("--batch", batch, 1, 65536),
                                    SQ_INT("--resolution", resolution, 0, 4096),
                                    SQ_INT("--classes", classes, 0, 1e6),
                                    SQ_FLAG("--device", on_device),
                                    SQ_FLAG("--costs", has_costs),
                                    SQ_OPTIONS_END};

static const sq_command info_space_command = {.name = "space",
                                              SQ_ARGUMENTS(.batch = 32),
                                              .argument_min = 1,
                                              .argument_max = 1,
                                              .expected = "one space file",
                                              .run = run_space};
static const sq_command info_device_command = {.name = "device", .expected = "no argument", .run = run_device};
static const sq_command *const parts[] = {&info_space_command, &info_device_command, NULL};

const sq_command sq_command_info = {.name = "info", .parts = parts};
