#ifndef SQ_TEST_DATA_SUPPORT_H
#define SQ_TEST_DATA_SUPPORT_H

#include "data/pack/encode.h"
#include "data/pack/pack.h"

/* Helpers of the tests of data/. File names are relative to `folder`, and missing parent folders are created. */

/* ---- Files ---- */

/* copies a file from tests/fixtures/images */
void copy_image(const char *folder, const char *name, const char *fixture);
void copy_first_half(const char *folder, const char *name, const char *fixture);
void copy_rotated(const char *folder, const char *name, int orientation); /* copies rgb.jpg with an EXIF orientation */
void copy_bomb(const char *folder, const char *name); /* writes a PNG that declares a width of two billion pixels */
void decode_fixture(sq_image *out, const char *fixture);
void run_shell(const char *folder, const char *commands); /* runs the commands with sh in the folder */
int count_files(const char *folder);
int open_folder(const char *folder);
void limit_file_size(size_t bytes); /* simulates a full disk for this process: writes fail with EFBIG */

/* ---- Data sets ---- */

sq_dataset *open_in(const char *folder, const char *name, const char *split);
/* Calls sq_dataset_open_with. The given names are relative to the folder. */
sq_status open_with(sq_dataset **out, const char *folder, const char *name, const char *split,
                    const sq_dataset_options *lists);
void expect_open_fails(const char *folder, const char *name, const char *split, const char *message);
/* Packs with one thread and quality 90, unless the options give other values. */
void pack_small(const sq_dataset *dataset, const char *folder, const char *split, sq_pack_options options);
bool stop_at_once(void); /* a callback for is_stopped that always returns true */

/* Expects equal images, labels, classes and names inside the classes, in the same order. */
void expect_same(const sq_dataset *a, const sq_dataset *b);
void expect_same_files(const char *a, const char *b);
/* Returns the mean absolute difference of the luma (BT.601) of two arrays of RGB pixels with `count` bytes each. */
double brightness_difference(const uint8_t *a, const uint8_t *b, size_t count);

/* ---- Shards ---- */

const char *shard_file(const char *folder, const char *split, int shard); /* valid until the next call */

/* Packs the images a/1.png, a/2.png and b/1.png of <folder>/set into <folder>/packed, with one shard per image. */
void pack_in_three(const char *folder, bool is_raw);

typedef struct {
    char *bytes; /* owned */
    size_t size;
    char path[1024];
} shard_copy;

/* Calls pack_in_three, then packs the same images into one shard in <folder>/whole and returns the shard's bytes. */
shard_copy pack_in_one(const char *folder, bool is_raw);
/* Overwrites the shard's file with the first `size` bytes of the copy. */
void write_shard(const shard_copy *s, size_t size);

#endif
