#ifndef SQ_BACKEND_H
#define SQ_BACKEND_H

#include "kernels/graph.h"

/* A backend compiles graphs into programs and runs the programs. The backends are "reference" (plain loops, the oracle
 * of the tests), "cpu" (OpenMP and CBLAS) and "cuda". */

/* An address in device memory. The type is a struct, so that host code cannot dereference an address by mistake. */
typedef struct {
    unsigned char *address;
} sq_device_ptr;

typedef struct {
    sq_device_ptr base[SQ_ROLES];
} sq_binding; /* a slot's address = base[role] + offset */

/* A crop of a uint8 RGB image in a device's memory: whole pixels, within the image. */
typedef struct {
    uint64_t at;   /* offset of the image from sq_crop_batch.images, in bytes */
    int32_t width; /* width of the stored image, in pixels */
    int32_t y, x, h, w;
    int32_t unused; /* 0 */
} sq_stored_crop;

typedef struct {
    sq_device_ptr images; /* the first stored image */
    const sq_stored_crop *crops;
    int count;
    int side;          /* side of the square output images, in pixels */
    sq_device_ptr out; /* count x side x side x 3, uint8 */
} sq_crop_batch;

typedef struct sq_backend sq_backend;
typedef struct sq_program sq_program; /* immutable after compile(); belongs to the backend that compiled it */

enum { SQ_PART_TEXT = 128 };

typedef struct {
    const char *kernel;
    int op;                     /* index of the operation in the graph */
    double bytes;               /* device memory read and written, without reuse through caches */
    double operations;          /* multiply-adds of the operation by definition; 0 for merges */
    int parts;                  /* shares of work of persistent blocks, or partial results that a merge reads; else 0 */
    char variant[SQ_PART_TEXT]; /* the code that runs: "forward tile64 x:na1"; variant and sizes determine the cost */
    char sizes[SQ_PART_TEXT];   /* the amount of work: "rows=802816 depth=64 width=64 ..." */
} sq_program_part;

/* The ranks of a run, for backends that communicate by themselves. supernet/ranks/ranks.h provides this struct. */
typedef struct {
    int rank, count;
    const char *host; /* host name of this rank */
    /* A collective call. Returns the worst status of all ranks, on every rank. */
    sq_status (*agree)(void *context, sq_status status);
    /* A collective call. Gathers `bytes` bytes of each rank, in the order of the ranks, on every rank. */
    sq_status (*gather)(void *context, const void *own, void *all, size_t bytes);
    /* Called after `seconds` of waiting for another rank. Returns whether that rank is lost, and writes the reason to
     * `why`. */
    bool (*is_lost)(void *context, double seconds, char *why, size_t why_bytes);
    void *context;
    char library[32];      /* written by the backend: the communication library in use */
    int64_t reduced_bytes; /* counted by the backend */
} sq_rank_group;

typedef struct {
    sq_device_ptr at;
    size_t count; /* fp32 values */
} sq_range;

struct sq_backend_ops {
    const char *name;
    sq_dtype activation; /* dtype of the tensors between operations and of their gradients: SQ_F32 or SQ_BF16 */
    int alignment;       /* channels of stored tensors are padded to a multiple of `alignment` */
    void (*close)(sq_backend *b);

    /* Allocates zero-filled memory, 64-byte aligned. The text of SQ_NO_MEMORY states the size. */
    sq_status (*allocate)(sq_backend *b, size_t bytes, sq_device_ptr *out);
    void (*release)(sq_backend *b, sq_device_ptr p); /* accepts a null pointer */

    /* write() and read() copy in order with run(). When write() returns, the source may be changed. read() waits for
     * the data. */
    sq_status (*write)(sq_backend *b, sq_device_ptr to, const void *from, size_t bytes);
    sq_status (*read)(sq_backend *b, void *to, sq_device_ptr from, size_t bytes);

    /* Copies within device memory, in order with run(). The ranges must not overlap. */
    sq_status (*copy)(sq_backend *b, sq_device_ptr to, sq_device_ptr from, size_t bytes);

    /* Sets *first to the index of the first range that contains NaN or infinity, or to SQ_NONE if there is none. Waits
     * for the result, like read(). */
    sq_status (*find_nonfinite)(sq_backend *b, const sq_range *ranges, int count, int *first);

    /* out[i] = crops[i] resized to side x side. Every backend gives the same bits as sq_resize
     * (kernels/image/resize.h). Runs in order with run(). The array of crops is copied before crop() returns.
     * SQ_UNSUPPORTED: a crop is too large for the device. */
    sq_status (*crop)(sq_backend *b, const sq_crop_batch *batch);

    /* Sets *bytes to the size of SQ_ROLE_WORKSPACE that the program of the graph needs. NULL: the backend manages its
     * own workspace. */
    sq_status (*workspace)(sq_backend *b, const sq_graph *g, size_t *bytes);

    /* Returns the bytes that allocate() can still provide; 0: unknown. NULL: the backend uses host memory. */
    size_t (*available)(sq_backend *b);

    /* Compiles a graph: checks it and fixes addresses, tiles and workspace, so that run() allocates nothing. The graph
     * may be freed after the call; the memory of the binding must outlive *out. The text of SQ_UNSUPPORTED names the
     * first operation that this backend cannot run. */
    sq_status (*compile)(sq_backend *b, const sq_graph *g, const sq_binding *at, sq_program **out);
    sq_status (*run)(sq_backend *b, const sq_program *p);
    void (*discard)(sq_backend *b, sq_program *p); /* accepts NULL */

    /* Waits until all enqueued work is done. Reports asynchronous failures, with the name of the program. */
    sq_status (*wait)(sq_backend *b);

