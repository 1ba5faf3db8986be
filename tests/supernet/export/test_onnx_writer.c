#include "supernet/export/onnx_writer.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

/* A model of one Relu and one constant. */
static void *write_model(bool is_half, size_t *size)
{
    static const char *const inputs[] = {"input", NULL}, *const outputs[] = {"output", NULL};
    static const float values[3] = {1, 65504, 1e-8f};
    static const int dims[] = {3};
    sq_onnx_writer *writer = NULL;
    void *bytes = NULL;
    MUST(sq_onnx_open(&writer, "test", 13));
    if (is_half)
        sq_onnx_use_half(writer);
    (void)sq_onnx_add(writer, "Relu", inputs, outputs);
    sq_onnx_floats(writer, "constant", values, dims, 1);
    sq_onnx_value(writer, "input", dims, 1, 0);
    sq_onnx_value(writer, "output", dims, 1, 1);
    MUST(sq_onnx_finish(writer, &bytes, size));
    sq_onnx_close(writer);
    return bytes;
}

static bool contains(const void *bytes, size_t size, const void *part, size_t part_size)
{
    for (size_t i = 0; i + part_size <= size; i++)
        if (memcmp((const char *)bytes + i, part, part_size) == 0)
            return true;
    return false;
}

Test(onnx_writer, equal_calls_give_equal_bytes)
{
    size_t a_size, b_size;
    void *a = write_model(false, &a_size), *b = write_model(false, &b_size);
    cr_assert_eq(a_size, b_size);
    cr_expect_eq(memcmp(a, b, a_size), 0);
    free(a);
    free(b);
}

/* 1, the largest FP16 number, and a number below half of the smallest subnormal. */
Test(onnx_writer, halves_are_rounded_to_nearest)
{
    static const uint16_t halves[3] = {0x3c00, 0x7bff, 0x0000};
    size_t size;
    void *bytes = write_model(true, &size);
    cr_expect(contains(bytes, size, halves, sizeof halves));
    free(bytes);
    bytes = write_model(false, &size);
    cr_expect_not(contains(bytes, size, halves, sizeof halves));
    free(bytes);
}
