#include "supernet/export/onnx.h"

#include <string.h>

#include "tests/support/support.h"

/* If the export dropped an operation without an error, the exported network would compute something different. */
Test(onnx, rejects_operations_without_a_translation)
{
    static const struct {
        sq_op_kind kind;
        const char *text;
    } rows[] = {{SQ_OP_UPDATE, "ONNX: layer 3: operation 'update' has no translation"},
                {SQ_OP_CONV_BACK, "ONNX: layer 3: operation 'conv_back' has no translation"},
                {SQ_OP_KINDS, "ONNX: layer 3: unknown operation"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sq_graph graph = {.name = "layer 3"};
        sq_graph_op(&graph, sq_op_make(SQ_OP_CONV));
        MUST(sq_onnx_check_graph(&graph));
        sq_graph_op(&graph, sq_op_make(rows[i].kind));
        cr_expect_eq(sq_onnx_check_graph(&graph), SQ_UNSUPPORTED);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "%s", sq_error_text());
        sq_graph_clear(&graph);
    }
}
