#ifndef SQ_TEST_SUPPORT_H
#define SQ_TEST_SUPPORT_H

#include <criterion/criterion.h>

#include "data/loader/image_set.h"
#include "supernet/train/trainer.h"

/* Helpers of several tests. */

#define MUST(call) cr_assert_eq((call), SQ_OK, "%s: %s", #call, sq_error_text())

/* The path of a file in the source tree: of the build, or of the variable SQ_SOURCE_DIR. Valid until the test ends. */
#define SOURCE(path) source_path("/" path)
const char *source_path(const char *path);

/* A new empty folder; freed and removed by drop_folder. */
char *make_folder(void);
void drop_folder(char *folder);

/* The folder of a suite that has one for each test: TestSuite(name, .init = open_test_folder, .fini =
 * close_test_folder). */
extern char *test_folder;
void open_test_folder(void);
void close_test_folder(void);

/* A small run: the first ten classes of `images` (NULL: the bundled digits) in batches of 8 at 16 x 16, tiny.yaml on
 * the cpu. The loader's other options may be set before it is used. */
typedef struct {
    sq_dataset *dataset;
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
    sq_loader_options loader;
} train_bench;
train_bench open_train_bench(const char *images, int threads);
void close_train_bench(train_bench *b);
/* Its training: seed 3, a log line every 3 steps, a checkpoint every 4. */
sq_train_options train_bench_options(int64_t steps);

/* A training model of a space on a backend, initialised with seed 1, all programs compiled. */
typedef struct {
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
} subject;
subject open_subject(const char *space, const char *backend, int threads, int batch);
/* The same on a backend opened with options (NULL: none); programs are compiled on first use. */
subject open_subject_with(const char *space, const char *backend, const sq_backend_options *options, int batch);
void close_subject(subject *s);

/* A batch and path drawn by number: the same for every subject. */
void draw_path(const sq_space *space, uint64_t number, int *path);
void load_drawn(sq_model *model, uint64_t number);
sq_step drawn_step(uint64_t number);
/* Loads the drawn batch, then forward and backward along the path with the drawn step. */
void run_drawn_step(sq_model *model, uint64_t number, const int *path);

/* Trains `steps` steps along drawn paths, on four batches in turn; losses[steps]. */
void train_drawn(subject *s, int steps, double *losses);

/* Random images of the space's shape with random labels; free with sq_image_set_clear. */
sq_image_set random_images(const sq_space *space, size_t count, uint64_t number);

/* A file of a folder, with the folders in its name; text ends at its zero byte. */
void put_bytes(const char *folder, const char *name, const void *bytes, size_t size);
void put_text(const char *folder, const char *name, const char *text);
/* The contents of such a file, to be freed. */
char *read_text(const char *folder, const char *name);

/* Crops of all kinds out of two random images, resized by the backend, against sq_resize: the same bits. */
void expect_crops(const char *backend, const sq_backend_options *options);

/* NaN and infinity at the edges of ranges, and just outside. */
void expect_nonfinite_found(const char *backend, const sq_backend_options *options);
/* Of gradients along two paths of configs/spaces/tiny.yaml. */
void expect_bad_layer_named(const char *backend);

/* A space file with its own resolution and classes. */
sq_space *open_space(const char *path);

/* Crops and flips of training, at this side. */
sq_transform augmenting_transform(int side);

/* sqrt(sum (a - b)^2) / sqrt(sum a^2), over `count` floats. */
double relative_error(const float *a, const float *b, size_t count);

#endif
