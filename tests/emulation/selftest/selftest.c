/* selftest.c - tests of the emulator. Expected values follow the CUDA C++ Programming Guide. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <cuda_runtime_api.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/emulation/runtime/emu_control.h"
#include "selftest.h"

static void *device(size_t bytes)
{
    void *p = NULL;
    cr_assert_eq(cudaMalloc(&p, bytes), cudaSuccess);
    cr_assert_eq(cudaMemset(p, 0, bytes), cudaSuccess);
    /* cudaMemset is asynchronous, and other streams do not wait for it. */
    cr_assert_eq(cudaDeviceSynchronize(), cudaSuccess);
    return p;
}

static cudaStream_t stream(void)
{
    cudaStream_t s = NULL;
    cr_assert_eq(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), cudaSuccess);
    return s;
}

struct shuffle_case { int op, arg, width; };

ParameterizedTestParameters(emulator, shuffle)
{
    static struct shuffle_case cases[] = {
        {SELF_IDX, 0, 32}, {SELF_IDX, 5, 8}, {SELF_IDX, 13, 8}, {SELF_UP, 1, 32}, {SELF_UP, 3, 8},
        {SELF_DOWN, 1, 32}, {SELF_DOWN, 7, 16}, {SELF_XOR, 1, 32}, {SELF_XOR, 16, 32}, {SELF_XOR, 16, 16},
    };
    return cr_make_param_array(struct shuffle_case, cases, sizeof cases / sizeof *cases);
}

ParameterizedTest(struct shuffle_case *t, emulator, shuffle)
{
    int got[32], *d = device(sizeof got);
    self_shuffle(d, t->op, t->arg, t->width);
    cudaMemcpy(got, d, sizeof got, cudaMemcpyDeviceToHost);
    for (int lane = 0; lane < 32; lane++) {
        int begin = lane / t->width * t->width, end = begin + t->width, want = lane;
        switch (t->op) {
        case SELF_IDX: want = begin + t->arg % t->width; break;
        case SELF_UP: want = lane - t->arg >= begin ? lane - t->arg : lane; break;
        case SELF_DOWN: want = lane + t->arg < end ? lane + t->arg : lane; break;
        /* If the source is in a later group, the lane keeps its value. */
        case SELF_XOR: want = (lane ^ t->arg) < end ? lane ^ t->arg : lane; break;
        }
        cr_assert_eq(got[lane], want, "op %d arg %d width %d lane %d", t->op, t->arg, t->width, lane);
    }
    cudaFree(d);
}

Test(emulator, votes)
{
    unsigned got[3], *d = device(sizeof got);
    self_votes(d);
    cudaMemcpy(got, d, sizeof got, cudaMemcpyDeviceToHost);
    cr_assert_eq(got[0], 0xaaaaaaaau);
    cr_assert_eq(got[1], 1u);
    cr_assert_eq(got[2], 0u);
    cudaFree(d);
}

Test(emulator, half_warps)
{
    int got[32], *d = device(sizeof got);
    self_half_warps(d);
    cudaMemcpy(got, d, sizeof got, cudaMemcpyDeviceToHost);
    for (int lane = 0; lane < 32; lane++)
        cr_assert_eq(got[lane], lane < 16 ? 120 : 31);
    cudaFree(d);
}

#ifdef __SANITIZE_THREAD__
enum { SCAN_DEPTH = 2 }; /* TSan requires a megabyte for each thread that a block may have */
#else
enum { SCAN_DEPTH = 8 };
#endif

Test(emulator, scan)
{
    int got[128 * SCAN_DEPTH], *d = device(sizeof got);
    self_scan(d, SCAN_DEPTH);
    cudaMemcpy(got, d, sizeof got, cudaMemcpyDeviceToHost);
    for (int i = 0; i < 128 * SCAN_DEPTH; i++)
        cr_assert_eq(got[i], i + 1);
    cudaFree(d);
}

Test(emulator, histogram)
{
    int got[7], *d = device(sizeof got), total = 0;
    self_histogram(d, 7, 9);
    cudaMemcpy(got, d, sizeof got, cudaMemcpyDeviceToHost);
    for (int i = 0; i < 7; i++)
        total += got[i];
    cr_assert_eq(total, 9 * 128);
    cudaFree(d);
}

