/* Writes the samples that the loader makes, for check_pillow.py.
 *
 * usage: dump_samples SOURCE DECODE SIDE COUNT OUT     DECODE: a number, sq_decode_mode
 *
 * Prints a line "reduction x y w h name" per sample, and writes SIDE * SIDE * 3 bytes per sample to OUT. */
#include <stdio.h>
#include <stdlib.h>

#include "data/decode/decode.h"
#include "data/loader/sample.h"
#include "kernels/graph.h"

typedef struct {
    sq_dataset *dataset;
    sq_transform transform;
    sq_sample_source source;
    sq_sample_workspace workspace;
    void *bytes;
    size_t capacity;
} dump;

/* Writes sample `number`, which is image number % count in epoch `number`. */
static sq_status write_sample(dump *d, uint64_t number, uint8_t *pixels, FILE *out)
{
    const size_t index = (size_t)(number % sq_dataset_count(d->dataset)), side = (size_t)d->transform.resolution;
    const char *name = sq_dataset_name(d->dataset, index);
    float augment[SQ_AUGMENT_COUNT];
    size_t size = 0;
    int h = 0, w = 0;
    SQ_TRY(sq_sample_make(&d->source, &d->workspace, (sq_sample_id){index, number}, pixels, augment));
    SQ_TRY(sq_dataset_read(d->dataset, index, &d->bytes, &d->capacity, &size));
    SQ_TRY(sq_image_read_size(&(sq_encoded_image){d->bytes, size, name, d->source.max_pixels}, &h, &w));
    sq_rng rng = sq_rng_open(d->source.seed, SQ_RNG_AUGMENT, (number << 40) + index);
    const sq_crop c = sq_transform_crop(&d->transform, h, w, &rng);
    (void)printf("%d %g %g %g %g %s\n", sq_sample_reduction(&d->transform, d->source.decode, c), c.x, c.y, c.w, c.h,
                 name);
    return fwrite(pixels, side * side * 3, 1, out) == 1 ? SQ_OK : sq_fail(SQ_IO, "%s: cannot be written", name);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    dump d = {.transform = {.is_augmented = true,
                            .resolution = atoi(argv[3]),
                            .area_min = 0.08,
                            .area_max = 1,
                            .aspect_min = 0.75,
                            .aspect_max = 4.0 / 3}};
    uint8_t *pixels = malloc((size_t)d.transform.resolution * (size_t)d.transform.resolution * 3);
    FILE *out = fopen(argv[5], "wb");
    sq_status status =
        pixels && out ? sq_dataset_open(&d.dataset, argv[1], "val") : sq_fail(SQ_IO, "%s: cannot be written", argv[5]);
    d.source = (sq_sample_source){.dataset = d.dataset,
                                  .transform = &d.transform,
                                  .decode = (sq_decode_mode)atoi(argv[2]),
                                  .seed = 5,
                                  .max_pixels = 1 << 28};
    for (uint64_t i = 0; status == SQ_OK && i < (uint64_t)atoi(argv[4]); i++)
        status = write_sample(&d, i, pixels, out);
    if (out && fclose(out) != 0 && status == SQ_OK)
        status = sq_fail(SQ_IO, "%s: cannot be written", argv[5]);
    if (status != SQ_OK)
        (void)fprintf(stderr, "%s\n", sq_error_text());
    sq_sample_clear(&d.workspace);
    sq_dataset_close(d.dataset);
    free(d.bytes);
    free(pixels);
    return status != SQ_OK;
}
