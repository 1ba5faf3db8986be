/* count_launches PTX-FOLDER MULTIPROCESSORS SPACE:BATCH... [-- EVERY FIRST]
 *
 * Writes the cost of each distinct launch in a training step of the given spaces as CSV. The counts hold for a GPU with
 * MULTIPROCESSORS multiprocessors. For each launch, the program runs a sample of the blocks from nvcc's PTX. Device
 * memory is reserved but never filled, so it takes only the pages that the sampled blocks touch. EVERY and FIRST select
 * the launches FIRST, FIRST + EVERY, ... tests/kernels/compiled/check_counts.py calls this program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "count_machine.h"
#include "kernels/base/text.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/launches/describe.h"
#include "kernels/cuda/launches/lower_graph.h"
#include "supernet/model/block_layout.h"
#include "supernet/model/model.h"

enum { MOST_LAUNCHES = 65536, KEY_BYTES = 512 };

typedef struct {
    int multiprocessors, every, first;
    uint64_t *seen; /* hashes of the keys of all launches met so far */
    int seen_count, met;
    sq_binding at; /* addresses for the current space */
    size_t bytes[SQ_ROLES];
} counting;

static sq_status reserve(sq_binding *at, const size_t bytes[SQ_ROLES])
{
    for (int role = 0; role < SQ_ROLES; role++) {
        void *p = mmap(NULL, bytes[role] + (1 << 20), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return sq_fail(SQ_NO_MEMORY, "role %d: %zu bytes cannot be reserved", role, bytes[role]);
        at->base[role].address = p;
    }
    return SQ_OK;
}

static void release(const sq_binding *at, const size_t bytes[SQ_ROLES])
{
    for (int role = 0; role < SQ_ROLES; role++)
        if (at->base[role].address)
            (void)munmap(at->base[role].address, bytes[role] + (1 << 20)); /* nothing can be done if munmap fails */
}

static bool is_new(counting *c, const char *key)
{
    const uint64_t hash = sq_hash(SQ_HASH_START, key, strlen(key));
    for (int i = 0; i < c->seen_count; i++)
        if (c->seen[i] == hash)
            return false;
    if (c->seen_count < MOST_LAUNCHES)
        c->seen[c->seen_count++] = hash;
    return true;
}

/* Clears memory before a launch, so that branches on values do not depend on earlier launches. For a merge of moments,
 * every value of the partial moments becomes 1, because the kernel skips parts whose count is 0, and no part is empty
 * on a GPU. */
static void prepare_memory(const counting *c, const sq_cuda_launch *launch)
{
    for (int role = 0; role < SQ_ROLES; role++)
        if (role != SQ_ROLE_INPUT && role != SQ_ROLE_STEP)
            (void)madvise(c->at.base[role].address, c->bytes[role], MADV_DONTNEED); /* cannot fail for private memory */
    if (launch->kernel == SQ_CUDA_MERGE_MOMENTS && launch->args.merge_moments.row_block == 0) {
        float *partial = (float *)(uintptr_t)launch->args.merge_moments.partial;
        const size_t count = (size_t)launch->args.merge_moments.parts * 3 * (size_t)launch->args.merge_moments.norm.pitch;
        for (size_t i = 0; i < count; i++)
            partial[i] = 1;
    }
}

static sq_status count(counting *c, const sq_cuda_launch *launch)
{
    const sq_program_part part = sq_cuda_describe_launch(launch);
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof key, "%s,%s,%s,%d,%.0f", part.kernel, part.variant, part.sizes, part.parts, part.bytes);
    if (!is_new(c, key) || (c->met++ - c->first) % c->every)
        return SQ_OK;
    prepare_memory(c, launch);
    count_begin(key);
    const cudaError_t error = sq_cuda_launch_run(launch, NULL);
    if (error != cudaSuccess)
        return sq_fail(SQ_INVALID, "%s: the launcher returned %d", key, (int)error);
    const char *rows = count_rows();
    if (!rows)
        return sq_fail(SQ_INVALID, "%s: not counted", key);
    (void)fputs(rows, stdout); /* main() reports a write error at the end */
    return SQ_OK;
}

typedef struct {
    int layer, choice;
    sq_mode mode;
} program_name;

/* Lowers one program and counts its launches. If `at` is NULL, nothing is counted. Raises *workspace to the bytes that
 * the program needs. */
