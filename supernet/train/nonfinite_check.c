
#include "supernet/train/nonfinite_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/all_finite.h"
#include "kernels/base/text.h"
#include "supernet/model/walk.h"

enum { PIECE_VALUES = 1 << 14, TEXT_BYTES = 512 };

typedef struct {
    int path, layer;
} block_place;

struct sq_nonfinite_check {
    sq_model *model;
    sq_ranks *ranks;
    float *values;       /* a buffer of PIECE_VALUES values */
    sq_range *ranges;    /* gradients of the step's blocks; room for all blocks */
    block_place *places; /* path and layer of each range */
    uint64_t *hashes;    /* checksum of every rank's weights */
    sq_device_ptr saved; /* copy of the statistics; null without can_undo */
};

static size_t block_count(const sq_space *space)
{
    size_t count = 0;
    for (int l = 0; l < space->layer_count; l++)
        count += (size_t)space->layers[l].choice_count;
    return count;
}

sq_status sq_nonfinite_check_open(sq_nonfinite_check **out, sq_model *model, sq_ranks *ranks, bool can_undo)
{
    sq_backend *backend = sq_model_backend(model);
    const size_t bytes = sq_model_plan(model)->role_bytes[SQ_ROLE_STATISTICS];
    sq_nonfinite_check *h = calloc(1, sizeof *h);
    if (!h)
        return sq_fail(SQ_NO_MEMORY, "checks of weights");
    h->model = model;
    h->ranks = ranks;
    h->values = malloc(PIECE_VALUES * sizeof *h->values);
    h->hashes = calloc((size_t)sq_ranks_count(ranks), sizeof *h->hashes);
    h->ranges = calloc(block_count(sq_model_plan(model)->space), sizeof *h->ranges);
    h->places = calloc(block_count(sq_model_plan(model)->space), sizeof *h->places);
    sq_status status =
        h->values && h->hashes && h->ranges && h->places ? SQ_OK : sq_fail(SQ_NO_MEMORY, "checks of weights");
    if (status == SQ_OK && can_undo && bytes > 0)
        status = backend->ops->allocate(backend, bytes, &h->saved);
    if (status == SQ_OK)
        *out = h;
    else
        sq_nonfinite_check_close(h);
    return status;
}

void sq_nonfinite_check_close(sq_nonfinite_check *h)
{
    if (!h)
        return;
    sq_model_backend(h->model)->ops->release(sq_model_backend(h->model), h->saved);
    free(h->values);
    free(h->hashes);
    free(h->ranges);
    free(h->places);
    free(h);
}

/* ---- Gradients ---- */

/* The result of a scan over tensors. has_hash: the scan computes a checksum. */
typedef struct {
    bool has_hash, is_finite;
    uint64_t hash;
} scan;

/* Continues the scan over bytes of a role. */
static sq_status scan_range(sq_nonfinite_check *h, sq_role role, size_t offset, size_t bytes, scan *s)
{
    const size_t most = PIECE_VALUES * sizeof *h->values;
    for (size_t done = 0; done < bytes; done += most) {
        const size_t part = bytes - done < most ? bytes - done : most;
        SQ_TRY(sq_model_read(h->model, role, offset + done, h->values, part));
        s->is_finite = s->is_finite && sq_all_finite(h->values, part / sizeof *h->values);
        if (s->has_hash)
            s->hash = sq_hash(s->hash, h->values, part);
    }
    return SQ_OK;
}

/* Whether a path before path i contains the same block. */
static bool is_seen(const sq_step_paths *paths, int i, int layer)
{
    const int *first = paths->first + layer;
    for (int k = 0; k < i; k++)
        if (first[(size_t)k * SQ_MAX_LAYERS] == first[(size_t)i * SQ_MAX_LAYERS])
            return true;
    return false;
}

