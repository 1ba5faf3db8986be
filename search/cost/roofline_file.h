#ifndef SQ_ROOFLINE_FILE_H
#define SQ_ROOFLINE_FILE_H

#include "search/cost/roofline.h"

/* Reads the files of the roofline model. */

/* Reads roofline.yaml (configs/devices/README.md documents its keys). SQ_INVALID: the message has the file, the line or
 * key, and the reason. */
SQ_MUST_USE sq_status sq_roofline_read(sq_roofline *out, const char *path);

/* Predicts the milliseconds of a network, which is a CSV file of operations with the columns
 * class,h_in,w_in,c_in,h_out,w_out,c_out,kernel,stride,groups,activation,follows. SQ_INVALID: the message has the file,
 * the line and the reason. */
SQ_MUST_USE sq_status sq_roofline_network(const sq_roofline *roofline, const char *csv_path, double *ms);

typedef struct {
    char network[SQ_NAME_BYTES], device[128];
    double measured, predicted; /* milliseconds */
} sq_roofline_check;

/* Predicts the networks of a device's checks.csv (network,operations_csv,ms,device,source). operations_csv is a path
 * relative to the folder of checks.csv. For a device without published figures the file has only the header, and *count
 * is 0. The caller frees *out. */
SQ_MUST_USE sq_status sq_roofline_checks(const sq_roofline *roofline, const char *csv_path, sq_roofline_check **out,
                                         size_t *count);

#endif
