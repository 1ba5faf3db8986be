#ifndef SQ_ROOFLINE_FILE_H
#define SQ_ROOFLINE_FILE_H

#include "search/cost/roofline.h"

/* The files of the roofline model. */

/* Reads roofline.yaml (configs/devices/README.md documents its keys). SQ_INVALID: file, line or key, and reason. */
SQ_MUST_USE sq_status sq_roofline_read(sq_roofline *out, const char *path);

/* Predicts a network that is a CSV of operations with the columns
 * class,h_in,w_in,c_in,h_out,w_out,c_out,kernel,stride,groups,activation,follows.
 * SQ_INVALID: file, line and reason. */
SQ_MUST_USE sq_status sq_roofline_network(const sq_roofline *roofline, const char *csv_path, double *ms);

typedef struct {
    char network[SQ_NAME_BYTES], device[128];
    double measured, predicted; /* milliseconds */
} sq_roofline_check;

/* Predicts the networks of a device's checks.csv (network,operations_csv,ms,device,source); operations_csv is relative
 * to the file. The file of a device without published figures has only the header: count 0. The caller frees *out. */
SQ_MUST_USE sq_status sq_roofline_checks(const sq_roofline *roofline, const char *csv_path, sq_roofline_check **out,
                                         size_t *count);

#endif
