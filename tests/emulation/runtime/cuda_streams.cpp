/* cuda_streams.cpp - emulated CUDA runtime calls on streams, events and graphs. cuda_runtime.cpp describes how streams
 * are emulated. Like the scheduler, this file is compiled without sanitizer flags. */
#include "scheduler.h"
#include "runtime.h"

#include <algorithm>
#include <ctime>

using namespace emu;

static double now_ms(void)
{
    /* The variable is static because TSan intercepts clock_gettime and would report a race on a stack that several
     * fibres use. */
    static timespec t;
    if (__tsan_ignore_thread_begin)
        __tsan_ignore_thread_begin();
    clock_gettime(CLOCK_MONOTONIC, &t);
    if (__tsan_ignore_thread_end)
        __tsan_ignore_thread_end();
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static bool known(cudaEvent_t e) { return std::find(events.begin(), events.end(), e) != events.end(); }

extern "C" {

/* ---- Streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    CALL;
    REQUIRE(flags == cudaStreamDefault || flags == cudaStreamNonBlocking, cudaErrorInvalidValue);
    cudaStream_t s = new CUstream_st{flags == cudaStreamDefault, {}, nullptr, nullptr, 0};
    make_context(s);
    streams.push_back(s);
    return *out = s, cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int)
{
    return cudaStreamCreateWithFlags(out, flags);
}

cudaError_t cudaStreamCreate(cudaStream_t *out) { return cudaStreamCreateWithFlags(out, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> lock(mutex); /* this call also works after a failure */
    cudaStream_t s = resolve(stream);
    REQUIRE(s && s != &null_stream, cudaErrorInvalidResourceHandle);
    drain(s, nullptr, 0);
    streams.erase(std::find(streams.begin(), streams.end(), s));
    if (s->tsan)
        __tsan_destroy_fiber(s->tsan);
    delete s;
    return give(faults.sticky);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(s, cudaErrorInvalidResourceHandle);
    if (s->capture)
        return give(invalidate(s, cudaErrorStreamCaptureUnsupported));
    if (s == &null_stream)
        host_waits_for_null_stream();
    else
        host_waits(s);
    return surface();
}

/* Runs one item of the stream, so that a loop of queries ends. If work remains, cudaGetLastError then returns
 * cudaErrorNotReady, as on a GPU. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(s, cudaErrorInvalidResourceHandle);
    if (s->capture)
        return give(invalidate(s, cudaErrorStreamCaptureUnsupported));
    if (s->queue.empty()) {
        host_waits(s);
        return surface();
    }
    (void)run_next(s);
    return give(cudaErrorNotReady);
}

/* ---- Events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    CALL;
    cudaEvent_t e = new CUevent_st{!(flags & cudaEventDisableTiming), 0, nullptr, nullptr, nullptr};
    e->moment.reset(new Moment{0, 0.0, 0});
    events.push_back(e);
    return *out = e, cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out) { return cudaEventCreateWithFlags(out, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);
    REQUIRE(known(e), cudaErrorInvalidResourceHandle);
    events.erase(std::find(events.begin(), events.end(), e));
    delete e;
    return give(faults.sticky);
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(s && known(e), cudaErrorInvalidResourceHandle);
    e->capture = s->capture;
    if (s->capture)
        return cudaSuccess;
    e->stream = s;
    const uint64_t value = ++e->recorded;
    const std::shared_ptr<Moment> moment = e->moment;
    return give(enqueue(s, {[=] {
                                moment->reached = value, moment->when_ms = now_ms();
                                if (__tsan_release)
                                    __tsan_release(&moment->sync);
                            },
                            false}));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(s && known(e), cudaErrorInvalidResourceHandle);
    if (e->capture) { /* the stream joins the capture of the event */
        REQUIRE(s != &null_stream && (!s->capture || s->capture == e->capture), cudaErrorStreamCaptureIsolation);
        s->capture = e->capture;
        return cudaSuccess;
    }
    if (s->capture && e->recorded)
        return give(invalidate(s, cudaErrorStreamCaptureIsolation));
    if (!e->recorded || faults.forgotten_waits == (s == streams.front() ? 2 : 1))
        return cudaSuccess;
    const std::shared_ptr<Moment> moment = e->moment;
    const uint64_t value = e->recorded;
    cudaStream_t from = e->stream;
    return give(enqueue(s, {[=] {
                                if (__tsan_acquire)
                                    __tsan_acquire(&moment->sync);
                            },
                            false,
                            [=] { /* `from` may be destroyed once the event is reached */
                                while (moment->reached < value && !from->queue.empty())
                                    if (!run_next(from))
                                        return false;
                                return true;
                            }}));
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    CALL;
    REQUIRE(known(e), cudaErrorInvalidResourceHandle);
    REQUIRE(!e->capture, cudaErrorCapturedEvent);
    if (e->moment->reached < e->recorded)
        drain(e->stream, e->moment.get(), e->recorded);
    if (__tsan_acquire)
        __tsan_acquire(&e->moment->sync);
    return surface();
}

