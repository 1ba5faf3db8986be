/* Tests the roofline model: single operations computed by hand, fusion, blocks, and modelled devices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/fit/fit.h"
#include "search/cost/roofline_file.h"
#include "tests/support/support.h"

/* Returns a device with 100 GOP/s, 10 GB/s, 1 us per launch and no rounding. A value has 2 bytes and a weight has 1
 * byte. */
static sq_roofline plain_device(void)
{
    sq_roofline r = {.bytes_per_value = 2, .bytes_per_weight = 1};
    for (int k = 0; k < SQ_ROOFLINE_CLASSES; k++)
        r.rates[k] = (sq_roofline_rate){100, 10, 1, 1, 1, 0, 0};
    return r;
}

/* A 3x3 convolution with stride 2 from 8x8x16 to 4x4x32: 147,456 operations, 3,072 bytes of values, 4,608 bytes of
 * weights. */
static const sq_roofline_operation conv = {SQ_ROOFLINE_CONV, 8, 8, 16, 4, 4, 32, 3, 2, 1, SQ_RELU, false};

Test(roofline, operations_by_hand)
{
    sq_roofline r = plain_device();
    const double launch = 1e-3;
    cr_expect_float_eq(sq_roofline_operation_ms(&r, &conv), 147456 / 100e6 + launch, 1e-15);
    r.rates[SQ_ROOFLINE_CONV].gops_per_s = 1000; /* now memory limits the time */
    cr_expect_float_eq(sq_roofline_operation_ms(&r, &conv), (3072 + 4608) / 10e6 + launch, 1e-15);
    const struct {
        sq_roofline_operation operation;
        double operations, bytes;
    } rows[] = {
        {{SQ_ROOFLINE_DEPTHWISE, 8, 8, 16, 8, 8, 16, 5, 1, 16, SQ_LINEAR, false}, 51200, 2048 * 2 + 400},
        {{SQ_ROOFLINE_CONV, 8, 8, 16, 8, 8, 16, 3, 1, 4, SQ_LINEAR, false}, 73728, 2048 * 2 + 576},
        {{SQ_ROOFLINE_LINEAR, 2, 2, 16, 1, 1, 10, 1, 1, 1, SQ_LINEAR, false}, 1280, 148 + 640},
        {{SQ_ROOFLINE_POOL, 8, 8, 16, 4, 4, 16, 3, 2, 1, SQ_LINEAR, false}, 2304, 2048 + 512},
        {{SQ_ROOFLINE_GLOBAL_POOL, 8, 8, 16, 1, 1, 16, 1, 1, 1, SQ_LINEAR, false}, 1024, 2048 + 32},
        {{SQ_ROOFLINE_ADD, 8, 8, 16, 8, 8, 16, 1, 1, 1, SQ_LINEAR, false}, 1024, 3 * 2048},
        {{SQ_ROOFLINE_MULTIPLY, 8, 8, 16, 8, 8, 16, 1, 1, 1, SQ_LINEAR, false}, 1024, 2 * 2048 + 32},
        {{SQ_ROOFLINE_CONCAT, 8, 8, 16, 8, 8, 16, 1, 1, 1, SQ_LINEAR, false}, 0, 2 * 2048},
        {{SQ_ROOFLINE_SHUFFLE, 8, 8, 16, 8, 8, 16, 1, 1, 1, SQ_LINEAR, false}, 0, 2 * 2048},
        {{SQ_ROOFLINE_HSWISH, 8, 8, 16, 8, 8, 16, 1, 1, 1, SQ_LINEAR, false}, 1024, 2 * 2048},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        r = plain_device();
        const double wanted = fmax(rows[i].operations / 100e6, rows[i].bytes / 10e6) + launch;
        cr_expect_float_eq(sq_roofline_operation_ms(&r, &rows[i].operation), wanted, 1e-15, "row %zu", i);
    }
}

Test(roofline, channels_are_rounded_up_as_annette_does)
{
    sq_roofline r = plain_device();
    sq_roofline_operation narrow = conv;
    narrow.c_out = 33;
    r.rates[SQ_ROOFLINE_CONV].c_out_step = 32;
    r.rates[SQ_ROOFLINE_CONV].c_out_share = 0.7;
    const double operations = 147456.0 / 32 * 33;
    cr_expect_float_eq(sq_roofline_operation_ms(&r, &narrow), operations * (0.3 + 0.7 * 64 / 33) / 100e6 + 1e-3, 1e-15);
    narrow.c_out = 32; /* a multiple of 32 is not rounded up */
    cr_expect_float_eq(sq_roofline_operation_ms(&r, &narrow), 147456 / 100e6 + 1e-3, 1e-15);
}

/* More work must never take less time. */
Test(roofline, time_grows_with_every_dimension)
{
    sq_roofline r;
    MUST(sq_roofline_read(&r, SOURCE("configs/devices/myriad-x/roofline.yaml")));
    for (int side = 1; side <= 64; side *= 2)
        for (int c = 1; c <= 256; c++) {
            const sq_roofline_operation o = {SQ_ROOFLINE_CONV, side, side, c, side, side, c, 3, 1, 1, SQ_LINEAR, false};
            sq_roofline_operation more = o;
            more.c_in++;
            cr_expect_geq(sq_roofline_operation_ms(&r, &more), sq_roofline_operation_ms(&r, &o) * (1 - 1e-12));
            more = o;
            more.c_out++;
            cr_expect_geq(sq_roofline_operation_ms(&r, &more), sq_roofline_operation_ms(&r, &o) * (1 - 1e-12));
            more = o;
            more.h_in++, more.h_out++;
            cr_expect_geq(sq_roofline_operation_ms(&r, &more), sq_roofline_operation_ms(&r, &o));
        }
}

