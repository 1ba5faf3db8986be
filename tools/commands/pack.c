/* squall pack: packs images into shards, or verifies shards. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/decode/format.h"
#include "data/pack/pack.h"
#include "data/pack/summary.h"
#include "data/pack/verify.h"
#include "data/sources/shard_set.h"
#include "kernels/base/clock.h"
#include "kernels/base/text.h"
#include "supernet/train/signals.h"
#include "tools/commands/commands.h"

enum { DEFAULT_QUALITY = 90 };

static const char *const splits[] = {"train", "val"};

typedef struct {
    const char *source, *folder;
    const char *split; /* NULL: every split of the source */
    const char *labels, *classes;
    bool is_quiet;
    sq_pack_options pack;
} job;

/* ---- Progress ---- */

typedef struct {
    const char *split;
    double begin_seconds;
    int tenths; /* tenths of all images in the last printed line; used if stderr is not a terminal */
    bool is_quiet, is_terminal, is_open;
} progress_line;

static void print_progress(void *context, const sq_pack_progress *now)
{
    progress_line *l = context;
    char left[32];
    const double seconds = sq_seconds_now() - l->begin_seconds;
    const int tenths = (int)(10 * now->images / (now->image_count ? now->image_count : 1));
    const double packed = (double)(now->images - now->reused_count), rate = seconds > 0 ? packed / seconds : 0;
    l->is_open = true;
    if (l->is_quiet || (!l->is_terminal && tenths == l->tenths))
        return;
    l->tenths = tenths;
    (void)sq_text_duration(left, sizeof left, rate > 0 ? (double)(now->image_count - now->images) / rate : 0);
    (void)fprintf(stderr, "%s%s: %zu of %zu images, %d of %d shards, %.0f images/s, %s left%s",
                  l->is_terminal ? "\r" : "", l->split, now->images, now->image_count, now->shards, now->shard_count,
                  rate, left, l->is_terminal ? "\033[K" : "\n");
    (void)fflush(stderr);
}

static void end_progress(const progress_line *l)
{
    if (l->is_terminal && l->is_open && !l->is_quiet)
        (void)fputc('\n', stderr);
}

/* ---- Summary ---- */

static void print_count(const char *name, uint64_t count, const char *meaning)
{
    if (count)
        sq_print_row(name, "%" PRIu64 "%s%s", count, *meaning ? ": " : "", meaning);
}

static void print_summary(const char *split, const sq_pack_summary *s, const char *list)
{
    char bytes[32];
    (void)printf("%s\n", split);
    sq_print_row("images", "%" PRIu64 " of %d classes", s->images, s->classes);
    sq_print_row("shards", "%d, %s", s->shards, sq_text_si(bytes, sizeof bytes, (double)s->bytes, "B"));
    for (int f = SQ_FORMATS - 1; f > 0; f--)
        print_count(sq_image_format_name((sq_image_format)f), s->formats[f], "");
    print_count("other formats", s->formats[SQ_FORMAT_UNKNOWN], "");
    print_count("re-encoded", s->reencoded, s->raw ? "raw uint8" : "smaller JPEG");
    print_count("grey", s->grey, "");
    print_count("CMYK", s->cmyk, "converted to RGB when decoded");
    print_count("EXIF-rotated", s->rotated, "not rotated, as in PyTorch's ImageFolder");
    print_count("undecodable", s->undecodable, "stored unchanged; training replaces them");
    if (list && s->listed)
        sq_print_row("unusual images", "%s", list);
    (void)fflush(stdout);
}

/* ---- Packing ---- */

static sq_status pack_split(const job *j, const sq_dataset *dataset, const char *split)
{
    char list[SQ_PATH_BYTES], name[64];
    sq_pack_summary summary;
    sq_pack_options options = j->pack;
    progress_line l = {.split = split,
                       .begin_seconds = sq_seconds_now(),
                       .is_quiet = j->is_quiet,
                       .is_terminal = isatty(STDERR_FILENO) == 1};
    options.is_stopped = sq_signals_received;
    options.report = print_progress;
    options.context = &l;
    const sq_status status = sq_pack(dataset, j->folder, split, &options);
    end_progress(&l);
    SQ_TRY(status);
    (void)snprintf(name, sizeof name, "%s-odd.txt", split);
    SQ_TRY(sq_text_path(list, sizeof list, j->folder, name));
    SQ_TRY(sq_pack_summarise(&summary, j->folder, split, list));
    print_summary(split, &summary, list);
    return SQ_OK;
}

/* Opens the images of the source that belong to `split`. Without --split, a source without such images gives an empty
 * data set. */
static sq_status open_split(sq_dataset **out, const job *j, const char *split)
{
    const bool is_val = strcmp(split, "val") == 0, is_requested = j->split != NULL;
    const sq_dataset_options options = {
        .labels = is_val || is_requested ? j->labels : NULL, .classes = j->classes, .is_optional = !is_requested};
    return sq_dataset_open_with(out, j->source, split, &options);
}

/* Returns true if `split` must be skipped because the images of a source without split names belong to the other split.
 * Without --split, such images are val if --val-labels is given, else train. */
