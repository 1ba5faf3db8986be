#ifndef SQ_SESSION_H
#define SQ_SESSION_H

#include "tools/run/config/config.h"
#include "tools/run/options.h"

/* The configured data sets, space, backend and ranks of a command. */

typedef struct {
    sq_config *config;
    sq_space *space;
    sq_dataset *whole, *all;     /* the training source; its first data.classes classes */
    sq_dataset *train;           /* training images without the held-out images */
    sq_dataset *held_out;        /* images that the search scores on; NULL when data.held_out is 0 */
    sq_dataset *whole_val, *val; /* the test split; NULL without SQ_OPEN_VAL */
    sq_backend *backend;
    sq_search_mask *search_mask; /* NULL: every choice may be drawn */
    sq_ranks *ranks;             /* borrowed; NULL: one rank */
} sq_session;

/* Connects the launcher's processes (sq_ranks_open). Uses ranks.time_limit of --set, but at least 30 s; the value of a
 * configuration file applies once sq_session_open has read it. */
SQ_MUST_USE sq_status sq_session_join(sq_ranks **out, const sq_options *options);

/* Reports a failure if status is not SQ_OK, flushes stdout and disconnects the ranks (sq_ranks_close). ranks may be
 * NULL. Returns the exit code. */
int sq_session_leave(const char *command, sq_ranks *ranks, sq_status status);

/* SQ_OPEN_TRAINING also opens the backend, and connects this backend to the ranks. */
enum { SQ_OPEN_DATA = 1, SQ_OPEN_VAL = 2, SQ_OPEN_BACKEND = 4, SQ_OPEN_TRAINING = 8 };

/* Reads the configuration (config_path NULL: the defaults), applies the overrides of options, and opens the parts that
 * `flags` names. out->ranks is an input, which the caller sets before the call. */
SQ_MUST_USE sq_status sq_session_open(sq_session *out, const char *config_path, const sq_options *options,
                                      unsigned flags);
void sq_session_close(sq_session *session);

/* Returns the number of threads for the backend; 0: all cores that this process may use. This is the configured number.
 * If the configured number is 0 and the ranks of a host are not bound to cores, each rank gets an equal share of the
 * cores. */
int sq_session_threads(const sq_session *session);

/* Returns loader options for training (augmented, shuffled) or evaluation (centre crop, ordered). */
sq_loader_options sq_session_loader(const sq_session *session, bool is_training);

/* Plans which images of a data set data.cache keeps. The form is SQ_CACHE_NONE if no images are kept. */
SQ_MUST_USE sq_status sq_session_cache(const sq_session *session, const sq_dataset *dataset, sq_cache_plan *out);
void sq_print_cache(const sq_cache_plan *plan); /* prints one row; nothing for SQ_CACHE_NONE */

/* Returns the block options of the configuration, such as label smoothing and the normalization of pixels. */
sq_block_options sq_session_block(const sq_session *session, int batch, bool is_supernet);

#endif
