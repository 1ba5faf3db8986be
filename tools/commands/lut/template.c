/* squall lut template: writes one ONNX file for every distinct block of a space. */
#include <stdio.h>
#include <string.h>

#include "search/cost/measure/block_models.h"
#include "tools/commands/lut/lut.h"

typedef struct {
    const char *out;
    int batch, is_half /* index in "float32 float16" */, opset, networks;
    sq_lut_shape shape;
} arguments;

static const char expected[] = "one space file and -o FOLDER";

static sq_status make_files(const sq_space *space, const arguments *a)
{
    const sq_block_models_options options = {.batch = a->batch, .opset = a->opset, .is_half = a->is_half};
    sq_block_models *models = NULL;
    sq_block_list blocks = {0};
    sq_path_list paths = {0};
    sq_status status = sq_block_list_make(&blocks, space);
    if (status == SQ_OK)
        status = sq_path_list_draw(&paths, space, options.seed, a->networks);
    if (status == SQ_OK)
        status = sq_block_models_open(&models, space, &options);
    if (status == SQ_OK)
        status = sq_block_models_write_all(models, &blocks, &paths, a->out);
    if (status == SQ_OK) {
        (void)printf("%s: %d distinct blocks and %d whole networks at %d pixels, batch %d, %s\n", space->name,
                     blocks.count, paths.count, space->resolution, a->batch, a->is_half ? "float16" : "float32");
        sq_print_row("blocks", "%s/block_0000.onnx ..., listed in %s/blocks.csv", a->out, a->out);
        sq_print_row("networks", "%s/network_0000.onnx ..., listed in %s/networks.csv", a->out, a->out);
    }
    sq_block_models_close(models);
    sq_path_list_clear(&paths);
    sq_block_list_clear(&blocks);
    return status;
}

static sq_status make_template(const char *file, const arguments *a)
{
    sq_space *space = NULL;
    SQ_TRY(sq_lut_space(&space, file, &a->shape));
    const sq_status status = make_files(space, a);
    sq_space_free(space);
    return status;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    if (!a->out)
        return sq_command_usage("lut template", "expected %s", expected);
    const sq_status status = make_template(options->arguments[0], a);
    return status == SQ_OK ? 0 : sq_command_fail("lut template", status);
}

static const sq_option options[] = {SQ_TEXT("-o", out),
                                    SQ_TEXT("--out", out),
                                    SQ_INT("--batch", batch, 1, 65536),
                                    SQ_WORD("--dtype", is_half, "float32 float16"),
                                    SQ_INT("--opset", opset, 13, 21),
                                    SQ_INT("--networks", networks, 0, 9999),
                                    SQ_LUT_SHAPE_OPTIONS(shape),
                                    SQ_OPTIONS_END};

const sq_command sq_lut_template = {.name = "template",
                                    SQ_ARGUMENTS(.batch = 1, .opset = 13),
                                    .argument_min = 1,
                                    .argument_max = 1,
                                    .expected = expected,
                                    .run = run};
