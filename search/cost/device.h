#ifndef SQ_DEVICE_H
#define SQ_DEVICE_H

#include "search/cost/measure/runner.h"
#include "search/select/device_constraints.h"

/* device.yaml describes a device: how the device was measured or modelled, and how the latency of a network is computed
 * from the times of its blocks. */

typedef struct {
    char name[SQ_NAME_BYTES], runtime[128], dtype[16], clocks[64], date[32], source[256], licence[64];
    char space[SQ_NAME_BYTES]; /* space whose layers a table by layer and choice numbers; else empty */
    int batch, threads;
    int resolution;        /* of the measured networks; 0: any, because keys include sizes */
    double base_ms, scale; /* latency of a network = base_ms + scale * sum of its blocks' times */
    double residual_ms;    /* standard deviation of measured networks from this latency; part of every deviation */
    char doubt[128];       /* why base_ms and scale are implausible (sq_line_doubt); empty: they are plausible */
    double base_energy_mj, base_area_mm2;
    bool is_measured; /* false: modelled */
    sq_device_constraints constraints;
    bool has_runner;
    sq_runner runner; /* the runner that measured the table and can repeat the measurement */
} sq_device_info;

/* Reads and writes a device.yaml. SQ_INVALID: the message has the file, the line and the reason. */
SQ_MUST_USE sq_status sq_device_read(sq_device_info *out, const char *path);
SQ_MUST_USE sq_status sq_device_write(const sq_device_info *info, const char *path);

#endif
