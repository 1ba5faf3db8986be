/* Tests that each kind of operation has a name, a check and a kernel, and that values outside the enumerations are
 * refused. */
#include "kernels/cpu/cpu.h"
#include "tests/support/support.h"

static const char *const host_backends[] = {"reference", "cpu"};

/* Returns a graph that computes y = x for 1x1x1x8 tensors, the smallest graph that every backend runs. */
static sq_graph make_join(void)
{
    sq_graph graph = {.name = "probe"};
    sq_op op = sq_op_make(SQ_OP_JOIN);
    const sq_slot slot = {.role = SQ_ROLE_BOUNDARY, .n = 1, .h = 1, .w = 1, .c = 8, .pitch = 8};
    op.x = sq_view_plain(sq_graph_slot(&graph, slot), SQ_ALL);
    op.out = sq_graph_slot(&graph, (sq_slot){SQ_ROLE_BOUNDARY, SQ_F32, 1, 1, 1, 8, 8, false, 64});
    sq_graph_op(&graph, op);
    return graph;
}

/* Expects that every host backend refuses the graph with this text. */
static void expect_refused(const sq_graph *graph, const char *text)
{
    for (size_t i = 0; i < sizeof host_backends / sizeof *host_backends; i++) {
        sq_backend *b = NULL;
        sq_program *program = NULL;
        sq_device_ptr memory;
        sq_binding at = {0};
        MUST(sq_backend_open(host_backends[i], 1, &b));
        MUST(b->ops->allocate(b, 128, &memory));
        at.base[SQ_ROLE_BOUNDARY] = memory;
        cr_expect_eq(b->ops->compile(b, graph, &at, &program), SQ_INVALID, "%s", host_backends[i]);
        cr_expect_str_eq(sq_error_text(), text);
        b->ops->discard(b, program);
        b->ops->release(b, memory);
        sq_backend_close(b);
    }
}

Test(operation, an_unknown_kind_is_refused)
{
    sq_graph graph = make_join();
    MUST(sq_graph_check(&graph));
    graph.ops[0].kind = SQ_OP_KINDS;
    expect_refused(&graph, "probe: operation 0: unknown kind: found 13, expected 0 to 12");
    graph.ops[0].kind = (sq_op_kind)-1;
    expect_refused(&graph, "probe: operation 0: unknown kind: found -1, expected 0 to 12");
    sq_graph_clear(&graph);
}

Test(operation, unknown_modes_are_refused)
{
    sq_graph graph = make_join();
    sq_op *op = &graph.ops[0];
    op->x.activation = SQ_ACTIVATIONS;
    expect_refused(&graph, "probe: operation 0 join: x: unknown activation: found 6, expected 0 to 5");
    op->x.activation = SQ_LINEAR;
    op->x.part = SQ_PARTS;
    expect_refused(&graph, "probe: operation 0 join: x: unknown part: found 3, expected 0 to 2");
    op->x.part = SQ_ALL;
    op->dx_part = SQ_PARTS;
    expect_refused(&graph, "probe: operation 0 join: dx_part, dy_part: unknown part: found 3 and 0, expected 0 to 2");
    op->dx_part = SQ_ALL;
    op->statistics = SQ_STATISTICS_MODES;
    expect_refused(&graph, "probe: operation 0 join: statistics: unknown mode: found 3, expected 0 to 2");
    op->statistics = SQ_STATISTICS_BATCH;
    op->join = SQ_JOIN_MODES;
    expect_refused(&graph, "probe: operation 0 join: join: unknown mode: found 2, expected 0 to 1");
    op->join = SQ_JOIN_ADD;
    graph.slots[0].dtype = SQ_DTYPES;
    expect_refused(&graph, "probe: slot 0: found role 1 and dtype 5, expected 0 to 12 and 0 to 4");
    graph.slots[0].dtype = SQ_F32;
    MUST(sq_graph_check(&graph));
    sq_graph_clear(&graph);
}

Test(operation, every_kind_has_a_name)
{
    for (int kind = 0; kind < SQ_OP_KINDS; kind++)
        for (int other = -1; other < kind; other++)
            cr_expect_str_neq(sq_op_name((sq_op_kind)kind), sq_op_name((sq_op_kind)other), "%d, %d", kind, other);
    cr_expect_str_eq(sq_op_name(SQ_OP_KINDS), "unknown");
}

/* If a new kind had no row in sq_cpu_table, the pointers of the row would be NULL. */
Test(operation, every_kind_has_a_cpu_kernel)
{
    const char *name;
    const sq_cpu_table *table = sq_cpu_choose_table(&name);
    for (int kind = 0; kind < SQ_OP_KINDS; kind++) {
        const sq_cpu_kind *row = &table->kinds[kind];
        const bool has_variants = kind == SQ_OP_CONV || kind == SQ_OP_CONV_BACK;
        cr_expect(row->general.prepare && row->general.run, "%s", sq_op_name((sq_op_kind)kind));
        cr_expect_eq(row->pointwise.prepare && row->pointwise.run, has_variants, "%s", sq_op_name((sq_op_kind)kind));
        cr_expect_eq(row->depthwise.prepare && row->depthwise.run, has_variants, "%s", sq_op_name((sq_op_kind)kind));
    }
}

Test(operation, a_depthwise_operation_without_kernel_is_refused)
{
    sq_graph graph = make_join();
    sq_backend *b = NULL;
    sq_program *program = NULL;
    graph.ops[0].is_depthwise = true;
    MUST(sq_backend_open("cpu", 1, &b));
    cr_expect_eq(b->ops->compile(b, &graph, &(sq_binding){0}, &program), SQ_UNSUPPORTED);
    cr_expect_str_eq(sq_error_text(), "probe: operation 0 join: the cpu backend has no kernel for it");
    sq_backend_close(b);
    sq_graph_clear(&graph);
}
