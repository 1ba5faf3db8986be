#include "tests/data/pack_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "data/sources/shard.h"
#include "kernels/base/file.h"
#include "tests/support/support.h"

static char *read_fixture(const char *fixture, size_t *size)
{
    char path[1024], *bytes = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", SOURCE("tests/fixtures/images"), fixture);
    MUST(sq_file_read(path, 1 << 22, &bytes, size));
    return bytes;
}

void copy_image(const char *folder, const char *name, const char *fixture)
{
    size_t size = 0;
    char *bytes = read_fixture(fixture, &size);
    put_bytes(folder, name, bytes, size);
    free(bytes);
}

void copy_cut(const char *folder, const char *name, const char *fixture)
{
    size_t size = 0;
    char *bytes = read_fixture(fixture, &size);
    put_bytes(folder, name, bytes, size / 2);
    free(bytes);
}

void copy_rotated(const char *folder, const char *name, int orientation)
{
    /* APP1, 34 bytes: "Exif", a little-endian TIFF header, one entry: tag 0x0112, short, 1 value. */
    const char exif[] = {'\xff',
                         '\xe1',
                         0,
                         34,
                         'E',
                         'x',
                         'i',
                         'f',
                         0,
                         0,
                         'I',
                         'I',
                         '*',
                         0,
                         8,
                         0,
                         0,
                         0,
                         1,
                         0,
                         0x12,
                         1,
                         3,
                         0,
                         1,
                         0,
                         0,
                         0,
                         (char)orientation,
                         0,
                         0,
                         0,
                         0,
                         0,
                         0,
                         0};
    size_t size = 0;
    char *bytes = read_fixture("rgb.jpg", &size), *all = malloc(size + sizeof exif);
    memcpy(all, bytes, 2);
    memcpy(all + 2, exif, sizeof exif);
    memcpy(all + 2 + sizeof exif, bytes + 2, size - 2);
    put_bytes(folder, name, all, size + sizeof exif);
    free(bytes);
    free(all);
}

void copy_bomb(const char *folder, const char *name)
{
    size_t size = 0;
    char *bytes = read_fixture("rgb.png", &size);
    bytes[16] = 0x7f;
    put_bytes(folder, name, bytes, size);
    free(bytes);
}

void decode_fixture(sq_image *out, const char *fixture)
{
    size_t size = 0;
    char *bytes = read_fixture(fixture, &size);
    MUST(sq_image_decode(out, bytes, size, fixture, 1 << 24));
    free(bytes);
}

sq_dataset *open_in(const char *folder, const char *name, const char *split)
{
    char path[1024];
    sq_dataset *d = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    MUST(sq_dataset_open(&d, path, split));
    return d;
}

void pack_small(const sq_dataset *dataset, const char *folder, const char *split, sq_pack_options options)
{
    options.quality = options.quality ? options.quality : 90;
    options.threads = options.threads ? options.threads : 1;
    MUST(sq_pack(dataset, folder, split, &options));
}

bool stop_at_once(void)
{
    return true;
}

void expect_same(const sq_dataset *a, const sq_dataset *b)
{
    void *x = NULL, *y = NULL;
    size_t cx = 0, cy = 0, sx = 0, sy = 0;
    MUST(sq_dataset_same_classes(a, b));
    cr_assert_eq(sq_dataset_count(a), sq_dataset_count(b), "%zu %zu", sq_dataset_count(a), sq_dataset_count(b));
    for (size_t i = 0; i < sq_dataset_count(a); i++) {
        MUST(sq_dataset_read(a, i, &x, &cx, &sx));
        MUST(sq_dataset_read(b, i, &y, &cy, &sy));
        cr_assert(sx == sy && (sx == 0 || memcmp(x, y, sx) == 0), "%s and %s differ", sq_dataset_name(a, i),
                  sq_dataset_name(b, i));
        cr_assert_eq(sq_dataset_label(a, i), sq_dataset_label(b, i), "%s", sq_dataset_name(a, i));
        cr_assert_str_eq(sq_dataset_inner_name(a, i), sq_dataset_inner_name(b, i));
    }
    free(x);
    free(y);
}

void expect_same_files(const char *a, const char *b)
{
    DIR *folder = opendir(a);
    cr_assert_not_null(folder);
    cr_expect_eq(count_files(a), count_files(b));
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        char path[1024], *x = NULL, *y = NULL;
        size_t sx = 0, sy = 0;
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", a, e->d_name);
        MUST(sq_file_read(path, 1 << 26, &x, &sx));
        (void)snprintf(path, sizeof path, "%s/%s", b, e->d_name);
        MUST(sq_file_read(path, 1 << 26, &y, &sy));
        cr_expect(sx == sy && memcmp(x, y, sx) == 0, "%s differs", e->d_name);
        free(x);
        free(y);
    }
    (void)closedir(folder); /* only read */
}

static double luma(const uint8_t *p)
{
    return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

double brightness_difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i + 2 < count; i += 3)
        sum += fabs(luma(a + i) - luma(b + i));
    return sum / ((double)count / 3);
}

int count_files(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    cr_assert_not_null(folder, "%s", path);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder))
        count += e->d_name[0] != '.';
    (void)closedir(folder); /* only read */
    return count;
}

int open_folder(const char *folder)
{
    const int file = open(folder, O_RDONLY | O_DIRECTORY);
    cr_assert_geq(file, 0);
    return file;
}

void limit_file_size(size_t bytes)
{
    struct rlimit limit = {bytes, bytes};
    (void)signal(SIGXFSZ, SIG_IGN); /* the program ignores it too: supernet/train/signals.c */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

const char *shard_file(const char *folder, const char *split, int shard)
{
    static char path[1024];
    MUST(sq_shard_make_path(path, sizeof path, folder, split, shard));
    return path;
}
