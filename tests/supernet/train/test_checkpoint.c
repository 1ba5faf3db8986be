/* Tests checkpoints: damage, full disks and retention. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "kernels/base/file.h"
#include "supernet/space/cost.h"
#include "supernet/train/checkpoint.h"
#include "tests/support/support.h"

static void save(const char *run, subject *s, int64_t step)
{
    const sq_training_state state = {
        .step = step, .seed = 1, .space_hash = sq_space_hash(s->space), .batch = 2, .loss_sum = 0.1};
    MUST(sq_checkpoint_write(run, s->model, &state, &(sq_retention){.newest = 2}));
}

Test(checkpoint, checkpoint_damaged_anywhere_is_passed_over)
{
    static const char *const files[] = {"model.safetensors", "optim.safetensors", "state.json"};
    char *run = make_folder(), found[4096], wanted[4096];
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    int64_t step = 0;
    save(run, &s, 10);
    save(run, &s, 20);
    (void)snprintf(wanted, sizeof wanted, "%s/ckpt-00000010", run);
    for (int f = 0; f < 3; f++) {
        char path[4096], *text = NULL;
        size_t bytes = 0;
        (void)snprintf(path, sizeof path, "%s/ckpt-00000020/%s", run, files[f]);
        MUST(sq_file_read(path, 1 << 26, &text, &bytes));
        const size_t stride = bytes > 4096 ? bytes / 97 : bytes > 100 ? 3 : 1;
        for (size_t i = 0; i < bytes; i += stride) {
            text[i] ^= 1;
            const sq_piece piece = {text, bytes};
            MUST(sq_file_replace(path, &piece, 1));
            text[i] ^= 1;
            MUST(sq_checkpoint_find(run, found, sizeof found, &step, NULL));
            cr_expect_str_eq(found, wanted, "%s, byte %zu of %zu", files[f], i, bytes);
        }
        const sq_piece whole = {text, bytes};
        MUST(sq_file_replace(path, &whole, 1));
        free(text);
    }
    MUST(sq_checkpoint_find(run, found, sizeof found, &step, NULL));
    cr_expect_eq(step, 20);
    close_subject(&s);
    drop_folder(run);
}

Test(checkpoint, checkpoint_of_another_space_is_refused)
{
    char *run = make_folder(), folder[4096];
    subject a = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    subject b = open_subject(SOURCE("tests/fixtures/smooth.yaml"), "cpu", 1, 2);
    sq_training_state state = {.space_hash = sq_space_hash(b.space)};
    int64_t step;
    save(run, &a, 5);
    MUST(sq_checkpoint_find(run, folder, sizeof folder, &step, NULL));
    cr_expect_eq(sq_checkpoint_read(folder, b.model, true, &state), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "a different space"));
    close_subject(&a);
    close_subject(&b);
    drop_folder(run);
}

Test(checkpoint, full_disk_keeps_the_previous_checkpoint)
{
    char *run = make_folder(), folder[4096], path[4200];
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    const struct rlimit small = {10000, RLIM_INFINITY};
    const sq_training_state state = {.step = 20, .seed = 1, .space_hash = sq_space_hash(s.space), .batch = 2};
    int64_t step = 0;
    save(run, &s, 10);
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    cr_expect_eq(sq_checkpoint_write(run, s.model, &state, &(sq_retention){.newest = 1}), SQ_IO);
    MUST(sq_checkpoint_find(run, folder, sizeof folder, &step, NULL));
    cr_expect_eq(step, 10);
    (void)snprintf(path, sizeof path, "%s/ckpt-00000020.tmp", run);
    cr_expect(!sq_path_exists(path));
    (void)snprintf(path, sizeof path, "%s/last/state.json", run);
    cr_expect(sq_path_exists(path));
    close_subject(&s);
    drop_folder(run);
}

static void expect_steps(const char *run, const char *wanted)
{
    char found[256] = "", path[4096];
    for (int step = 0; step < 100; step++) {
        (void)snprintf(path, sizeof path, "%s/ckpt-%08d", run, step);
        if (sq_path_exists(path))
            (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%d ", step);
    }
    cr_expect_str_eq(found, wanted);
}

static void save_keeping(const char *run, subject *s, int64_t step, const sq_retention *keep)
{
    const sq_training_state state = {.step = step, .seed = 1, .space_hash = sq_space_hash(s->space), .batch = 2};
    MUST(sq_checkpoint_write(run, s->model, &state, keep));
}

Test(checkpoint, newest_checkpoints_and_every_so_many_th_stay)
{
    const sq_retention keep = {.newest = 2, .every = 20}, anchored = {.newest = 2, .every = 20, .anchor = 10};
    char *run = make_folder(), path[4096];
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    for (int step = 10; step <= 70; step += 10)
        save_keeping(run, &s, step, &keep);
    expect_steps(run, "20 40 60 70 ");
    for (int step = 71; step <= 74; step++) /* checkpoints after signals do not displace the newest scheduled one, 70 */
        save_keeping(run, &s, step, &anchored);
    expect_steps(run, "20 40 60 70 73 74 ");
    save_keeping(run, &s, 76, &keep);
    expect_steps(run, "20 40 60 74 76 ");
    put_text(run, "ckpt-00000080.tmp/state.json", "half");
    MUST(sq_checkpoint_tidy(run, 76, &(sq_retention){.newest = 1}));
    expect_steps(run, "76 ");
    (void)snprintf(path, sizeof path, "%s/ckpt-00000080.tmp", run);
    cr_expect(!sq_path_exists(path));
    close_subject(&s);
    drop_folder(run);
}

/* A run that skips the damaged checkpoint 20 writes checkpoint 14. Checkpoint 14 must stay, although 20 has a higher
 * number. */
Test(checkpoint, checkpoint_below_a_damaged_one_stays)
{
    char *run = make_folder(), folder[4096];
    int64_t step = 0;
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    save(run, &s, 20);
    put_text(run, "ckpt-00000020/state.json", "damaged");
    save_keeping(run, &s, 14, &(sq_retention){.newest = 1});
    MUST(sq_checkpoint_find(run, folder, sizeof folder, &step, NULL));
    cr_expect_eq(step, 14);
    close_subject(&s);
    drop_folder(run);
}