static bool is_other_split(const job *j, const sq_dataset *dataset, const char *split)
{
    return !j->split && sq_dataset_has_unnamed_split(dataset) && (strcmp(split, "val") == 0) != (j->labels != NULL);
}

static sq_status pack_all(const job *j)
{
    int packed = 0;
    for (int i = 0; i < 2; i++) {
        sq_dataset *dataset = NULL;
        if (j->split && strcmp(j->split, splits[i]) != 0)
            continue;
        SQ_TRY(open_split(&dataset, j, splits[i]));
        sq_status status = SQ_OK;
        if (sq_dataset_count(dataset) > 0 && !is_other_split(j, dataset, splits[i])) {
            status = pack_split(j, dataset, splits[i]);
            packed++;
        }
        sq_dataset_close(dataset);
        SQ_TRY(status);
    }
    return packed ? SQ_OK
                  : sq_fail(SQ_DATA, "%s: no images: expected train/<class>/<image> or val/<class>/<image>", j->source);
}

/* ---- Verifying ---- */

static void print_damaged(void *context, const char *text)
{
    (void)context;
    (void)printf("damaged: %s\n", text);
}

static sq_status verify_all(const char *folder, int threads)
{
    const sq_verify_options options = {
        .threads = threads, .is_stopped = sq_signals_received, .report_damaged = print_damaged};
    uint64_t total = 0;
    int found = 0;
    for (int i = 0; i < 2; i++) {
        uint64_t damaged;
        sq_pack_summary summary;
        if (!sq_shards_exist(folder, splits[i]))
            continue;
        SQ_TRY(sq_pack_summarise(&summary, folder, splits[i], NULL));
        SQ_TRY(sq_pack_verify(folder, splits[i], &options, &damaged));
        print_summary(splits[i], &summary, NULL);
        sq_print_row("checksums", "%" PRIu64 " differ", damaged);
        total += damaged;
        found++;
    }
    if (!found)
        return sq_fail(SQ_DATA, "%s: no shards", folder);
    return total ? sq_fail(SQ_DATA, "%s: %" PRIu64 " damaged records", folder, total) : SQ_OK;
}

/* ---- Options ---- */

typedef struct {
    job job;
    int shard_mb, quality; /* quality SQ_UNSET: 90 */
    bool is_verifying;
} arguments;

static int check(const sq_options *options, const arguments *a)
{
    const sq_pack_options *pack = &a->job.pack;
    if (options->argument_count != (a->is_verifying ? 1 : 2))
        return sq_command_usage("pack", "expected %s", a->is_verifying ? "one folder of shards" : "SRC and DST");
    if (a->job.split && strcmp(a->job.split, "train") != 0 && strcmp(a->job.split, "val") != 0)
        return sq_command_usage("pack", "--split: found '%s', expected train or val", a->job.split);
    if (a->quality != SQ_UNSET && (pack->is_raw || pack->side == 0))
        return sq_command_usage("pack", "--quality: needs --side and excludes --raw; nothing is encoded otherwise");
    if (pack->side == 0 && (pack->is_raw || pack->is_cropped))
        return sq_command_usage("pack", "--raw and --crop need --side");
    return 0;
}

static int run(const sq_options *options, const void *given)
{
    const arguments *a = given;
    job j = a->job;
    const int code = check(options, a);
    if (code)
        return code;
    j.pack.quality = a->quality == SQ_UNSET ? DEFAULT_QUALITY : a->quality;
    j.pack.shard_bytes = (uint64_t)a->shard_mb << 20;
    j.source = options->arguments[0];
    j.folder = options->arguments[1];
    const sq_status status = a->is_verifying ? verify_all(j.source, j.pack.threads) : pack_all(&j);
    return status == SQ_OK ? 0 : sq_command_fail("pack", status);
}

static const sq_option options[] = {SQ_TEXT("--split", job.split),
                                    SQ_INT("--side", job.pack.side, 0, 65500),
                                    SQ_INT("--quality", quality, 1, 100),
                                    SQ_FLAG("--raw", job.pack.is_raw),
                                    SQ_FLAG("--crop", job.pack.is_cropped),
                                    SQ_TEXT("--val-labels", job.labels),
                                    SQ_TEXT("--classes", job.classes),
                                    SQ_INT("--threads", job.pack.threads, 0, 256),
                                    SQ_INT("--shard-mb", shard_mb, 0, 1 << 20),
                                    SQ_INT("--max-bad", job.pack.max_bad, 0, INT32_MAX),
                                    SQ_FLAG("--no-check", job.pack.is_unchecked),
                                    SQ_FLAG("--verify", is_verifying),
                                    SQ_FLAG("--quiet", job.is_quiet),
                                    SQ_OPTIONS_END};

const sq_command sq_command_pack = {.name = "pack",
                                    SQ_ARGUMENTS(.job = {.pack = {.max_bad = 100}}, .quality = SQ_UNSET),
                                    .argument_min = 1,
                                    .argument_max = 2,
                                    .expected = "SRC and DST, or one folder with --verify",
                                    .run = run};
