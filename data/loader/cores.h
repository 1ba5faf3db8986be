#ifndef SQ_CORES_H
#define SQ_CORES_H

#include "kernels/base/status.h"

/* The processors that this process may use, and their memory nodes (NUMA). */

enum { SQ_MAX_CORES = 1024 };

typedef struct {
    int count;                                  /* usable processors, at least 1 */
    int core[SQ_MAX_CORES], node[SQ_MAX_CORES]; /* number of each processor and of its node, ordered by node */
    int node_count;                             /* nodes with usable processors, at least 1; numbered from 0 */
} sq_cores;

/* Finds the processors and their nodes.
 * root   folder that describes the nodes; NULL: /sys/devices/system/node. If the folder does not exist, all processors
 *        form one node */
void sq_cores_find(sq_cores *out, const char *root);

/* Returns the node of a thread, 0 <= thread < threads. Consecutive threads share a node. A node's share of the threads
 * equals its share of the processors. */
int sq_cores_node(const sq_cores *cores, int thread, int threads);

/* Restricts the calling thread to the cores of a node. Does nothing if there is only one node. */
void sq_cores_pin(const sq_cores *cores, int node);

#endif