    /* Measures the median time of one run in seconds, by the device's clock, after a warm-up. Latency tables contain
     * such times. */
    sq_status (*measure)(sq_backend *b, const sq_program *p, int repeats, double *seconds);

    /* part() describes launch `index` of a program, or returns false if the program has no such launch. measure_part()
     * measures the median time of that launch alone, in seconds. NULL: programs of this backend have no parts. */
    bool (*part)(const sq_program *p, int index, sq_program_part *out);
    sq_status (*measure_part)(sq_backend *b, const sq_program *p, int index, int repeats, double *seconds);

    /* Measures the bandwidth of a large copy within device memory, counting read and written bytes. The speed of
     * memory-bound kernels is compared with this bandwidth. NULL on host backends. */
    sq_status (*copy_bandwidth)(sq_backend *b, double *bytes_per_second);

    /* Prepares reduce_mean() and join() for the ranks of `group`, which must outlive the backend. A collective call.
     * NULL on host backends, which use `reduction`. */
    sq_status (*attach)(sq_backend *b, sq_rank_group *group);

    /* Replaces `count` FP32 values by their means over all ranks. The reduction runs concurrently with later run()
     * calls until join(). Does nothing with one rank.
     * reduce_dtype: SQ_F32; or SQ_BF16, which halves the traffic and rounds the values and each sum of two ranks. */
    sq_status (*reduce_mean)(sq_backend *b, sq_device_ptr values, size_t count, sq_dtype reduce_dtype);
    sq_status (*join)(sq_backend *b);
};

/* The reduction over ranks for host backends. begin() starts an asynchronous reduction in place; the values are
 * undefined until finish(), which waits until all reductions are done and the values are the means.
 * supernet/ranks/ranks.h provides the functions. */
typedef struct {
    sq_status (*begin)(void *context, float *values, size_t count, sq_dtype reduce_dtype);
    sq_status (*finish)(void *context);
    void *context;
} sq_reduction;

/* The first member of the struct of every backend. */
struct sq_backend {
    const struct sq_backend_ops *ops;
    const sq_rank_group *norm_group; /* synchronised batch norm over these ranks; NULL: this rank alone. cpu only; set
                                        before compile(); costs two gathers per norm and step */
    const sq_reduction *reduction;   /* NULL: there is only one rank */
};

typedef enum {
    SQ_ENGINE_SQUALL, /* the fused kernels of Squall */
    SQ_ENGINE_VENDOR, /* cuDNN and cuBLASLt, with normalisation in separate passes */
    SQ_ENGINE_AUTO,   /* the faster engine for each shape, measured once per GPU; SQUALL if a library is missing */
    SQ_ENGINES
} sq_engine;

typedef struct {
    int threads;        /* cpu: 0 means all cores */
    int device;         /* cuda: index of the GPU; a number in the backend's name overrides this index */
    bool is_local_rank; /* `device` is the rank's index on this host; ranks are assigned to the GPUs in turn */
    bool no_graphs;     /* cuda: plain launches instead of CUDA graphs; results are bit-identical */
    sq_engine engine;   /* cuda: code of convolutions and linear layers; engines differ in the last bits */
} sq_backend_options;

/* Opens a backend by name: "cuda", "cuda:1", "cpu", "reference", or "auto", which is cuda if a GPU can be used and cpu
 * otherwise. options: NULL means the defaults. Returns SQ_INVALID for an unknown name; SQ_DEVICE or SQ_UNSUPPORTED,
 * with the reason, if no GPU can be used. Close the backend with sq_backend_close. */
SQ_MUST_USE sq_status sq_backend_open_with(const char *name, const sq_backend_options *options, sq_backend **out);
/* Does the same as sq_backend_open_with, with the number of threads as the only option. */
SQ_MUST_USE sq_status sq_backend_open(const char *name, int threads, sq_backend **out);
void sq_backend_close(sq_backend *b); /* accepts NULL */

/* Writes one line about backend number `line` (0, 1, ...) of this build, with the device or the reason why no device
 * can be used. Returns false if there is no such backend. */
bool sq_backend_describe(int line, char *text, size_t text_bytes);

/* Open one backend each. Callers use sq_backend_open instead. In a build without CUDA, sq_cuda_open returns
 * SQ_UNSUPPORTED. */
SQ_MUST_USE sq_status sq_reference_open(const sq_backend_options *options, sq_backend **out);
SQ_MUST_USE sq_status sq_cpu_open(const sq_backend_options *options, sq_backend **out);
SQ_MUST_USE sq_status sq_cuda_open(const sq_backend_options *options, sq_backend **out);
void sq_cuda_describe(char *text, size_t text_bytes);       /* the device, or why no device is used */
void sq_cuda_describe_ranks(char *text, size_t text_bytes); /* the version of NCCL, or why NCCL is not used */
/* Writes which GPUs of this host can access the memory of which other GPUs directly, or why that is unknown. */
void sq_cuda_describe_peers(char *text, size_t text_bytes);

/* Lists the launches of a graph on cuda, without a device and without memory for the tensors.
 *
 * graph             tensors as cuda needs them: SQ_BF16, channels padded to a multiple of 8
 * multiprocessors   number of multiprocessors of the GPU (132 on an H200)
 * out, limit        receives the first `limit` launches
 * count             receives the number of all launches
 *
 * Also works in a build without CUDA. The text of SQ_UNSUPPORTED names the first operation that cuda cannot run. */
SQ_MUST_USE sq_status sq_cuda_dry_run(const sq_graph *graph, int multiprocessors, sq_program_part *out, int limit,
                                      int *count);

#endif
