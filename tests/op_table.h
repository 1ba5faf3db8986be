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

#endif