Test(emulator, last_block)
{
    int sum, *out = device(sizeof sum), *parts = device(160 * sizeof *parts);
    unsigned *arrived = device(sizeof *arrived);
    self_last_block(out, parts, arrived);
    cudaMemcpy(&sum, out, sizeof sum, cudaMemcpyDeviceToHost);
    cr_assert_eq(sum, 32 * (0 + 1 + 2 + 3 + 4));
    cudaFree(out), cudaFree(parts), cudaFree(arrived);
}

Test(emulator, block_votes)
{
    int got[3], *d = device(sizeof got);
    self_block_votes(d);
    cudaMemcpy(got, d, sizeof got, cudaMemcpyDeviceToHost);
    cr_assert_eq(got[0], 22);
    cr_assert_eq(got[1], 1);
    cr_assert_eq(got[2], 0);
    cudaFree(d);
}

/* A launch may use 48 KiB of shared memory. If the kernel has opted in to more, the launch may use up to this limit. */
Test(emulator, dynamic_shared_memory)
{
    enum { COUNT = 6000 }; /* 93.75 KiB */
    static int host[4 * COUNT];
    for (int i = 0; i < 4 * COUNT; i++)
        host[i] = i / 4;
    void *d = device(sizeof host);
    cudaMemcpy(d, host, sizeof host, cudaMemcpyHostToDevice);
    cr_assert_eq(self_reverse(d, 3072), cudaSuccess); /* 48 KiB */
    cr_assert_eq(self_reverse(d, 3072), cudaSuccess);
    cr_assert_eq(self_reverse(d, 3073), cudaErrorInvalidValue);
    cr_assert_eq(self_allow_shared(16 * COUNT), cudaSuccess);
    cr_assert_eq(self_reverse(d, COUNT), cudaSuccess);
    cr_assert_eq(self_reverse(d, COUNT + 1), cudaErrorInvalidValue);
    cr_assert_eq(self_allow_shared(227 * 1024 + 1), cudaErrorInvalidValue);
    cr_assert_eq(cudaGetLastError(), cudaErrorInvalidValue);
    cr_assert_eq(cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost), cudaSuccess);
    for (int i = 0; i < 4 * COUNT; i++)
        cr_assert_eq(host[i], COUNT - 1 - i / 4);
    cudaFree(d);
}

/* A captured graph runs nothing until it is launched. A launch uses the current data. */
Test(emulator, graph_replay)
{
    enum { COUNT = 300 };
    float host[COUNT], *x = device(sizeof host), *y = device(sizeof host);
    cudaStream_t s = stream();
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    /* Loads the kernel; see a_kernels_first_launch_in_a_capture_is_refused. */
    cr_assert_eq(self_add_one(x, COUNT, 128, s), cudaSuccess);
    cr_assert_eq(cudaStreamSynchronize(s), cudaSuccess);
    emu_reset();
    cr_assert_eq(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal), cudaSuccess);
    cr_assert_eq(cudaMemcpyAsync(y, x, sizeof host, cudaMemcpyDeviceToDevice, s), cudaSuccess);
    cr_assert_eq(self_add_one(y, COUNT, 128, s), cudaSuccess);
    cr_assert_eq(self_add_one(y, COUNT, 128, s), cudaSuccess);
    cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaSuccess);
    cr_assert_eq(emu_launch_count(), 0);
    cr_assert_eq(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    cr_assert_eq(cudaGraphDestroy(graph), cudaSuccess);
    cr_assert_eq(cudaGraphUpload(exec, s), cudaSuccess);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < COUNT; i++)
            host[i] = (float)(round * i);
        cudaMemcpyAsync(x, host, sizeof host, cudaMemcpyHostToDevice, s);
        cr_assert_eq(cudaGraphLaunch(exec, s), cudaSuccess);
        cr_assert_eq(emu_launch_count(), 2 * round);
        cudaMemcpyAsync(host, y, sizeof host, cudaMemcpyDeviceToHost, s);
        for (int i = 0; i < COUNT; i++)
            cr_assert_eq(host[i], (float)(round * i + 2));
    }
    cr_assert_eq(emu_graph_launch_count(), 3);
    cudaGraphExecDestroy(exec), cudaStreamDestroy(s), cudaFree(x), cudaFree(y);
    cr_assert_eq(emu_live_bytes(), 0);
}

