#ifndef SQ_TIMELINE_H
#define SQ_TIMELINE_H

#include "supernet/model/block.h"
#include "supernet/ranks/ranks.h"

/* A trace of the first steps for chrome://tracing and Perfetto: one track per rank, with the rank's reductions above
 * the track. Times are measured on the host; for a GPU, they are the times at which work was enqueued. All functions
 * accept NULL at the cost of a comparison. source: "Trace Event Format", Google, 2016 */

typedef struct sq_timeline sq_timeline;

/* Kinds of entries, in addition to the values of sq_mode. The entry of a block's program has the program's mode. */
typedef enum {
    SQ_TIME_STEP = SQ_MODES,
    SQ_TIME_LOAD,      /* waiting for the batch and copying it */
    SQ_TIME_LOSS,      /* reading the loss, which waits for the device */
    SQ_TIME_REDUCTION, /* a block's reduction, until the end of the WAIT that completes it; overlaps other entries */
    SQ_TIME_WAIT,      /* waiting for all started reductions */
    SQ_TIME_AGREE,     /* exchanging sums with the other ranks; includes waiting for the slowest one */
    SQ_TIME_LOG,
    SQ_TIME_CHECKPOINT,
    SQ_TIME_KINDS
} sq_time_kind;

/* Allocates room for `entries` entries. Collective. After a barrier, every rank sets the zero of its clock, so that the
 * times of all ranks are comparable. `ranks` is borrowed. */
SQ_MUST_USE sq_status sq_timeline_open(sq_timeline **out, int entries, sq_ranks *ranks);
void sq_timeline_close(sq_timeline *timeline);

/* Seconds since sq_timeline_open, for `begin`. */
double sq_timeline_now(const sq_timeline *timeline);
/* Adds an entry that ends now. detail: the layer, the step, or the bytes of a reduction. choice: the block's choice,
 * else 0. Entries beyond the allocated number are dropped. A WAIT ends all reductions before it. */
void sq_timeline_add(sq_timeline *timeline, int kind, int64_t detail, int choice, double begin);

/* Rank 0 writes the entries of all ranks. Collective. SQ_IO names the file. */
SQ_MUST_USE sq_status sq_timeline_write(const sq_timeline *timeline, const char *path);

#endif
