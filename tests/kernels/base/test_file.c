/* Tests that files are complete or absent even on a full disk. Also tests folders, links and locks. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "tests/support/support.h"

static void write_text(const char *path, const char *text)
{
    const sq_piece piece = {text, strlen(text)};
    MUST(sq_file_replace(path, &piece, 1));
}

Test(file, failed_write_leaves_the_old_file)
{
    char *folder = make_folder(), path[256], *text = NULL;
    size_t bytes = 0;
    char *large = calloc(1, 100000);
    const sq_piece piece = {large, 100000};
    const struct rlimit small = {4096, RLIM_INFINITY};
    (void)snprintf(path, sizeof path, "%s/file", folder);
    write_text(path, "old");
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    cr_expect_eq(sq_file_replace(path, &piece, 1), SQ_IO);
    MUST(sq_file_read(path, 100, &text, &bytes));
    cr_expect_str_eq(text, "old");
    (void)strcat(path, ".tmp");
    cr_expect(!sq_path_exists(path));
    free(text);
    free(large);
    drop_folder(folder);
}

Test(file, append_cuts_a_torn_end_and_leaves_none)
{
    char *folder = make_folder(), path[600];
    const struct rlimit small = {12, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    (void)snprintf(path, sizeof path, "%s/log", folder);
    MUST(sq_file_append(path, 0, "first\n", 6));
    put_text(folder, "log", "first\ntorn");
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    cr_expect_eq(sq_file_append(path, 6, "the second\n", 11), SQ_IO);
    cr_expect_eq(errno, EFBIG);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    char *text = read_text(folder, "log");
    cr_expect_str_eq(text, "first\n");
    free(text);
    MUST(sq_file_append(path, 6, "the second\n", 11));
    text = read_text(folder, "log");
    cr_expect_str_eq(text, "first\nthe second\n");
    free(text);
    drop_folder(folder);
}

Test(file, folders_are_made_found_and_removed_with_their_content)
{
    char *folder = make_folder(), inner[300], path[400], found[400];
    (void)snprintf(inner, sizeof inner, "%s/a/b", folder);
    MUST(sq_folder_make(inner));
    MUST(sq_folder_make(inner));
    (void)snprintf(path, sizeof path, "%s/file", inner);
    cr_expect(!sq_path_find(found, sizeof found, inner, "file"));
    write_text(path, "text");
    cr_expect(sq_path_find(found, sizeof found, inner, "file"));
    cr_expect_str_eq(found, path);
    cr_expect_eq(sq_folder_make(path), SQ_IO, "a file already has this name");
    (void)snprintf(inner, sizeof inner, "%s/a", folder);
    MUST(sq_path_remove(inner));
    cr_expect(!sq_path_exists(inner));
    MUST(sq_path_remove(inner));
    drop_folder(folder);
}

Test(file, parents_of_paths)
{
    static const char *const cases[][2] = {{"a/b/c", "a/b"}, {"/a", "/"}, {"a", "."}};
    char parent[16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sq_path_parent(parent, sizeof parent, cases[i][0]);
        cr_expect_str_eq(parent, cases[i][1]);
    }
}

Test(file, a_link_is_replaced)
{
    char *folder = make_folder(), path[300], target[32] = "";
    (void)snprintf(path, sizeof path, "%s/last", folder);
    MUST(sq_link_replace(path, "one"));
    MUST(sq_link_replace(path, "two"));
    cr_expect_eq(readlink(path, target, sizeof target - 1), 3);
    cr_expect_str_eq(target, "two");
    drop_folder(folder);
}

Test(file, a_lock_is_free_after_unlocking)
{
    char *folder = make_folder();
    int lock = SQ_NO_LOCK;
    for (int i = 0; i < 2; i++) {
        MUST(sq_folder_lock(folder, &lock));
        sq_folder_unlock(lock);
    }
    sq_folder_unlock(SQ_NO_LOCK);
    drop_folder(folder);
}

Test(file, a_text_has_no_zero_byte)
{
    char *folder = make_folder(), path[256], *text = NULL;
    const sq_piece zero = {"a\0b", 3};
    (void)snprintf(path, sizeof path, "%s/file", folder);
    write_text(path, "ab");
    MUST(sq_file_read_text(path, 100, &text));
    cr_expect_str_eq(text, "ab");
    free(text);
    text = NULL;
    MUST(sq_file_replace(path, &zero, 1));
    cr_expect_eq(sq_file_read_text(path, 100, &text), SQ_INVALID);
    cr_expect_null(text);
    cr_expect_not_null(strstr(sq_error_text(), "file: found a zero byte, expected text"), "%s", sq_error_text());
    drop_folder(folder);
}
