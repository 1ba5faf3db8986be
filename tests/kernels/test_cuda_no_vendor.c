/* Tests the vendor engine if NVIDIA's libraries are missing or do not support a shape, and tests that the engine
 * releases the libraries' resources. Runs on the emulator, whose libraries fail on request (vendor_emulated.h). */
#include <stdlib.h>
#include <string.h>

#include "supernet/model/initialize.h"
#include "tests/emulation/runtime/vendor_emulated.h"
#include "tests/support/support.h"

static sq_status open_engine(sq_engine engine, sq_backend **out)
{
    return sq_backend_open_with("cuda", &(sq_backend_options){.engine = engine}, out);
}

static sq_status create_model(sq_backend *b, const sq_space *space, sq_model **out)
{
    const sq_model_options options = {.block = {.batch = 2, .is_supernet = true}, .is_training = true};
    return sq_model_create(out, b, space, &options);
}

Test(cuda_no_vendor, names_the_missing_library)
{
    sq_backend *b = NULL;
    emu_vendor_missing(true);
    cr_expect_eq(open_engine(SQ_ENGINE_VENDOR, &b), SQ_UNSUPPORTED);
    cr_expect(strstr(sq_error_text(), "cuDNN") != NULL, "%s", sq_error_text());
    MUST(open_engine(SQ_ENGINE_AUTO, &b)); /* without the libraries, engine "auto" is engine "squall" */
    sq_backend_close(b);
    emu_vendor_missing(false);
}

Test(cuda_no_vendor, unsupported_shapes_are_rejected_or_use_squall)
{
    char *folder = make_folder();
    sq_space *space = NULL;
    sq_backend *b = NULL;
    sq_model *model = NULL;
    int path[SQ_MAX_LAYERS];
    (void)setenv("XDG_CACHE_HOME", folder, 1);
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    draw_path(space, 0, path);
    emu_vendor_refuse(3);
    MUST(open_engine(SQ_ENGINE_VENDOR, &b));
    cr_expect_eq(create_model(b, space, &model), SQ_UNSUPPORTED);
    cr_expect(strstr(sq_error_text(), "kernel 3") != NULL, "%s", sq_error_text());
    sq_backend_close(b);
    MUST(open_engine(SQ_ENGINE_AUTO, &b));
    MUST(create_model(b, space, &model));
    MUST(sq_model_initialize(model, 1));
    run_drawn_step(model, 0, path);
    sq_model_destroy(model);
    sq_backend_close(b);
    emu_vendor_refuse(0);
    sq_space_free(space);
    drop_folder(folder);
    cr_expect_eq(emu_vendor_live(), 0, "%d objects of the libraries are left", emu_vendor_live());
}

/* Blocks of one shape share execution plans, so a second model of the same space needs no new plans. */
Test(cuda_no_vendor, plans_are_made_once_and_released)
{
    sq_space *space = NULL;
    sq_backend *b = NULL;
    MUST(sq_space_read(&space, SOURCE("configs/spaces/tiny.yaml"), 0, 0));
    MUST(open_engine(SQ_ENGINE_VENDOR, &b));
    int made = 0;
    for (int k = 0; k < 2; k++) {
        sq_model *model = NULL;
        MUST(create_model(b, space, &model));
        cr_expect(k == 0 || emu_vendor_plan_count() == made, "%d plans, then %d", made, emu_vendor_plan_count());
        made = emu_vendor_plan_count();
        sq_model_destroy(model);
    }
    sq_backend_close(b);
    sq_space_free(space);
    cr_expect_gt(made, 10);
    cr_expect_eq(emu_vendor_live(), 0, "%d objects of the libraries are left", emu_vendor_live());
}