sq_status sq_nonfinite_check_gradients(sq_nonfinite_check *h, const sq_step_paths *paths, int *path, int *layer)
{
    const sq_memory_plan *plan = sq_model_plan(h->model);
    sq_backend *backend = sq_model_backend(h->model);
    int count = 0, found;
    for (int i = 0; i < paths->count; i++)
        for (int l = 0; l < plan->space->layer_count; l++) {
            const sq_region *region = &plan->regions[l][paths->first[(size_t)i * SQ_MAX_LAYERS + (size_t)l]];
            if (is_seen(paths, i, l))
                continue;
            h->places[count] = (block_place){i, l};
            h->ranges[count].at = sq_model_address(h->model, SQ_ROLE_WEIGHT_GRAD, region->at[SQ_ROLE_WEIGHT]);
            h->ranges[count++].count = region->bytes[SQ_ROLE_WEIGHT] / sizeof(float);
        }
    SQ_TRY(backend->ops->find_nonfinite(backend, h->ranges, count, &found));
    *path = found == SQ_NONE ? SQ_NONE : h->places[found].path;
    *layer = found == SQ_NONE ? SQ_NONE : h->places[found].layer;
    return SQ_OK;
}

static sq_status copy_statistics(sq_nonfinite_check *h, bool is_back)
{
    sq_backend *backend = sq_model_backend(h->model);
    const sq_device_ptr own = sq_model_address(h->model, SQ_ROLE_STATISTICS, 0);
    const size_t bytes = sq_model_plan(h->model)->role_bytes[SQ_ROLE_STATISTICS];
    if (!h->saved.address)
        return SQ_OK;
    return backend->ops->copy(backend, is_back ? own : h->saved, is_back ? h->saved : own, bytes);
}

sq_status sq_nonfinite_check_save(sq_nonfinite_check *h)
{
    return copy_statistics(h, false);
}

sq_status sq_nonfinite_check_restore(sq_nonfinite_check *h)
{
    return copy_statistics(h, true);
}

/* ---- Weights ---- */

/* Scans all tensors. Fails at the first tensor that is nonfinite. */
static sq_status scan_all(sq_nonfinite_check *h, int64_t step, scan *s)
{
    static const struct {
        sq_role role;
        const char *suffix;
    } others[] = {{SQ_ROLE_MOMENTUM, ".momentum"}, {SQ_ROLE_AVERAGE, ".average"}};
    const sq_memory_plan *plan = sq_model_plan(h->model);
    for (int i = 0; i < plan->parameter_count; i++) {
        const sq_parameter *p = &plan->parameters[i];
        const size_t bytes = p->count * sizeof(float);
        const char *suffix = "";
        SQ_TRY(scan_range(h, p->role, p->offset, bytes, s));
        for (int k = 0; s->is_finite && p->role == SQ_ROLE_WEIGHT && k < 2; k++) {
            suffix = others[k].suffix;
            if (plan->role_bytes[others[k].role] > 0)
                SQ_TRY(scan_range(h, others[k].role, p->offset, bytes, s));
        }
        if (!s->is_finite)
            return sq_fail(SQ_NONFINITE, "step %" PRId64 ": %s%s is not finite", step, p->name, suffix);
    }
    return SQ_OK;
}

/* Writes the ranks in groups of equal checksums: "0, 2, 3 against 1". Returns the number of groups. */
static int print_groups(const sq_nonfinite_check *h, char *text, size_t bytes)
{
    const int count = sq_ranks_count(h->ranks);
    const uint64_t *hashes = h->hashes;
    size_t used = 0;
    int groups = 0;
    for (int i = 0; i < count; i++) {
        int first = 0;
        while (hashes[first] != hashes[i])
            first++;
        if (first < i)
            continue;
        for (int k = i; k < count && used < bytes; k++)
            if (hashes[k] == hashes[i])
                used += (size_t)snprintf(text + used, bytes - used, "%s%d",
                                         k > i    ? ", "
                                         : groups ? " against "
                                                  : "",
                                         k);
        groups++;
    }
    return groups;
}

sq_status sq_nonfinite_check_weights(sq_nonfinite_check *h, int64_t step, bool compares)
{
    char text[TEXT_BYTES];
    compares = compares && sq_ranks_count(h->ranks) > 1;
    scan s = {.has_hash = compares, .is_finite = true, .hash = SQ_HASH_START};
    SQ_TRY(sq_ranks_reduce_status(h->ranks, scan_all(h, step, &s)));
    if (!compares)
        return SQ_OK;
    SQ_TRY(sq_ranks_gather(h->ranks, &s.hash, sizeof s.hash, h->hashes));
    if (print_groups(h, text, sizeof text) == 1)
        return SQ_OK;
    return sq_fail(SQ_COMMUNICATION, "step %" PRId64 ": weights are not the same on all ranks: %s", step, text);
}
