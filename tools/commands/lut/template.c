/* squall lut template: every distinct block of a space as an ONNX file of its own. */
#include <stdio.h>
#include <string.h>

#include "search/cost/measure/block_models.h"
#include "tools/commands/lut/lut.h"

typedef struct {
    const char *out, *batch, *dtype, *opset, *networks;
    sq_lut_shape shape;
} arguments;

static sq_status make_files(const sq_space *space, const arguments *a, const sq_block_models_options *options,
                            int networks)
{
    sq_block_models *models = NULL;
    sq_block_list blocks = {0};
    sq_path_list paths = {0};
    sq_status status = sq_block_list_make(&blocks, space);
    if (status == SQ_OK)
        status = sq_path_list_draw(&paths, space, options->seed, networks);
    if (status == SQ_OK)
        status = sq_block_models_open(&models, space, options);
    if (status == SQ_OK)
        status = sq_block_models_write_all(models, &blocks, &paths, a->out);
    if (status == SQ_OK) {
        (void)printf("%s: %d distinct blocks and %d whole networks at %d pixels, batch %d, %s\n", space->name,
                     blocks.count, paths.count, space->resolution, options->batch, a->dtype);
        sq_print_row("blocks", "%s/block_0000.onnx ..., listed in %s/blocks.csv", a->out, a->out);
        sq_print_row("networks", "%s/network_0000.onnx ..., listed in %s/networks.csv", a->out, a->out);
    }
    sq_block_models_close(models);
    sq_path_list_clear(&paths);
    sq_block_list_clear(&blocks);
    return status;
}

static sq_status make_template(const char *file, const arguments *a, const sq_block_models_options *options,
                               int networks)
{
    sq_space *space = NULL;
    SQ_TRY(sq_lut_space(&space, file, &a->shape));
    const sq_status status = make_files(space, a, options, networks);
    sq_space_free(space);
    return status;
}

static int run(int argc, char **argv)
{
    static sq_options read; /* large; the program runs one command */
    arguments a = {.batch = "1", .dtype = "float32", .opset = "13", .networks = "0", .shape = SQ_LUT_SHAPE};
    sq_block_models_options models = {0};
    bool is_help;
    int networks = 0;
    const sq_option options[] = {{"-o", &a.out, NULL, NULL},        {"--out", &a.out, NULL, NULL},
                                 {"--batch", &a.batch, NULL, NULL}, {"--dtype", &a.dtype, NULL, NULL},
                                 {"--opset", &a.opset, NULL, NULL}, {"--networks", &a.networks, NULL, NULL},
                                 SQ_LUT_SHAPE_OPTIONS(a.shape),     {NULL, NULL, NULL, NULL}};
    int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (code == 0 && (read.argument_count != 1 || !a.out))
        code = sq_command_usage("lut template", "wanted one space file and -o FOLDER");
    if (code == 0)
        code = sq_options_number("lut template", "--batch", a.batch, 1, 65536, &models.batch);
    if (code == 0)
        code = sq_options_number("lut template", "--opset", a.opset, 13, 21, &models.opset);
    if (code == 0)
        code = sq_options_number("lut template", "--networks", a.networks, 0, 9999, &networks);
    models.is_half = strcmp(a.dtype, "float16") == 0;
    if (code == 0 && !models.is_half && strcmp(a.dtype, "float32") != 0)
        code = sq_command_usage("lut template", "--dtype %s: wanted float32 or float16", a.dtype);
    if (code)
        return code;
    const sq_status status = make_template(read.arguments[0], &a, &models, networks);
    return status == SQ_OK ? 0 : sq_command_fail("lut template", status);
}

const sq_command sq_lut_template = {
    .name = "template",
    .summary = "every distinct block of a space as an ONNX file",
    .usage = "squall lut template SPACE -o FOLDER [--batch N] [--dtype float32|float16]",
    .help = "Writes FOLDER/block_0000.onnx ... and FOLDER/blocks.csv, a table without times: measure the files on your "
            "device by\n"
            "whatever tool it has, put the milliseconds beside the keys, and the folder's table.csv is there. squall "
            "lut measure\n"
            "does all of it where a runner fits.\n\n"
            "  -o, --out FOLDER   where to\n"
            "  --networks N       random whole networks beside the blocks, to calibrate the table with (default 0)\n"
            "  --batch N          images at once (default 1)\n"
            "  --dtype D          float32 (default) or float16; a runtime's own quantisation starts from float32\n"
            "  --opset N          ONNX operator set (default 13)\n" SQ_LUT_SHAPE_HELP,
    .run = run,
};
