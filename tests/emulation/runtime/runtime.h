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

struct Node { /* an element of a stream's queue or of a graph */
    std::function<void()> work;
    bool is_kernel;
    std::function<bool()> is_ready = nullptr; /* if given, the stream polls it until the work may start */
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

struct Moment { /* the completion of an event; outlives the event while a queue uses it */
    uint64_t reached;
    double when_ms;
    char sync;
};

} // namespace emu

struct CUgraph_st {
    std::vector<emu::Node> nodes; /* in the order of the capture, which satisfies every dependency */
};

struct CUgraphExec_st {
    std::vector<emu::Node> nodes;
};

struct CUstream_st {
    bool is_blocking; /* whether this stream and the null stream wait for each other */
    std::deque<std::unique_ptr<emu::Item>> queue;
    std::shared_ptr<emu::Capture> capture;
    void *tsan;
    char done;
};

struct CUevent_st {
    bool has_time;
    uint64_t recorded;
    cudaStream_t stream;
    /* The capture that recorded the event; only streams of this capture may wait for the event. */
    std::shared_ptr<emu::Capture> capture;
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
    int launch, malloc, host_malloc; /* calls until the failure; 0: no failure */
    cudaError_t pending, sticky;     /* pending: has occurred on the device; sticky: has been reported to the host */
    int forgotten_waits;             /* argument of emu_forget_waits */
    const char *skipped = std::getenv("EMU_SKIP_KERNEL"); /* argument of emu_skip_kernel; NULL: none */
};
extern Faults faults;
struct Counts {
    long launches, graph_launches, mallocs;
};
extern Counts counts;
extern thread_local cudaError_t last_error;

extern std::recursive_mutex mutex; /* every host thread may call the runtime, as with CUDA */
extern CUstream_st null_stream;
extern std::vector<cudaStream_t> streams; /* all streams except the null stream */
extern std::vector<cudaEvent_t> events;
extern std::map<char *, size_t> device_memory, pinned_memory;
extern std::map<const void *, size_t> opted_in; /* kernel -> dynamic shared memory that cudaFuncSetAttribute allowed */
extern std::set<const void *> loaded;            /* addresses of the loaded kernels */
extern std::map<const void *, unsigned long long> largest_grid; /* kernel -> blocks of its largest launch */

enum : size_t { KIB = 1024 };

size_t shared_optin(void); /* CUDA C++ Programming Guide, table of technical specifications */
cudaError_t give(cudaError_t e); /* keeps e for cudaGetLastError and returns it */
cudaError_t usable(void); /* returns the error that every call returns, or cudaSuccess */

/* Functions that cuda_runtime.cpp defines for the other files. */
size_t total(const std::map<char *, size_t> &map); /* returns bytes */
cudaStream_t resolve(cudaStream_t s);              /* returns NULL if there is no such stream */
void make_context(cudaStream_t s);
cudaError_t enqueue(cudaStream_t s, Node node);
/* Runs the next item of a queue, which must not be empty. Returns false if the item is not ready yet. */
bool run_next(cudaStream_t s);
void drain(cudaStream_t s, const Moment *until, uint64_t value); /* until: NULL to run all work */
void host_waits(cudaStream_t s);
void host_waits_for_null_stream(void); /* also waits for the blocking streams */
void host_waits_for_all(void);
cudaError_t surface(void); /* returns the result of a synchronisation */
cudaError_t invalidate(cudaStream_t s, cudaError_t e); /* invalidates the capture of s; returns e */
/* Returns the error of a call that may stall the device. The error is cudaSuccess if no stream captures in a strict
 * mode. */
cudaError_t strict_capture(cudaError_t blocking_error);

} // namespace emu

/* Every emulated call begins with this macro. */
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
