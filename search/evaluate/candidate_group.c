/* Evaluates many candidates along their prefix tree. */
#include "search/evaluate/candidate_group.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "search/evaluate/prefix_tree.h"
#include "supernet/model/block_layout.h"
#include "supernet/train/signals.h"

enum { ALIGNMENT = 64 }; /* of a node's statistics, in bytes */

/* An evaluation has two passes, calibration and scoring. Each pass has its own model and images. */
typedef struct {
    sq_model *model;
    sq_mode mode;
    const sq_image_set *set;
    size_t batch, count;          /* images of a batch; images of the set */
    sq_device_ptr images, labels; /* on the device; for a host backend, the set's own memory */
    sq_device_ptr prefix;         /* [batches] outputs of the fixed layers; address NULL: not stored */
} pass;

struct sq_candidate_group {
    sq_backend *backend;
    const sq_space *space;
    sq_candidate_group_options options;
    bool is_host, is_shared;
    pass collect, score;
    int fixed[SQ_MAX_LAYERS], depth;
    bool is_prefix_made; /* the models have the fixed layers' statistics, and `prefix` the output if it fits */
    sq_device_ptr zeros; /* zeros, as many bytes as the largest statistics of a block */
    sq_device_ptr store; /* statistics and results of a tree's nodes; grows on demand */
    size_t store_bytes;
    size_t budget_left;
    sq_evaluation_counters counts;
};

static size_t statistics_bytes(const sq_candidate_group *g, int layer, int choice)
{
    return sq_model_plan(g->collect.model)->regions[layer][choice].bytes[SQ_ROLE_STATISTICS];
}

static sq_device_ptr statistics_of(const pass *p, int layer, int choice)
{
    return sq_model_address(p->model, SQ_ROLE_STATISTICS,
                            sq_model_plan(p->model)->regions[layer][choice].at[SQ_ROLE_STATISTICS]);
}

static sq_device_ptr offset_by(sq_device_ptr p, size_t bytes)
{
    return (sq_device_ptr){p.address + bytes};
}

/* Returns the number of batches for `images` images. Calibration uses whole batches only; scoring pads the last
 * batch. */
static size_t batches_for(const pass *p, size_t images)
{
    return p->mode == SQ_COLLECT ? images / p->batch : (images + p->batch - 1) / p->batch;
}

static size_t image_bytes(const pass *p)
{
    return (size_t)p->set->resolution * (size_t)p->set->resolution * 3;
}

/* ---- Memory ---- */

/* Allocates device memory within the budget. out->address is NULL if the budget or the device has too little memory. */
static sq_status take(sq_candidate_group *g, size_t bytes, sq_device_ptr *out)
{
    out->address = NULL;
    if (bytes > g->budget_left)
        return SQ_OK;
    if (g->backend->ops->allocate(g->backend, bytes, out) != SQ_OK) {
        out->address = NULL; /* the device has less memory than the budget */
        return SQ_OK;
    }
    g->budget_left -= bytes;
    g->counts.kept_bytes += bytes;
    return SQ_OK;
}

static void give_back(sq_candidate_group *g, sq_device_ptr *p, size_t bytes)
{
    if (!p->address)
        return;
    g->backend->ops->release(g->backend, *p);
    p->address = NULL;
    g->budget_left += bytes;
    g->counts.kept_bytes -= bytes;
}

/* Copies the images to the device if they fit in the budget. A host backend reads the images in place. */
static sq_status place_images(sq_candidate_group *g, pass *p)
{
    const size_t bytes = p->set->count * image_bytes(p), label_bytes = p->set->count * sizeof *p->set->labels;
    if (g->is_host) {
        p->images.address = (unsigned char *)(uintptr_t)p->set->images;
        p->labels.address = (unsigned char *)(uintptr_t)p->set->labels;
        return SQ_OK;
    }
    if (bytes + label_bytes > g->budget_left)
        return SQ_OK;
    SQ_TRY(take(g, bytes, &p->images));
    SQ_TRY(take(g, label_bytes, &p->labels));
    if (!p->images.address || !p->labels.address) {
        give_back(g, &p->images, bytes);
        return SQ_OK;
    }
    SQ_TRY(g->backend->ops->write(g->backend, p->images, p->set->images, bytes));
    return g->backend->ops->write(g->backend, p->labels, p->set->labels, label_bytes);
}

