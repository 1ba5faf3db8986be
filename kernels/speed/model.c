/* The speed model: computes times from counts. */
#include <math.h>

#include "kernels/speed/model.h"

enum { LANES = 32, SECTOR = 32, WAVEFRONT = 128, REGISTER_UNIT = 256, MMA_MACS = 16 * 8 * 16 };

const char *sq_bound_name(sq_bound bound)
{
    static const char *const names[SQ_BOUNDS] = {"memory",  "latency", "issue", "FMA",   "ALU",
                                                 "special", "LSU",     "MMA",   "launch"};
    return names[bound];
}

static double warps_of(const sq_launch_count *launch)
{
    return (launch->block + LANES - 1) / LANES;
}

int sq_resident_blocks(const sq_gpu *gpu, const sq_launch_count *launch)
{
    const double warps = warps_of(launch), registers = sq_count_registers(launch, gpu->architecture);
    const double shared = launch->shared_bytes + 1024 * gpu->shared_reserved_kib;
    double blocks = fmin(gpu->blocks, floor(gpu->warps / warps));
    if (registers > 0) /* allocated per warp in units of 256 */
        blocks =
            fmin(blocks, floor(gpu->registers / (ceil(registers * LANES / REGISTER_UNIT) * REGISTER_UNIT * warps)));
    if (shared > 0)
        blocks = fmin(blocks, floor(1024 * gpu->shared_kib / shared));
    return blocks < 1 ? 1 : (int)blocks;
}

static double efficiency_of(const sq_gpu *gpu, double warps)
{
    const double place = (warps - gpu->warps_low) / (gpu->warps_high - gpu->warps_low);
    return gpu->efficiency_low + (gpu->efficiency_high - gpu->efficiency_low) * fmin(fmax(place, 0), 1);
}

/* Blocks are distributed evenly over the multiprocessors. The more blocks share a multiprocessor, the less a single
 * long block matters. */
static double imbalance_of(const sq_gpu *gpu, const sq_launch_count *launch, double grid, double resident)
{
    const double most = ceil(grid / gpu->multiprocessors);
    const double longest = launch->longest_block > 1 ? launch->longest_block - 1 : 0;
    return most * gpu->multiprocessors / grid * (1 + longest / fmin(most, resident));
}

static double wavefronts_of(const sq_traffic *global)
{
    return fmax(global->requests, global->moved * SECTOR / WAVEFRONT);
}

/* Adds the seconds that each pipe of the average multiprocessor needs for its warp instructions. */
static void add_pipes(double seconds[SQ_BOUNDS], const sq_gpu *gpu, const sq_launch_load *load,
                      const sq_sass_factor sass[SQ_COUNT_CLASSES])
{
    const sq_launch_count *launch = load->count;
    const double scale = load->scale, clocks = gpu->multiprocessors * gpu->clock_ghz * 1e9;
    for (int i = 0; i < SQ_COUNT_CLASSES; i++) {
        const double instructions = scale * launch->instructions[i] * sass[i].factor;
        seconds[SQ_BOUND_ISSUE] += instructions / (clocks * gpu->schedulers * gpu->issue_per_clock);
        seconds[SQ_BOUND_FMA] += sass[i].fma * instructions / (clocks * gpu->fma_per_clock);
        seconds[SQ_BOUND_ALU] += sass[i].alu * instructions / (clocks * gpu->alu_per_clock);
        seconds[SQ_BOUND_SPECIAL] += sass[i].special * instructions / (clocks * gpu->special_per_clock);
    }
    const double wavefronts = launch->load_shared.moved + launch->store_shared.moved +
                              wavefronts_of(&launch->load_global) + wavefronts_of(&launch->store_global);
    seconds[SQ_BOUND_LSU] = scale * wavefronts / (clocks * gpu->wavefronts_per_clock);
    seconds[SQ_BOUND_MMA] = scale * launch->instructions[SQ_COUNT_MMA] * MMA_MACS / (clocks * gpu->mma_per_clock);
}