cudaError_t cudaEventQuery(cudaEvent_t e)
{
    CALL;
    REQUIRE(known(e), cudaErrorInvalidResourceHandle);
    REQUIRE(!e->capture, cudaErrorCapturedEvent);
    if (e->moment->reached >= e->recorded)
        return cudaEventSynchronize(e);
    if (faults.pending || e->stream->queue.empty())
        return surface();
    (void)run_next(e->stream);
    return give(cudaErrorNotReady);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end)
{
    CALL;
    REQUIRE(known(begin) && known(end) && begin->has_time && end->has_time && begin->recorded && end->recorded,
            cudaErrorInvalidResourceHandle);
    if (begin->moment->reached < begin->recorded || end->moment->reached < end->recorded)
        return give(cudaErrorNotReady);
    *ms = (float)(end->moment->when_ms - begin->moment->when_ms);
    return cudaSuccess;
}

/* ---- Graphs ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(s, cudaErrorInvalidResourceHandle);
    REQUIRE(s != &null_stream, cudaErrorStreamCaptureUnsupported);
    REQUIRE(!s->capture, cudaErrorIllegalState);
    s->capture.reset(new Capture{s, mode, {}, false});
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(s, cudaErrorInvalidResourceHandle);
    *status = !s->capture              ? cudaStreamCaptureStatusNone
              : s->capture->is_invalid ? cudaStreamCaptureStatusInvalidated
                                       : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    CALL;
    cudaStream_t s = resolve(stream);
    *graph = nullptr;
    REQUIRE(s, cudaErrorInvalidResourceHandle);
    REQUIRE(s->capture, cudaErrorIllegalState);
    REQUIRE(s->capture->origin == s, cudaErrorStreamCaptureUnmatched);
    const std::shared_ptr<Capture> capture = s->capture;
    for (cudaStream_t other : streams)
        if (other->capture == capture)
            other->capture.reset();
    REQUIRE(!capture->is_invalid, cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{std::move(capture->nodes)};
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    CALL;
    REQUIRE(graph, cudaErrorInvalidValue);
    return *exec = new CUgraphExec_st{graph->nodes}, cudaSuccess;
}

#if CUDART_VERSION >= 12000
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    return cudaGraphInstantiateWithFlags(exec, graph, flags);
}
#else
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, cudaGraphNode_t *, char *, size_t)
{
    return cudaGraphInstantiateWithFlags(exec, graph, 0);
}
#endif

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    CALL;
    REQUIRE(exec && resolve(stream), cudaErrorInvalidValue);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    CALL;
    cudaStream_t s = resolve(stream);
    REQUIRE(exec && s, cudaErrorInvalidValue);
    counts.graph_launches += !s->capture;
    for (const Node &node : exec->nodes) {
        const cudaError_t e = enqueue(s, node);
        REQUIRE(!e, e);
    }
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    CALL;
    REQUIRE(graph && !nodes, cudaErrorInvalidValue); /* only the number of nodes is available */
    return *count = graph->nodes.size(), cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return faults.sticky;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return faults.sticky;
}

} // extern "C"