static sq_status open_pass(sq_candidate_group *g, pass *p, sq_model *weights)
{
    sq_model_options options = {
        .block = sq_model_plan(weights)->options, .weights_of = weights, .use_average = g->options.data.use_average};
    options.block.batch = (int)p->batch;
    options.block.keeps_boundaries = g->is_shared;
    const sq_step step = {.valid_count = (int)p->batch};
    const size_t count = p->set->count < p->batch ? p->set->count : p->batch;
    const sq_model_batch first = {p->set->images, p->set->labels, NULL, (int)count};
    SQ_TRY(sq_model_create(&p->model, g->backend, g->space, &options));
    SQ_TRY(sq_model_compile(p->model, 1u << p->mode));
    SQ_TRY(sq_model_load(p->model, &first)); /* sets the augmentation to neutral */
    SQ_TRY(sq_model_set_step(p->model, &step));
    return place_images(g, p);
}

/* Sets is_shared if the budget has room for all boundaries of one batch in both passes. The two boundaries that each
 * model has in any case do not count against the budget. */
static sq_status check_budget(sq_candidate_group *g, sq_model *weights)
{
    size_t bytes = 0;
    for (int i = 0; i < 2; i++) {
        sq_block_options options = sq_model_plan(weights)->options;
        sq_memory_plan plan;
        options.batch = i ? g->options.data.evaluation_batch : g->options.data.calibration_batch;
        SQ_TRY(sq_memory_plan_make(&plan, g->space, &options, false, g->backend));
        bytes += sq_evaluation_boundary_bytes(&plan) - plan.role_bytes[SQ_ROLE_BOUNDARY];
        sq_memory_plan_clear(&plan);
    }
    g->is_shared = bytes <= g->budget_left;
    if (g->is_shared) {
        g->budget_left -= bytes;
        g->counts.kept_bytes += bytes;
    }
    g->counts.is_shared = g->is_shared;
    return SQ_OK;
}

static sq_status make_zeros(sq_candidate_group *g)
{
    const size_t most = sq_memory_plan_largest(sq_model_plan(g->collect.model), SQ_ROLE_STATISTICS);
    return g->backend->ops->allocate(g->backend, most > ALIGNMENT ? most : ALIGNMENT, &g->zeros); /* zero-filled */
}

sq_status sq_candidate_group_create(sq_candidate_group **out, sq_backend *backend, const sq_space *space,
                                    sq_model *weights, const sq_candidate_group_options *o)
{
    SQ_TRY(sq_evaluation_data_check(&o->data));
    sq_candidate_group *g = calloc(1, sizeof *g);
    if (!g)
        return sq_fail(SQ_NO_MEMORY, "group evaluation");
    g->backend = backend;
    g->space = space;
    g->options = *o;
    g->is_host = backend->ops->available == NULL;
    g->budget_left = o->budget_bytes;
    g->collect = (pass){.mode = SQ_COLLECT, .set = o->data.calibration, .batch = (size_t)o->data.calibration_batch};
    g->score = (pass){.mode = SQ_EVALUATE, .set = o->data.validation, .batch = (size_t)o->data.evaluation_batch};
    g->collect.count = o->data.calibration->count;
    g->score.count = o->data.validation->count;
    sq_status status = check_budget(g, weights);
    if (status == SQ_OK)
        status = open_pass(g, &g->collect, weights);
    if (status == SQ_OK)
        status = open_pass(g, &g->score, weights);
    if (status == SQ_OK)
        status = make_zeros(g);
    if (status == SQ_OK)
        *out = g;
    else
        sq_candidate_group_destroy(g);
    return status;
}

static size_t prefix_bytes(const sq_candidate_group *g, const pass *p)
{
    return batches_for(p, p->count) * sq_memory_plan_boundary_bytes(sq_model_plan(p->model), g->depth);
}

static void drop_prefix(sq_candidate_group *g)
{
    give_back(g, &g->collect.prefix, g->collect.model ? prefix_bytes(g, &g->collect) : 0);
    give_back(g, &g->score.prefix, g->score.model ? prefix_bytes(g, &g->score) : 0);
    g->counts.prefix_bytes = 0;
    g->is_prefix_made = false;
}

void sq_candidate_group_destroy(sq_candidate_group *g)
{
    if (!g)
        return;
    drop_prefix(g);
    for (int i = 0; i < 4 && !g->is_host; i++) {
        const pass *p = i < 2 ? &g->collect : &g->score;
        g->backend->ops->release(g->backend, i % 2 ? p->labels : p->images);
    }
    sq_model_destroy(g->collect.model);
    sq_model_destroy(g->score.model);
    g->backend->ops->release(g->backend, g->zeros);
    g->backend->ops->release(g->backend, g->store);
    free(g);
}