static double memory_seconds(const sq_gpu *gpu, double bytes)
{
    const bool is_cached = 2 * bytes <= gpu->l2_mib * 1024 * 1024;
    return bytes / (1e9 * (is_cached ? gpu->l2_gb_per_s : gpu->copy_gb_per_s));
}

/* Multiprocessors without a block have no loads in flight. */
static double latency_seconds(const sq_gpu *gpu, const sq_launch_load *load, double warps)
{
    const sq_launch_count *launch = load->count;
    const double loaded = fmin(load->bytes, load->scale * launch->load_global.moved * SECTOR);
    const double busy = fmin(gpu->multiprocessors, load->grid_scale * launch->grid);
    const double in_flight = busy * warps * launch->bytes_in_flight;
    return in_flight > 0 ? loaded / in_flight * 1e-9 * gpu->latency_ns : 0;
}

/* The share of a limit's rate that a kernel reaches. */
static double share_of(const sq_gpu *gpu, sq_bound bound, double efficiency)
{
    switch (bound) {
    case SQ_BOUND_MEMORY:
        return gpu->memory_efficiency;
    case SQ_BOUND_LSU:
    case SQ_BOUND_MMA:
        return gpu->pipe_efficiency;
    case SQ_BOUND_ISSUE:
    case SQ_BOUND_FMA:
    case SQ_BOUND_ALU:
    case SQ_BOUND_SPECIAL:
        return efficiency;
    case SQ_BOUND_LATENCY:
    case SQ_BOUND_LAUNCH:
    case SQ_BOUNDS:
        break;
    }
    return 1;
}

static void settle(const sq_gpu *gpu, sq_launch_time *t)
{
    double most = 0;
    t->seconds[SQ_BOUND_LAUNCH] = 1e-6 * gpu->node_us;
    t->binds = SQ_BOUND_LAUNCH;
    for (int i = 0; i < SQ_BOUND_LAUNCH; i++) {
        const double share = share_of(gpu, (sq_bound)i, t->efficiency);
        const double seconds = t->seconds[i] / share;
        if (seconds > most) {
            most = seconds;
            t->binds = (sq_bound)i;
        }
    }
    if (most < t->seconds[SQ_BOUND_LAUNCH])
        t->binds = SQ_BOUND_LAUNCH;
    t->expected = most + t->seconds[SQ_BOUND_LAUNCH];
}

void sq_launch_predict(const sq_gpu *gpu, const sq_launch_load *load, const sq_sass_factor sass[SQ_COUNT_CLASSES],
                       sq_launch_time *out)
{
    const sq_launch_count *launch = load->count;
    sq_launch_time t = {0};
    const double grid = fmax(1, round(load->grid_scale * launch->grid)), resident = sq_resident_blocks(gpu, launch);
    t.warps = fmin(resident, ceil(grid / gpu->multiprocessors)) * warps_of(launch);
    t.imbalance = imbalance_of(gpu, launch, grid, resident);
    t.efficiency = efficiency_of(gpu, t.warps);
    add_pipes(t.seconds, gpu, load, sass);
    for (int i = SQ_BOUND_ISSUE; i <= SQ_BOUND_MMA; i++)
        t.seconds[i] *= t.imbalance;
    t.seconds[SQ_BOUND_MEMORY] = memory_seconds(gpu, load->bytes);
    t.seconds[SQ_BOUND_LATENCY] = latency_seconds(gpu, load, t.warps);
    settle(gpu, &t);
    *out = t;
}

void sq_launch_predict_bytes(const sq_gpu *gpu, double bytes, sq_launch_time *out)
{
    sq_launch_time t = {.efficiency = 1, .imbalance = 1};
    t.seconds[SQ_BOUND_MEMORY] = memory_seconds(gpu, bytes);
    settle(gpu, &t);
    *out = t;
}