Test(emulator, capture_mistakes_are_told)
{
    cudaStream_t s = stream();
    cudaGraph_t graph;
    void *p = NULL;
    cr_assert_eq(cudaStreamBeginCapture(NULL, cudaStreamCaptureModeGlobal), cudaErrorStreamCaptureUnsupported);
    cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaErrorIllegalState);
    cr_assert_eq(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal), cudaSuccess);
    cr_assert_eq(cudaStreamSynchronize(s), cudaErrorStreamCaptureUnsupported);
    cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureInvalidated);
    cr_assert_eq(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    cr_assert_eq(cudaMalloc(&p, 16), cudaErrorStreamCaptureUnsupported);
    cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureInvalidated);
    cr_assert_eq(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed), cudaSuccess);
    cr_assert_eq(cudaMalloc(&p, 16), cudaSuccess);
    cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaSuccess);
    cudaGraphDestroy(graph), cudaStreamDestroy(s), cudaFree(p);
}

/* With lazy loading, the first launch loads the kernel, which may synchronise with the device. */
Test(emulator, a_kernels_first_launch_in_a_capture_is_refused)
{
    static const enum cudaStreamCaptureMode strict[] = {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal};
    float *x = device(sizeof *x);
    cudaStream_t s = stream();
    cudaGraph_t graph;
    for (int i = 0; i < 2; i++) {
        emu_unload();
        cr_assert_eq(cudaStreamBeginCapture(s, strict[i]), cudaSuccess);
        cr_assert_eq(self_add_one(x, 1, 32, s), cudaErrorStreamCaptureUnsupported);
        cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaErrorStreamCaptureInvalidated);
        cr_assert_eq(cudaGetLastError(), cudaErrorStreamCaptureInvalidated);
    }
    cr_assert_eq(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed), cudaSuccess);
    cr_assert_eq(self_add_one(x, 1, 32, s), cudaSuccess);
    cr_assert_eq(cudaStreamEndCapture(s, &graph), cudaSuccess);
    cudaGraphDestroy(graph), cudaStreamDestroy(s), cudaFree(x);
}

/* Returns true if *p is still NaN, because no stream has written it yet. TSan would report this read as a race, so the
 * function is not instrumented. */
__attribute__((noinline, no_sanitize("thread"))) static bool is_unwritten(const volatile float *p)
{
    return isnan(*p);
}

/* Work stays in the queue of its stream until the host or another stream waits for it. The results are visible only
 * after this wait. */
Test(emulator, streams_and_events)
{
    enum { COUNT = 100 };
    if (getenv("EMU_DEFER") && atoi(getenv("EMU_DEFER")) == 0)
        cr_skip_test("streams run work immediately");
    float *x = device(COUNT * sizeof *x), *host = NULL, ms = -1.0f;
    cr_assert_eq(cudaMallocHost((void **)&host, COUNT * sizeof *host), cudaSuccess);
    cr_assert(is_unwritten(host));
    cudaStream_t compute = stream(), copy = stream();
    cudaEvent_t begin, done;
    cr_assert_eq(cudaEventCreate(&begin), cudaSuccess);
    cr_assert_eq(cudaEventCreate(&done), cudaSuccess);
    cudaEventRecord(begin, compute);
    self_add_one(x, COUNT, 128, compute);
    cudaEventRecord(done, compute);
    cr_assert_eq(cudaEventElapsedTime(&ms, begin, done), cudaErrorNotReady);
    cudaStreamWaitEvent(copy, done, 0);
    cudaMemcpyAsync(host, x, COUNT * sizeof *host, cudaMemcpyDeviceToHost, copy);
    cr_assert(is_unwritten(host));
    cr_assert_eq(cudaStreamSynchronize(copy), cudaSuccess);
    cr_assert_eq(host[COUNT - 1], 1.0f);
    cr_assert_eq(cudaEventQuery(done), cudaSuccess);
    cr_assert_eq(cudaEventElapsedTime(&ms, begin, done), cudaSuccess);
    cr_assert_geq(ms, 0.0f);
    cudaMemcpyAsync(host, x, sizeof *host, cudaMemcpyDeviceToHost, copy);
    cr_assert_eq(cudaStreamQuery(copy), cudaErrorNotReady);
    cr_assert_eq(cudaStreamQuery(copy), cudaSuccess); /* each query runs one item of the stream */
    cudaEventDestroy(begin), cudaEventDestroy(done), cudaStreamDestroy(compute), cudaStreamDestroy(copy);
    cudaFreeHost(host), cudaFree(x);
}

