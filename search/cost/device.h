#ifndef SQ_DEVICE_H
#define SQ_DEVICE_H

#include "search/cost/measure/runner.h"
#include "search/select/device_constraints.h"
#include "supernet/space/space.h"

/* What a device is: what was measured or modelled, by whom and how; and how a whole network follows from its blocks.
 * The file device.yaml of a device's folder. */

typedef struct {
    char name[SQ_NAME_BYTES], runtime[128], dtype[16], clocks[64], date[32], source[256], licence[64];
    char space[SQ_NAME_BYTES]; /* of a table by layer and choice: the space whose layers are meant; else empty */
    int batch, threads;
    int resolution;        /* of the networks it was measured for; 0: any. Keys carry their own sizes */
    double base_ms, scale; /* whole network = base + scale * sum of blocks */
    double residual_ms;    /* deviation of measured networks from that; part of every prediction's spread */
    char doubt[128];       /* why whoever measured does not believe base and scale; empty: no reason */
    double base_energy_mj, base_area_mm2;
    bool is_measured;                  /* false: modelled */
    sq_device_constraints constraints; /* what its operators must not have */
    bool has_runner;
    sq_runner runner; /* what measured it, and measures on it again */
} sq_device_info;

/* SQ_INVALID: file, line and why. */
SQ_MUST_USE sq_status sq_device_read(sq_device_info *out, const char *path);
SQ_MUST_USE sq_status sq_device_write(const sq_device_info *info, const char *path);

#endif
