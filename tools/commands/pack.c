/* squall pack: images to packed shards, and their verification. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/pack/pack.h"
#include "data/sources/shard.h"
#include "kernels/base/clock.h"
#include "kernels/base/text.h"
#include "supernet/train/signals.h"
#include "tools/commands/command.h"

static const char *const splits[] = {"train", "val"};

typedef struct {
    const char *source, *folder;
    const char *split; /* NULL: those that the source has */
    const char *labels, *classes;
    bool is_quiet;
    sq_pack_options pack;
} job;

/* ---- Progress ---- */

typedef struct {
    const char *split;
    double begin;
    int tenths; /* told, where stderr is no terminal */
    bool is_quiet, is_terminal, has_begun;
} line;

static void show(void *context, const sq_pack_progress *now)
{
    line *l = context;
    char left[32];
    const double seconds = sq_seconds_now() - l->begin;
    const int tenths = (int)(10 * now->images / (now->image_count ? now->image_count : 1));
    const double packed = (double)(now->images - now->found_count), rate = seconds > 0 ? packed / seconds : 0;
    l->has_begun = true;
    if (l->is_quiet || (!l->is_terminal && tenths == l->tenths))
        return;
    l->tenths = tenths;
    (void)sq_text_duration(left, sizeof left, rate > 0 ? (double)(now->image_count - now->images) / rate : 0);
    (void)fprintf(stderr, "%s%s: %zu of %zu images, %d of %d shards, %.0f images/s, %s left%s",
                  l->is_terminal ? "\r" : "", l->split, now->images, now->image_count, now->shards, now->shard_count,
                  rate, left, l->is_terminal ? "\033[K" : "\n");
    (void)fflush(stderr);
}

static void end_line(const line *l)
{
    if (l->is_terminal && l->has_begun && !l->is_quiet)
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
    print_count("stored anew", s->recoded, s->raw ? "raw uint8" : "smaller JPEG");
    print_count("grey", s->grey, "");
    print_count("CMYK", s->cmyk, "converted when decoded");
    print_count("EXIF-rotated", s->rotated, "not turned, as PyTorch's ImageFolder");
    print_count("undecodable", s->bad, "kept as they are; training replaces them");
    if (list && s->listed)
        sq_print_row("odd images", "%s", list);
    (void)fflush(stdout);
}

/* ---- Packing ---- */

static sq_status pack_split(const job *j, const sq_dataset *dataset, const char *split)
{
    char list[SQ_PATH_BYTES], name[64];
    sq_pack_summary summary;
    sq_pack_options options = j->pack;
    line l = {
        .split = split, .begin = sq_seconds_now(), .is_quiet = j->is_quiet, .is_terminal = isatty(STDERR_FILENO) == 1};
    options.is_stopped = sq_signals_received;
    options.tell = show;
    options.context = &l;
    const sq_status status = sq_pack(dataset, j->folder, split, &options);
    end_line(&l);
    SQ_TRY(status);
    (void)snprintf(name, sizeof name, "%s-odd.txt", split);
    SQ_TRY(sq_text_path(list, sizeof list, j->folder, name));
    SQ_TRY(sq_pack_summarise(&summary, j->folder, split, list));
    print_summary(split, &summary, list);
    return SQ_OK;
}

/* Opens what of the source is to be packed as `split`; an empty data set: nothing. */
static sq_status open_split(sq_dataset **out, const job *j, const char *split)
{
    const bool is_val = strcmp(split, "val") == 0, is_asked = j->split != NULL;
    const sq_dataset_options options = {
        .labels = is_val || is_asked ? j->labels : NULL, .classes = j->classes, .is_optional = !is_asked};
    return sq_dataset_open_with(out, j->source, split, &options);
}

/* A source that does not say which split it is: val with a list of labels, else train. */
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
                  : sq_fail(SQ_DATA, "%s: no images, wanted train/<class>/<image> or val/<class>/<image>", j->source);
}

/* ---- Verifying ---- */

static void print_damaged(void *context, const char *text)
{
    (void)context;
    (void)printf("damaged: %s\n", text);
}

static sq_status verify_all(const char *folder, int threads)
{
    const sq_verify_options options = {.threads = threads, .is_stopped = sq_signals_received, .damaged = print_damaged};
    uint64_t all = 0;
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
        all += damaged;
        found++;
    }
    if (!found)
        return sq_fail(SQ_DATA, "%s: no shards", folder);
    return all ? sq_fail(SQ_DATA, "%s: %" PRIu64 " damaged records", folder, all) : SQ_OK;
}