Test(emulator, failed_launch_stays)
{
    float *x = device(sizeof *x), host = 0.0f;
    cudaStream_t s = stream();
    emu_fail_launch(2);
    cr_assert_eq(self_add_one(x, 1, 128, s), cudaSuccess);
    cr_assert_eq(cudaStreamSynchronize(s), cudaSuccess);
    cr_assert_eq(self_add_one(x, 1, 128, s), cudaSuccess); /* the next synchronisation reports the failure */
    cr_assert_eq(cudaStreamSynchronize(s), cudaErrorLaunchFailure);
    cr_assert_eq(cudaGetLastError(), cudaErrorLaunchFailure);
    cr_assert_eq(cudaGetLastError(), cudaErrorLaunchFailure);
    cr_assert_eq(cudaMemcpy(&host, x, sizeof host, cudaMemcpyDeviceToHost), cudaErrorLaunchFailure);
    cr_assert_eq(self_add_one(x, 1, 128, s), cudaErrorLaunchFailure);
    emu_reset();
    cr_assert_eq(cudaGetLastError(), cudaSuccess);
    cr_assert_eq(cudaMemcpy(&host, x, sizeof host, cudaMemcpyDeviceToHost), cudaSuccess);
    cr_assert_eq(host, 1.0f);
    cudaStreamDestroy(s), cudaFree(x);
}

Test(emulator, memory_runs_out)
{
    void *p = NULL, *q = NULL;
    size_t room = 0, all = 0;
    emu_fail_malloc(2);
    cr_assert_eq(cudaMalloc(&p, 64), cudaSuccess);
    cr_assert_eq(cudaMalloc(&q, 64), cudaErrorMemoryAllocation);
    cr_assert_eq(cudaGetLastError(), cudaErrorMemoryAllocation);
    cr_assert_eq(cudaGetLastError(), cudaSuccess); /* the error does not persist */
    emu_set_memory(100);
    cr_assert_eq(cudaMemGetInfo(&room, &all), cudaSuccess);
    cr_assert_eq(room, 36);
    cr_assert_eq(cudaMalloc(&q, 37), cudaErrorMemoryAllocation);
    cr_assert_eq(cudaMalloc(&q, 36), cudaSuccess);
    cr_assert_eq(emu_malloc_count(), 4);
    cudaFree(p), cudaFree(q);
    cr_assert_eq(emu_live_bytes(), 0);
}

Test(emulator, other_devices)
{
    struct cudaDeviceProp properties;
    int value = 0;
    cr_assert_eq(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
    cr_assert_str_eq(properties.name, "emulated");
    cr_assert_eq(properties.sharedMemPerBlockOptin, 227 * 1024);
    cr_assert_eq(cudaSetDevice(1), cudaErrorInvalidDevice);
    emu_set_device(2, 8, 6, CUDART_VERSION);
    cr_assert_eq(cudaSetDevice(1), cudaSuccess);
    cr_assert_eq(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 1), cudaSuccess);
    cr_assert_eq(value, 99 * 1024);
    emu_set_device(1, 7, 5, CUDART_VERSION);
    cr_assert_eq(self_add_one(NULL, 1, 128, NULL), cudaErrorNoKernelImageForDevice);
    emu_set_device(0, 0, 0, CUDART_VERSION);
    cr_assert_eq(cudaGetDeviceCount(&value), cudaErrorNoDevice);
    emu_set_device(1, 9, 0, 10020);
    cr_assert_eq(cudaGetDeviceCount(&value), cudaErrorInsufficientDriver);
    cr_assert_str_eq(cudaGetErrorName(cudaErrorInsufficientDriver), "cudaErrorInsufficientDriver");
}

Test(emulator, bad_arguments)
{
    float host[4] = {0}, *x = device(sizeof host);
    void *p = NULL;
    cr_assert_eq(self_add_one(x, 4, 1025, NULL), cudaErrorInvalidConfiguration);
    cr_assert_eq(cudaMemcpy(x, host, sizeof host + 1, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    cr_assert_eq(cudaMemcpy(host, x, sizeof host, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    cr_assert_eq(cudaMemset(host, 0, sizeof host), cudaErrorInvalidValue);
    cr_assert_eq(cudaFree(host), cudaErrorInvalidValue);
    cr_assert_eq(cudaStreamSynchronize((cudaStream_t)host), cudaErrorInvalidResourceHandle);
    cr_assert_eq(cudaFree(NULL), cudaSuccess);
    cr_assert_eq(cudaMalloc(&p, 0), cudaSuccess);
    cr_assert_null(p);
    cudaFree(x);
}