Test(roofline, fused_operations_cost_only_new_operands)
{
    sq_roofline r = plain_device();
    const sq_roofline_operation add = {SQ_ROOFLINE_ADD, 4, 4, 32, 4, 4, 32, 1, 1, 1, SQ_LINEAR, true};
    const sq_roofline_operation relu = {SQ_ROOFLINE_RELU, 4, 4, 32, 4, 4, 32, 1, 1, 1, SQ_LINEAR, true};
    sq_roofline_operation list[] = {conv, add};
    const double c = sq_roofline_operation_ms(&r, &conv), a = sq_roofline_operation_ms(&r, &add),
                 l = sq_roofline_operation_ms(&r, &relu);
    cr_expect_float_eq(sq_roofline_operations_ms(&r, list, 2), c + l + a, 1e-15);
    r.is_fused[SQ_ROOFLINE_CONV][SQ_ROOFLINE_ADD] = true;
    /* No fusion, because the relu is between the convolution and the add. */
    cr_expect_float_eq(sq_roofline_operations_ms(&r, list, 2), c + l + a, 1e-15);
    r.is_fused[SQ_ROOFLINE_CONV][SQ_ROOFLINE_RELU] = true;
    cr_expect_float_eq(sq_roofline_operations_ms(&r, list, 2), c + 1024 / 10e6, 1e-15);
    list[1].follows = false;
    cr_expect_float_eq(sq_roofline_operations_ms(&r, list, 2), c + a, 1e-15);
}

/* ---- Blocks ---- */

static int count_of(const sq_roofline_operation *operations, int count, sq_roofline_class kind)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += operations[i].kind == kind;
    return found;
}

Test(roofline, blocks_are_listed_as_they_are_described)
{
    static const char *const spaces[] = {"configs/spaces/spos.yaml", "configs/spaces/proxyless.yaml",
                                         "configs/spaces/small64.yaml", "configs/spaces/tiny.yaml"};
    sq_roofline_operation o[SQ_ROOFLINE_BLOCK_LIMIT];
    sq_roofline r;
    sq_space *space = NULL;
    MUST(sq_roofline_read(&r, SOURCE("configs/devices/snapdragon-845-cpu/roofline.yaml")));
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", source_path(""), spaces[i]);
        MUST(sq_space_read(&space, path, 0, 0));
        for (int l = 0; l < space->layer_count; l++)
            for (int c = 0; c < space->layers[l].choice_count; c++) {
                double ms = -1;
                const sq_choice *choice = &space->choices[space->layers[l].choices[c]];
                const int count = sq_roofline_list(space, l, c, o);
                MUST(sq_roofline_block(&r, space, l, c, &ms));
                cr_expect(choice->kind == SQ_BLOCK_SKIP ? ms == 0 && count == 0 : ms > 0, "%s layer %d", spaces[i], l);
                cr_expect_eq(count_of(o, count, SQ_ROOFLINE_MULTIPLY) > 0, choice->has_se);
            }
        double ms = 7;
        cr_expect_eq(sq_roofline_block(&r, space, space->layer_count, 0, &ms), SQ_INVALID);
        cr_expect_eq(ms, 7);
        sq_space_free(space);
    }
    /* ShuffleNetV2's unit with stride 1 has five operations: split, 1x1, depthwise, 1x1, concatenation. */
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    const int count = sq_roofline_list(space, 2, 0, o);
    cr_expect(count == 5 && o[0].kind == SQ_ROOFLINE_SHUFFLE && o[2].kind == SQ_ROOFLINE_DEPTHWISE &&
              o[4].kind == SQ_ROOFLINE_CONCAT && o[4].c_out == space->layers[2].c_out);
    sq_space_free(space);
}

Test(roofline, bigger_kernels_and_expansions_cost_more)
{
    sq_roofline r;
    sq_space *space = NULL;
    double ms[6];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/proxyless.yaml"), 0, 0));
    static const char *const devices[] = {"myriad-x", "snapdragon-845-cpu", "hexagon-685"};
    for (int d = 0; d < 3; d++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/configs/devices/%s/roofline.yaml", source_path(""), devices[d]);
        MUST(sq_roofline_read(&r, path));
        for (int l = 2; l < space->layer_count - 2; l++) {
            for (int c = 0; c < 6; c++) /* the choices are 3x3, 5x5 and 7x7, each with expansion 3 and 6 */
                MUST(sq_roofline_block(&r, space, l, c, &ms[c]));
            for (int c = 0; c < 6; c += 2)
                cr_expect_gt(ms[c + 1], ms[c], "%s, layer %d", devices[d], l);
            for (int c = 2; c < 6; c++)
                cr_expect_geq(ms[c], ms[c - 2], "%s, layer %d", devices[d], l);
        }
    }
    sq_space_free(space);
}
