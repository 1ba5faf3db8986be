/* runtime.h - state and functions shared by cuda_runtime.cpp (queues, memory), cuda_streams.cpp (streams, events,
 * graphs) and cuda_device.cpp (devices, errors). */
#ifndef EMU_RUNTIME_H
#define EMU_RUNTIME_H

#include "scheduler.h"

#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace emu {

struct Node { /* of a stream's queue or of a graph */
    std::function<void()> work;
    bool is_kernel;
    std::function<bool()> is_ready = nullptr; /* if given, polled until the work may start */
};

struct Item {
    Node node;
    bool fails;
    char submitted; /* tells TSan that host code before the submission happens before the work */
};

struct Capture {
    cudaStream_t origin;
    cudaStreamCaptureMode mode;
    std::vector<Node> nodes;
    bool is_invalid;
};

struct Moment { /* outlives its event while a queue holds it */
    uint64_t reached;
    double when_ms;
    char sync;
};

} // namespace emu

struct CUgraph_st {
    std::vector<emu::Node> nodes; /* in the order of capture, which satisfies every dependency */
};

struct CUgraphExec_st {
    std::vector<emu::Node> nodes;
};

struct CUstream_st {
    bool is_blocking; /* this stream and the null stream wait for each other */
    std::deque<std::unique_ptr<emu::Item>> queue;
    std::shared_ptr<emu::Capture> capture;
    void *tsan;
    char done;
};

struct CUevent_st {
    bool has_time;
    uint64_t recorded;
    cudaStream_t stream;
    std::shared_ptr<emu::Capture> capture; /* recorded while capturing: only that capture may wait for it */
    std::shared_ptr<emu::Moment> moment;
};

namespace emu {

struct Device {
    Device();
    int count, major = 9, minor = 0, driver = CUDART_VERSION, current = 0;
    size_t memory = (size_t)2 << 30;
};
extern Device device;
struct Faults {
    int launch, malloc, host_malloc; /* calls until the failure; 0: none */
    cudaError_t pending, sticky;     /* pending on the device; reported to the host */
    int forgotten_waits;             /* as emu_forget_waits */
    const char *skipped = std::getenv("EMU_SKIP_KERNEL"); /* as emu_skip_kernel; NULL: none */
};
extern Faults faults;
struct Counts {
    long launches, graph_launches, mallocs;
};
extern Counts counts;
extern thread_local cudaError_t last_error;

extern std::recursive_mutex mutex; /* like the CUDA runtime, callable from every host thread */
extern CUstream_st null_stream;
extern std::vector<cudaStream_t> streams; /* without the null stream */
extern std::vector<cudaEvent_t> events;
extern std::map<char *, size_t> device_memory, pinned_memory;
extern std::map<const void *, size_t> opted_in; /* kernel -> dynamic shared memory that cudaFuncSetAttribute allowed */
extern std::set<const void *> loaded;            /* loaded kernels; the first launch loads a kernel unless the stream is capturing */
extern std::map<const void *, unsigned long long> largest_grid; /* kernel -> blocks */

enum : size_t { KIB = 1024 };

size_t shared_optin(void); /* CUDA C++ Programming Guide, table of technical specifications */
cudaError_t give(cudaError_t e); /* keeps it for cudaGetLastError */
cudaError_t usable(void); /* or the error that every call returns */

/* Functions of cuda_runtime.cpp for the other files. */
size_t total(const std::map<char *, size_t> &map); /* bytes */
cudaStream_t resolve(cudaStream_t s);              /* NULL: no such stream */
void make_context(cudaStream_t s);
cudaError_t enqueue(cudaStream_t s, Node node);
bool run_next(cudaStream_t s); /* runs the next item of a non-empty queue; false: it is not ready yet */
void drain(cudaStream_t s, const Moment *until, uint64_t value); /* until: NULL for all */
void host_waits(cudaStream_t s);
void host_waits_for_null_stream(void); /* which waits for the blocking streams */
void host_waits_for_all(void);
cudaError_t surface(void); /* the result of a synchronisation */
cudaError_t invalidate(cudaStream_t s, cudaError_t e); /* invalidates its capture; returns e */
cudaError_t strict_capture(cudaError_t blocking_error); /* the error of a call that may stall the device while a stream captures */

} // namespace emu

/* The start of every call. */
#define CALL                                                                                                           \
    std::lock_guard<std::recursive_mutex> lock(mutex);                                                                 \
    if (usable() != cudaSuccess)                                                                                       \
    return give(usable())
#define REQUIRE(condition, error)                                                                                      \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return give(error);                                                                                        \
    } while (0)

#endif
