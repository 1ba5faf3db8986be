#ifndef SQ_BENCH_H
#define SQ_BENCH_H

#include <jansson.h>

#include "kernels/speed/gpu.h"
#include "tools/commands/command.h"
#include "tools/run/synthetic_batch.h"

/* Shared parts of squall bench: options, a space with a model or only with a memory plan, and the bytes of its
 * launches. */

enum {
    SQ_BENCH_PARTS = 512,          /* largest number of launches of one program */
    SQ_BENCH_MULTIPROCESSORS = 132 /* of the GPU that --dry assumes: an H200 */
};
#define SQ_BENCH_BANDWIDTH 4.3e12 /* bytes/s of a copy on an H200 */

typedef struct {
    const char *file; /* of the space */
    int batch, steps, warmup, repeats;
    double bandwidth;  /* bytes/s; 0: not given */
    const char *arch;  /* the path of every step; NULL: random ones */
    const sq_gpu *gpu; /* with is_dry: model the time on this GPU; NULL: only count bytes, for an H200 */
    bool is_dry, is_json;
} sq_bench_options;

/* A space with a training model on the session's backend, or (--dry) with the memory plan of cuda. */
typedef struct {
    sq_space *space;
    sq_model *model;    /* NULL with --dry */
    sq_memory_plan dry; /* without a model */
    const sq_memory_plan *plan;
    int multiprocessors;      /* with --dry: of the assumed GPU */
    sq_synthetic_batch batch; /* the input of the model; empty with --dry */
} sq_bench_subject;

/* Reads the space, creates and initializes its model, and loads random images, labels and the scalars of one step. Do
 * not move the subject, because it holds pointers into itself. Close with sq_bench_close, also after a failure. */
SQ_MUST_USE sq_status sq_bench_open(sq_bench_subject *out, const sq_session *session, const sq_bench_options *options,
                                    const char *file);
void sq_bench_close(sq_bench_subject *subject);
bool sq_bench_has_parts(const sq_bench_subject *subject);

/* One program of a space. */
typedef struct {
    int layer, choice;
    sq_mode mode;
} sq_bench_program;

/* The launches of a program, and the graph that they come from. Zero is empty. */
typedef struct {
    sq_graph graph;
    sq_program_part *parts; /* owned */
    int count;
} sq_bench_launches;

/* SQ_UNSUPPORTED: at least SQ_BENCH_PARTS launches */
SQ_MUST_USE sq_status sq_bench_launches_list(sq_bench_launches *out, const sq_bench_subject *subject,
                                             const sq_bench_program *program);
void sq_bench_launches_clear(sq_bench_launches *launches);

/* Whether a kernel merges partial results or repacks weights: merge_moments, merge_sums, merge_gradient, pack_weights.
 */
bool sq_bench_is_merge(const char *kernel);

/* ---- Bytes of the mean path ---- */

typedef struct {
    const char *kernel;
    int side;               /* height of the input of the operation; 0: only weights */
    double bytes[SQ_MODES]; /* per image, in FORWARD, BACKWARD and UPDATE */
} sq_bench_entry;

enum { SQ_BENCH_ENTRIES = 512 };

typedef struct {
    sq_bench_entry entries[SQ_BENCH_ENTRIES];
    int count;
} sq_bench_tally;

/* uses: the number of paths that contain [layer][choice], of `paths` paths. */
SQ_MUST_USE sq_status sq_bench_tally_make(sq_bench_tally *out, const sq_bench_subject *subject,
                                          const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths);
double sq_bench_tally_bytes(const sq_bench_tally *tally, int mode); /* SQ_MODES: sum of all modes */
double sq_bench_tally_merges(const sq_bench_tally *tally);
void sq_bench_tally_print(const sq_bench_tally *tally);
/* Adds bytes_per_image, its parts and the largest contributors to an object. */
void sq_bench_tally_json(const sq_bench_tally *tally, json_t *object);

/* ---- Modelled time ---- */

/* Prints what the speed model predicts for these paths on options->gpu, as a table or as JSON. */
SQ_MUST_USE sq_status sq_bench_model(const sq_bench_subject *subject, const sq_bench_options *options,
                                     const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths);
/* The GPU of --gpu: a name in configs/gpus, or a file. */
SQ_MUST_USE sq_status sq_bench_gpu(sq_gpu *out, const char *name);

/* For qsort of doubles: the smallest first. */
int sq_bench_by_value(const void *a, const void *b);

/* ---- The commands ---- */

SQ_MUST_USE sq_status sq_bench_step(const sq_session *session, const sq_bench_options *options);
SQ_MUST_USE sq_status sq_bench_kernels(const sq_session *session, const sq_bench_options *options);
/* options: file is a source of images or a configuration; batch, steps (batches of a round), repeats (rounds). */
SQ_MUST_USE sq_status sq_bench_loader(const sq_options *config, const sq_bench_options *options);

#endif
