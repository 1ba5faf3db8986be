/* cuda_device.cpp - emulated CUDA runtime calls that run no work (errors, devices, attributes of kernels), and the
 * controls for tests (emu_control.h). Like the scheduler, this file is compiled without sanitizer flags. */
#include "runtime.h"

#include "emu_control.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace emu {

Device device;
Faults faults;
Counts counts;
thread_local cudaError_t last_error;
std::map<const void *, size_t> opted_in;
std::set<const void *> loaded;
std::map<const void *, unsigned long long> largest_grid;

static int device_count(void)
{
    const char *text = std::getenv("EMU_DEVICES");
    return text ? std::atoi(text) : 1;
}

Device::Device() : count(device_count()) {}

/* Returns the largest size of shared memory that a kernel may opt in to; CUDA C++ Programming Guide, table of technical
 * specifications. */
size_t shared_optin(void)
{
    if (device.major == 8)
        return (device.minor == 0 || device.minor == 7 ? 163 : 99) * KIB;
    return (device.major == 12 ? 99 : 227) * KIB;
}

cudaError_t give(cudaError_t e)
{
    if (e != cudaSuccess)
        last_error = e;
    return e;
}

cudaError_t usable(void)
{
    if (faults.sticky)
        return faults.sticky;
    if (device.driver / 1000 < CUDART_VERSION / 1000)
        return cudaErrorInsufficientDriver;
    return device.count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

} // namespace emu

using namespace emu;

extern "C" {

/* ---- Controls for tests ---- */

void emu_fail_launch(int n) { faults.launch = n; }
void emu_fail_malloc(int n) { faults.malloc = n; }
void emu_fail_host_malloc(int n) { faults.host_malloc = n; }
void emu_forget_waits(int whose) { faults.forgotten_waits = whose; }
void emu_skip_kernel(const char *name) { faults.skipped = name; }
void emu_set_memory(size_t bytes) { device.memory = bytes; }
long emu_launch_count(void) { return counts.launches; }
long emu_graph_launch_count(void) { return counts.graph_launches; }
long emu_malloc_count(void) { return counts.mallocs; }
bool emu_is_loaded(const void *kernel) { return loaded.count(kernel) != 0; }
void emu_unload(void) { loaded.clear(); }

unsigned long long emu_largest_grid(const void *kernel)
{
    const auto found = largest_grid.find(kernel);
    return found == largest_grid.end() ? 0 : found->second;
}

size_t emu_live_bytes(void) { return total(device_memory) + total(pinned_memory); }

void emu_set_device(int count, int major, int minor, int driver_version)
{
    device.count = count, device.major = major, device.minor = minor, device.driver = driver_version;
}

void emu_reset(void)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);
    device = Device{}, faults = Faults{}, counts = Counts{};
    last_error = cudaSuccess;
    null_stream.queue.clear();
    for (cudaStream_t s : streams)
        s->queue.clear(), s->capture.reset();
}

/* ---- Errors and versions ---- */

cudaError_t cudaPeekAtLastError(void) { return faults.sticky ? faults.sticky : last_error; }

cudaError_t cudaGetLastError(void)
{
    const cudaError_t e = cudaPeekAtLastError();
    last_error = cudaSuccess;
    return e;
}

#define ERRORS(X)                                                                                                      \
    X(cudaSuccess, "no error")                                                                                         \
    X(cudaErrorInvalidValue, "invalid argument")                                                                       \
    X(cudaErrorMemoryAllocation, "out of memory")                                                                      \
    X(cudaErrorInvalidConfiguration, "invalid configuration argument")                                                 \
    X(cudaErrorInvalidDevice, "invalid device ordinal")                                                                \
    X(cudaErrorInvalidDeviceFunction, "invalid device function")                                                       \
    X(cudaErrorInvalidResourceHandle, "invalid resource handle")                                                       \
    X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version")                     \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                                         \
    X(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device")                     \
    X(cudaErrorLaunchFailure, "unspecified launch failure")                                                            \
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state")                                 \
    X(cudaErrorNotReady, "device not ready")                                                                           \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")                           \
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture")                    \
    X(cudaErrorStreamCaptureUnmatched, "capture was not initiated in this stream")                                     \
    X(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream")                      \
    X(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream")  \
    X(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream")

const char *cudaGetErrorString(cudaError_t e)
{
#define TEXT(name, text)                                                                                               \
    if (e == name)                                                                                                     \
        return text;
    ERRORS(TEXT)
    return "unrecognized error code";
}

const char *cudaGetErrorName(cudaError_t e)
{
#define NAME(name, text)                                                                                               \
    if (e == name)                                                                                                     \
        return #name;
    ERRORS(NAME)
    return "unrecognized error code";
}

cudaError_t cudaDriverGetVersion(int *version) { return *version = device.driver, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *version) { return *version = CUDART_VERSION, cudaSuccess; }

