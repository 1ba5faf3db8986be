#ifndef SQ_EVENTS_H
#define SQ_EVENTS_H

#include <stdint.h>

#include "supernet/space/space.h"

/* TensorBoard's event files: TFRecords of protobuf messages (events.proto). Event files contain the time of day, so
 * the bytes differ between runs; log.jsonl is reproducible. Write errors are ignored. source:
 * tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto */

typedef struct sq_events sq_events;

/* Creates a file <folder>/events.out.tfevents.<seconds>.<host>.<process>. from: the step after which a resumed run
 * continues, so that TensorBoard drops later steps of older files; 0: a new run. SQ_IO names the file. */
SQ_MUST_USE sq_status sq_events_open(sq_events **out, const char *folder, int64_t from);
/* Creates a file of a new run at `path`; replaces an existing file. */
SQ_MUST_USE sq_status sq_events_create(sq_events **out, const char *path);
void sq_events_close(sq_events *events); /* accepts NULL */

void sq_events_scalar(sq_events *events, const char *tag, int64_t step, double value);
/* Writes Markdown for TensorBoard's text page. */
void sq_events_text(sq_events *events, const char *tag, int64_t step, const char *text);

/* Writes a network as a Markdown table with one row per layer: pixels, channels, operator. path NULL: each row lists
 * all operators of the layer. */
void sq_events_network(sq_events *events, const char *tag, int64_t step, const sq_space *space, const int *path);

/* CRC-32C (Castagnoli, reflected, all ones before and after), as in RFC 3720 appendix B.4. */
uint32_t sq_crc32c(const void *data, size_t bytes);

#endif
