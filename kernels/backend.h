#ifndef SQ_BACKEND_H
#define SQ_BACKEND_H

#include "kernels/graph.h"

/* A machine that runs graphs: "reference" (plain loops, the oracle), "cpu" (OpenMP and CBLAS), "cuda". */

/* Device memory. A struct, so that host code cannot dereference it by mistake. */
typedef struct {
    unsigned char *address;
} sq_device_ptr;

typedef struct {
    sq_device_ptr base[SQ_ROLES];
} sq_binding; /* a slot's address = base[role] + offset */

/* A crop of an uint8 RGB image that lies in a device's memory: whole pixels, within the image. */
typedef struct {
    uint64_t at;   /* bytes from the first of all images to this one */
    int32_t width; /* of its rows, in pixels */
    int32_t y, x, h, w;
    int32_t unused; /* 0 */
} sq_stored_crop;

typedef struct sq_backend sq_backend;
typedef struct sq_program sq_program; /* immutable after compile; belongs to the backend that made it */

enum { SQ_PART_TEXT = 128 };

typedef struct {
    const char *kernel;
    int op;            /* index of the graph's operation that it belongs to */
    double bytes;      /* of device memory read and written by construction; blocks share nothing through caches */
    double operations; /* multiply-adds of the operation's definition; 0 for merges */
    int parts;         /* of the work of persistent blocks, or of the results that a merge reads; else 0 */
    char variant[SQ_PART_TEXT]; /* which code runs: "forward tile64 x:na1"; launches of equal variant and sizes cost the
                                   same */
    char sizes[SQ_PART_TEXT];   /* how much work it is: "rows=802816 depth=64 width=64 ..." */
} sq_program_part;

/* The ranks of a run, for a backend that reduces on a device of its own. Given by who knows them
 * (supernet/ranks/ranks.h). */
typedef struct {
    int rank, count;
    const char *host; /* where this rank is */
    /* Collective: the worst of the ranks' statuses, told to all; and each rank's `bytes` to all, in the ranks' order.
     */
    sq_status (*agree)(void *context, sq_status status);
    sq_status (*gather)(void *context, const void *own, void *all, size_t bytes);
    /* For who has waited so long for another rank: whether to give up, and why. */
    bool (*is_lost)(void *context, double seconds, char *why, size_t why_bytes);
    void *context;
    char library[32];      /* left by the backend: what moves the values */
    int64_t reduced_bytes; /* counted by the backend */
} sq_rank_group;

typedef struct {
    sq_device_ptr at;
    size_t count; /* fp32 values */
} sq_range;

struct sq_backend_ops {
    const char *name;
    sq_dtype activation; /* of the tensors between units, and of their gradients: SQ_F32 or SQ_BF16 */
    int alignment;       /* their channels are stored padded to a multiple of this */
    void (*close)(sq_backend *b);

    /* 64-byte aligned, zero-filled. SQ_NO_MEMORY says how much was asked for. */
    sq_status (*allocate)(sq_backend *b, size_t bytes, sq_device_ptr *out);
    void (*release)(sq_backend *b, sq_device_ptr p); /* accepts a null pointer */

    /* Copies are ordered with run(). write() has taken the bytes when it returns; read() waits. */
    sq_status (*write)(sq_backend *b, sq_device_ptr to, const void *from, size_t bytes);
    sq_status (*read)(sq_backend *b, void *to, sq_device_ptr from, size_t bytes);

    /* Within the device's memory, ordered with run(); the ranges do not overlap. */
    sq_status (*copy)(sq_backend *b, sq_device_ptr to, sq_device_ptr from, size_t bytes);

    /* *first: index of the first range that holds NaN or infinity, SQ_NONE: none does. Waits, as read() does. */
    sq_status (*find_nonfinite)(sq_backend *b, const sq_range *ranges, int count, int *first);

    /* out[i] = crops[i] of the images at `images`, resized to side x side x 3, uint8: the bits of sq_resize on every
     * backend (kernels/image/resize.h). Ordered with run(); the crops are taken when it returns. SQ_UNSUPPORTED: a crop
     * that is too large for the device. */
    sq_status (*crop)(sq_backend *b, sq_device_ptr images, const sq_stored_crop *crops, int count, int side,
                      sq_device_ptr out);

    /* Bytes of ROLE_WORKSPACE that the graph's program needs; NULL: the backend keeps its own. */
    sq_status (*workspace)(sq_backend *b, const sq_graph *g, size_t *bytes);

    /* Bytes that allocate() could still give, 0: unknown; NULL: not a device of its own. */
    size_t (*available)(sq_backend *b);

    /* Checks the graph and fixes addresses, tiles and workspace: nothing is allocated after it. The graph may be freed
     * after the call; the memory behind the binding must outlive *out. SQ_UNSUPPORTED names the first operation that
     * this backend cannot run. */
    sq_status (*compile)(sq_backend *b, const sq_graph *g, const sq_binding *at, sq_program **out);
    sq_status (*run)(sq_backend *b, const sq_program *p);
    void (*discard)(sq_backend *b, sq_program *p); /* accepts NULL */

    /* Waits for everything enqueued; an asynchronous failure surfaces here, with the program's name. */
    sq_status (*wait)(sq_backend *b);

