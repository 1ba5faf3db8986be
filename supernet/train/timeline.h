#ifndef SQ_TIMELINE_H
#define SQ_TIMELINE_H

#include "supernet/model/block.h"
#include "supernet/ranks/ranks.h"

/* What each rank did when, over a few steps, as a file that chrome://tracing and Perfetto show: a track for each rank,
 * and its reductions above it. Times are the host's: of a device of its own, when work was handed over. All calls
 * accept NULL, which costs a comparison. source: "Trace Event Format", Google, 2016 */

typedef struct sq_timeline sq_timeline;

/* Behind sq_mode: a block's programs are entries of their mode. */
typedef enum {
    SQ_TIME_STEP = SQ_MODES,
    SQ_TIME_LOAD,      /* waiting for the batch, and taking it */
    SQ_TIME_LOSS,      /* reading the loss: waits for the device */
    SQ_TIME_REDUCTION, /* of a block, from its beginning to the end of the wait that finished it; overlaps others */
    SQ_TIME_WAIT,      /* for all reductions begun */
    SQ_TIME_AGREE,     /* exchanging sums with the other ranks, which waits for the slowest */
    SQ_TIME_LOG,
    SQ_TIME_CHECKPOINT,
    SQ_TIME_KINDS
} sq_time_kind;

/* For `entries` of them, allocated now. Collective: the ranks' clocks begin together, as exactly as they meet. `ranks`
 * is borrowed. */
SQ_MUST_USE sq_status sq_timeline_open(sq_timeline **out, int entries, sq_ranks *ranks);
void sq_timeline_close(sq_timeline *timeline);

/* Seconds since the beginning; what an entry begins with. */
double sq_timeline_now(const sq_timeline *timeline);
/* An entry that ends now. detail: the layer, the step, or a reduction's bytes. choice: of a layer, else 0. What does
 * not fit is left out. A WAIT ends all reductions before it. */
void sq_timeline_add(sq_timeline *timeline, int kind, int64_t detail, int choice, double begin);

/* Rank 0 writes everybody's entries. Collective. SQ_IO names the file. */
SQ_MUST_USE sq_status sq_timeline_write(const sq_timeline *timeline, const char *path);

#endif
