#include "tests/data/data_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "data/decode/decode.h"
#include "data/sources/shard_set.h"
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

void copy_first_half(const char *folder, const char *name, const char *fixture)
{
    size_t size = 0;
    char *bytes = read_fixture(fixture, &size);
    put_bytes(folder, name, bytes, size / 2);
    free(bytes);
}

void copy_rotated(const char *folder, const char *name, int orientation)
{
    /* The APP1 segment of 34 bytes contains "Exif", a little-endian TIFF header, and one entry: tag 0x0112, type short,
     * 1 value. */
    char exif[] = "\xff\xe1\0\x22"
                  "Exif\0\0"
                  "II*\0\x08\0\0\0"
                  "\x01\0\x12\x01\x03\0\x01\0\0\0?\0\0\0\0\0\0";
    /* The terminating zero of the string is the last byte of the segment. */
    enum { EXIF_BYTES = sizeof exif, ORIENTATION_OFFSET = 28 };
    size_t size = 0;
    char *bytes = read_fixture("rgb.jpg", &size), *rotated = malloc(size + EXIF_BYTES);
    exif[ORIENTATION_OFFSET] = (char)orientation;
    memcpy(rotated, bytes, 2);
    memcpy(rotated + 2, exif, EXIF_BYTES);
    memcpy(rotated + 2 + EXIF_BYTES, bytes + 2, size - 2);
    put_bytes(folder, name, rotated, size + EXIF_BYTES);
    free(bytes);
    free(rotated);
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
    MUST(sq_image_decode(out, &(sq_encoded_image){bytes, size, fixture, 1 << 24}));
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

void run_shell(const char *folder, const char *commands)
{
    char command[2048];
    (void)snprintf(command, sizeof command, "cd '%s' && %s", folder, commands);
    cr_assert_eq(system(command), 0, "%s", commands);
}

sq_status open_with(sq_dataset **out, const char *folder, const char *name, const char *split,
                    const sq_dataset_options *lists)
{
    char source[1024], labels[1024], classes[1024];
    sq_dataset_options options = *lists;
    (void)snprintf(source, sizeof source, "%s/%s", folder, name);
    if (lists->labels)
        (void)snprintf(labels, sizeof labels, "%s/%s", folder, lists->labels);
    if (lists->classes)
        (void)snprintf(classes, sizeof classes, "%s/%s", folder, lists->classes);
    options.labels = lists->labels ? labels : NULL;
    options.classes = lists->classes ? classes : NULL;
    return sq_dataset_open_with(out, source, split, &options);
}

void expect_open_fails(const char *folder, const char *name, const char *split, const char *message)
{
    char path[1024];
    sq_dataset *d = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_expect_neq(sq_dataset_open(&d, path, split), SQ_OK, "%s", message);
    cr_expect_not_null(strstr(sq_error_text(), message), "%s, expected %s", sq_error_text(), message);
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
    (void)closedir(folder); /* nothing was written */
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
    (void)closedir(folder); /* nothing was written */
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
    (void)signal(SIGXFSZ, SIG_IGN); /* as in the program (supernet/train/signals.c) */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

const char *shard_file(const char *folder, const char *split, int shard)
{
    static char path[1024];
    MUST(sq_shard_make_path(path, sizeof path, folder, split, shard));
    return path;
}

/* ---- Shards ---- */

void pack_in_three(const char *folder, bool is_raw)
{
    copy_image(folder, "set/train/a/1.png", "rgb.png");
    copy_image(folder, "set/train/a/2.png", "grey16.png");
    copy_image(folder, "set/train/b/1.png", "pattern.png");
    char path[700];
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/packed", folder);
    pack_small(d, path, "train", (sq_pack_options){.shard_bytes = 1, .side = is_raw ? 20 : 0, .is_raw = is_raw});
    sq_dataset_close(d);
}

shard_copy pack_in_one(const char *folder, bool is_raw)
{
    shard_copy s = {0};
    char path[700];
    pack_in_three(folder, is_raw);
    sq_dataset *d = open_in(folder, "set", "train");
    (void)snprintf(path, sizeof path, "%s/whole", folder);
    pack_small(d, path, "train", (sq_pack_options){.side = is_raw ? 20 : 0, .is_raw = is_raw});
    sq_dataset_close(d);
    (void)snprintf(s.path, sizeof s.path, "%s", shard_file(path, "train", 0));
    MUST(sq_file_read(s.path, 1 << 22, &s.bytes, &s.size));
    return s;
}

void write_shard(const shard_copy *s, size_t size)
{
    const sq_piece piece = {s->bytes, size};
    MUST(sq_file_replace(s->path, &piece, 1));
}