/* ---- Devices ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 0;
    CALL;
    return *count = device.count, cudaSuccess;
}

/* Every device can access all others, because the emulated devices share the host's memory. */
cudaError_t cudaDeviceCanAccessPeer(int *reaches, int device_index, int peer)
{
    *reaches = 0;
    CALL;
    if (device_index < 0 || peer < 0 || device_index >= device.count || peer >= device.count)
        return cudaErrorInvalidDevice;
    *reaches = device_index != peer;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int index)
{
    CALL;
    REQUIRE(index >= 0 && index < device.count, cudaErrorInvalidDevice);
    return device.current = index, cudaSuccess;
}

cudaError_t cudaGetDevice(int *index)
{
    CALL;
    return *index = device.current, cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned)
{
    CALL;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int index)
{
    CALL;
    REQUIRE(index >= 0 && index < device.count, cudaErrorInvalidDevice);
    std::memset(p, 0, sizeof *p);
    std::snprintf(p->name, sizeof p->name, "emulated");
    p->uuid.bytes[0] = (char)(index + 1), p->pciBusID = index + 1;
    p->major = device.major, p->minor = device.minor;
    p->totalGlobalMem = device.memory;
    p->multiProcessorCount = 4;
    p->sharedMemPerBlock = EMU_STATIC_SHARED;
    p->sharedMemPerBlockOptin = shared_optin();
    p->sharedMemPerMultiprocessor = shared_optin() + KIB;
    p->reservedSharedMemPerBlock = KIB;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024, p->maxThreadsPerMultiProcessor = 2048, p->maxBlocksPerMultiProcessor = 32;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024, p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 0x7fffffff, p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->l2CacheSize = 4 << 20;
    p->unifiedAddressing = p->canMapHostMemory = p->concurrentKernels = 1;
    p->asyncEngineCount = 2;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int index)
{
    struct cudaDeviceProp p;
    const cudaError_t e = cudaGetDeviceProperties(&p, index);
    if (e)
        return e;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: return *value = p.major, cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor: return *value = p.minor, cudaSuccess;
    case cudaDevAttrMultiProcessorCount: return *value = p.multiProcessorCount, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock: return *value = (int)p.sharedMemPerBlock, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: return *value = (int)p.sharedMemPerBlockOptin, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: return *value = (int)p.sharedMemPerMultiprocessor, cudaSuccess;
    case cudaDevAttrReservedSharedMemoryPerBlock: return *value = (int)p.reservedSharedMemPerBlock, cudaSuccess;
    case cudaDevAttrMaxRegistersPerBlock: return *value = p.regsPerBlock, cudaSuccess;
    case cudaDevAttrMaxRegistersPerMultiprocessor: return *value = p.regsPerMultiprocessor, cudaSuccess;
    case cudaDevAttrMaxThreadsPerBlock: return *value = p.maxThreadsPerBlock, cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor: return *value = p.maxThreadsPerMultiProcessor, cudaSuccess;
    case cudaDevAttrWarpSize: return *value = p.warpSize, cudaSuccess;
    case cudaDevAttrL2CacheSize: return *value = p.l2CacheSize, cudaSuccess;
    case cudaDevAttrClockRate: return *value = 1000000, cudaSuccess;
    default: return give(cudaErrorInvalidValue);
    }
}

/* ---- Attributes of kernels ---- */

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    CALL;
    REQUIRE(function, cudaErrorInvalidDeviceFunction);
    loaded.insert(function);
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        REQUIRE(value >= 0 && (size_t)value <= shared_optin(), cudaErrorInvalidValue);
        opted_in[function] = (size_t)value;
    }
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *function)
{
    CALL;
    REQUIRE(function, cudaErrorInvalidDeviceFunction);
    std::memset(out, 0, sizeof *out);
    loaded.insert(function);
    const auto found = opted_in.find(function);
    out->maxThreadsPerBlock = 1024;
    out->numRegs = 64;
    out->ptxVersion = out->binaryVersion = 10 * device.major + device.minor;
    out->maxDynamicSharedSizeBytes = (int)(found == opted_in.end() ? (size_t)EMU_STATIC_SHARED : found->second);
    return cudaSuccess;
}

/* Returns 2 if two blocks fit. The registers of a kernel are unknown here, so they do not limit the result. */
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int block_size,
                                                                   size_t dynamic_bytes, unsigned)
{
    CALL;
    REQUIRE(function, cudaErrorInvalidDeviceFunction);
    REQUIRE(block_size > 0, cudaErrorInvalidValue);
    const auto found = opted_in.find(function);
    const size_t allowed = std::max<size_t>(EMU_STATIC_SHARED, found == opted_in.end() ? 0 : found->second);
    if (block_size > 1024 || dynamic_bytes > allowed)
        *blocks = 0;
    else
        *blocks = 2 * (dynamic_bytes + KIB) > shared_optin() + KIB ? 1 : 2;
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int block_size,
                                                          size_t dynamic_bytes)
{
    return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_size, dynamic_bytes, 0);
}

} // extern "C"
