#ifndef SQ_DEVICE_IMPORT_H
#define SQ_DEVICE_IMPORT_H

#include "search/cost/dialects/dialect.h"

/* Reads a latency table of another project, writes a device folder and prints a summary, for `squall lut import`.
 *
 * folder     receives device.yaml and table.csv or layers.csv
 * replaces   true: replaces an existing device; false: an existing device is SQ_INVALID
 * returns    the status of sq_dialect_read; SQ_IO */
SQ_MUST_USE sq_status sq_device_import(const char *file, const char *folder, bool replaces,
                                       const sq_dialect_options *options);

#endif
