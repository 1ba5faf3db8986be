/* Random numbers, text, files and tensors on disk. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <signal.h>

#include "kernels/base/file.h"
#include "kernels/base/retry.h"
#include "kernels/base/rng.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "supernet/train/checkpoint.h"
#include "supernet/space/cost.h"
#include "supernet/export/safetensors.h"
#include "supernet/train/sampler.h"
#include "supernet/train/trainer.h"
#include "tests/support/support.h"

/* Known answers of Random123's Philox-4x32-10. */
Test(base, philox_known_answers)
{
    uint32_t out[4];
    const uint32_t zero[4] = {0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    sq_philox(out, zero, zero);
    cr_expect(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c && out[3] == 0x9b00dbd8);
    sq_philox(out, ones, ones);
    cr_expect(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 && out[3] == 0x6d5451fd);
}

Test(base, draws_are_uniform_and_normal)
{
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, 0);
    int counts[7] = {0};
    double sum = 0, squares = 0;
    for (int i = 0; i < 70000; i++)
        counts[sq_rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        cr_expect_lt(abs(counts[i] - 10000), 5 * 93); /* five deviations of a binomial */
    for (int i = 0; i < 20000; i++) {
        const double x = sq_rng_normal(&rng);
        sum += x;
        squares += x * x;
    }
    cr_expect_lt(fabs(sum / 20000), 5 / sqrt(20000));
    cr_expect_lt(fabs(squares / 20000 - 1), 5 * sqrt(2.0 / 20000));
}

Test(base, nearest_word_is_suggested_only_when_near)
{
    static const char *const words[] = {"train.batch", "train.steps", "seed"};
    cr_expect_str_eq(sq_text_nearest("train.bacth", words, 3), "train.batch");
    cr_expect_str_eq(sq_text_nearest("sed", words, 3), "seed");
    cr_expect_null(sq_text_nearest("zzzzzz", words, 3));
    char hint[SQ_TEXT_SUGGESTION] = "old";
    cr_expect_str_eq(sq_text_suggestion(hint, sizeof hint, "sed", words, 3), ", did you mean 'seed'?");
    cr_expect_str_eq(sq_text_suggestion(hint, sizeof hint, "zzzzzz", words, 3), "");
    cr_expect_str_eq(sq_text_suggestion(hint, sizeof ", did you mean 'seed'", "sed", words, 3), "", "no half of one");
}

Test(base, numbers_are_read_whole_and_in_range)
{
    int64_t i = 7;
    double d = 7;
    cr_expect(sq_text_int("12", 0, 12, &i) && i == 12);
    cr_expect(!sq_text_int("13", 0, 12, &i) && !sq_text_int("1x", 0, 12, &i) && !sq_text_int("", 0, 12, &i) && i == 12);
    cr_expect(!sq_text_int("99999999999999999999", 0, INT64_MAX, &i));
    cr_expect(sq_text_double("4e-5", 0, 1, &d) && d == 4e-5);
    cr_expect(!sq_text_double("nan", 0, 1, &d) && !sq_text_double("2", 0, 1, &d) && !sq_text_double("0.5 ", 0, 1, &d));
}

/* ---- Files ---- */

static void write_text(const char *path, const char *text)
{
    const sq_piece piece = {text, strlen(text)};
    MUST(sq_file_replace(path, &piece, 1));
}

Test(base, path_joins_a_folder_and_a_name_or_says_what_is_too_long)
{
    char path[16];
    MUST(sq_text_path(path, sizeof path, "runs", "a.yaml"));
    cr_assert_str_eq(path, "runs/a.yaml");
    MUST(sq_text_path(path, sizeof path, "runs/", "a.yaml"));
    cr_assert_str_eq(path, "runs/a.yaml");
    MUST(sq_text_path(path, sizeof path, "0123456789", "abcd"));
    cr_assert(sq_text_path(path, sizeof path, "0123456789", "abcde") == SQ_INVALID);
    cr_assert_str_eq(sq_error_text(),
                     "0123456789/abcde: the path is too long: found 16 bytes, expected at most 15");
}

Test(base, failed_write_leaves_the_old_file)
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

static const float values[] = {1, 2.5f, -3, 4, 5, 6};

static void write_tensors(const char *path)
{
    const sq_tensor tensors[] = {{"a.weight", {2, 2}, 2, values, 4}, {"b", {2}, 1, values + 4, 2}};
    const sq_metadata metadata[] = {{"format", "pt"}};
    MUST(sq_safetensors_write(path, tensors, 2, metadata, 1));
}

Test(base, safetensors_read_back_what_was_written)
{
    char *folder = make_folder(), path[256];
    sq_safetensors *file = NULL;
    (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
    write_tensors(path);
    MUST(sq_safetensors_open(&file, path));
    const sq_tensor *a = sq_safetensors_find(file, "a.weight");
    cr_assert_not_null(a);
    cr_expect(a->dim_count == 2 && a->dims[0] == 2 && a->count == 4 && memcmp(a->data, values, 16) == 0);
    cr_expect_null(sq_safetensors_find(file, "c"));
    cr_expect_str_eq(sq_safetensors_metadata(file, "format"), "pt");
    sq_safetensors_close(file);
    drop_folder(folder);
}

/* A file with the header, 8 bytes of data and a right checksum. */
static void write_sealed(const char *path, const char *header)
{
    static const char key[] = "\"checksum_fnv1a64\":\"";
    const size_t length = strlen(header), bytes = 8 + length + 8;
    char *text = calloc(1, bytes + 1), digits[17];
    cr_assert_not_null(text);
    text[0] = (char)length;
    (void)memcpy(text + 8, header, length);
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)sq_hash(SQ_HASH_START, text, bytes));
    (void)memcpy(strstr(text + 8, key) + sizeof key - 1, digits, 16);
    MUST(sq_file_replace(path, &(sq_piece){text, bytes}, 1));
    free(text);
}

