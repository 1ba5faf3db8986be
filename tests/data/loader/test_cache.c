/* Tests the cache in host memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader/cache.h"
#include "tests/support/support.h"

Test(cache, returns_records_as_added_until_it_is_full)
{
    const sq_cache_plan plan = {.form = SQ_CACHE_ENCODED, .bytes = 256, .image_count = 5};
    sq_cache *cache = NULL;
    sq_image_record found;
    MUST(sq_cache_open(&cache, &plan));
    cr_expect(!sq_cache_find(cache, 0, &found));
    sq_cache_add(cache, 3, &(sq_image_record){.bytes = "eight by", .size = 8});
    sq_cache_add(cache, 3, &(sq_image_record){.bytes = "again", .size = 5});
    sq_cache_add(cache, 0, &(sq_image_record){.bytes = "abcdef", .size = 6, .is_raw = true, .h = 1, .w = 2});
    cr_expect(sq_cache_find(cache, 3, &found) && found.size == 8 && memcmp(found.bytes, "eight by", 8) == 0 &&
              !found.is_raw);
    cr_expect(sq_cache_find(cache, 0, &found) && found.is_raw && found.h == 1 && found.w == 2);
    cr_expect(!sq_cache_is_full(cache));
    char large[200] = {0};
    sq_cache_add(cache, 1, &(sq_image_record){.bytes = large, .size = sizeof large});
    cr_expect(sq_cache_is_full(cache) && !sq_cache_find(cache, 1, &found));
    cr_expect_eq(sq_cache_count(cache), 2);
    cr_expect_eq(sq_cache_bytes(cache), 128);
    sq_cache_close(cache);
}

Test(cache, processes_of_a_host_share_the_available_memory)
{
    cr_expect_eq(sq_cache_budget(3, 8), (size_t)3 << 20);
    /* The bound is 10 times the expected share, because the available memory can change between the two calls. */
    cr_expect_lt(sq_cache_budget(0, 1000), sq_cache_budget(0, 1) / 100);
}

Test(cache, plans_decoded_images_if_they_fit)
{
    sq_dataset *d = NULL;
    sq_cache_plan plan;
    MUST(sq_dataset_open(&d, SOURCE("data/samples"), "val"));
    const size_t decoded = 800 * (size_t)(37 * 64); /* 28 * 28 * 3 bytes, padded to 64 */
    MUST(sq_cache_plan_make(&plan, d, 2 * decoded, true));
    cr_expect(plan.form == SQ_CACHE_DECODED && plan.image_count == 800 && plan.cached_count == 800);
    MUST(sq_cache_plan_make(&plan, d, decoded / 2, true));
    cr_expect_eq(plan.form, SQ_CACHE_ENCODED);
    MUST(sq_cache_plan_make(&plan, d, 2 * decoded, false));
    cr_expect_eq(plan.form, SQ_CACHE_ENCODED);
    MUST(sq_cache_plan_make(&plan, d, plan.wanted_bytes / 4, true));
    cr_expect(plan.cached_count > 0 && plan.cached_count < 800 && plan.bytes < plan.wanted_bytes);
    sq_dataset_close(d);
}

Test(cache, every_form_has_a_name)
{
    for (int form = 0; form < SQ_CACHE_FORMS; form++)
        cr_expect_not_null(sq_cache_form_name((sq_cache_form)form), "%d", form);
    cr_expect_str_eq(sq_cache_form_name(SQ_CACHE_DEVICE), "device");
}
