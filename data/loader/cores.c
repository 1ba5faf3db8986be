/* Processors and their memory nodes, from Linux's /sys. */
#define _GNU_SOURCE /* CPU sets */
#include "data/loader/cores.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NODES = 64 };

/* Adds the processors of a list such as "0-3,8" to `set`. */
static void read_list(FILE *file, cpu_set_t *set)
{
    int first, last;
    while (fscanf(file, "%d", &first) == 1) {
        last = first;
        int next = fgetc(file);
        if (next == '-' && fscanf(file, "%d", &last) == 1)
            next = fgetc(file);
        for (int i = first; i >= 0 && i <= last && i < SQ_MAX_CORES; i++)
            CPU_SET((size_t)i, set);
        if (next != ',')
            return;
    }
}

/* Adds those cores of one node that this process may use. A node without such cores is skipped. */
static void add_node(sq_cores *out, const cpu_set_t *set, const cpu_set_t *allowed)
{
    const int before = out->count;
    for (int i = 0; i < SQ_MAX_CORES; i++)
        if (CPU_ISSET((size_t)i, set) && CPU_ISSET((size_t)i, allowed)) {
            out->core[out->count] = i;
            out->node[out->count++] = out->node_count;
        }
    out->node_count += out->count > before;
}

void sq_cores_find(sq_cores *out, const char *root)
{
    cpu_set_t allowed, unassigned;
    CPU_ZERO(&allowed);
    memset(out, 0, sizeof *out);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0)
        CPU_SET(0, &allowed);
    unassigned = allowed;
    for (int n = 0; n < MAX_NODES; n++) {
        char path[512];
        cpu_set_t set;
        CPU_ZERO(&set);
        (void)snprintf(path, sizeof path, "%s/node%d/cpulist", root ? root : "/sys/devices/system/node", n);
        FILE *file = fopen(path, "r");
        if (!file)
            continue; /* node numbers may have gaps */
        read_list(file, &set);
        (void)fclose(file); /* nothing was written */
        CPU_AND(&set, &set, &unassigned);
        add_node(out, &set, &allowed);
        CPU_XOR(&unassigned, &unassigned, &set);
    }
    if (CPU_COUNT(&unassigned) > 0)
        add_node(out, &unassigned, &allowed); /* cores without a node form one more node */
}

int sq_cores_node(const sq_cores *cores, int thread, int threads)
{
    return cores->node[(long long)thread * cores->count / threads];
}

void sq_cores_pin(const sq_cores *cores, int node)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cores->node_count < 2)
        return;
    for (int i = 0; i < cores->count; i++)
        if (cores->node[i] == node)
            CPU_SET((size_t)cores->core[i], &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* best effort; if this fails, the thread runs on any core */
}
