/* Times each shape with both engines once, and stores the times in a table. */
#include "kernels/cuda/autotune.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/cuda/launches/lower_graph.h"

#ifndef SQ_CUDA_KERNEL_HASH
#define SQ_CUDA_KERNEL_HASH "unknown"
#endif

enum {
    KEY_BYTES = 256,
    NAME_BYTES = 256,

    LINE_BYTES = 1024,
    FIELDS = 7,
    MAX_TABLE_BYTES = 16 << 20
};
#define MAX_MICROSECONDS 1e12

typedef struct {
    char key[KEY_BYTES];
    double squall_us, vendor_us; /* microseconds */
} row;

struct sq_cuda_timings {
    char path[SQ_PATH_BYTES]; /* "": the table is not saved */
    char gpu[NAME_BYTES], libraries[64];
    int driver;
    row *rows; /* owned */
    int count, capacity;
};

/* ---- The table ---- */

static const row *find_row(const sq_cuda_timings *c, const char *key)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->rows[i].key, key) == 0)
            return &c->rows[i];
    return NULL;
}

static sq_status add_row(sq_cuda_timings *c, const row *added)
{
    if (c->count == c->capacity) {
        const int capacity = c->capacity ? 2 * c->capacity : 64;
        row *larger = realloc(c->rows, (size_t)capacity * sizeof *larger);
        if (!larger)
            return sq_fail(SQ_NO_MEMORY, "engine auto: %d rows", capacity);
        c->rows = larger;
        c->capacity = capacity;
    }
    c->rows[c->count++] = *added;
    return SQ_OK;
}

/* Splits at commas, in place. Returns the number of fields, which may exceed FIELDS. */
static int split(char *line, char *fields[FIELDS])
{
    int count = 1;
    fields[0] = line;
    for (char *at = line; *at; at++)
        if (*at == ',') {
            *at = '\0';
            if (count < FIELDS)
                fields[count] = at + 1;
            count++;
        }
    return count;
}

static bool read_times(char *const fields[FIELDS], row *out)
{
    return sq_text_double(fields[5], 0, MAX_MICROSECONDS, &out->squall_us) &&
           sq_text_double(fields[6], 0, MAX_MICROSECONDS, &out->vendor_us);
}

/* Skips malformed lines and rows of other versions. The next save removes them from the file. */
static sq_status read_rows(sq_cuda_timings *c, char *text)
{
    char driver[16], *rest = NULL;
    (void)snprintf(driver, sizeof driver, "%d", c->driver); /* fits any int */
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *fields[FIELDS];
        row found = {.key = ""};
        if (split(line, fields) != FIELDS || strcmp(fields[0], c->gpu) != 0 || strcmp(fields[1], driver) != 0 ||
            strcmp(fields[2], c->libraries) != 0 || strcmp(fields[3], SQ_CUDA_KERNEL_HASH) != 0 ||
            strlen(fields[4]) >= KEY_BYTES || !read_times(fields, &found) || find_row(c, fields[4]))
            continue;
        memcpy(found.key, fields[4], strlen(fields[4]) + 1);
        SQ_TRY(add_row(c, &found));
    }
    return SQ_OK;
}

static sq_status save(const sq_cuda_timings *c)
{
    static const char header[] = "gpu,driver,libraries,kernels,key,squall_us,vendor_us\n";
    const size_t bytes = sizeof header + (size_t)c->count * LINE_BYTES;
    char folder[SQ_PATH_BYTES], *text = malloc(bytes);
    if (!text)
        return sq_fail(SQ_NO_MEMORY, "%s: table", c->path);
    size_t used = (size_t)snprintf(text, bytes, "%s", header);
    for (int i = 0; i < c->count; i++) {
        const row *r = &c->rows[i];
        used += (size_t)snprintf(text + used, bytes - used, "%s,%d,%s,%s,%s,%.3f,%.3f\n", c->gpu, c->driver,
                                 c->libraries, SQ_CUDA_KERNEL_HASH, r->key, r->squall_us, r->vendor_us);
    }
    (void)snprintf(folder, sizeof folder, "%s", c->path);
    *strrchr(folder, '/') = '\0'; /* find_path() ends in a file name */
    sq_status status = sq_folder_make(folder);
    if (status == SQ_OK)
        status = sq_file_replace(c->path, &(sq_piece){text, used}, 1);
    free(text);
    return status;
}

/* Replaces all but letters and digits by single hyphens: the result is a file name and a CSV field. */
static void simplify(char *out, size_t bytes, const char *name)
{
    size_t used = 0;
    for (; *name && used + 1 < bytes; name++) {
        if (isalnum((unsigned char)*name))
            out[used++] = *name;
        else if (used > 0 && out[used - 1] != '-')
            out[used++] = '-';
    }
    out[used] = '\0';
}

