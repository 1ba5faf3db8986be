/* cuda_runtime.cpp - emulated CUDA runtime calls: the queues of streams, launches, memory.
 *
 * A stream is a queue. Its work runs when the host synchronises with the stream, or when another stream waits for it
 * with cudaStreamWaitEvent. Therefore, a result that is read too early is still NaN, and a pinned buffer that is
 * overwritten too early reaches the device with wrong contents, as may happen on a GPU. EMU_DEFER=0 runs all work
 * immediately. Under TSan each stream has a separate context, so that TSan reports races between the host and streams.
 *
 * Device memory is poisoned for ASan while host code runs. A copy of pageable memory happens during the call, or the
 * call waits for the copy, as CUDA specifies. Not emulated: the check that captured streams are joined before the
 * capture ends, symbols, managed memory, and peer devices (all devices share the host's memory).
 *
 * Like the scheduler, this file is compiled without sanitizer flags. */
#include "dirty_pages.h"
#include "runtime.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sched.h>

#include "emu_control.h"

const EmuMemoryWatch *emu_memory_watch;

namespace emu {

CUstream_st null_stream = {true, {}, nullptr, nullptr, 0};
std::vector<cudaStream_t> streams; /* all streams except the null stream */
std::vector<cudaEvent_t> events;
std::map<char *, size_t> device_memory, pinned_memory;
std::recursive_mutex mutex;

static int open_depth; /* number of running calls that let the device access its memory */

static void device_access(int step) /* step: +1 when the device starts work, -1 when it finishes work */
{
    const bool was_open = open_depth > 0;
    open_depth += step;
    if (!__asan_poison_memory_region || was_open == (open_depth > 0))
        return;
    for (auto &a : device_memory)
        (open_depth ? __asan_unpoison_memory_region : __asan_poison_memory_region)(a.first, a.second);
}

/* ---- Queues ---- */

cudaStream_t resolve(cudaStream_t s) /* returns NULL if there is no such stream */
{
    if (!s || s == cudaStreamLegacy || s == cudaStreamPerThread)
        return &null_stream;
    return std::find(streams.begin(), streams.end(), s) != streams.end() ? s : nullptr;
}

/* Creates the TSan context of a stream. Called when the stream is created, because a context that is created at the
 * first work would order all earlier host code before this work. */
void make_context(cudaStream_t s)
{
    if (__tsan_create_fiber && !s->tsan)
        s->tsan = __tsan_create_fiber(1 /* do not synchronise */);
}

bool run_next(cudaStream_t s)
{
    device_access(+1);
    std::unique_ptr<Item> item = std::move(s->queue.front());
    s->queue.pop_front();
    void *caller = __tsan_get_current_fiber ? __tsan_get_current_fiber() : nullptr;
    if (caller) {
        __tsan_switch_to_fiber(s->tsan, 1);
        __tsan_acquire(&item->submitted);
    }
    if (item->fails)
        faults.pending = cudaErrorLaunchFailure;
    const bool is_ready = faults.pending || !item->node.is_ready || item->node.is_ready();
    if (!is_ready)
        s->queue.push_front(std::move(item));
    else if (!faults.pending) /* after a failure, no work runs */
        item->node.work();
    item.reset();
    if (caller) {
        __tsan_release(&s->done);
        __tsan_switch_to_fiber(caller, 1);
    }
    device_access(-1);
    return is_ready;
}

/* Runs the work of s until the queue is empty or `until` has reached `value`. If until is NULL, runs all work. Work
 * that is not ready waits for another process, so the thread then yields to other processes. */
void drain(cudaStream_t s, const Moment *until, uint64_t value)
{
    device_access(+1);
    while (!s->queue.empty() && !(until && until->reached >= value))
        if (!run_next(s))
            sched_yield();
    device_access(-1);
}

void host_waits(cudaStream_t s)
{
    drain(s, nullptr, 0);
    if (__tsan_acquire)
        __tsan_acquire(&s->done);
}

/* The null stream waits for the blocking streams, so the host waits for all of them. */
void host_waits_for_null_stream(void)
{
    for (cudaStream_t s : streams)
        if (s->is_blocking)
            host_waits(s);
    host_waits(&null_stream);
}

void host_waits_for_all(void)
{
    std::vector<cudaStream_t> order = streams;
    order.insert(order.begin(), &null_stream);
    if (emu_schedule() == 1)
        std::reverse(order.begin(), order.end());
    for (cudaStream_t s : order)
        host_waits(s);
}

cudaError_t surface(void) /* returns the result of a synchronisation */
{
    if (faults.pending)
        faults.sticky = faults.pending;
    return give(faults.sticky);
}

cudaError_t invalidate(cudaStream_t s, cudaError_t e)
{
    s->capture->is_invalid = true;
    return e;
}

/* Returns an error if any stream captures in a strict mode. Calls that may stall the device are then not allowed. */
cudaError_t strict_capture(cudaError_t blocking_error)
{
    for (cudaStream_t s : streams)
        if (s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed)
            return invalidate(s, s->is_blocking ? blocking_error : cudaErrorStreamCaptureUnsupported);
    return cudaSuccess;
}

static bool is_deferred(void)
{
    static const char *text = std::getenv("EMU_DEFER");
    return !(text && std::atoi(text) == 0);
}

cudaError_t enqueue(cudaStream_t s, Node node)
{
    if (s->capture) {
        if (s->capture->is_invalid)
            return cudaErrorStreamCaptureInvalidated;
        s->capture->nodes.push_back(std::move(node));
        return cudaSuccess;
    }
    if (s == &null_stream) {
        for (cudaStream_t other : streams)
            if (other->is_blocking && other->capture)
                return invalidate(other, cudaErrorStreamCaptureImplicit);
            else if (other->is_blocking)
                drain(other, nullptr, 0);
    } else if (s->is_blocking) {
        drain(&null_stream, nullptr, 0);
    }
    std::unique_ptr<Item> item(new Item{std::move(node), false, 0});
    if (item->node.is_kernel) {
        counts.launches++;
        item->fails = faults.launch > 0 && --faults.launch == 0;
    }
    make_context(s);
    if (__tsan_release)
        __tsan_release(&item->submitted);
    s->queue.push_back(std::move(item));
    if (!is_deferred())
        drain(s, nullptr, 0);
    else if (s->queue.size() > 1024) { /* a GPU does not defer work forever either */
        (void)run_next(s);
    }
    return cudaSuccess;
}

/* ---- Memory ---- */

enum Place { HOST, PINNED, DEVICE, ASTRIDE };

static bool find(const std::map<char *, size_t> &map, const void *p, size_t bytes, bool *is_astride)
{
    auto next = map.upper_bound((char *)p);
    if (next != map.end() && (char *)p + bytes > next->first)
        *is_astride = true;
    if (next == map.begin())
        return false;
    --next;
    if ((char *)p >= next->first + next->second)
        return false;
    if ((char *)p + bytes > next->first + next->second)
        *is_astride = true;
    return true;
}

static Place place(const void *p, size_t bytes)
{
    bool is_astride = false;
    const bool in_device = find(device_memory, p, bytes, &is_astride);
    const bool in_pinned = !in_device && find(pinned_memory, p, bytes, &is_astride);
    return is_astride ? ASTRIDE : in_device ? DEVICE : in_pinned ? PINNED : HOST;
}

size_t total(const std::map<char *, size_t> &map)
{
    size_t sum = 0;
    for (auto &a : map)
        sum += a.second;
    return sum;
}

static void tell_copied(const void *to, const void *from, size_t bytes)
{
    if (!emu_memory_watch || place(to, bytes) != DEVICE)
        return;
    if (place(from, bytes) == DEVICE)
        emu_memory_watch->copied(to, from, bytes);
    else
        emu_memory_watch->wrote(to, bytes);
}

static cudaError_t allocate(void **p, size_t bytes, std::map<char *, size_t> &map, int *countdown)
{
    const cudaError_t captured = strict_capture(cudaErrorStreamCaptureUnsupported);
    if (captured)
        return captured;
    counts.mallocs++;
    if (*countdown > 0 && --*countdown == 0)
        return cudaErrorMemoryAllocation;
    if (&map == &device_memory && bytes > device.memory - std::min(device.memory, total(map)))
        return cudaErrorMemoryAllocation;
    void *memory = nullptr;
    const bool has_pages = emu_other_machine && &map == &device_memory; /* dirty_pages.cpp requires whole pages */
    const size_t unit = has_pages ? (size_t)PAGE_BYTES : 256, taken = has_pages ? whole_pages(bytes) : bytes;
    if (bytes && posix_memalign(&memory, unit, taken))
        return cudaErrorMemoryAllocation;
    if (memory) {
        emu_poison(memory, bytes);
        map[(char *)memory] = bytes;
        if (emu_memory_watch)
            emu_memory_watch->cleared(memory, bytes);
    }
    *p = memory;
    if (memory && &map == &device_memory && __asan_poison_memory_region && !open_depth)
        __asan_poison_memory_region(memory, bytes);
    return cudaSuccess;
}

static cudaError_t release(void *p, std::map<char *, size_t> &map)
{
    if (!p)
        return cudaSuccess;
    auto found = map.find((char *)p);
    if (found == map.end())
        return cudaErrorInvalidValue;
    host_waits_for_all(); /* cudaFree waits for all work */
    if (&map == &device_memory && __asan_unpoison_memory_region)
        __asan_unpoison_memory_region(p, found->second);
    map.erase(found);
    std::free(p);
    return faults.sticky;
}

/* Frees memory even after a failure, so that a test of the failure can still check for leaks. */
static cudaError_t release_locked(void *p, std::map<char *, size_t> &map)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);
    return give(release(p, map));
}