Test(base, safetensors_refuse_what_no_damage_explains)
{
#define SEALED "{\"__metadata__\":{\"checksum_fnv1a64\":\"0000000000000000\"},\"a\":{\"dtype\":\"F32\",\"shape\":"
    static const struct {
        const char *header, *wanted;
    } cases[] = {
        {SEALED "[2],\"data_offsets\":[0,8]}}   ", NULL},
        {SEALED "[2],\"data_offsets\":[0,8]}}  ", "does not begin at a multiple of 4"},
        {SEALED "[\"x\"],\"data_offsets\":[0,0]}}     ", "a tensor's shape"},
        {SEALED "[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}  ",
         "no tensor, or to two"},
    };
    char *folder = make_folder(), path[256];
    (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sq_safetensors *file = NULL;
        write_sealed(path, cases[i].header);
        cr_expect_eq(sq_safetensors_open(&file, path), cases[i].wanted ? SQ_INVALID : SQ_OK, "case %zu: %s", i,
                     sq_error_text());
        cr_expect(!cases[i].wanted || strstr(sq_error_text(), cases[i].wanted), "case %zu: %s", i, sq_error_text());
        sq_safetensors_close(file);
    }
    drop_folder(folder);
}

static sq_status take_nothing(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    (void)context, (void)path, (void)document, (void)root;
    return SQ_OK;
}

/* libyaml's time is quadratic in the depth. */
Test(base, yaml_of_brackets_is_refused_at_once)
{
    enum { DEPTH = 100000 };
    char *folder = make_folder(), path[256], *text = malloc(4 * DEPTH);
    cr_assert_not_null(text);
    (void)snprintf(path, sizeof path, "%s/x.yaml", folder);
    for (int i = 0; i < DEPTH; i++)
        (void)memcpy(text + 4 * (size_t)i, "{a: ", 4);
    MUST(sq_file_replace(path, &(sq_piece){text, 4 * DEPTH}, 1));
    cr_expect_eq(sq_yaml_visit(path, NULL, take_nothing), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "x.yaml:1: more than 64 brackets"), "%s", sq_error_text());
    free(text);
    drop_folder(folder);
}

Test(base, safetensors_refuse_every_damaged_byte_and_length)
{
    char *folder = make_folder(), path[256], *text = NULL;
    size_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/x.safetensors", folder);
    write_tensors(path);
    MUST(sq_file_read(path, 1 << 20, &text, &bytes));
    for (size_t i = 0; i < bytes; i++)
        for (int how = 0; how < 2; how++) {
            sq_safetensors *file = NULL;
            const char kept = text[i];
            text[i] = (char)(how ? kept ^ 0x20 : kept + 1);
            const sq_piece piece = {text, bytes};
            MUST(sq_file_replace(path, &piece, 1));
            text[i] = kept;
            cr_expect_eq(sq_safetensors_open(&file, path), SQ_INVALID, "byte %zu", i);
            sq_safetensors_close(file);
        }
    for (size_t length = 0; length < bytes; length++) {
        sq_safetensors *file = NULL;
        const sq_piece piece = {text, length};
        MUST(sq_file_replace(path, &piece, 1));
        cr_expect_eq(sq_safetensors_open(&file, path), SQ_INVALID, "length %zu", length);
        sq_safetensors_close(file);
    }
    free(text);
    drop_folder(folder);
}

static bool tries_again(int times, sq_status status, int why)
{
    sq_retry retry = sq_retry_begin(times);
    errno = why;
    const bool is_again = sq_retry_again(&retry, status);
    cr_expect_eq(errno, why);
    return is_again;
}

