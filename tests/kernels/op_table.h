#ifndef SQ_TEST_OP_TABLE_H
#define SQ_TEST_OP_TABLE_H

#include "kernels/backend.h"

/* Compares every single operation of every block of a space, in every mode: the reference and another backend run the
 * operation on the same inputs, and all slots are compared. The other backend stores activations in BF16. */

typedef struct {
    const char *space; /* path of the space's file */
    const char *backend;
    int batch;
    sq_engine engine; /* engine of the cuda backend */
} op_table;

/* Fails the running test for every operation whose results differ. Returns the number of compared operations. */
int run_op_table(const op_table *table);

enum { OP_DIFFERENCE_BYTES = 512 };

/* As run_op_table, but stops at the first operation that differs or fails on the device. difference:
 * OP_DIFFERENCE_BYTES of text with the operation, shape, backend, errors and bound; empty if all agree. is_verbose:
 * prints one line before each operation, so that a log ends with the operation that hangs. */
int find_op_difference(const op_table *table, char *difference, bool is_verbose);

#endif
