/* fuzz_yaml.c - reads any bytes as each kind of file with a YAML schema: a space, a device, a roofline. An accepted
 * file is written; reading it again must give the same content. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "search/cost/device.h"
#include "search/cost/roofline_file.h"
#include "supernet/space/space.h"

static bool is_known(sq_status status)
{
    return status == SQ_OK || status == SQ_INVALID || status == SQ_NO_MEMORY;
}

static void try_space(const char *path)
{
    sq_space *space = NULL, *again = NULL;
    const sq_status status = sq_space_read(&space, path, 0, 0);
    fuzz_require(is_known(status) && (status == SQ_OK) == (space != NULL));
    if (!space)
        return;
    const char *copy = fuzz_scratch("space.yaml");
    fuzz_require(sq_space_write(space, NULL, copy) == SQ_OK && sq_space_read(&again, copy, 0, 0) == SQ_OK);
    fuzz_require(sq_space_hash(space) == sq_space_hash(again) && strcmp(space->source, again->source) == 0);
    sq_space_free(space);
    sq_space_free(again);
}

static void try_device(const char *path)
{
    sq_device_info info = {.batch = -1}, again = {.batch = -1};
    const sq_status status = sq_device_read(&info, path);
    fuzz_require(is_known(status) && (status == SQ_OK) == (info.batch > 0));
    if (status != SQ_OK)
        return;
    const char *copy = fuzz_scratch("device.yaml");
    fuzz_require(sq_device_write(&info, copy) == SQ_OK && sq_device_read(&again, copy) == SQ_OK);
    fuzz_require(strcmp(info.name, again.name) == 0 && strcmp(info.source, again.source) == 0 &&
                 info.batch == again.batch && info.has_runner == again.has_runner &&
                 strcmp(info.runner.command, again.runner.command) == 0 &&
                 strcmp(info.runner.pattern, again.runner.pattern) == 0);
}

/* Every rate must be positive, because classes that the file omits inherit the rates of another class. */
static void try_roofline(const char *path)
{
    sq_roofline r = {0};
    const sq_status status = sq_roofline_read(&r, path);
    fuzz_require(is_known(status));
    for (int k = 0; status == SQ_OK && k < SQ_ROOFLINE_CLASSES; k++) {
        const sq_roofline_operation o = {(sq_roofline_class)k, 7, 7, 8, 7, 7, 8, 3, 1, 8, SQ_RELU, true};
        fuzz_require(r.rates[k].gops_per_s > 0 && r.rates[k].c_in_step > 0 && r.rates[k].c_out_step > 0);
        fuzz_require(!sq_roofline_is_operation(o.kind) || sq_roofline_operations_ms(&r, &o, 1) >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_file file;
    if (!fuzz_open(&file, bytes, size))
        return 0;
    try_space(file.path);
    try_device(file.path);
    try_roofline(file.path);
    fuzz_close(&file);
    return 0;
}