Test(base, only_what_may_pass_is_tried_again)
{
    const struct {
        int times;
        sq_status status;
        int why;
        bool is_again;
    } cases[] = {{1, SQ_IO, ENOSPC, true},  {0, SQ_IO, ENOSPC, false},      {9, SQ_IO, EACCES, false},
                 {9, SQ_IO, ENOENT, false}, {9, SQ_INVALID, ENOSPC, false}, {9, SQ_OK, ENOSPC, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(tries_again(cases[i].times, cases[i].status, cases[i].why), cases[i].is_again, "case %zu", i);
    sq_retry twice = sq_retry_begin(2);
    errno = EIO;
    cr_expect(sq_retry_again(&twice, SQ_IO));
    cr_expect(sq_retry_again(&twice, SQ_IO));
    cr_expect(!sq_retry_again(&twice, SQ_IO));
}

Test(base, append_cuts_a_torn_end_and_leaves_none)
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

/* ---- Checkpoints ---- */

static void save(const char *run, subject *s, int64_t step)
{
    const sq_training_state state = {
        .step = step, .seed = 1, .space_hash = sq_space_hash(s->space), .batch = 2, .loss_sum = 0.1};
    MUST(sq_checkpoint_write(run, s->model, &state, &(sq_retention){.newest = 2}));
}

Test(base, checkpoint_damaged_anywhere_is_passed_over)
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

Test(base, checkpoint_of_another_space_is_refused)
{
    char *run = make_folder(), folder[4096];
    subject a = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    subject b = open_subject(SOURCE("tests/fixtures/smooth.yaml"), "cpu", 1, 2);
    sq_training_state state = {.space_hash = sq_space_hash(b.space)};
    int64_t step;
    save(run, &a, 5);
    MUST(sq_checkpoint_find(run, folder, sizeof folder, &step, NULL));
    cr_expect_eq(sq_checkpoint_read(folder, b.model, true, &state), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "another space"));
    close_subject(&a);
    close_subject(&b);
    drop_folder(run);
}

Test(base, full_disk_keeps_the_previous_checkpoint)
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

Test(base, newest_checkpoints_and_every_so_many_th_stay)
{
    const sq_retention keep = {.newest = 2, .every = 20}, anchored = {.newest = 2, .every = 20, .anchor = 10};
    char *run = make_folder(), path[4096];
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 2);
    for (int step = 10; step <= 70; step += 10)
        save_keeping(run, &s, step, &keep);
    expect_steps(run, "20 40 60 70 ");
    for (int step = 71; step <= 74; step++) /* signals: the newest of the schedule stays */
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

/* A damaged newest one was passed over: what is written after it is not what goes. */
Test(base, checkpoint_below_a_damaged_one_stays)
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

/* ---- Schedules and samplers ---- */

Test(base, schedules_have_their_ends)
{
    sq_schedule s = {SQ_SCHEDULE_LINEAR, 0.5, 0, 0, 150000};
    cr_expect_float_eq(sq_schedule_at(&s, 0), 0.5, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 75000), 0.25, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 149999), 0.5 / 150000, 1e-9);
    s = (sq_schedule){SQ_SCHEDULE_COSINE, 1, 0.1, 10, 110};
    cr_expect_float_eq(sq_schedule_at(&s, 0), 0.1, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 9), 1, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 10), 1, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 60), 0.55, 1e-12);
    s.kind = SQ_SCHEDULE_CONSTANT;
    cr_expect_float_eq(sq_schedule_at(&s, 100), 1, 0);
}

Test(base, uniform_sampler_draws_every_choice_alike_and_by_step)
{
    const sq_sampler_options options = {.sampling = SQ_SAMPLE_UNIFORM};
    sq_space *space = NULL;
    sq_sampler *sampler = NULL;
    int counts[SQ_MAX_LAYERS][4] = {{0}}, path[SQ_MAX_LAYERS], again[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    MUST(sq_sampler_open(&sampler, space, &options));
    for (uint64_t step = 0; step < 4000; step++) {
        sq_sampler_draw(sampler, 1, step, 0, path);
        sq_sampler_draw(sampler, 1, step, 0, again);
        cr_expect_eq(memcmp(path, again, (size_t)space->layer_count * sizeof *path), 0);
        for (int l = 0; l < space->layer_count; l++)
            counts[l][path[l]]++;
    }
    for (int l = 1; l <= 20; l++)
        for (int c = 0; c < 4; c++)
            cr_expect_lt(abs(counts[l][c] - 1000), 5 * 28); /* five deviations */
    sq_sampler_close(sampler);
    sq_space_free(space);
}

Test(base, cost_bins_are_met_as_spos_meets_them)
{
    const sq_sampler_options options = {
        .sampling = SQ_SAMPLE_COST_BINS, .bin_low = 290, .bin_high = 360, .bin_width = 10};
    sq_space *space = NULL;
    sq_sampler *sampler = NULL;
    int bins[7] = {0}, outside = 0, path[SQ_MAX_LAYERS];
    MUST(sq_space_read(&space, SOURCE("configs/spaces/spos.yaml"), 0, 0));
    MUST(sq_sampler_open(&sampler, space, &options));
    for (uint64_t step = 0; step < 700; step++) {
        sq_sampler_draw(sampler, 1, step, 0, path);
        const double macs = 1e-6 * (double)sq_cost_path(space, path).macs;
        if (macs >= 290 && macs < 360)
            bins[(int)((macs - 290) / 10)]++;
        else
            outside++;
    }
    cr_expect_lt(outside, 35); /* a bin that 500 tries do not meet */
    for (int i = 0; i < 7; i++)
        cr_expect_gt(bins[i], 40, "bin %d: %d of about 100", i, bins[i]);
    sq_sampler_close(sampler);
    sq_space_free(space);
}
