#ifndef SQ_CORES_H
#define SQ_CORES_H

#include "kernels/base/status.h"

/* Which processors this process may use, and on which memory node (NUMA) each lies. */

enum { SQ_MAX_CORES = 1024 };

typedef struct {
    int count;                                  /* processors that may be used, at least 1 */
    int core[SQ_MAX_CORES], node[SQ_MAX_CORES]; /* number of each, and of its node, 0 .. node_count - 1; by node */
    int node_count;                             /* nodes that have any of them, at least 1 */
} sq_cores;

/* root   /sys/devices/system/node, or NULL for that; without such a folder everything is one node */
void sq_cores_find(sq_cores *out, const char *root);

/* The node of thread 0 <= thread < threads: each node has its share of them, and they are neighbours. */
int sq_cores_node(const sq_cores *cores, int thread, int threads);

/* The calling thread runs on this node's cores from now on. Nothing happens where there is one node. */
void sq_cores_pin(const sq_cores *cores, int node);

#endif
