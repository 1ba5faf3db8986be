/* squall info space --costs: prints the costs of each operator in each layer. */
#include "tools/commands/info_costs.h"

#include <stdio.h>
#include <string.h>

#include "supernet/space/cost.h"

enum { COLUMNS = 10 }; /* columns of one table, limited so that lines stay short */

/* Consecutive layers with the same shapes, stride and choices, and therefore the same costs. */
typedef struct {
    int first, last;
} run;

static bool is_alike(const sq_layer *a, const sq_layer *b)
{
    return a->h_in == b->h_in && a->w_in == b->w_in && a->c_in == b->c_in && a->c_out == b->c_out &&
           a->stride == b->stride && a->activation == b->activation && a->choice_count == b->choice_count &&
           memcmp(a->choices, b->choices, (size_t)a->choice_count * sizeof *a->choices) == 0;
}

/* Lists the runs of equal searched layers, or of all layers if the space has no choices. Returns their number. */
static int list_runs(const sq_space *space, run runs[SQ_MAX_LAYERS])
{
    int count = 0;
    for (int l = 0; l < space->layer_count; l++) {
        if (space->searched_count && space->layers[l].searched_index == SQ_NONE)
            continue;
        if (count && runs[count - 1].last == l - 1 && is_alike(&space->layers[l - 1], &space->layers[l]))
            runs[count - 1].last = l;
        else
            runs[count++] = (run){l, l};
    }
    return count;
}

static int find(const sq_layer *layer, int choice)
{
    for (int i = 0; i < layer->choice_count; i++)
        if (layer->choices[i] == choice)
            return i;
    return SQ_NONE;
}

static double value_of(const sq_space *space, int layer, int choice, bool is_parameters)
{
    const sq_cost cost = sq_cost_block(space, layer, choice);
    return is_parameters ? 1e-3 * (double)(cost.weights + cost.norm_weights) : 1e-6 * (double)cost.macs;
}

static void print_head(const sq_space *space, const char *title, const run *runs, int count)
{
    (void)printf("\n%-22s", title);
    for (int i = 0; i < count; i++) {
        char text[24];
        if (runs[i].first == runs[i].last)
            (void)snprintf(text, sizeof text, "%d", runs[i].first);
        else
            (void)snprintf(text, sizeof text, "%d-%d", runs[i].first, runs[i].last);
        (void)printf(" %11s", text);
    }
    (void)printf("\n%-22s", "  input");
    for (int i = 0; i < count; i++) {
        const sq_layer *l = &space->layers[runs[i].first];
        char text[40];
        (void)snprintf(text, sizeof text, "%dx%dx%d", l->h_in, l->w_in, l->c_in);
        (void)printf(" %11s", text);
    }
    (void)putchar('\n');
}

static void print_table(const sq_space *space, const char *title, const run *runs, int count, bool is_parameters)
{
    print_head(space, title, runs, count);
    for (int c = 0; c < space->choice_count; c++) {
        char line[COLUMNS * 32] = "";
        size_t used = 0;
        bool is_there = false;
        for (int i = 0; i < count; i++) {
            const int index = find(&space->layers[runs[i].first], c);
            is_there = is_there || index != SQ_NONE;
            if (index == SQ_NONE)
                used += (size_t)snprintf(line + used, sizeof line - used, " %11s", "-");
            else
                used += (size_t)snprintf(line + used, sizeof line - used, " %11.3f",
                                         value_of(space, runs[i].first, index, is_parameters));
        }
        if (is_there)
            (void)printf("  %-20s%s\n", space->choices[c].name, line);
    }
}

void sq_info_print_costs(const sq_space *space)
{
    run runs[SQ_MAX_LAYERS];
    const int count = list_runs(space, runs);
    for (int i = 0; i < count; i += COLUMNS)
        print_table(space, "multiply-adds M, layer", runs + i, count - i < COLUMNS ? count - i : COLUMNS, false);
    for (int i = 0; i < count; i += COLUMNS)
        print_table(space, "parameters k, layer", runs + i, count - i < COLUMNS ? count - i : COLUMNS, true);
}