sq_evaluation_counters sq_candidate_group_counters(const sq_candidate_group *g)
{
    return g->counts;
}

/* ---- One batch ---- */

/* Copies a batch within the device. As in sq_model_load, copies of the batch's first image fill an incomplete batch;
 * these copies do not count in the result. */
static sq_status load_from_device(const sq_candidate_group *g, const pass *p, size_t first, size_t count,
                                  bool has_images)
{
    const struct sq_backend_ops *ops = g->backend->ops;
    const sq_input_layout layout = sq_block_input(g->space, (int)p->batch);
    const size_t image = image_bytes(p), label = sizeof *p->set->labels;
    const sq_device_ptr to = sq_model_address(p->model, SQ_ROLE_INPUT, 0), labels = offset_by(to, layout.labels);
    SQ_TRY(ops->copy(g->backend, labels, offset_by(p->labels, first * label), count * label));
    if (has_images)
        SQ_TRY(ops->copy(g->backend, to, offset_by(p->images, first * image), count * image));
    for (size_t i = count; i < p->batch; i++) {
        SQ_TRY(ops->copy(g->backend, offset_by(labels, i * label), offset_by(p->labels, first * label), label));
        if (has_images)
            SQ_TRY(ops->copy(g->backend, offset_by(to, i * image), offset_by(p->images, first * image), image));
    }
    return SQ_OK;
}

static sq_status load_batch(const sq_candidate_group *g, const pass *p, size_t index, size_t images, bool has_images)
{
    const size_t first = index * p->batch, left = images - first, count = left < p->batch ? left : p->batch;
    sq_step step = {.valid_count = (int)count};
    if (p->mode == SQ_COLLECT)
        step.statistics_rate = 1.0f / (float)(index + 1);
    if (p->images.address) {
        SQ_TRY(load_from_device(g, p, first, count, has_images));
    } else {
        const sq_model_batch batch = {p->set->images + first * image_bytes(p), p->set->labels + first, NULL,
                                      (int)count};
        SQ_TRY(sq_model_load(p->model, &batch));
    }
    return sq_model_set_step(p->model, &step);
}

/* ---- The fixed layers ---- */

void sq_candidate_group_fix(sq_candidate_group *g, const int *path, int depth)
{
    if (g->depth == depth && memcmp(g->fixed, path, (size_t)depth * sizeof *path) == 0)
        return;
    drop_prefix(g);
    memcpy(g->fixed, path, (size_t)depth * sizeof *path);
    g->depth = depth;
}

static sq_status run_fixed(sq_candidate_group *g, const pass *p)
{
    for (int l = 0; l < g->depth; l++)
        SQ_TRY(sq_model_run(p->model, l, g->fixed[l], p->mode));
    g->counts.runs += g->depth;
    return SQ_OK;
}

/* Runs all batches through the fixed layers and stores the output of these layers if the budget has room for it. */
static sq_status make_prefix(sq_candidate_group *g, pass *p, size_t images)
{
    sq_device_ptr from;
    const size_t bytes = sq_model_boundary(p->model, g->depth, &from);
    SQ_TRY(take(g, prefix_bytes(g, p), &p->prefix));
    if (!p->prefix.address && p->mode == SQ_EVALUATE)
        return SQ_OK; /* no room for the output, and no statistics to collect */
    g->counts.prefix_bytes += p->prefix.address ? prefix_bytes(g, p) : 0;
    for (size_t i = 0; i < batches_for(p, p->count); i++) {
        SQ_TRY(load_batch(g, p, i, images, true));
        SQ_TRY(run_fixed(g, p));
        if (p->prefix.address)
            SQ_TRY(g->backend->ops->copy(g->backend, offset_by(p->prefix, i * bytes), from, bytes));
    }
    return SQ_OK;
}

static sq_status ensure_prefix(sq_candidate_group *g)
{
    const double begin = sq_seconds_now();
    if (g->is_prefix_made || g->depth == 0)
        return SQ_OK;
    for (int l = 0; l < g->depth; l++)
        SQ_TRY(g->backend->ops->copy(g->backend, statistics_of(&g->collect, l, g->fixed[l]), g->zeros,
                                     statistics_bytes(g, l, g->fixed[l])));
    SQ_TRY(make_prefix(g, &g->collect, g->collect.count));
    for (int l = 0; l < g->depth; l++)
        SQ_TRY(g->backend->ops->copy(g->backend, statistics_of(&g->score, l, g->fixed[l]),
                                     statistics_of(&g->collect, l, g->fixed[l]), statistics_bytes(g, l, g->fixed[l])));
    SQ_TRY(make_prefix(g, &g->score, g->score.count));
    SQ_TRY(g->backend->ops->wait(g->backend));
    g->counts.fixed_seconds += sq_seconds_now() - begin;
    g->is_prefix_made = true;
    return SQ_OK;
}