    /* Median seconds of one run, device clock, after warm-up: the source of latency tables. */
    sq_status (*measure)(sq_backend *b, const sq_program *p, int repeats, double *seconds);

    /* Launch `index` of a program, false when there are no more; and the median seconds of it alone. NULL: programs of
     * this backend have no parts. */
    bool (*part)(const sq_program *p, int index, sq_program_part *out);
    sq_status (*measure_part)(sq_backend *b, const sq_program *p, int index, int repeats, double *seconds);

    /* Bytes a second of a large copy within the device's memory, read and written bytes both counted: what memory-bound
     * kernels are held against. NULL on the host's backends. */
    sq_status (*copy_bandwidth)(sq_backend *b, double *bytes_per_second);

    /* Lets reduce_mean and join work over the ranks of `group`, which outlives the backend; collective. NULL: on the
     * host, which uses `reduction`. */
    sq_status (*attach)(sq_backend *b, sq_rank_group *group);

    /* Mean over all ranks, in place, count fp32 values; overlaps later run() calls until join(). One rank: no-ops.
     * travels: SQ_F32; or SQ_BF16, half the bytes: values and each sum of two ranks are rounded to it. */
    sq_status (*reduce_mean)(sq_backend *b, sq_device_ptr values, size_t count, sq_dtype reduce_dtype);
    sq_status (*join)(sq_backend *b);
};

/* What reduces over ranks for a host backend: begin() sums in place behind the caller's back, finish() waits for all
 * that was begun and leaves means; in between values are anything. Given by who knows the ranks
 * (supernet/ranks/ranks.h). */
typedef struct {
    sq_status (*begin)(void *context, float *values, size_t count, sq_dtype reduce_dtype);
    sq_status (*finish)(void *context);
    void *context;
} sq_reduction;

struct sq_backend {
    const struct sq_backend_ops *ops;
    const sq_rank_group *norm_group; /* whose images training's norms see; NULL: this rank's. Set before compile(), on
                                        cpu alone: two gathers for each norm and step */
    const sq_reduction *reduction;   /* NULL: one rank */
};                                   /* first member of every backend's own struct */

typedef enum {
    SQ_ENGINE_SQUALL, /* our fused kernels: the default until a table measured on a GPU says otherwise */
    SQ_ENGINE_VENDOR, /* cuDNN and cuBLASLt, with normalisation in passes of its own */
    SQ_ENGINE_AUTO, /* the faster one for each shape, measured once for each GPU and kept; without the libraries ours */
    SQ_ENGINES
} sq_engine;

typedef struct {
    int threads;        /* of cpu; 0: all cores */
    int device;         /* which GPU; a number in the backend's name comes first */
    bool is_local_rank; /* `device` counts this host's ranks: among the GPUs in turn, unless the name has a number */
    bool no_graphs;     /* cuda: plain launches instead of CUDA graphs; the same bits */
    sq_engine engine;   /* cuda: who computes convolutions and linear layers; the bits depend on it */
} sq_backend_options;

/* Opens a backend by name: "cuda" or "cuda:1", "cpu", "reference"; "auto" takes cuda where a GPU can be used, else cpu.
 * options NULL: none. SQ_INVALID for an unknown name, with the known ones in the text; SQ_DEVICE, SQ_UNSUPPORTED when
 * there is no GPU that can be used, and why. Close with sq_backend_close. */
SQ_MUST_USE sq_status sq_backend_open_with(const char *name, const sq_backend_options *options, sq_backend **out);
/* The same with a number of threads alone. */
SQ_MUST_USE sq_status sq_backend_open(const char *name, int threads, sq_backend **out);
void sq_backend_close(sq_backend *b); /* accepts NULL */

/* One line about each backend of this build: what was found, and why something is not used. `line` 0, 1, ...; false
 * when there are no more. */
bool sq_backend_describe(int line, char *text, size_t text_bytes);

/* The backends' own entries; use sq_backend_open. In a build without CUDA sq_cuda_open says so. */
SQ_MUST_USE sq_status sq_reference_open(const sq_backend_options *options, sq_backend **out);
SQ_MUST_USE sq_status sq_cpu_open(const sq_backend_options *options, sq_backend **out);
SQ_MUST_USE sq_status sq_cuda_open(const sq_backend_options *options, sq_backend **out);
void sq_cuda_describe(char *text, size_t text_bytes);       /* the device, or why it is not used */
void sq_cuda_describe_ranks(char *text, size_t text_bytes); /* NCCL's version, or why it is not used */
/* Which GPUs of this host reach each other's memory without the host's, or why that is not known. */
void sq_cuda_describe_peers(char *text, size_t text_bytes);

/* What cuda would launch for a graph, planned without a device and without memory for a GPU of so many multiprocessors
 * (an H200 has 132): the first `limit` parts into out, and how many there are. The graph's tensors must be what cuda
 * asks for: SQ_BF16, channels padded to a multiple of 8. Works in a build without CUDA too. SQ_UNSUPPORTED names what
 * cuda cannot run. */
SQ_MUST_USE sq_status sq_cuda_dry_run(const sq_graph *graph, int multiprocessors, sq_program_part *out, int limit,
                                      int *count);

#endif
