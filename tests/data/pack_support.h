#ifndef SQ_TEST_PACK_SUPPORT_H
#define SQ_TEST_PACK_SUPPORT_H

#include "data/pack/encode.h"
#include "data/pack/pack.h"

/* What the tests of sources and shards share. Names of files are relative to a folder; its parents are made. */

void copy_image(const char *folder, const char *name, const char *fixture); /* of tests/fixtures/images */
void copy_cut(const char *folder, const char *name, const char *fixture);   /* its first half */
void copy_rotated(const char *folder, const char *name, int orientation);   /* rgb.jpg with EXIF */
void copy_bomb(const char *folder, const char *name); /* a PNG that says it is two thousand million wide */
void decode_fixture(sq_image *out, const char *fixture);

sq_dataset *open_in(const char *folder, const char *name, const char *split);
/* Packs with what must not be zero set: quality 90, one thread. */
void pack_small(const sq_dataset *dataset, const char *folder, const char *split, sq_pack_options options);
bool stop_at_once(void);

/* Same images, labels, classes, names inside the classes, in the same order. */
void expect_same(const sq_dataset *a, const sq_dataset *b);
void expect_same_files(const char *a, const char *b);
/* Mean |difference| of the luma (BT.601) of RGB pixels; count: bytes. */
double brightness_difference(const uint8_t *a, const uint8_t *b, size_t count);
int count_files(const char *folder);
int open_folder(const char *folder);
void limit_file_size(size_t bytes); /* of this process, as a full disk would; a write then fails with EFBIG */
const char *shard_file(const char *folder, const char *split, int shard); /* valid until the next call */

#endif
