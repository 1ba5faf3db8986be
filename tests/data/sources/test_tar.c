/* Tests reading tars: large members, long names, truncated and damaged files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/sources/tar.h"
#include "kernels/base/file.h"
#include "tests/data/data_support.h"
#include "tests/support/support.h"

Test(tar, reads_sizes_above_eight_gigabytes)
{
    char *folder = make_folder();
    size_t read = 0, capacity = 0;
    void *bytes = NULL;
    /* Makes a tar with a sparse file of 9 GiB, whose size needs more than 11 octal digits. GNU's format stores such a
     * size in base 256, and pax stores it in a record. */
    run_shell(folder,
              "mkdir -p train/a && truncate -s 9G train/a/1.img && printf last > train/a/2.img && "
              "python3 - <<'END'\n"
              "import io, tarfile\n"
              "for name, form in (('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)):\n"
              "    with open(name + '.tar', 'wb') as file:\n"
              "        for member, size, text in (('train/a/1.img', 9 << 30, b''), ('train/a/2.img', 4, b'last')):\n"
              "            info = tarfile.TarInfo(member)\n"
              "            info.size = size\n"
              "            file.write(info.tobuf(form))\n"
              "            begin = file.tell()\n"
              "            file.write(text)\n"
              "            file.truncate(begin + (size + 511) // 512 * 512)\n"
              "            file.seek(0, 2)\n"
              "        file.write(bytes(1024))\n"
              "END");
    for (int k = 0; k < 2; k++) {
        sq_dataset *d = open_in(folder, k ? "pax.tar" : "gnu.tar", "train");
        cr_assert_eq(sq_dataset_count(d), 2);
        cr_expect_eq(sq_dataset_size(d, 0), (size_t)9 << 30);
        cr_expect_eq(sq_dataset_read(d, 0, &bytes, &capacity, &read), SQ_DATA);
        cr_expect_not_null(
            strstr(sq_error_text(), "1.img: the image is too large: found 9663676416 bytes, expected at most"), "%s",
            sq_error_text());
        MUST(sq_dataset_read(d, 1, &bytes, &capacity, &read));
        cr_expect(read == 4 && memcmp(bytes, "last", 4) == 0);
        sq_dataset_close(d);
    }
    free(bytes);
    drop_folder(folder);
}

Test(tar, rejects_names_that_are_too_long)
{
    char *folder = make_folder();
    run_shell(folder, "python3 - <<'END'\n"
                      "import tarfile\n"
                      "for name, form in (('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)):\n"
                      "    with open(name + '.tar', 'wb') as file:\n"
                      "        file.write(tarfile.TarInfo('train/a/' + 5000 * 'n').tobuf(form) + bytes(1024))\n"
                      "END");
    expect_open_fails(folder, "gnu.tar", "train", "too long: found 5008 bytes");
    expect_open_fails(folder, "pax.tar", "train", "too long: found 5008 bytes");
    drop_folder(folder);
}

Test(tar, rejects_truncated_tars)
{
    char *folder = make_folder(), path[700];
    void *bytes = NULL;
    size_t capacity = 0, size = 0;
    put_text(folder, "train/a/1.png", "these bytes are gone when they are read");
    run_shell(folder, "tar -cf set.tar train && tar -cf nested.tar set.tar");
    (void)snprintf(path, sizeof path, "%s/set.tar", folder);
    sq_dataset *d = open_in(folder, "set.tar", "train");
    cr_assert_eq(truncate(path, 1024 + 512 + 10), 0);
    cr_expect_eq(sq_dataset_read(d, 0, &bytes, &capacity, &size), SQ_DATA);
    cr_expect_not_null(strstr(sq_error_text(), "set.tar:train/a/1.png: truncated file: found 10 bytes, expected 39"),
                       "%s", sq_error_text());
    sq_dataset_close(d);
    expect_open_fails(folder, "set.tar", "train",
                      "set.tar: truncated tar: the member at byte 1024 reaches past the end");
    cr_assert_eq(truncate(path, 700), 0);
    expect_open_fails(folder, "set.tar", "train", "set.tar: truncated tar: it ends inside the header at byte 512");
    (void)snprintf(path, sizeof path, "%s/nested.tar", folder);
    cr_assert_eq(truncate(path, 2000), 0);
    expect_open_fails(folder, "nested.tar", "train",
                      "nested.tar: truncated tar: the member at byte 0 reaches past the end");
    free(bytes);
    drop_folder(folder);
}

Test(tar, rejects_damaged_headers_with_their_offset)
{
    char *folder = make_folder(), path[600], *text = NULL;
    size_t bytes = 0;
    MUST(sq_file_read(SOURCE("data/samples/val.tar"), 1 << 22, &text, &bytes));
    (void)snprintf(path, sizeof path, "%s/val.tar", folder);
    for (int k = 0; k < 40; k++) {
        const size_t header = 1024 * (size_t)(k * 19);
        sq_dataset *d = NULL;
        text[header + 20] ^= 4;
        const sq_piece piece = {text, bytes};
        MUST(sq_file_replace(path, &piece, 1));
        text[header + 20] ^= 4;
        cr_expect_eq(sq_dataset_open(&d, path, "val"), SQ_DATA);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "at byte %zu", header);
        cr_expect_not_null(strstr(sq_error_text(), expected), "%s", sq_error_text());
    }
    free(text);
    drop_folder(folder);
}

Test(tar, walks_members_and_reads_their_bytes)
{
    char *folder = make_folder(), path[600], bytes[8];
    sq_tar tar;
    sq_tar_member member;
    bool is_end = false;
    put_text(folder, "a/1", "one");
    put_text(folder, "a/2", "second");
    run_shell(folder, "tar --sort=name -cf a.tar a");
    (void)snprintf(path, sizeof path, "%s/a.tar", folder);
    MUST(sq_tar_open(&tar, path));
    MUST(sq_tar_next(&tar, &member, &is_end));
    cr_expect(!is_end && !member.is_file);
    cr_expect_str_eq(member.name, "a/");
    MUST(sq_tar_next(&tar, &member, &is_end));
    cr_expect(!is_end && member.is_file && member.size == 3 && member.offset == 1024);
    MUST(sq_tar_read(&tar, &member, bytes));
    cr_expect_eq(memcmp(bytes, "one", 3), 0);
    MUST(sq_tar_next(&tar, &member, &is_end));
    cr_expect_str_eq(member.name, "a/2");
    MUST(sq_tar_next(&tar, &member, &is_end));
    cr_expect(is_end);
    sq_tar_close(&tar);
    (void)snprintf(path, sizeof path, "%s/none.tar", folder);
    cr_expect_eq(sq_tar_open(&tar, path), SQ_IO);
    drop_folder(folder);
}
