#ifndef SQ_DEVICE_H
#define SQ_DEVICE_H

#include "search/cost/measure/runner.h"
#include "search/select/device_constraints.h"

/* device.yaml, the description of a device: how it was measured or modelled, and how the latency of a network follows
 * from its blocks. */

typedef struct {
    char name[SQ_NAME_BYTES], runtime[128], dtype[16], clocks[64], date[32], source[256], licence[64];
    char space[SQ_NAME_BYTES]; /* of a table by layer and choice: the space whose layers it numbers; else empty */
    int batch, threads;
    int resolution;        /* of the measured networks; 0: any. Keys include sizes */
    double base_ms, scale; /* latency of a network = base_ms + scale * sum of its blocks */
    double residual_ms; /* standard deviation of measured networks from that line; part of every prediction's spread */
    char doubt[128];    /* why the measurements contradict base_ms and scale; empty: they do not */
    double base_energy_mj, base_area_mm2;
    bool is_measured; /* false: modelled */
    sq_device_constraints constraints;
    bool has_runner;
    sq_runner runner; /* measured the table, and can measure again */
} sq_device_info;

/* SQ_INVALID: file, line and reason. */
SQ_MUST_USE sq_status sq_device_read(sq_device_info *out, const char *path);
SQ_MUST_USE sq_status sq_device_write(const sq_device_info *info, const char *path);

#endif
