#ifndef SQ_SESSION_H
#define SQ_SESSION_H

#include "tools/run/config.h"

/* What the commands share: options, what several commands open first, training, searching, and trained runs. */

/* "squall train: <sq_error_text()>" on stderr, unless another rank says it; returns the exit code of status. */
int sq_command_fail(const char *name, sq_status status);
/* The same for wrong usage, with a hint to the help; returns 2. Of several processes the first one says it. */
int sq_command_usage(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether another process of the same launcher says what all of them find wrong before they have met. */
bool sq_command_is_silent(void);

/* ---- Options ---- */

enum { SQ_MAX_OVERRIDES = 256, SQ_MAX_OPTIONS = 24 };

typedef struct {
    const char *name;   /* "--arch" or "-o" */
    const char **value; /* takes a value; or NULL */
    bool *flag;         /* is set */
    const char *key;    /* the value becomes the override "key=value" */
} sq_option;

/* --set key=value, --device, --graphs, --engine, --seed and --threads are understood by every command that gives
 * `overrides`. */
typedef struct {
    const char *overrides[SQ_MAX_OVERRIDES];
    int override_count;
    char storage[SQ_MAX_OVERRIDES][512]; /* of overrides made from options */
    const char *arguments[8];
    int argument_count;
} sq_options;

/* Reads argv[1..]; *is_help when --help is among them. Returns 0, or 2 after telling what is wrong. */
int sq_options_read(sq_options *out, const sq_option *options, int argc, char **argv, bool *is_help);

/* A whole number given as an option. Returns 0, or 2 after telling what is wrong. */
int sq_options_number(const char *command, const char *name, const char *text, int64_t minimum, int64_t maximum,
                      int *out);

/* ---- What several commands open first ---- */

typedef struct {
    sq_config *config;
    sq_space *space;
    sq_dataset *whole, *all;     /* the training source, and its first data.classes classes */
    sq_dataset *train;           /* without the held-out part */
    sq_dataset *held_out;        /* what the search scores on; NULL when data.held_out is 0 */
    sq_dataset *whole_val, *val; /* the test split; only opened when asked */
    sq_backend *backend;
    sq_search_mask *search_mask; /* NULL: every choice may be drawn */
    sq_ranks *ranks; /* borrowed; NULL: one */
} sq_session;

/* Joins the launcher's processes (sq_ranks_open). A configuration's ranks.time_limit is known behind it; what --set says
 * of it holds here already, with half a minute at least. */
SQ_MUST_USE sq_status sq_session_join(sq_ranks **out, const sq_options *options);

/* Tells a failure, flushes what was printed, and leaves (sq_ranks_close); returns the exit code. NULL: never joined. */
int sq_session_leave(const char *command, sq_ranks *ranks, sq_status status);

/* TRAINING is BACKEND, which works over the ranks. */
enum { SQ_OPEN_DATA = 1, SQ_OPEN_VAL = 2, SQ_OPEN_BACKEND = 4, SQ_OPEN_TRAINING = 8 };

/* out->ranks is looked at: who trains with several sets it before. */
SQ_MUST_USE sq_status sq_session_open(sq_session *out, const char *config_path, const char *const *overrides,
                                      int override_count, unsigned flags);
void sq_session_close(sq_session *session);
/* Threads of the backend: as configured; 0: all cores that this process may use, or its share of them where ranks of
 * one host were not bound. */
int sq_session_threads(const sq_session *session);
/* Loader options for training (augmented, shuffled) or evaluation (centre crop, ordered). */
sq_loader_options sq_session_loader(const sq_session *session, bool is_training);
/* What data.cache keeps of a data set; form SQ_CACHE_NONE for none. */
SQ_MUST_USE sq_status sq_session_cache(const sq_session *session, const sq_dataset *dataset, sq_cache_plan *out);
void sq_print_cache(const sq_cache_plan *plan); /* a row, if anything is kept */
/* Block options of the configuration: smoothing, pixels. */
sq_block_options sq_session_block(const sq_session *session, int batch, bool is_supernet);

/* ---- Training ---- */

typedef struct {
    const char *run;      /* folder: config.yaml, arch.json of a single path, and what sq_train writes */
    const int *path;      /* trains this path of the session's space alone; NULL: the supernet */
    bool is_resumed;      /* from the newest checkpoint, if there is one */
    bool is_quiet;        /* no progress line */
    const char *timeline; /* file for what the first steps did when; or NULL */
    bool has_start;       /* tells on stdout what is trained */
} sq_training;

/* Trains as the session's configuration says: `squall train`. */
SQ_MUST_USE sq_status sq_session_train(const sq_session *session, const sq_training *training);
/* SQ_INVALID: the folder holds a run already. */
SQ_MUST_USE sq_status sq_session_check_free(const char *run);

/* ---- Searching ---- */

typedef struct {
    const char *config; /* another configuration than the run's; or NULL */
    bool is_resumed, on_val, is_quiet;
    sq_ranks *ranks; /* each of them makes the same calls; NULL: one */
} sq_searching;

/* Searches a trained run as its configuration says: `squall search`. */
SQ_MUST_USE sq_status sq_search_trained(const char *run, const sq_options *options, const sq_searching *searching);

/* Trains and searches group after group of layers (search/stages.h), each stage an ordinary run in <run>/stage-1, ...:
 * `squall search --two-stage`. */
SQ_MUST_USE sq_status sq_search_in_stages(const char *config, const char *run, const sq_options *options,
                                          const sq_searching *searching);

/* ---- A trained run, opened for search, evaluation and export ---- */

typedef struct {
    sq_session session;
    sq_space *single; /* of a run that trained one path; else NULL */
    sq_space *space;  /* the model's */
    sq_model *model;
    sq_image_set calibration, validation;
    int calibration_batch;
    sq_evaluator *evaluator; /* NULL before sq_run_open_evaluator */
    uint64_t weights;        /* fingerprint of the loaded weights */
    char single_arch[1024];  /* tuple of that one path */
    long long step;
} sq_run;

/* Opens <run>/config.yaml (or other_config instead), its newest checkpoint, and the images. on_val: score on the test
 * split. out->session.ranks is looked at, as in sq_session_open; without ranks a process must be alone. */
SQ_MUST_USE sq_status sq_run_open(sq_run *out, const char *run, const char *other_config, const sq_options *options,
                                  bool on_val);
/* For commands that score one path after another. */
SQ_MUST_USE sq_status sq_run_open_evaluator(sq_run *run);
void sq_run_close(sq_run *run);
/* Lets go of model and evaluator; session and images stay. sq_run_load puts those of another folder in their place: a
 * run of the same configuration, perhaps of a single path. */
void sq_run_unload(sq_run *run);
SQ_MUST_USE sq_status sq_run_load(sq_run *run, const char *folder);
/* Reads --arch in the space that the configuration names. SQ_INVALID where the run trained one path and this is
 * another. */
SQ_MUST_USE sq_status sq_run_read_arch(const sq_run *run, const char *arch, int *path);

/* A table of "name value" rows for people. */
void sq_print_row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
