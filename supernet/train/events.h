#ifndef SQ_EVENTS_H
#define SQ_EVENTS_H

#include <stdint.h>

#include "supernet/space/space.h"

/* TensorBoard's event files: TFRecords of protobuf messages (events.proto). They hold the time of day, so their bytes
 * differ from run to run; log.jsonl is what repeats. A file that cannot be written to any more stops nothing. source:
 * tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto */

typedef struct sq_events sq_events;

/* A new file <folder>/events.out.tfevents.<seconds>.<host>.<process>. from: the step that a resumed run goes on after;
 * TensorBoard then forgets what older files have beyond it. 0: from the start. SQ_IO names the file. */
SQ_MUST_USE sq_status sq_events_open(sq_events **out, const char *folder, int64_t from);
/* The same as one file of a given name, in the place of an older one. */
SQ_MUST_USE sq_status sq_events_create(sq_events **out, const char *path);
void sq_events_close(sq_events *events); /* accepts NULL */

void sq_events_scalar(sq_events *events, const char *tag, int64_t step, double value);
/* Markdown, for TensorBoard's text page. */
void sq_events_text(sq_events *events, const char *tag, int64_t step, const char *text);

/* A network as a Markdown table, a row a layer: pixels, channels, operator. path NULL: every operator that a layer may
 * have. */
void sq_events_network(sq_events *events, const char *tag, int64_t step, const sq_space *space, const int *path);

/* CRC-32C (Castagnoli, reflected, all ones before and after), as RFC 3720 appendix B.4 has it. */
uint32_t sq_crc32c(const void *data, size_t bytes);

#endif
