#ifndef SQ_TEST_OP_TABLE_H
#define SQ_TEST_OP_TABLE_H

#include "kernels/backend.h"

/* Every operation of every block of a space, in every mode, alone: run by the reference and by another backend on the
 * same inputs, all slots compared. The case table of a backend that keeps activations in BF16. */

typedef struct {
    const char *space; /* file */
    const char *backend;
    int batch;
    sq_engine engine; /* of cuda */
} op_table;

/* Fails the running test for every operation that differs; returns how many operations were compared. */
int run_op_table(const op_table *table);

enum { OP_DIFFERENCE_BYTES = 512 };

/* The same up to the first operation that differs or fails on the device. difference: OP_DIFFERENCE_BYTES of text that name
 * the operation, shape, backend, errors and bound; empty where all agree. is_verbose: one line to stdout before each
 * operation, so that a log ends with the one that hangs. */
int find_op_difference(const op_table *table, char *difference, bool is_verbose);

#endif