static bool kind_fits(Place to, Place from, cudaMemcpyKind kind)
{
    if (to == ASTRIDE || from == ASTRIDE)
        return false;
    const bool to_device = to == DEVICE, from_device = from == DEVICE;
    switch (kind) {
    case cudaMemcpyHostToHost: return !to_device && !from_device;
    case cudaMemcpyHostToDevice: return to_device && !from_device;
    case cudaMemcpyDeviceToHost: return !to_device && from_device;
    case cudaMemcpyDeviceToDevice: return to_device && from_device;
    default: return kind == cudaMemcpyDefault;
    }
}

static cudaError_t copy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t s)
{
    if (!s)
        return cudaErrorInvalidResourceHandle;
    if (!bytes)
        return cudaSuccess;
    const Place target = place(to, bytes), source = place(from, bytes);
    if (!to || !from || !kind_fits(target, source, kind))
        return cudaErrorInvalidValue;
    cudaError_t e;
    if (source == HOST && !s->capture) { /* the copy is made now, because the caller may overwrite the source */
        std::shared_ptr<std::vector<char>> staged(new std::vector<char>((const char *)from, (const char *)from + bytes));
        e = enqueue(s, {[=, staged = std::move(staged)] {
            std::memmove(to, staged->data(), bytes);
            tell_copied(to, staged->data(), bytes);
        }, false});
    } else {
        e = enqueue(s, {[=] {
            std::memmove(to, from, bytes);
            tell_copied(to, from, bytes);
        }, false});
    }
    if (e == cudaSuccess && target == HOST && !s->capture) {
        host_waits(s); /* a copy to pageable memory is synchronous */
        e = surface();
    }
    return e;
}

