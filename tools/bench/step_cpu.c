/* Times training steps of a supernet: forward, backward and update on synthetic images, without the loader. For each
 * line of stdin, which has a path, it runs one step and prints the seconds, so that a script can run it in turn with a
 * peer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/base/rng.h"
#include "kernels/cpu/processor.h"
#include "supernet/model/initialize.h"
#include "supernet/model/model.h"
#include "supernet/model/walk.h"

static sq_status make_batch(const sq_space *space, int batch, sq_model *model)
{
    const size_t count = (size_t)batch * (size_t)space->resolution * (size_t)space->resolution * 3;
    uint8_t *images = malloc(count);
    int32_t *labels = calloc((size_t)batch, sizeof *labels);
    sq_rng rng = sq_rng_open(0, SQ_RNG_TEST, 0);
    sq_status status = images && labels ? SQ_OK : sq_fail(SQ_NO_MEMORY, "bench: batch");
    for (size_t i = 0; status == SQ_OK && i < count; i++)
        images[i] = (uint8_t)(sq_rng_u32(&rng) >> 24);
    for (int i = 0; status == SQ_OK && i < batch; i++)
        labels[i] = (int32_t)sq_rng_below(&rng, (uint32_t)space->classes);
    const sq_model_batch loaded = {images, labels, NULL, batch};
    if (status == SQ_OK)
        status = sq_model_load(model, &loaded);
    free(images);
    free(labels);
    return status;
}

static sq_status step(sq_model *model, const int *path, double *seconds)
{
    const double begin = sq_seconds_now();
    SQ_TRY(sq_model_forward(model, path));
    SQ_TRY(sq_model_backward(model, path));
    SQ_TRY(sq_model_update(model, path));
    *seconds = sq_seconds_now() - begin;
    return SQ_OK;
}

static sq_status serve(const char *space_path, int batch, int threads)
{
    sq_space *space = NULL;
    sq_backend *backend = NULL;
    sq_model *model = NULL;
    char line[1024];
    SQ_TRY(sq_space_read(&space, space_path, 0, 0));
    SQ_TRY(sq_backend_open("cpu", threads, &backend));
    const sq_model_options options = {.block = {.batch = batch, .is_supernet = true, .label_smoothing = 0.1f},
                                      .is_training = true};
    SQ_TRY(sq_model_create(&model, backend, space, &options));
    SQ_TRY(sq_model_initialize(model, 1));
    SQ_TRY(sq_model_compile(model, 1u << SQ_FORWARD | 1u << SQ_BACKWARD | 1u << SQ_UPDATE));
    SQ_TRY(make_batch(space, batch, model));
    const sq_step scalars = {
        .learning_rate = 1e-4f, .momentum = 0.9f, .weight_decay = 4e-5f, .statistics_rate = 0.1f, .gradient_scale = 1};
    SQ_TRY(sq_model_set_step(model, &scalars));
    while (fgets(line, sizeof line, stdin)) {
        int path[SQ_MAX_LAYERS];
        double seconds;
        SQ_TRY(sq_arch_read(space, line, path));
        SQ_TRY(step(model, path, &seconds));
        (void)printf("%.6f\n", seconds);
        (void)fflush(stdout);
    }
    sq_model_destroy(model);
    sq_backend_close(backend);
    sq_space_free(space);
    return SQ_OK;
}

int main(int argc, char **argv)
{
    sq_cpu_choose_kernels(argv);
    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench_step_cpu SPACE BATCH THREADS, then one architecture per line on stdin\n");
        return 2;
    }
    const sq_status status = serve(argv[1], atoi(argv[2]), atoi(argv[3]));
    if (status != SQ_OK)
        (void)fprintf(stderr, "bench_step_cpu: %s\n", sq_error_text());
    return sq_exit_code(status);
}