static int run(int argc, char **argv)
{
    static sq_options read;
    const char *side = "0", *quality = NULL, *threads = "0", *shard_mb = "0", *max_bad = "100";
    job j = {0};
    bool is_help, is_verified = false;
    int shard_size = 0;
    const sq_option options[] = {{"--split", &j.split, NULL, NULL},
                                 {"--side", &side, NULL, NULL},
                                 {"--quality", &quality, NULL, NULL},
                                 {"--raw", NULL, &j.pack.is_raw, NULL},
                                 {"--crop", NULL, &j.pack.is_cropped, NULL},
                                 {"--val-labels", &j.labels, NULL, NULL},
                                 {"--classes", &j.classes, NULL, NULL},
                                 {"--threads", &threads, NULL, NULL},
                                 {"--shard-mb", &shard_mb, NULL, NULL},
                                 {"--max-bad", &max_bad, NULL, NULL},
                                 {"--no-check", NULL, &j.pack.is_unchecked, NULL},
                                 {"--verify", NULL, &is_verified, NULL},
                                 {"--quiet", NULL, &j.is_quiet, NULL},
                                 {NULL, NULL, NULL, NULL}};
    int code = sq_options_read(&read, options, argc, argv, &is_help);
    if (!code && read.override_count)
        code = sq_command_usage("pack", "a pack has no configuration: '%s'", read.overrides[0]);
    if (!code && read.argument_count != (is_verified ? 1 : 2))
        code = sq_command_usage("pack", is_verified ? "wanted one folder of shards" : "wanted SRC and DST");
    if (!code && j.split && strcmp(j.split, "train") != 0 && strcmp(j.split, "val") != 0)
        code = sq_command_usage("pack", "--split: '%s', wanted train or val", j.split);
    if (!code && quality && (j.pack.is_raw || strcmp(side, "0") == 0))
        code = sq_command_usage("pack", "--quality: only with --side and without --raw is anything encoded");
    if (!code)
        code = sq_options_number("pack", "--side", side, 0, 65500, &j.pack.side);
    if (!code)
        code = sq_options_number("pack", "--quality", quality ? quality : "90", 1, 100, &j.pack.quality);
    if (!code)
        code = sq_options_number("pack", "--threads", threads, 0, 256, &j.pack.threads);
    if (!code)
        code = sq_options_number("pack", "--shard-mb", shard_mb, 0, 1 << 20, &shard_size);
    if (!code)
        code = sq_options_number("pack", "--max-bad", max_bad, 0, INT32_MAX, &j.pack.max_bad);
    if (code)
        return code;
    if (j.pack.side == 0 && (j.pack.is_raw || j.pack.is_cropped))
        return sq_command_usage("pack", "--raw and --crop need --side");
    j.pack.shard_bytes = (uint64_t)shard_size << 20;
    j.source = read.arguments[0];
    j.folder = read.arguments[1];
    const sq_status status = is_verified ? verify_all(read.arguments[0], j.pack.threads) : pack_all(&j);
    return status == SQ_OK ? 0 : sq_command_fail("pack", status);
}

const sq_command sq_command_pack = {
    .name = "pack",
    .summary = "images into packed shards, or verifies them",
    .usage = "squall pack SRC DST [options] | squall pack --verify DST",
    .help =
        "Puts a data set into a few large files, DST/train-00000.shard, ..., that data.train and data.val take as they "
        "take\n"
        "folders. SRC: a folder or tar with train/<class>/<image> and val/<class>/<image>, or one of them; ImageNet's\n"
        "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar (--val-labels); WebDataset's tars; a folder of tars.\n"
        "Killed, the same command goes on. The order is that of SRC, so training is the same to the bit.\n\n"
        "  --split train|val   what SRC is, if it does not say (default: train; with --val-labels: val)\n"
        "  --side N            images with a longer short side are made smaller: a short side of N\n"
        "  --quality Q         of their JPEG (default 90)\n"
        "  --raw               stores pixels instead: uint8 RGB, all images, no decoding later\n"
        "  --crop              keeps only the centre, N x N; without it the whole image stays\n"
        "  --val-labels FILE   classes of the validation images: lines \"<image> <class>\" (Caffe's val.txt, Kaggle's\n"
        "                      LOC_val_solution.csv, val_annotations.txt), or a class a line in the order of the "
        "names\n"
        "                      (imagenet_2012_validation_synset_labels.txt, ILSVRC2012_validation_ground_truth.txt)\n"
        "  --classes FILE      a class name a line: what a number there, or in WebDataset's .cls, stands for\n"
        "  --no-check          does not decode images that stay as they are: corrupt ones are not told\n"
        "  --max-bad N         more undecodable images end it (default 100)\n"
        "  --shard-mb N        2^20 bytes of SRC in a shard (default: a 64th of it, from 4 to 256)\n"
        "  --threads N         default: one a core\n"
        "  --verify            compares every record with its checksum\n"
        "  --quiet             no progress line\n",
    .run = run,
};
