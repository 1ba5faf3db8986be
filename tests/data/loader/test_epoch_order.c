/* Tests the order of the images in an epoch. */
#include <stdbool.h>

#include "data/loader/epoch_order.h"
#include "tests/support/support.h"

Test(epoch_order, contains_every_image_once)
{
    uint32_t order[997];
    bool seen[997] = {false};
    sq_epoch_permutation(order, 997, 1, 3);
    for (int i = 0; i < 997; i++) {
        cr_expect(order[i] < 997 && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

Test(epoch_order, buffers_hold_the_permutations_of_the_epochs_in_use)
{
    enum { COUNT = 50, EPOCHS = 3 };
    sq_epoch_orders orders;
    MUST(sq_epoch_orders_init(&orders, COUNT, 7, EPOCHS));
    for (uint64_t epoch = 0; epoch < 10; epoch++) {
        uint32_t expected[COUNT];
        sq_epoch_orders_make(&orders, epoch);
        sq_epoch_orders_make(&orders, epoch);
        for (uint64_t used = epoch > 2 ? epoch - 2 : 0; used <= epoch; used++) {
            sq_epoch_permutation(expected, COUNT, 7, used);
            for (size_t i = 0; i < COUNT; i++)
                cr_expect_eq(sq_epoch_orders_at(&orders, used, i), expected[i]);
        }
    }
    sq_epoch_orders_free(&orders);
}
