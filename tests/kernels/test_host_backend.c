/* Tests the memory functions of host backends. */
#include <string.h>

#include "kernels/host_backend.h"
#include "tests/support/support.h"

Test(host_backend, memory_is_zero_and_aligned_and_copies_arrive)
{
    static const char text[] = "sixteen letters";
    sq_backend *b = NULL;
    sq_device_ptr p, q;
    char found[sizeof text];
    MUST(sq_backend_open("reference", 1, &b));
    MUST(sq_host_allocate(b, 100, &p));
    MUST(sq_host_allocate(b, 0, &q));
    cr_expect_eq((uintptr_t)p.address % 64, 0);
    for (int i = 0; i < 100; i++)
        cr_expect_eq(p.address[i], 0);
    MUST(sq_host_write(b, p, text, sizeof text));
    MUST(sq_host_copy(b, (sq_device_ptr){p.address + 64}, p, sizeof text));
    MUST(sq_host_read(b, found, (sq_device_ptr){p.address + 64}, sizeof text));
    cr_expect_str_eq(found, text);
    sq_host_release(b, q);
    sq_host_release(b, p);
    sq_host_release(b, (sq_device_ptr){NULL});
    cr_expect_eq(sq_host_allocate(b, SIZE_MAX, &p), SQ_NO_MEMORY);
    sq_backend_close(b);
}

Test(host_backend, bf16_slots_are_refused)
{
    sq_backend *b = NULL;
    sq_graph graph = {.name = "probe"};
    MUST(sq_backend_open("reference", 1, &b));
    (void)sq_graph_slot(&graph, (sq_slot){.dtype = SQ_BF16, .n = 1, .h = 1, .w = 1, .c = 8, .pitch = 8});
    cr_expect_eq(sq_host_check_dtypes(b, &graph), SQ_UNSUPPORTED);
    sq_graph_clear(&graph);
    sq_backend_close(b);
}