/* Loads a batch and provides the input of the tree's first layer: copies the stored output of the fixed layers, or
 * computes it. */
static sq_status begin_batch(sq_candidate_group *g, const pass *p, size_t index, size_t images)
{
    sq_device_ptr to;
    SQ_TRY(load_batch(g, p, index, images, !p->prefix.address));
    if (!p->prefix.address)
        return run_fixed(g, p);
    const size_t bytes = sq_model_boundary(p->model, g->depth, &to);
    return g->backend->ops->copy(g->backend, to, offset_by(p->prefix, index * bytes), bytes);
}

/* ---- The tree ---- */

typedef struct {
    sq_candidate_group *group;
    const sq_prefix_tree *tree;
    size_t *at;        /* [nodes] offsets of the nodes' statistics in the store */
    size_t results_at; /* offset of the nodes' results in the store, after the statistics */
} walk;

static sq_device_ptr node_statistics(const walk *w, int node)
{
    return offset_by(w->group->store, w->at[node]);
}

static sq_device_ptr node_result(const walk *w, int node)
{
    return offset_by(w->group->store, w->results_at + (size_t)node * sizeof(sq_result));
}

static sq_status copy_statistics(const walk *w, const pass *p, int node, bool is_load)
{
    const sq_prefix_node *n = &w->tree->nodes[node];
    const sq_device_ptr region = statistics_of(p, n->layer, n->choice), kept = node_statistics(w, node);
    const size_t bytes = statistics_bytes(w->group, n->layer, n->choice);
    if (bytes == 0)
        return SQ_OK;
    return w->group->backend->ops->copy(w->group->backend, is_load ? region : kept, is_load ? kept : region, bytes);
}

/* Runs the block of a node. If several nodes have the same block, the node's statistics are copied to the model before
 * the run and back to the store after a calibration run. Otherwise they stay in the model. */
static sq_status run_node(const walk *w, const pass *p, int node)
{
    const sq_prefix_node *n = &w->tree->nodes[node];
    const struct sq_backend_ops *ops = w->group->backend->ops;
    const sq_device_ptr result = sq_model_address(p->model, SQ_ROLE_RESULT, 0);
    const bool is_leaf = n->candidate != SQ_NONE, is_scored = is_leaf && p->mode == SQ_EVALUATE;
    if (is_leaf && p->mode == SQ_COLLECT)
        return SQ_OK; /* no statistics to collect, because the classifier has no norm */
    if (n->is_repeated)
        SQ_TRY(copy_statistics(w, p, node, true));
    if (is_scored)
        SQ_TRY(ops->copy(w->group->backend, result, node_result(w, node), sizeof(sq_result)));
    SQ_TRY(sq_model_run(p->model, n->layer, n->choice, p->mode));
    w->group->counts.runs++;
    if (is_scored)
        SQ_TRY(ops->copy(w->group->backend, node_result(w, node), result, sizeof(sq_result)));
    return n->is_repeated && p->mode == SQ_COLLECT ? copy_statistics(w, p, node, false) : SQ_OK;
}

/* Runs one pass over all batches, waits for the device, and adds the duration to *seconds. */
static sq_status run_pass(const walk *w, const pass *p, size_t images, double *seconds)
{
    sq_candidate_group *g = w->group;
    const double begin = sq_seconds_now();
    for (size_t i = 0; i < batches_for(p, images); i++) {
        if (sq_signals_received())
            return sq_fail(SQ_INTERRUPTED, "%s", sq_signals_name());
        SQ_TRY(begin_batch(g, p, i, images));
        for (int node = 0; node < w->tree->count; node++)
            SQ_TRY(run_node(w, p, node));
    }
    SQ_TRY(g->backend->ops->wait(g->backend));
    *seconds += sq_seconds_now() - begin;
    return SQ_OK;
}

/* Calibrates and scores the tree. Statistics are set to zero first, because a NaN from an earlier evaluation would
 * otherwise remain. After the calibration, statistics that stayed in the calibration model are copied to the scoring
 * model by way of the store. */
