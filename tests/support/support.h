#ifndef SQ_TEST_SUPPORT_H
#define SQ_TEST_SUPPORT_H

#include <criterion/criterion.h>

#include "data/loader/image_set.h"
#include "supernet/train/trainer.h"

/* Helpers that several tests share. */

#define MUST(call) cr_assert_eq((call), SQ_OK, "%s: %s", #call, sq_error_text())

/* Path of a file in the source tree. The environment variable SQ_SOURCE_DIR replaces the source tree of the build. The
 * string is valid until the test ends. */
#define SOURCE(path) source_path("/" path)
const char *source_path(const char *path);

/* Makes an empty folder. drop_folder() removes the folder and frees its name. */
char *make_folder(void);
void drop_folder(char *folder);

/* The folder of the current test, if the suite makes one for each test: TestSuite(name, .init = open_test_folder,
 * .fini = close_test_folder). */
extern char *test_folder;
void open_test_folder(void);
void close_test_folder(void);

/* A small run of the space tiny.yaml on the cpu backend, with the first ten classes of `images` (NULL: the bundled
 * digits) in batches of 8 at 16 x 16. A test may change the other fields of `loader` before it opens a loader. */
typedef struct {
    sq_dataset *dataset;
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
    sq_loader_options loader;
} train_bench;
train_bench open_train_bench(const char *images, int threads);
void close_train_bench(train_bench *b);
/* Training options of a train_bench: seed 3, a log line every 3 steps, a checkpoint every 4 steps. */
sq_train_options train_bench_options(int64_t steps);

/* A model for training, initialised with seed 1, with its space and backend. open_subject() compiles all programs. */
typedef struct {
    sq_space *space;
    sq_backend *backend;
    sq_model *model;
} subject;
subject open_subject(const char *space, const char *backend, int threads, int batch);
/* Opens the backend with `options` (NULL: none). The programs are compiled on first use. */
subject open_subject_with(const char *space, const char *backend, const sq_backend_options *options, int batch);
void close_subject(subject *s);

/* The next three functions draw a path, the images of a batch, and the scalars of a step from `number`. A number gives
 * the same values for every subject of a space. */
void draw_path(const sq_space *space, uint64_t number, int *path);
void load_drawn(sq_model *model, uint64_t number);
sq_step drawn_step(uint64_t number);
/* Loads the batch and the scalars drawn from `number`, then runs forward and backward along the path. */
void run_drawn_step(sq_model *model, uint64_t number, const int *path);

/* Trains `steps` steps along drawn paths, on four drawn batches in turn. Writes the mean loss of each step to
 * losses[steps]. */
void train_drawn(subject *s, int steps, double *losses);

/* Returns random images of the space's shape with random labels. sq_image_set_clear() frees them. */
sq_image_set random_images(const sq_space *space, size_t count, uint64_t number);

/* put_bytes() and put_text() write a file in a folder and create the folders in the name of the file. put_text() writes
 * the text without its zero byte. */
void put_bytes(const char *folder, const char *name, const void *bytes, size_t size);
void put_text(const char *folder, const char *name, const char *text);
/* Returns the contents of a file in a folder. The caller frees them. */
char *read_text(const char *folder, const char *name);

/* Checks that the backend resizes crops of all kinds from two random images to the same bits as sq_resize(). */
void expect_crops(const char *backend, const sq_backend_options *options);

/* Checks that the backend finds NaN and infinity at the edges of ranges, and ignores them just outside the ranges. */
void expect_nonfinite_found(const char *backend, const sq_backend_options *options);
/* Checks that sq_nonfinite_check_gradients() names the path and the layer of a NaN, for two paths of tiny.yaml. */
void expect_bad_layer_named(const char *backend);

/* Reads a space file and keeps the resolution and the classes of the file. */
sq_space *open_space(const char *path);

/* Returns a transform with the random crops and flips of training, for outputs of side x side pixels. */
sq_transform augmenting_transform(int side);

/* Returns sqrt(sum (a - b)^2) / sqrt(sum a^2) over `count` floats; without the division if a is 0. */
double relative_error(const float *a, const float *b, size_t count);

#endif
