#ifndef SQ_BENCH_H
#define SQ_BENCH_H

#include <jansson.h>

#include "kernels/speed/gpu.h"
#include "tools/commands/command.h"
#include "tools/run/synthetic_batch.h"

/* The subcommands of squall bench share these declarations: options, a space with its model or only its memory plan,
 * and the bytes that the launches of the space move. */

enum {
    SQ_BENCH_PARTS = 512,          /* a program must have fewer launches */
    SQ_BENCH_MULTIPROCESSORS = 132 /* of an H200, the GPU that --dry assumes */
};
#define SQ_BENCH_BANDWIDTH 4.3e12 /* bytes/s of a copy on an H200 */

typedef struct {
    const char *file; /* a space file; for bench loader, a source of images or a configuration */
    int batch, steps, warmup, repeats;
    double bandwidth;  /* bytes/s; 0: not given */
    const char *arch;  /* the path of every step; NULL: each step draws a random path */
    const sq_gpu *gpu; /* with is_dry: the GPU whose time is modelled; NULL: only bytes are counted, for an H200 */
    bool is_dry, is_json;
} sq_bench_options;

/* A space with a training model on the session's backend or, with --dry, only with a memory plan for cuda. */
typedef struct {
    sq_space *space;
    sq_model *model;    /* NULL with --dry */
    sq_memory_plan dry; /* the memory plan with --dry; else empty */
    const sq_memory_plan *plan;
    int multiprocessors;      /* with --dry: number of multiprocessors of the assumed GPU */
    sq_synthetic_batch batch; /* the input of the model; empty with --dry */
} sq_bench_subject;

/* Reads the space `file`. Without --dry, creates and initializes its model, and loads random images, labels and the
 * scalars of one step; with --dry, only makes the memory plan. The caller must not move the subject, because the
 * subject holds pointers into itself, and must close it with sq_bench_close, also after a failure. */
SQ_MUST_USE sq_status sq_bench_open(sq_bench_subject *out, const sq_session *session, const sq_bench_options *options,
                                    const char *file);
void sq_bench_close(sq_bench_subject *subject);
bool sq_bench_has_parts(const sq_bench_subject *subject);

/* One program of a space. */
typedef struct {
    int layer, choice;
    sq_mode mode;
} sq_bench_program;

/* The launches of a program, and the graph of the program. A struct of zeros is empty. */
typedef struct {
    sq_graph graph;
    sq_program_part *parts; /* owned */
    int count;
} sq_bench_launches;

/* Lists the launches of a program. Returns SQ_UNSUPPORTED for a program with SQ_BENCH_PARTS launches or more. */
SQ_MUST_USE sq_status sq_bench_launches_list(sq_bench_launches *out, const sq_bench_subject *subject,
                                             const sq_bench_program *program);
void sq_bench_launches_clear(sq_bench_launches *launches);

/* Returns whether a kernel merges partial results (merge_moments, merge_sums, merge_gradient) or repacks weights
 * (pack_weights). */
bool sq_bench_is_merge(const char *kernel);

/* ---- Bytes of the mean path ---- */

typedef struct {
    const char *kernel;
    int side;               /* height of the operation's input in pixels; 0: the operation reads only weights */
    double bytes[SQ_MODES]; /* per image, for SQ_FORWARD, SQ_BACKWARD and SQ_UPDATE */
} sq_bench_entry;

enum { SQ_BENCH_ENTRIES = 512 };

typedef struct {
    sq_bench_entry entries[SQ_BENCH_ENTRIES];
    int count;
} sq_bench_tally;

/* Averages the bytes of each kind of launch over `paths` paths. uses[layer][choice] is the number of these paths that
 * have this choice in this layer. */
SQ_MUST_USE sq_status sq_bench_tally_make(sq_bench_tally *out, const sq_bench_subject *subject,
                                          const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths);
double sq_bench_tally_bytes(const sq_bench_tally *tally, int mode); /* mode SQ_MODES: the sum over all modes */
double sq_bench_tally_merges(const sq_bench_tally *tally);
void sq_bench_tally_print(const sq_bench_tally *tally);
/* Adds bytes_per_image, its parts, and the kernels with the most bytes to a JSON object. */
void sq_bench_tally_json(const sq_bench_tally *tally, json_t *object);

/* ---- Modelled time ---- */

/* Prints the times that the speed model predicts for these paths on options->gpu, as a table or as JSON. uses and paths
 * are the same as for sq_bench_tally_make. */
SQ_MUST_USE sq_status sq_bench_model(const sq_bench_subject *subject, const sq_bench_options *options,
                                     const int uses[SQ_MAX_LAYERS][SQ_MAX_CHOICES], int paths);
/* Reads the GPU that --gpu names: a name in configs/gpus, or a file. */
SQ_MUST_USE sq_status sq_bench_gpu(sq_gpu *out, const char *name);

/* Compares two doubles for qsort, in ascending order. */
int sq_bench_by_value(const void *a, const void *b);

/* ---- The commands ---- */

SQ_MUST_USE sq_status sq_bench_step(const sq_session *session, const sq_bench_options *options);
SQ_MUST_USE sq_status sq_bench_kernels(const sq_session *session, const sq_bench_options *options);
/* Reads these fields of options: file (a source of images or a configuration), batch, steps (batches per round),
 * repeats (rounds) and is_json. */
SQ_MUST_USE sq_status sq_bench_loader(const sq_options *config, const sq_bench_options *options);

#endif