static void find_path(sq_cuda_timings *c)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int needed = SQ_PATH_BYTES;
    if (cache && cache[0] == '/')
        needed = snprintf(c->path, sizeof c->path, "%s/squall/engines-%s.csv", cache, c->gpu);
    else if (home && home[0] == '/')
        needed = snprintf(c->path, sizeof c->path, "%s/.cache/squall/engines-%s.csv", home, c->gpu);
    if (needed < 0 || needed >= SQ_PATH_BYTES)
        c->path[0] = '\0';
}

sq_status sq_cuda_timings_open(sq_cuda_timings **out, const char *gpu, int driver, const char *libraries)
{
    sq_cuda_timings *c = calloc(1, sizeof *c);
    char *text = NULL;
    size_t bytes = 0;
    if (!c)
        return sq_fail(SQ_NO_MEMORY, "engine auto: table");
    c->driver = driver;
    simplify(c->gpu, sizeof c->gpu, gpu);
    (void)snprintf(c->libraries, sizeof c->libraries, "%s", libraries); /* truncation is harmless: only compared */
    find_path(c);
    sq_status status = SQ_OK;
    if (c->path[0] && sq_path_exists(c->path) && sq_file_read(c->path, MAX_TABLE_BYTES, &text, &bytes) == SQ_OK)
        status = read_rows(c, text);
    free(text);
    if (status == SQ_OK)
        *out = c;
    else
        sq_cuda_timings_close(c);
    return status;
}

void sq_cuda_timings_close(sq_cuda_timings *timings)
{
    if (!timings)
        return;
    free(timings->rows);
    free(timings);
}

/* ---- Keys ---- */

static void append(char *text, size_t bytes, const char *more)
{
    const size_t used = strlen(text);
    (void)snprintf(text + used, bytes - used, "%s", more); /* KEY_BYTES is enough for every key */
}

/* " x 56x28x28x116/120": n, h, w, c and pitch; then the layout, the part, the pending activation and the gate. */
static void append_view(const sq_graph *graph, const char *name, sq_view view, char *text, size_t bytes)
{
    char part[96];
    if (view.slot == SQ_NONE)
        return;
    const sq_slot *s = &graph->slots[view.slot];
    (void)snprintf(part, sizeof part, " %s %dx%dx%dx%d/%d%s%s%s%s%s", name, s->n, s->h, s->w, s->c, s->pitch,
                   s->is_split ? " split" : "",
                   view.part == SQ_ALL    ? ""
                   : view.part == SQ_EVEN ? " even"
                                          : " odd",
                   view.norm == SQ_NONE ? "" : " ", view.norm == SQ_NONE ? "" : sq_activation_name(view.activation),
                   view.gate == SQ_NONE ? "" : " gated");
    append(text, bytes, part);
}

void sq_cuda_timing_key(const sq_graph *graph, const sq_op *op, char *text, size_t text_bytes)
{
    static const char *const statistics[] = {"batch", "batch", "fixed"};
    const bool is_conv = op->kind == SQ_OP_CONV || op->kind == SQ_OP_CONV_BACK;
    (void)snprintf(text, text_bytes, "%s", sq_op_name(op->kind));
    if (is_conv) {
        char part[64];
        (void)snprintf(part, sizeof part, " %dx%d%s stride %d%s%s", op->kernel, op->kernel,
                       op->is_depthwise ? " depthwise" : "", op->stride, op->kind == SQ_OP_CONV ? " " : "",
                       op->kind == SQ_OP_CONV ? statistics[op->statistics] : "");
        append(text, text_bytes, part);
    }
    append_view(graph, "x", op->x, text, text_bytes);
    append_view(graph, "z", op->z, text, text_bytes);
    append_view(graph, "out", sq_view_plain(op->out, SQ_ALL), text, text_bytes);
    append_view(graph, "grad", sq_view_plain(op->grad, SQ_ALL), text, text_bytes);
    append_view(graph, "dx", sq_view_plain(op->dx, op->dx_part), text, text_bytes);
    append(text, text_bytes, op->addend == SQ_NONE ? "" : " added");
    append(text, text_bytes, op->bias == SQ_NONE ? "" : " bias");
}

/* ---- Timing ---- */

enum { ALIGNMENT = 256 };