static sq_status count_program(counting *c, const sq_memory_plan *plan, program_name p, const sq_binding *at,
                               size_t *workspace)
{
    sq_graph graph = {0};
    struct sq_program program = {0};
    sq_region region = plan->regions[p.layer][p.choice];
    sq_status status = sq_block_build(&(sq_block_id){plan->space, p.layer, p.choice}, p.mode, &plan->options, &region, &graph);
    sq_cuda_lowering lowering = {
        .graph = &graph, .at = at, .machine = {.multiprocessors = c->multiprocessors}, .program = &program};
    if (status == SQ_OK)
        status = sq_cuda_lower(&lowering);
    *workspace = lowering.peak_bytes > *workspace ? lowering.peak_bytes : *workspace;
    for (int i = 0; at && status == SQ_OK && i < program.count; i++)
        status = count(c, &program.launches[i]);
    free(program.launches);
    sq_graph_clear(&graph);
    return status;
}

/* Visits all programs of the space. Without addresses (`at` is NULL), only determines the workspace; with addresses,
 * counts launches. */
static sq_status walk(counting *c, const sq_memory_plan *plan, const sq_binding *at, size_t *workspace)
{
    static const sq_mode modes[] = {SQ_FORWARD, SQ_BACKWARD, SQ_UPDATE};
    for (int l = 0; l < plan->space->layer_count; l++)
        for (int k = 0; k < plan->space->layers[l].choice_count; k++)
            for (int m = 0; m < 3; m++)
                SQ_TRY(count_program(c, plan, (program_name){l, k, modes[m]}, at, workspace));
    return SQ_OK;
}

/* Turns colour jitter off, as `squall bench step` does. */
static void leave_images_as_they_are(const sq_space *space, int batch, unsigned char *input)
{
    float *augment = (float *)(void *)(input + sq_block_input(space, batch).augment);
    for (int i = 0; i < batch; i++)
        augment[i * SQ_AUGMENT_COUNT + SQ_AUGMENT_ORDER] = -1;
}

static sq_status count_space(counting *c, const char *path, int batch)
{
    const sq_block_options options = {
        .batch = batch, .activation = SQ_BF16, .alignment = 8, .label_smoothing = 0.1f, .is_supernet = true};
    sq_space *space = NULL;
    sq_memory_plan plan = {0};
    size_t workspace = 0;
    SQ_TRY(sq_space_read(&space, path, 0, 0));
    sq_status status = sq_memory_plan_make(&plan, space, &options, true, NULL);
    if (status == SQ_OK)
        status = walk(c, &plan, NULL, &workspace);
    if (status == SQ_OK) {
        memcpy(c->bytes, plan.role_bytes, sizeof c->bytes);
        c->bytes[SQ_ROLE_WORKSPACE] = workspace;
        status = reserve(&c->at, c->bytes);
    }
    if (status == SQ_OK) {
        const sq_step step = {
            .learning_rate = 1e-3f, .statistics_rate = 0.1f, .gradient_scale = 1, .valid_count = batch};
        memcpy(c->at.base[SQ_ROLE_STEP].address, &step, sizeof step);
        leave_images_as_they_are(space, batch, c->at.base[SQ_ROLE_INPUT].address);
        status = walk(c, &plan, &c->at, &workspace);
    }
    release(&c->at, c->bytes);
    c->at = (sq_binding){0};
    sq_memory_plan_clear(&plan);
    sq_space_free(space);
    return status;
}

static int read_number(const char *text, int most)
{
    int64_t value;
    if (!sq_text_int(text, 0, most, &value)) {
        (void)fprintf(stderr, "count_launches: found '%s', expected a number up to %d\n", text, most);
        exit(2);
    }
    return (int)value;
}

int main(int argc, char **argv)
{
    counting c = {.every = 1, .seen = malloc(MOST_LAUNCHES * sizeof *c.seen)};
    if (argc < 4 || !c.seen) {
        (void)fprintf(stderr, "usage: count_launches PTX-FOLDER MULTIPROCESSORS SPACE:BATCH... [-- EVERY FIRST]\n");
        return 2;
    }
    if (argc > 6 && strcmp(argv[argc - 3], "--") == 0) {
        c.every = read_number(argv[argc - 2], MOST_LAUNCHES);
        c.first = read_number(argv[argc - 1], MOST_LAUNCHES);
        argc -= 3;
    }
    c.multiprocessors = read_number(argv[2], 1024);
    if (c.every < 1 || count_open(argv[1]))
        return 2;
    (void)printf("kernel,variant,sizes,parts,bytes,%s\n", count_columns());
    for (int i = 3; i < argc; i++) {
        char *colon = strrchr(argv[i], ':');
        if (!colon)
            return 2;
        *colon = '\0';
        if (count_space(&c, argv[i], read_number(colon + 1, 65536)) != SQ_OK) {
            (void)fprintf(stderr, "count_launches: %s: %s\n", argv[i], sq_error_text());
            return 1;
        }
    }
    free(c.seen);
    return fflush(stdout) == 0 ? 0 : 1;
}
