/* Makes the vendor engine's plans with the real cuDNN, but without a GPU. Since version 9.8, cuDNN can make plans for a
 * device that is given only as a description. Therefore cuDNN itself checks every descriptor, attribute and count,
 * although nothing is run. The test is skipped if cuDNN is missing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/vendor/vendor_library.h"

enum { OLDEST_CUDNN = 90800 };

/* The description of an H200, in the format of CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION. */
static const char device[] =
    "{\"deviceName\":\"NVIDIA H200\",\"deviceVer\":900,\"driverVer\":13000,\"cudaDeviceId\":0,\"pciDeviceId\":0,"
    "\"isTccDriver\":0,\"supportCoopLaunch\":1,\"warpSize\":32,\"multiProcessorCount\":132,\"maxThreadsPerBlock\":1024,"
    "\"maxThreadsPerSM\":2048,\"maxCtasPerSM\":32,\"regsPerBlock\":65536,\"maxRegistersPerSM\":65536,"
    "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":232448,\"reservedSharedMemoryPerBlock\":1024,"
    "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"totalGlobalMem\":150000000000,"
    "\"l2CacheSize\":62914560,\"smClockRateKHz\":1980000,\"memClockRateKHz\":3201000}";

static sq_vendor *open_described(void)
{
    sq_vendor *v = calloc(1, sizeof *v);
    if (sq_vendor_load(v) != SQ_OK)
        cr_skip_test("%s", sq_error_text());
    if (v->cudnn.version() < OLDEST_CUDNN)
        cr_skip_test("%s: this version makes plans only for a present device", v->versions);
    cr_assert_eq(v->cudnn.create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &v->device), CUDNN_STATUS_SUCCESS);
    cr_assert_eq(v->cudnn.set(v->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                              (int64_t)strlen(device), device),
                 CUDNN_STATUS_SUCCESS);
    if (v->cudnn.finalize(v->device) != CUDNN_STATUS_SUCCESS)
        cr_skip_test("%s: cuDNN does not accept the description of a device", v->versions);
    return v;
}

static const sq_vendor_convolution shapes[] = {
    /* direction, n, h, w, c_in, h, w, c_out, kernel, stride, groups */
    {0, 256, 224, 224, 4, 112, 112, 16, 3, 2, 1},  {0, 256, 112, 112, 16, 56, 56, 16, 3, 2, 16},
    {0, 256, 56, 56, 64, 56, 56, 64, 3, 1, 64},    {0, 256, 28, 28, 160, 14, 14, 160, 5, 2, 160},
    {0, 256, 14, 14, 320, 14, 14, 320, 7, 1, 320}, {0, 64, 56, 56, 32, 56, 56, 64, 3, 1, 1},
    {0, 5, 15, 15, 24, 8, 8, 32, 1, 2, 1},         {0, 1, 1, 1, 8, 1, 1, 8, 3, 1, 8},
};

Test(vendor_plans, cudnn_has_an_engine_for_every_kind_of_convolution)
{
    sq_vendor *v = open_described();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int direction = SQ_VENDOR_FORWARD; direction <= SQ_VENDOR_WEIGHT_GRADIENT; direction++) {
            sq_vendor_convolution shape = shapes[i];
            const sq_vendor_plan *plan = NULL, *again = NULL;
            shape.direction = direction;
            cr_expect_eq(sq_vendor_plan_convolution(v, &shape, &plan), SQ_OK, "%s", sq_error_text());
            cr_expect_eq(sq_vendor_plan_convolution(v, &shape, &again), SQ_OK);
            cr_expect(plan && plan == again, "found again");
            cr_expect(plan && sq_vendor_workspace(plan) <= SQ_VENDOR_MAX_WORKSPACE);
        }
    (void)v->cudnn.destroy(v->device); /* an error in cleanup has no effect */
    sq_vendor_close(v);
}

/* Binding needs no GPU because a call is a cuDNN variant pack, which only stores addresses. */
Test(vendor_plans, a_plan_is_bound_to_addresses)
{
    sq_vendor *v = open_described();
    const sq_vendor_plan *plan = NULL;
    sq_vendor_call *call = NULL;
    unsigned char *memory = aligned_alloc(256, 4096);
    const sq_vendor_operands at = {.first = memory, .second = memory + 1024, .out = memory + 2048, .workspace = memory};
    cr_assert_eq(sq_vendor_plan_convolution(v, &shapes[2], &plan), SQ_OK, "%s", sq_error_text());
    cr_expect_eq(sq_vendor_bind(plan, &at, &call), SQ_OK, "%s", sq_error_text());
    sq_vendor_release(call);
    free(memory);
    (void)v->cudnn.destroy(v->device); /* an error in cleanup has no effect */
    sq_vendor_close(v);
}

Test(vendor_plans, an_impossible_shape_is_refused_each_time_with_its_text)
{
    sq_vendor *v = open_described();
    const sq_vendor_convolution wrong = {0, 2, 8, 8, 16, 5, 5, 16, 3, 1, 1}; /* 8 x 8 cannot become 5 x 5 */
    const sq_vendor_plan *plan = NULL;
    for (int i = 0; i < 2; i++) {
        cr_expect_neq(sq_vendor_plan_convolution(v, &wrong, &plan), SQ_OK);
        cr_expect(strstr(sq_error_text(), "cuDNN: forward of a convolution, 2 x 8 x 8 x 16") != NULL, "%s",
                  sq_error_text());
    }
    (void)v->cudnn.destroy(v->device); /* an error in cleanup has no effect */
    sq_vendor_close(v);
}