static cudaError_t fill(void *p, int value, size_t bytes, cudaStream_t s)
{
    if (!s)
        return cudaErrorInvalidResourceHandle;
    if (!bytes)
        return cudaSuccess;
    const Place target = place(p, bytes);
    if (target != DEVICE && target != PINNED)
        return cudaErrorInvalidValue;
    return enqueue(s, {[=] {
        std::memset(p, value, bytes);
        if (emu_memory_watch && target == DEVICE)
            emu_memory_watch->wrote(p, bytes);
    }, false});
}

static cudaError_t check_launch(const EmuKernel &k)
{
    const uint64_t threads = (uint64_t)k.block.x * k.block.y * k.block.z;
    const uint64_t blocks = (uint64_t)k.grid.x * k.grid.y * k.grid.z;
    if (device.major < 8)
        return cudaErrorNoKernelImageForDevice;
    if (threads == 0 || threads > 1024 || k.block.z > 64)
        return cudaErrorInvalidConfiguration;
    if (blocks == 0 || blocks > 0x7fffffffu || k.grid.y > 65535 || k.grid.z > 65535)
        return cudaErrorInvalidConfiguration;
    const auto found = opted_in.find(k.function);
    const size_t allowed = std::max<size_t>(EMU_STATIC_SHARED, found == opted_in.end() ? 0 : found->second);
    return k.shared_bytes > allowed ? cudaErrorInvalidValue : cudaSuccess;
}

} // namespace emu

