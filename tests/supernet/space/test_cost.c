/* Compares costs with published numbers. */
#include "supernet/space/cost.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

static sq_space *read_space(const char *path)
{
    sq_space *space = NULL;
    MUST(sq_space_read(&space, path, 0, 0));
    return space;
}

/* The expected numbers are published for SPOS's official networks: multiply-adds and parameters in millions, with all
 * printed digits. */
Test(cost, spos_costs_are_the_published_ones)
{
    static const struct {
        const char *arch, *macs, *weights, *parameters;
    } rows[] = {
        {"0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0", "295.8", "3.132", "3.155"},
        {"1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "313.7", "3.190", "3.212"},
        {"2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2", "340.4", "3.275", "3.298"},
        {"3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3", "358.8", "3.830", "3.871"},
        {"(2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)", "322.92", "3.529", "3.558"},
        {"(2,0,2,0,3,1,1,0,0,1,0,1,0,3,1,2,2,0,1,3)", "317.02", "3.327", "3.353"},
    };
    sq_space *space = read_space(SOURCE("configs/spaces/spos.yaml"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int path[SQ_MAX_LAYERS];
        char text[32];
        MUST(sq_arch_read(space, rows[i].arch, path));
        const sq_cost cost = sq_cost_path(space, path);
        (void)snprintf(text, sizeof text, "%.*f", (int)strlen(strchr(rows[i].macs, '.') + 1), 1e-6 * (double)cost.macs);
        cr_expect_str_eq(text, rows[i].macs);
        (void)snprintf(text, sizeof text, "%.3f", 1e-6 * (double)cost.weights);
        cr_expect_str_eq(text, rows[i].weights);
        (void)snprintf(text, sizeof text, "%.3f", 1e-6 * (double)(cost.weights + cost.norm_weights));
        cr_expect_str_eq(text, rows[i].parameters);
    }
    sq_space_free(space);
}

Test(cost, spos_range_and_skeleton_cost)
{
    sq_space *space = read_space(SOURCE("configs/spaces/spos.yaml"));
    double least = 0, most = 0, fixed = 0;
    for (int l = 0; l < space->layer_count; l++) {
        double low = 1e30, high = 0;
        for (int c = 0; c < space->layers[l].choice_count; c++) {
            const double macs = 1e-6 * (double)sq_cost_block(space, l, c).macs;
            low = macs < low ? macs : low;
            high = macs > high ? macs : high;
        }
        least += low;
        most += high;
        fixed += space->layers[l].choice_count == 1 ? low : 0;
    }
    cr_expect_float_eq(least, 270.4, 0.05, "%g", least);
    cr_expect_float_eq(most, 398.6, 0.05, "%g", most);
    cr_expect_float_eq(fixed, 38.56, 0.005, "%g", fixed);
    sq_space_free(space);
}
