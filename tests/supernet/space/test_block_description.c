#include "supernet/space/block_description.h"

#include <stdio.h>
#include <string.h>

#include "supernet/space/block_kinds.h"
#include "tests/support/support.h"

/* Expects that each unit's input has the shape of the output that the unit reads, and that the last units have the
 * layer's shape. */
static void check(const sq_space *space, int layer, int choice)
{
    const sq_layer *l = &space->layers[layer];
    const char *name = space->choices[l->choices[choice]].name;
    sq_description d;
    sq_describe_block(space, layer, choice, &d);
    cr_assert(d.unit_count >= 0 && d.unit_count <= SQ_MAX_UNITS, "%s", name);
    for (int u = 0; u < d.unit_count; u++) {
        const sq_unit *unit = &d.units[u], *from = unit->source == SQ_NONE ? NULL : &d.units[unit->source];
        cr_expect_lt(unit->source, u, "%s, unit %d", name, u);
        cr_expect_eq(unit->h_in, from ? from->h_out : l->h_in, "%s, unit %d", name, u);
        cr_expect_eq(unit->c_in,
                     from                   ? from->c_out
                     : unit->part == SQ_ALL ? l->c_in
                                            : l->c_in / 2,
                     "%s, unit %d", name, u);
        cr_expect_eq(unit->h_out, (unit->h_in + unit->stride - 1) / unit->stride, "%s, unit %d", name, u);
        cr_expect(!unit->is_depthwise || unit->c_out == unit->c_in, "%s, unit %d", name, u);
        cr_expect(*unit->conv && *unit->norm && strcmp(unit->conv, unit->norm) != 0, "%s, unit %d", name, u);
    }
    if (d.main != SQ_NONE)
        cr_expect_eq(d.units[d.main].h_out, l->h_out, "%s", name);
    if (d.main != SQ_NONE && d.join == SQ_JOIN_ADD)
        cr_expect_eq(d.units[d.main].c_out, l->c_out, "%s", name);
}

Test(block_description, units_of_every_kind_fit_together)
{
    const char *const files[] = {SOURCE("configs/spaces/tiny.yaml"), SOURCE("tests/fixtures/oracle.yaml"),
                                 SOURCE("tests/fixtures/oracle_fused_mb.yaml"),
                                 SOURCE("tests/fixtures/oracle_uib.yaml")};
    bool is_seen[SQ_BLOCK_KINDS] = {false};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        sq_space *space = open_space(files[f]);
        for (int l = 0; l < space->layer_count; l++)
            for (int c = 0; c < space->layers[l].choice_count; c++) {
                check(space, l, c);
                is_seen[space->choices[space->layers[l].choices[c]].kind] = true;
            }
        sq_space_free(space);
    }
    for (int kind = 0; kind < SQ_BLOCK_KINDS; kind++)
        cr_expect(is_seen[kind], "no space of the test contains %s", sq_block_name((sq_block_kind)kind));
}

Test(block_description, prefixes_are_the_published_module_paths)
{
    sq_space *space = open_space(SOURCE("configs/spaces/spos.yaml"));
    char text[64];
    const int last = space->layer_count - 1;
    sq_describe_prefix(&(sq_block_id){space, 0, 0}, true, text, sizeof text);
    cr_expect_str_eq(text, "first_conv.");
    sq_describe_prefix(&(sq_block_id){space, 4, 2}, true, text, sizeof text);
    cr_expect_str_eq(text, "features.3.2.");
    sq_describe_prefix(&(sq_block_id){space, 4, 2}, false, text, sizeof text);
    cr_expect_str_eq(text, "features.3.");
    sq_describe_prefix(&(sq_block_id){space, last, 0}, true, text, sizeof text);
    cr_expect_str_eq(text, "classifier.0.");
    sq_space_free(space);
}