size_t sq_cuda_scratch_bytes(const sq_graph *single)
{
    size_t end = ALIGNMENT; /* the sq_step is at offset 0 */
    for (int i = 0; i < single->slot_count; i++)
        end = single->slots[i].offset + sq_slot_bytes(&single->slots[i]) > end
                  ? single->slots[i].offset + sq_slot_bytes(&single->slots[i])
                  : end;
    return (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void sq_cuda_scratch_bind(const sq_graph *single, sq_device_ptr scratch, sq_binding *at)
{
    for (int i = 0; i < SQ_ROLES; i++)
        at->base[i] = scratch;
    at->base[SQ_ROLE_WORKSPACE].address = scratch.address + sq_cuda_scratch_bytes(single);
}

static void place(sq_slot *slots, size_t *end, int slot)
{
    if (slot == SQ_NONE || slots[slot].offset != SIZE_MAX)
        return;
    slots[slot].offset = *end;
    *end += (sq_slot_bytes(&slots[slot]) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void place_norm(const sq_graph *graph, sq_slot *slots, size_t *end, int norm)
{
    if (norm == SQ_NONE)
        return;
    const sq_norm *n = &graph->norms[norm];
    const int used[] = {n->gamma, n->beta, n->gamma_grad, n->beta_grad, n->running_mean, n->running_variance, n->live};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        place(slots, end, used[i]);
}

/* Assigns distinct offsets to the slots that the operation uses. The others become empty, at offset 0. */
static void place_slots(const sq_graph *graph, const sq_op *op, sq_slot *slots)
{
    size_t end = ALIGNMENT;
    const int used[] = {op->x.slot,      op->x.gate,    op->z.slot, op->z.gate, op->weight, op->bias,
                        op->weight_grad, op->bias_grad, op->out,    op->grad,   op->dx,     op->addend};
    for (int i = 0; i < graph->slot_count; i++)
        slots[i].offset = SIZE_MAX;
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        place(slots, &end, used[i]);
    place_norm(graph, slots, &end, op->x.norm);
    place_norm(graph, slots, &end, op->z.norm);
    place_norm(graph, slots, &end, op->out_norm);
    for (int i = 0; i < graph->slot_count; i++)
        if (slots[i].offset == SIZE_MAX) {
            slots[i].offset = 0;
            slots[i].n = 0;
        }
}

/* Times operation `op` of the graph with both engines. */
static sq_status time_both(sq_backend *b, sq_cuda_timer timer, const sq_cuda_lowering *l, int op, row *out)
{
    const sq_graph *graph = l->graph;
    sq_graph single = *graph;
    double squall_seconds = 0, vendor_seconds = 0;
    sq_slot *slots = malloc((size_t)graph->slot_count * sizeof *slots);
    if (!slots)
        return sq_fail(SQ_NO_MEMORY, "%s: slots", graph->name);
    memcpy(slots, graph->slots, (size_t)graph->slot_count * sizeof *slots);
    place_slots(graph, &graph->ops[op], slots);
    single.slots = slots;
    single.ops = &graph->ops[op];
    single.op_count = 1;
    sq_cuda_lowering squall = {.graph = &single, .machine = l->machine, .vendor = l->vendor}, vendor = squall;
    sq_status status = timer(b, &squall, &squall_seconds);
    vendor.is_vendor[0] = true;
    if (status == SQ_OK)
        status = timer(b, &vendor, &vendor_seconds);
    free(slots);
    out->squall_us = 1e6 * squall_seconds;
    out->vendor_us = 1e6 * vendor_seconds;
    return status == SQ_NO_MEMORY
               ? sq_fail(status, "engine auto: too little memory to time \"%s\": %s; use --engine squall", out->key,
                         sq_error_text())
               : status;
}

sq_status sq_cuda_autotune(sq_cuda_timings *timings, sq_backend *b, sq_cuda_timer timer, sq_cuda_lowering *l)
{
    bool is_new = false;
    sq_cuda_assign_vendor(l, true); /* only these operations have a choice */
    for (int i = 0; i < l->graph->op_count && i < SQ_CUDA_MAX_OPS; i++) {
        row measured = {.key = ""};
        if (!l->is_vendor[i])
            continue;
        sq_cuda_timing_key(l->graph, &l->graph->ops[i], measured.key, sizeof measured.key);
        const row *known = find_row(timings, measured.key);
        if (!known) {
            SQ_TRY(time_both(b, timer, l, i, &measured));
            SQ_TRY(add_row(timings, &measured));
            known = &measured;
            is_new = true;
        }
        l->is_vendor[i] = known->vendor_us < known->squall_us;
    }
    if (is_new && timings->path[0] && save(timings) != SQ_OK)
        timings->path[0] = '\0'; /* the table cannot be saved: this process uses its own times */
    return SQ_OK;
}