using namespace emu;

void emu_submit(const EmuKernel &kernel, cudaStream_t stream)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);
    cudaStream_t s = resolve(stream);
    cudaError_t e = usable();
    if (e == cudaSuccess)
        e = s ? check_launch(kernel) : cudaErrorInvalidResourceHandle;
    if (e == cudaSuccess && !loaded.count(kernel.function) && s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed)
        e = cudaErrorStreamCaptureUnsupported; /* with lazy loading, the first launch may synchronise */
    if (e == cudaSuccess) {
        loaded.insert(kernel.function);
        auto &largest = largest_grid[kernel.function];
        largest = std::max(largest, (unsigned long long)kernel.grid.x * kernel.grid.y * kernel.grid.z);
        const bool is_raised = opted_in.count(kernel.function) != 0;
        const size_t limit = is_raised ? shared_optin() : EMU_STATIC_SHARED;
        const bool is_skipped = faults.skipped && std::strstr(kernel.name, faults.skipped);
        e = enqueue(s, {[=] {
                            if (!is_skipped)
                                emu_run(kernel, limit), emu_check_read_only(kernel.name);
                        },
                        true});
    } else if (s && s->capture) {
        s->capture->is_invalid = true;
    }
    (void)give(e); /* a launch returns no status; cudaGetLastError returns it */
}

extern "C" {

void emu_enqueue(cudaStream_t stream, int (*is_ready)(void *), void (*work)(void *), void *context)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);
    (void)enqueue(resolve(stream), {[=] {
        if (emu_memory_watch)
            emu_memory_watch->other([=] { work(context); });
        else
            work(context);
    }, false, [=] { return is_ready(context) != 0; }});
}

cudaError_t cudaDeviceSynchronize(void)
{
    CALL;
    const cudaError_t captured = strict_capture(cudaErrorStreamCaptureUnsupported);
    REQUIRE(!captured, captured);
    host_waits_for_all();
    return surface();
}

/* Frees device memory. Errors that persist until the process ends on a GPU also persist here. */
cudaError_t cudaDeviceReset(void)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);
    while (!device_memory.empty())
        (void)release(device_memory.begin()->first, device_memory);
    return give(usable());
}

/* ---- Memory ---- */

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    CALL;
    *total_bytes = device.memory;
    *free_bytes = device.memory - std::min(device.memory, total(device_memory));
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    CALL;
    return give(allocate(p, bytes, device_memory, &faults.malloc));
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned)
{
    CALL;
    return give(allocate(p, bytes, pinned_memory, &faults.host_malloc));
}

cudaError_t cudaMallocHost(void **p, size_t bytes) { return cudaHostAlloc(p, bytes, 0); }
cudaError_t cudaFree(void *p) { return release_locked(p, device_memory); }
cudaError_t cudaFreeHost(void *p) { return release_locked(p, pinned_memory); }

cudaError_t cudaHostGetDevicePointer(void **out, void *p, unsigned)
{
    CALL;
    REQUIRE(place(p, 1) == PINNED, cudaErrorInvalidValue);
    return *out = p, cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    CALL;
    return give(copy(to, from, bytes, kind, resolve(stream)));
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream)
{
    CALL;
    return give(fill(p, value, bytes, resolve(stream)));
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    CALL;
    const cudaError_t captured = strict_capture(cudaErrorStreamCaptureImplicit);
    REQUIRE(!captured, captured);
    const cudaError_t e = copy(to, from, bytes, kind, &null_stream);
    host_waits_for_null_stream();
    return e ? give(e) : surface();
}

cudaError_t cudaMemset(void *p, int value, size_t bytes)
{
    CALL;
    const cudaError_t captured = strict_capture(cudaErrorStreamCaptureImplicit);
    REQUIRE(!captured, captured);
    return give(fill(p, value, bytes, &null_stream)); /* the call is asynchronous, as on a GPU */
}

} // extern "C"