static sq_status run_walk(const walk *w, size_t images)
{
    sq_candidate_group *g = w->group;
    for (int i = 0; i < w->tree->count; i++) {
        const sq_prefix_node *n = &w->tree->nodes[i];
        const sq_device_ptr to =
            n->is_repeated ? node_statistics(w, i) : statistics_of(&g->collect, n->layer, n->choice);
        const size_t bytes = statistics_bytes(g, n->layer, n->choice);
        if (bytes)
            SQ_TRY(g->backend->ops->copy(g->backend, to, g->zeros, bytes));
    }
    SQ_TRY(run_pass(w, &g->collect, g->collect.count, &g->counts.calibration_seconds));
    for (int i = 0; i < w->tree->count; i++)
        if (!w->tree->nodes[i].is_repeated) {
            SQ_TRY(copy_statistics(w, &g->collect, i, false));
            SQ_TRY(copy_statistics(w, &g->score, i, true));
        }
    return run_pass(w, &g->score, images, &g->counts.scoring_seconds);
}

static sq_status ensure_store(sq_candidate_group *g, size_t bytes)
{
    if (bytes <= g->store_bytes)
        return SQ_OK;
    g->backend->ops->release(g->backend, g->store);
    g->store = (sq_device_ptr){NULL};
    g->store_bytes = 0;
    SQ_TRY(g->backend->ops->allocate(g->backend, bytes + bytes / 4, &g->store));
    g->store_bytes = bytes + bytes / 4;
    return SQ_OK;
}

/* Zeroes the results of all nodes. */
static sq_status clear_results(const walk *w)
{
    sq_result *none = calloc((size_t)w->tree->count, sizeof *none);
    if (!none)
        return sq_fail(SQ_NO_MEMORY, "group evaluation: %d results", w->tree->count);
    const sq_status status = w->group->backend->ops->write(w->group->backend, node_result(w, 0), none,
                                                           (size_t)w->tree->count * sizeof *none);
    free(none);
    return status;
}

static sq_status evaluate_tree(sq_candidate_group *g, const sq_prefix_tree *tree, size_t images, int count,
                               sq_result *results)
{
    walk w = {.group = g, .tree = tree, .at = calloc((size_t)tree->count + 1, sizeof *w.at)};
    size_t bytes = 0;
    if (!w.at)
        return sq_fail(SQ_NO_MEMORY, "group evaluation: %d nodes", tree->count);
    for (int i = 0; i < tree->count; i++) {
        w.at[i] = bytes;
        bytes +=
            (statistics_bytes(g, tree->nodes[i].layer, tree->nodes[i].choice) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    w.results_at = bytes;
    sq_status status = ensure_store(g, bytes + (size_t)tree->count * sizeof(sq_result));
    if (status == SQ_OK)
        status = clear_results(&w);
    if (status == SQ_OK)
        status = run_walk(&w, images);
    for (int i = 0; status == SQ_OK && i < count; i++)
        status = g->backend->ops->read(g->backend, &results[i], node_result(&w, tree->leaf[i]), sizeof *results);
    free(w.at);
    return status;
}

static sq_status check_paths(const sq_candidate_group *g, const int *const *paths, int count)
{
    int i = 0;
    while (i < count && memcmp(paths[i], g->fixed, (size_t)g->depth * sizeof **paths) == 0)
        i++;
    return i == count
               ? SQ_OK
               : sq_fail(SQ_INVALID, "group evaluation: path %d does not begin with the %d fixed layers", i, g->depth);
}

static sq_status evaluate(sq_candidate_group *g, const int *const *paths, int count, size_t images, sq_result *results)
{
    sq_prefix_tree tree;
    SQ_TRY(sq_prefix_tree_make(&tree, g->space, paths, count, g->depth));
    const sq_status status = evaluate_tree(g, &tree, images, count, results);
    sq_prefix_tree_clear(&tree);
    return status;
}

sq_status sq_candidate_group_evaluate(sq_candidate_group *g, const int *const *paths, int count, size_t images,
                                      sq_result *results)
{
    const size_t all = g->score.count, used = images && images < all ? images : all;
    const int64_t batches = (int64_t)(batches_for(&g->collect, g->collect.count) + batches_for(&g->score, used));
    SQ_TRY(check_paths(g, paths, count));
    SQ_TRY(ensure_prefix(g));
    g->counts.alone += batches * g->space->layer_count * count;
    g->counts.candidates += count;
    if (g->is_shared)
        return evaluate(g, paths, count, used, results);
    for (int i = 0; i < count; i++) /* a single path requires only two boundaries */
        SQ_TRY(evaluate(g, paths + i, 1, used, results + i));
    return SQ_OK;
}
